package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
	kvdynamodb "pesan/internal/kv/dynamodb"
	"pesan/internal/store"
)

// runFunctions measures the functions' binaries: their size, their start and what a call takes, on DynamoDB Local.
func (b *bench) runFunctions(ctx context.Context) ([]row, error) {
	size, err := b.largestFunction(ctx)
	if err != nil {
		return nil, err
	}
	c, err := b.startCloud(ctx)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	dist := filepath.Join(b.folder, "functions")
	if err := makeProgram(ctx, "functions", "ARCH="+runtime.GOARCH, "DIST="+dist,
		"FUNCTIONS=./functions/... ./bench/nothing"); err != nil {
		return nil, err
	}
	key, _, err := c.seed(ctx, readChats)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	few, fewAccount, err := c.seed(ctx, fewChats)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	f := &functions{c, dist}
	starts, err := f.starts(ctx, few, fewAccount)
	if err != nil {
		return nil, err
	}
	calls, err := f.calls(ctx, key)
	return slices.Concat([]row{size}, starts, calls), err
}

// largestFunction looks at the functions as they are deployed.
func (b *bench) largestFunction(ctx context.Context) (row, error) {
	dist := filepath.Join(b.folder, "deployed")
	if err := makeProgram(ctx, "functions", "ARCH=arm64", "DIST="+dist); err != nil {
		return row{}, err
	}
	binaries, err := filepath.Glob(filepath.Join(dist, "*", "bootstrap"))
	if err != nil {
		return row{}, err
	}
	var largest int64
	var name string
	for _, binary := range binaries {
		info, err := os.Stat(binary)
		if err != nil {
			return row{}, err
		}
		if info.Size() > largest {
			largest, name = info.Size(), filepath.Base(filepath.Dir(binary))
		}
	}
	return row{
		fmt.Sprintf("the largest of %d functions for arm64, unzipped: %s", len(binaries), name),
		fmt.Sprintf("%.1f MB", float64(largest)/1e6), "10 MB", largest > 0 && largest <= 10e6,
	}, nil
}

// functions are built for this machine.
type functions struct {
	*cloud
	dist string
}

const (
	fewChats  = 20
	starts    = 60
	coldCalls = 30 // before those that are measured
	warmCalls = 200
)

// starts measures from the start of a process to its first answer, in turn with a function that does nothing, and with
// the round trip to the store.
func (f *functions) starts(ctx context.Context, key, account string) ([]row, error) {
	cases := []struct {
		function string
		event    []byte
		read     func(context.Context, chat.ChatReader) error

		took, cpu, trips []time.Duration
	}{
		{function: "nothing", event: callEvent("nothing"), read: func(context.Context, chat.ChatReader) error { return nil }},
		{
			function: "get-chats", event: callEvent("getChats", "apiKey", key),
			read: func(ctx context.Context, chats chat.ChatReader) error {
				_, _, err := chats.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: fewChats}, time.Now())
				return err
			},
		},
		{
			function: "get-chat-by-id", event: callEvent("getChatById", "apiKey", key, "phone", person(0).User()),
			read: func(ctx context.Context, chats chat.ChatReader) error {
				_, err := chats.Chat(ctx, account, person(0))
				return err
			},
		},
	}
	for i := range starts {
		if i%10 == 0 {
			progress("start %d of %d", i+1, starts)
		}
		for j := range cases {
			took, cpu, err := f.start(ctx, cases[j].function, cases[j].event)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cases[j].function, err)
			}
			cases[j].took, cases[j].cpu = append(cases[j].took, took), append(cases[j].cpu, cpu)
			trip, err := f.roundTrip(ctx, account, cases[j].read)
			if err != nil {
				return nil, err
			}
			cases[j].trips = append(cases[j].trips, trip)
		}
	}
	nothing := median(cases[0].took)
	var rows []row
	for _, c := range cases[1:] {
		took, trip := median(c.took), median(c.trips)
		goal := nothing*3/2 + trip
		rows = append(rows, row{
			fmt.Sprintf("%s, start to first answer: %s (CPU %s) against %s (CPU %s) of a function that does nothing",
				c.function, ms(took), ms(median(c.cpu)), ms(nothing), ms(median(cases[0].cpu))),
			fmt.Sprintf("%.2f × + %s", float64(took-trip)/float64(nothing), ms(trip)), "1.5 × + " + ms(trip), took <= goal,
		})
	}
	return rows, nil
}

