// Package function wires an endpoint as a Lambda: it reads the environment, makes the clients once at start, and serves.
// What only some functions need, and so only they link, stands in the packages beneath.
package function

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"pesan/internal/chat"
	"pesan/internal/env"
	"pesan/internal/httpapi"
	"pesan/internal/kv"
	kvdynamodb "pesan/internal/kv/dynamodb"
	"pesan/internal/store"
	"pesan/internal/usage"
)

// Wiring is what an endpoint is made of. What is wrong with the environment is kept, and told all at once.
type Wiring struct {
	*env.Reader
	AWS  aws.Config
	Deps httpapi.Deps
	// The system's endpoints are opened by it; it may change while the function lives.
	Secret     string
	ReadSecret func(context.Context) (string, error)

	tables kvdynamodb.Tables // of what the endpoint uses
	store  *store.Store
}

// Part fills in what only some functions need, and so only they link.
type Part func(*Wiring)

// Main is the main function of a Lambda: it makes the endpoint, and serves it until Lambda ends the process.
func Main(endpoint func(httpapi.Deps) httpapi.Endpoint, parts ...Part) {
	handler, err := wire(os.LookupEnv, slog.New(slog.NewJSONHandler(os.Stderr, nil)), endpoint, parts...)
	if err != nil {
		fmt.Fprintf(os.Stderr, "the function can't start:\n%v\n", err)
		os.Exit(1)
	}
	Start(handler, handler.AtStop())
}

// Start serves until Lambda ends the process.
func Start(handler lambda.Handler, options ...lambda.Option) {
	debug.SetGCPercent(gcPercent)
	http.DefaultTransport.(*http.Transport).WriteBufferSize = writeBuffer
	lambda.StartWithOptions(handler, options...)
}

// What was counted is stored with a call, once a minute, and when Lambda stops the process.
const (
	flushEvery = time.Minute
	flushTime  = 2 * time.Second
	stopTime   = 400 * time.Millisecond // Lambda kills the process then
)

// Counter stores what a function has counted.
type Counter struct {
	Meter *usage.Meter // nil: nothing is counted
	Log   *slog.Logger
}

// AfterCall is for the end of each call.
func (c *Counter) AfterCall() {
	if c.Meter != nil && c.Meter.Due(flushEvery) {
		c.flush(flushTime)
	}
}

// Stop is for the end of the process.
func (c *Counter) Stop() {
	if c.Meter != nil {
		c.flush(stopTime)
	}
}

// AtStop has Stop called when Lambda ends the process.
func (c *Counter) AtStop() lambda.Option { return lambda.WithEnableSIGTERM(c.Stop) }

func (c *Counter) flush(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := c.Meter.Flush(ctx); err != nil {
		c.Log.Warn("store usage", "error", err)
	}
}

// metered is a function that stores what its calls have used.
type metered struct {
	*httpapi.Function
	Counter
}

// Invoke implements lambda.Handler.
func (m *metered) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := m.Function.Invoke(ctx, payload)
	m.AfterCall()
	return answer, err
}

// gcPercent lets garbage grow: a function has 512 MB, needs some for one call at a time, and would spend a fifth of its
// time on collections.
const gcPercent = 400

// writeBuffer holds a piece of an answer: package lambda hands them over in pieces of 32 KB, each of which would take three
// writes with the usual buffer.
const writeBuffer = 40 << 10

// wire makes the endpoint of the clients and settings that the environment names.
func wire(
	lookup func(string) (string, bool), logger *slog.Logger, endpoint func(httpapi.Deps) httpapi.Endpoint, parts ...Part,
) (*metered, error) {
	e := endpoint(httpapi.Deps{})
	w := NewWiring(lookup)
	c := httpapi.Config{
		CountryCode: w.Digits("COUNTRY_CODE", "62", 3),
		Rate:        float64(w.Int("RATE_LIMIT", 50, 0, 1_000_000)),
		Logger:      logger,
	}
	if e.Auth != httpapi.Open {
		w.use(kv.Reports)
		c.Reports = w.store
	}
	if e.Auth == httpapi.ByKey {
		w.use(kv.Accounts)
		c.Accounts, c.Latest = w.store.EventualAccounts(), w.store
	} else if slices.Contains(e.Needs, httpapi.Commands) { // a command may be its account's end, which the call waits for
		w.use(kv.Accounts)
		c.Latest = w.store
	}
	m := &metered{Counter: Counter{Log: logger}}
	if e.Auth == httpapi.ByKey {
		m.Meter = usage.New(w.store, rand.Text(), time.Now)
		c.Meter = m.Meter
	}
	w.fill(e.Needs)
	for _, part := range parts {
		part(w)
	}
	c.Secret, c.ReadSecret = w.Secret, w.ReadSecret
	switch err := w.Err(); {
	case err != nil:
		return nil, err
	case slices.Contains(e.Needs, httpapi.Commands) && w.Deps.Sender == nil,
		slices.Contains(e.Needs, httpapi.Sending) && w.Deps.BatchSender == nil:
		return nil, fmt.Errorf("%s is made without what sends commands", e.Name)
	case slices.Contains(e.Needs, httpapi.Caller) && w.Deps.Caller == nil:
		return nil, fmt.Errorf("%s is made without what calls endpoints", e.Name)
	case slices.Contains(e.Needs, httpapi.Media) && w.Deps.Media == nil:
		return nil, fmt.Errorf("%s is made without what links to files", e.Name)
	case e.Auth == httpapi.BySecret && c.Secret == "":
		return nil, fmt.Errorf("%s is made without the secret", e.Name)
	}
	m.Function = httpapi.New(c).Lambda(endpoint(w.Deps))
	return m, nil
}

