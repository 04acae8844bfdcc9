package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.mau.fi/whatsmeow/util/keys"

	"pesan/e2e"
	"pesan/internal/chat"
	"pesan/internal/function/deliver"
	"pesan/internal/httpapi"
	"pesan/internal/kv"
	kvdynamodb "pesan/internal/kv/dynamodb"
	"pesan/internal/page"
	sqsqueue "pesan/internal/queue/sqs"
	"pesan/internal/sim"
	"pesan/internal/store"
	"pesan/internal/testkit/check"
	"pesan/internal/testkit/dynamolocal"
	"pesan/internal/testkit/sqslocal"
	"pesan/internal/webhook"
	"pesan/internal/whatsapp"
)

// asHost makes the test binary the session host, for tests of processes.
const asHost = "TEST_AS_SESSION_HOST"

func TestMain(m *testing.M) {
	if os.Getenv(asHost) != "" {
		main()
		return
	}
	// Whatsmeow keeps these for the whole process: they are set before anything runs.
	globals := whatsapp.Globals{Address: "127.0.0.1:1", RootKey: hex.EncodeToString(root.Pub[:]), Logger: slog.New(slog.DiscardHandler)}
	if _, err := globals.Set(); err != nil {
		panic(err)
	}
	os.Exit(check.Leaks(sqslocal.Run(func() int { return dynamolocal.Main(m) })))
}

// root of every simulated server, so that each is trusted.
var root = keys.NewKeyPair()

// stack is what the template makes, on local servers: tables, queues, an API, and a simulated WhatsApp.
type stack struct {
	t        *testing.T
	tables   kvdynamodb.Tables
	queues   sqsqueue.Queues
	dynamoDB string // URLs that the hosts use
	sqs      string
	events   string // URL of the queue of events
	url      string // of the API
	secret   string
	whatsApp *sim.Server
	accounts chat.Accounts
	logs     *lines // of the API and of all hosts
}

// newStack makes a stack. between, if given, stands between AWS and who uses it: it takes a server's URL and returns another.
func newStack(t *testing.T, shards int, between func(url string) string) *stack {
	t.Helper()
	if between == nil {
		between = func(url string) string { return url }
	}
	db, queue := dynamolocal.Client(t), sqslocal.Client(t)
	prefix := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")) + "-"
	s := &stack{
		t: t, tables: dynamolocal.CreateTables(t, prefix), secret: "a secret of this test", logs: newLines(),
		dynamoDB: between(aws.ToString(db.Options().BaseEndpoint)), sqs: between(aws.ToString(queue.Options().BaseEndpoint)),
	}
	for i := range shards {
		url, _ := sqslocal.CreateQueue(t, queue, fmt.Sprint(prefix, i), chat.VisibilityTimeout, chat.MaxDeliveries)
		s.queues = append(s.queues, url)
	}
	s.events, _ = sqslocal.CreateQueue(t, queue, prefix+"events", chat.VisibilityTimeout, 1000)
	var err error
	s.whatsApp, err = sim.New(sim.Options{Root: root, OnViolation: func(v sim.Violation) { t.Errorf("violation: %v", v) }})
	must(t, err)
	t.Cleanup(func() { must(t, s.whatsApp.Close()) })
	s.serve()
	return s
}

