// Package function wires an endpoint as a Lambda: it reads the environment, makes the clients once at start, and serves.
// What only some functions need, and so only they link, stands in the packages beneath.
package function

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"pesan/internal/dynamo"
	"pesan/internal/env"
	"pesan/internal/httpapi"
)

// Wiring is what an endpoint is made of. What is wrong with the environment is kept, and told all at once.
type Wiring struct {
	*env.Reader
	AWS      aws.Config
	DynamoDB *dynamodb.Client
	Secret   string // opens the system's endpoints; empty unless the endpoint sets it
}

// Main is the main function of a Lambda: it makes the endpoint and serves it until Lambda ends the process.
func Main(endpoint func(*Wiring) httpapi.Endpoint) {
	handler, err := wire(os.LookupEnv, slog.New(slog.NewJSONHandler(os.Stderr, nil)), endpoint)
	if err != nil {
		fmt.Fprintf(os.Stderr, "the function can't start:\n%v\n", err)
		os.Exit(1)
	}
	debug.SetGCPercent(gcPercent)
	http.DefaultTransport.(*http.Transport).WriteBufferSize = writeBuffer
	lambda.Start(handler)
}

// gcPercent lets garbage grow: a function has 512 MB, needs some for one call at a time, and would spend a fifth of its
// time on collections.
const gcPercent = 400

// writeBuffer holds a piece of an answer: package lambda hands them over in pieces of 32 KB, each of which would take three
// writes with the usual buffer.
const writeBuffer = 40 << 10

// wire makes the endpoint of the clients and settings that the environment names.
func wire(lookup func(string) (string, bool), logger *slog.Logger, endpoint func(*Wiring) httpapi.Endpoint) (*httpapi.Function, error) {
	w := newWiring(lookup)
	c := httpapi.Config{
		CountryCode: w.Digits("COUNTRY_CODE", "62", 3),
		Rate:        float64(w.Int("RATE_LIMIT", 50, 0, 1_000_000)),
		Logger:      logger,
	}
	if table := w.String("REPORTS_TABLE", ""); table != "" {
		c.Reports = w.Reports()
	}
	if table := w.String("ACCOUNTS_TABLE", ""); table != "" {
		c.Accounts, c.Latest = dynamo.NewAccountReader(w.DynamoDB, table), w.Accounts()
	}
	e := endpoint(w)
	c.Secret = w.Secret
	if err := w.Err(); err != nil {
		return nil, err
	}
	return httpapi.New(c).Lambda(e), nil
}

// newWiring takes what Lambda puts into the environment of every function. The credentials there last as long as the
// process does, so none of the SDK's ways to find some is linked.
func newWiring(lookup func(string) (string, bool)) *Wiring {
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
	w.DynamoDB = dynamodb.NewFromConfig(w.AWS, dynamo.Tuned)
	return w
}

// Table is the name of a table, from a variable such as CHATS_TABLE.
func (w *Wiring) Table(variable string) string {
	return w.Required(variable, "the name of a DynamoDB table")
}

// Accounts works on ACCOUNTS_TABLE.
func (w *Wiring) Accounts() *dynamo.Accounts {
	return dynamo.NewAccounts(w.DynamoDB, w.Table("ACCOUNTS_TABLE"))
}

// Chats reads CHATS_TABLE.
func (w *Wiring) Chats() *dynamo.ChatReader {
	return dynamo.NewChatReader(w.DynamoDB, w.Table("CHATS_TABLE"))
}

// Messages reads CHATS_TABLE and MESSAGES_TABLE.
func (w *Wiring) Messages() *dynamo.MessageReader {
	return dynamo.NewMessageReader(w.DynamoDB, w.Table("CHATS_TABLE"), w.Table("MESSAGES_TABLE"))
}

// Reports works on REPORTS_TABLE.
func (w *Wiring) Reports() *dynamo.Reports {
	return dynamo.NewReports(w.DynamoDB, w.Table("REPORTS_TABLE"), time.Now)
}