// fill makes the ports that are needed, but for those that are parts.
func (w *Wiring) fill(needs []httpapi.Port) {
	for _, need := range needs {
		switch need {
		case httpapi.Accounts:
			w.use(kv.Accounts)
			w.Deps.Accounts = w.store
		case httpapi.Usage:
			w.use(kv.Reports)
			w.Deps.Usage = w.store
		case httpapi.AllUsage:
			w.use(kv.Reports, kv.Hooks)
			w.Deps.AllUsage = w.store.AllUsage()
		case httpapi.Chats:
			w.use(kv.Chats)
			w.Deps.Chats, w.Deps.Labels, w.Deps.Feed = w.store, w.store, w.store
		case httpapi.Messages:
			w.use(kv.Chats, kv.Messages)
			w.Deps.Messages, w.Deps.Feed = w.store, w.store
		case httpapi.Reports:
			w.use(kv.Reports, kv.Commands) // whose outcome an entry tells
			w.Deps.Reports = w.store
		case httpapi.Webhooks:
			w.Deps.Hooks = w.Hooks()
		case httpapi.Feeds:
			w.use(kv.Chats)
			w.Deps.Feed = w.store
		case httpapi.Caller: // a part
		case httpapi.Requests:
			w.use(kv.Commands)
			w.Deps.Commands = w.store
		case httpapi.Commands:
			w.use(kv.Commands)
			w.Deps.Commands, w.Deps.Outcomes, w.Deps.Hosts = w.store, w.store.EventualCommands(), w.store
			w.Deps.Wait = w.Duration("COMMAND_WAIT", 8*time.Second, 0, 20*time.Second)
		case httpapi.Heartbeats:
			w.use(kv.Commands)
			w.Deps.Beats = w.store
		case httpapi.Batches:
			w.use(kv.Commands)
			w.Deps.Batches = w.store
			w.Deps.BatchRate = w.Int("BATCH_RATE", chat.BatchRateBound, 1, chat.MaxBatchRate)
		case httpapi.Sending, httpapi.Media: // parts
		default:
			w.Reject(string(need), "is a port that functions don't have")
		}
	}
}

// variables name the tables of the collections that functions use.
var variables = map[kv.Collection]string{
	kv.Accounts: "ACCOUNTS_TABLE", kv.Reports: "REPORTS_TABLE", kv.Chats: "CHATS_TABLE", kv.Messages: "MESSAGES_TABLE",
	kv.Commands: "COMMANDS_TABLE", kv.Hooks: "HOOKS_TABLE", kv.Secrets: "SECRETS_TABLE",
}

// Hooks is the store of webhooks.
func (w *Wiring) Hooks() *store.Store {
	w.use(kv.Hooks, kv.Secrets)
	return w.store
}

// use gives the store the tables of collections.
func (w *Wiring) use(collections ...kv.Collection) {
	for _, c := range collections {
		if w.tables[c] == "" {
			w.tables[c] = w.Required(variables[c], "the name of a DynamoDB table")
		}
	}
}

// NewWiring takes what Lambda puts into the environment of every function. The credentials there last as long as the
// process does, so none of the SDK's ways to find some is linked.
func NewWiring(lookup func(string) (string, bool)) *Wiring {
	r := env.New(lookup)
	credentials := aws.Credentials{
		AccessKeyID:     r.Required("AWS_ACCESS_KEY_ID", "set by Lambda"),
		SecretAccessKey: r.Required("AWS_SECRET_ACCESS_KEY", "set by Lambda"),
		SessionToken:    r.String("AWS_SESSION_TOKEN", ""),
	}
	w := &Wiring{Reader: r, AWS: aws.Config{
		Region: r.Required("AWS_REGION", "set by Lambda"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials, nil
		}),
		Logger: logging.Nop{}, // what matters comes as an error
	}}
	if endpoint := r.String("AWS_ENDPOINT_URL", ""); endpoint != "" {
		w.AWS.BaseEndpoint = aws.String(endpoint)
	}
	w.tables = kvdynamodb.Tables{}
	db := kvdynamodb.New(dynamodb.NewFromConfig(w.AWS, kvdynamodb.Tuned), w.tables, time.Now)
	feedAge := time.Duration(w.Int("FEED_DAYS", 7, 1, chat.MostFeedDays)) * chat.LeastFeedAge
	w.store = store.New(db, store.Options{Compression: store.Zstd, FeedAge: feedAge})
	return w
}