// serve serves the API, as the functions do, from this process.
func (s *stack) serve() {
	dynamoDB, queues := s.dynamoDB, s.sqs // others may stand there when it is called again
	db := dynamolocal.Client(s.t, kvdynamodb.Tuned, func(o *dynamodb.Options) { o.BaseEndpoint = &dynamoDB })
	queue := sqslocal.Client(s.t, sqsqueue.Tuned, func(o *sqs.Options) { o.BaseEndpoint = &queues })
	stored := store.New(kvdynamodb.New(db, s.tables, time.Now), store.Options{Compression: store.Zstd})
	api := httpapi.New(httpapi.Config{
		Accounts: stored.EventualAccounts(), Latest: stored, Reports: stored, Secret: s.secret,
		Logger: slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	mux, front := http.NewServeMux(), page.New()
	for _, path := range page.Paths {
		mux.Handle(path, front)
	}
	for _, path := range httpapi.HealthPaths {
		mux.Handle(path, api.One(httpapi.Health(httpapi.Deps{Beats: stored})))
	}
	sender := sqsqueue.NewSender(queue, s.queues)
	mux.Handle("/", api.Handler(httpapi.Endpoints(httpapi.Deps{
		Accounts: stored, Chats: stored, Messages: stored, Reports: stored, Commands: stored, Sender: sender,
		Outcomes: stored.EventualCommands(), Hosts: stored, Wait: 20 * time.Second, Batches: stored, BatchSender: sender,
		Labels: stored, Usage: stored, AllUsage: stored.AllUsage(), Media: noFiles{},
		Hooks: stored, Feed: stored, Caller: s.sender(),
	})...))
	server := httptest.NewServer(mux)
	s.t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var delivering sync.WaitGroup
	delivering.Go(func() {
		s.deliver(ctx, queue, &deliver.Handler{
			Deliverer: &webhook.Deliverer{Log: stored, Caller: s.sender(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)},
			Queue:     sqsqueue.NewEventQueue(queue, s.events), Logger: slog.New(slog.DiscardHandler),
		})
	})
	s.t.Cleanup(func() { cancel(); delivering.Wait() })
	s.url, s.accounts = server.URL, stored
}

// sender calls webhooks on this machine.
func (s *stack) sender() *webhook.Sender {
	sender := webhook.NewSender(webhook.Options{Loopback: true, Now: time.Now})
	s.t.Cleanup(sender.Close)
	return sender
}

// deliver plays Lambda for the function that sends events: it hands it what is on their queue, and deletes what it says is done.
func (s *stack) deliver(ctx context.Context, queue *sqs.Client, handler *deliver.Handler) {
	for ctx.Err() == nil {
		out, err := queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.events, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil || len(out.Messages) == 0 {
			continue
		}
		var in deliver.Input
		receipts := map[string]*string{}
		for _, m := range out.Messages {
			in.Records = append(in.Records, deliver.Record{ID: *m.MessageId, Receipt: *m.ReceiptHandle, Body: *m.Body})
			receipts[*m.MessageId] = m.ReceiptHandle
		}
		payload, err := json.Marshal(in)
		if err != nil {
			s.t.Error(err)
			return
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		answer, err := handler.Invoke(call, payload)
		var left deliver.Output
		if err == nil {
			err = json.Unmarshal(answer, &left)
		}
		if err != nil {
			s.t.Error(err)
		}
		for _, f := range left.Failures {
			delete(receipts, f.ID)
		}
		for _, receipt := range receipts {
			_, _ = queue.DeleteMessage(call, &sqs.DeleteMessageInput{QueueUrl: &s.events, ReceiptHandle: receipt}) // the function has, mostly
		}
		cancel()
	}
}

// system is an account of its own, with a phone and friends; its device isn't linked yet. The number is the phone's.
func (s *stack) system(number, friends int) *e2e.System {
	s.t.Helper()
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	phone, err := s.whatsApp.NewPhone(fmt.Sprint(number), sim.PhoneOptions{PushName: "Sari"})
	must(s.t, err)
	all := make([]*sim.Contact, friends)
	for i := range all {
		all[i], err = s.whatsApp.NewContact(fmt.Sprint(number+1+i), "", fmt.Sprint("Teman ", i+1))
		must(s.t, err)
	}
	return &e2e.System{
		Client:   &e2e.Client{URL: s.url, Secret: s.secret, HTTP: &http.Client{Transport: transport, Timeout: time.Minute}},
		WhatsApp: s.whatsApp, Phone: phone, Friends: all, NoFiles: true, NoAssistants: true,
	}
}

// environment of a host.
func (s *stack) environment() map[string]string {
	key := s.whatsApp.RootKey()
	return map[string]string{
		"ACCOUNTS_TABLE": s.tables[kv.Accounts], "CHATS_TABLE": s.tables[kv.Chats], "MESSAGES_TABLE": s.tables[kv.Messages],
		"COMMANDS_TABLE": s.tables[kv.Commands], "REPORTS_TABLE": s.tables[kv.Reports], "WORK_TABLE": s.tables[kv.Work],
		"DEVICES_TABLE": s.tables[kv.Devices], "HOOKS_TABLE": s.tables[kv.Hooks], "SECRETS_TABLE": s.tables[kv.Secrets], "MEDIA_BUCKET": "files",
		"QUEUE_URL": s.queueURL(), "EVENT_QUEUE_URL": s.events, "STACK_NAME": "test", "HEALTH_ADDRESS": "127.0.0.1:0", "LOG_LEVEL": "debug",
		"WHATSAPP_ADDRESS": s.whatsApp.Address(), "WHATSAPP_ROOT_KEY": hex.EncodeToString(key[:]),
		"AWS_REGION": "local", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
		"AWS_ENDPOINT_URL_DYNAMODB": s.dynamoDB, "AWS_ENDPOINT_URL_SQS": s.sqs,
	}
}

// queueURL is the one URL of all queues, which differ by their last number.
func (s *stack) queueURL() string {
	var numbers []string
	for i := range s.queues {
		numbers = append(numbers, fmt.Sprint(i))
	}
	return strings.TrimSuffix(s.queues[0], "0.fifo") + "{" + strings.Join(numbers, ",") + "}.fifo"
}

// process is a running host.
type process struct {
	cmd   *exec.Cmd
	log   *lines
	ended chan struct{}
	err   error // once ended
}

// start starts a host; changes are to its environment. It is killed when the test ends, if it still runs.
func (s *stack) start(changes map[string]string) *process {
	s.t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), log: newLines(), ended: make(chan struct{})}
	p.cmd.Env = []string{asHost + "=yes"}
	for _, some := range []map[string]string{s.environment(), changes} {
		for name, value := range some {
			p.cmd.Env = append(p.cmd.Env, name+"="+value)
		}
	}
	out, err := p.cmd.StdoutPipe()
	must(s.t, err)
	p.cmd.Stderr = p.cmd.Stdout
	must(s.t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			fmt.Fprintln(p.log, scanner.Text())
			fmt.Fprintln(s.logs, scanner.Text())
		}
		p.err = p.cmd.Wait()
	}()
	s.t.Cleanup(func() { p.signal(syscall.SIGCONT); p.signal(syscall.SIGKILL); <-p.ended })
	return p
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended

// says waits until the host has logged a message so often.
func (p *process) says(ctx context.Context, message string, times int) error {
	return p.log.wait(ctx, fmt.Sprintf("%d × %q", times, message), func(all []string) bool { return len(logged(all, message)) >= times })
}

// logged are the lines of a message.
func logged(all []string, message string) (found []map[string]any) {
	for _, line := range all {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// lines collects what is written, by line.
type lines struct {
	mu      sync.Mutex
	all     []string
	part    string
	changed chan struct{} // closed, and made anew, when a line came
}

func newLines() *lines { return &lines{changed: make(chan struct{})} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.part + string(b)
	for {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok {
			break
		}
		l.all, text = append(l.all, line), rest
	}
	l.part = text
	close(l.changed)
	l.changed = make(chan struct{})
	return len(b), nil
}

func (l *lines) get() (all []string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[:len(l.all):len(l.all)], l.changed
}

func (l *lines) wait(ctx context.Context, what string, ok func([]string) bool) error {
	for {
		all, changed := l.get()
		if ok(all) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the log doesn't say %s; its end: %s", what, strings.Join(all[max(0, len(all)-20):], "\n"))
		}
	}
}

// silent holds that no log has any of these.
func (l *lines) silent(t *testing.T, secrets map[string][]string) {
	t.Helper()
	all, _ := l.get()
	if len(all) < 20 {
		t.Errorf("there are only %d lines of logs", len(all))
	}
	for _, line := range all {
		for what, texts := range secrets {
			for _, text := range texts {
				if text != "" && strings.Contains(line, text) {
					t.Errorf("a log has %s: %s", what, line)
				}
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noFiles has no file, since no test here asks for one.
type noFiles struct{}

func (noFiles) MediaLink(context.Context, string, chat.Media, time.Time) (chat.MediaLink, error) {
	return chat.MediaLink{}, &chat.Error{Code: chat.MediaNotFound}
}