func (f *functions) bootstrap(ctx context.Context, l *lambdaService, function string, more ...string) (*process, error) {
	env := append(append(f.environment(), more...), "AWS_LAMBDA_RUNTIME_API="+l.address,
		"AWS_LAMBDA_FUNCTION_NAME="+function, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST")
	return start(ctx, nil, env, filepath.Join(f.dist, function, "bootstrap"))
}

func (f *functions) start(ctx context.Context, function string, event []byte) (took, cpu time.Duration, err error) {
	l, err := serveLambda()
	if err != nil {
		return 0, 0, err
	}
	defer l.close()
	l.events <- event
	began := time.Now()
	p, err := f.bootstrap(ctx, l, function)
	if err != nil {
		return 0, 0, err
	}
	a, err := l.await(ctx)
	p.stop()
	if err != nil {
		return 0, 0, err
	}
	return a.at.Sub(began), p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), check(a.body)
}

// roundTrip is one to the store: what a function reads, with the account, by a program that has done so before, over new
// connections.
func (f *functions) roundTrip(
	ctx context.Context, account string, read func(context.Context, chat.ChatReader) error,
) (time.Duration, error) {
	stored := store.New(kvdynamodb.New(f.client(kvdynamodb.Tuned), f.tables, time.Now), store.Options{Compression: store.Zstd})
	accounts := stored.EventualAccounts()
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, err := accounts.Account(ctx, account)
		return err
	})
	group.Go(func() error { return read(ctx, stored) })
	err := group.Wait()
	return time.Since(began), err
}

// calls measures what a function that runs takes for getChats.
func (f *functions) calls(ctx context.Context, key string) ([]row, error) {
	l, err := serveLambda()
	if err != nil {
		return nil, err
	}
	defer l.close()
	p, err := f.bootstrap(ctx, l, "get-chats")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	event := callEvent("getChats", "apiKey", key)
	var before time.Duration
	var took []time.Duration
	var size int
	for i := -coldCalls; i < warmCalls; i++ {
		if i == 0 {
			progress("%d calls", warmCalls)
			if before, err = p.cpu(); err != nil {
				return nil, err
			}
		}
		began := time.Now()
		a, err := l.invoke(ctx, event)
		if err != nil {
			return nil, err
		}
		if err := check(a.body); err != nil {
			return nil, err
		}
		if i >= 0 {
			took = append(took, a.at.Sub(began))
		}
		size = len(a.body)
	}
	after, err := p.cpu()
	cpu := (after - before) / warmCalls
	return []row{{
		fmt.Sprintf("getChats on DynamoDB Local, %d chats, %d KB: CPU in the function (p50 %s)", readChats, size/1000,
			ms(median(took))),
		ms(cpu), "12 ms", cpu <= 12*time.Millisecond,
	}}, err
}

// callEvent is a call as API Gateway hands it to a function.
func callEvent(endpoint string, params ...string) []byte {
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	path := "/api/" + endpoint
	event := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "ANY " + path, RawPath: path,
		Headers: map[string]string{
			"accept": "*/*", "content-type": "application/x-www-form-urlencoded", "host": "bench.execute-api.ap-southeast-3.amazonaws.com",
			"user-agent": "curl/8.5.0", "x-forwarded-for": "192.0.2.1", "x-forwarded-port": "443", "x-forwarded-proto": "https",
		},
		Body: base64.StdEncoding.EncodeToString([]byte(form.Encode())), IsBase64Encoded: true,
	}
	event.RequestContext.RequestID, event.RequestContext.Stage = "JKJaXmPLvHcESHA=", "$default"
	event.RequestContext.HTTP.Method, event.RequestContext.HTTP.Path = "POST", path
	b, err := json.Marshal(event)
	if err != nil {
		panic(err) // it is made of strings
	}
	return b
}

// check tells whether a function's answer is a good one.
func check(body []byte) error {
	var a struct {
		StatusCode int `json:"statusCode"`
	}
	if err := json.Unmarshal(body, &a); err != nil || a.StatusCode != 200 {
		return fmt.Errorf("the function answers %.200s", body)
	}
	return nil
}

func person(i int) chat.JID { return chat.NewJID(fmt.Sprintf("62894%07d", i), chat.UserServer) }

// seed makes an account that has chats, and returns its key.
func (c *cloud) seed(ctx context.Context, chats int) (key, account string, err error) {
	progress("storing %d chats", chats)
	a := chat.Account{ID: ulid.Make().String(), Name: "bench", CreatedAt: time.Now(), State: chat.ServiceOff}
	if key, a.KeyHash, err = chat.NewKey(a.ID, rand.Reader); err != nil {
		return "", "", err
	}
	store := c.store()
	if err := store.CreateAccount(ctx, a); err != nil {
		return "", "", err
	}
	began := time.Now().Unix() - int64(chats)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range chats {
		group.Go(func() error {
			jid := person(i)
			change := ordinaryChat(jid, began+int64(i))
			message := ordinaryMessage(jid, fmt.Sprintf("3EB0%016X", i), began+int64(i))
			change.Messages = []chat.Message{message}
			return store.Update(ctx, a.ID, jid, []string{message.ID},
				func(t *chat.Thread) error { return t.Apply(change, time.Now()) })
		})
	}
	return key, a.ID, group.Wait()
}
