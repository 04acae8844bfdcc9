// Package deliver is the Lambda that sends events to webhooks: it takes them from the queue, and reads nothing but webhooks and
// their secrets.
package deliver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/chat"
	"pesan/internal/function"
	"pesan/internal/function/caller"
	sqsqueue "pesan/internal/queue/sqs"
	"pesan/internal/usage"
	"pesan/internal/webhook"
)

// Input is what Lambda hands over: up to ten messages, those of a group in their order.
type Input struct {
	Records []Record `json:"Records"`
}

// Record is a message.
type Record struct {
	ID      string `json:"messageId"`
	Receipt string `json:"receiptHandle"`
	Body    string `json:"body"`
}

// Output tells Lambda which messages aren't done.
type Output struct {
	Failures []Failure `json:"batchItemFailures"`
}

// Failure is a message that isn't done.
type Failure struct {
	ID string `json:"itemIdentifier"`
}

// Queue is what is done with received messages.
type Queue interface {
	Done(ctx context.Context, receipts []string) error
	Hide(ctx context.Context, receipts []string, pause time.Duration) error
}

// Handler sends the events of a batch.
type Handler struct {
	Deliverer *webhook.Deliverer
	Queue     Queue
	Logger    *slog.Logger
	Counter   function.Counter
}

// Main is the main function of the Lambda.
func Main() {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	w := function.NewWiring(os.LookupEnv)
	caller.Wire(w)
	handler := New(w, logger)
	if err := w.Err(); err != nil {
		fmt.Fprintf(os.Stderr, "the function can't start:\n%v\n", err)
		os.Exit(1)
	}
	function.Start(handler, handler.Counter.AtStop())
}

// New makes the handler of the clients and settings that the environment names.
func New(w *function.Wiring, logger *slog.Logger) *Handler {
	hooks := w.Hooks()
	url := w.Required("EVENT_QUEUE_URL", "the URL of the queue of events")
	if w.Err() != nil {
		return nil
	}
	meter := usage.New(hooks.HookUsage(), rand.Text(), time.Now)
	return &Handler{
		Counter:   function.Counter{Meter: meter, Log: logger},
		Deliverer: &webhook.Deliverer{Log: hooks, Caller: w.Deps.Caller, Now: time.Now, Logger: logger, Delivered: meter.Delivered},
		Queue:     sqsqueue.NewEventQueue(sqs.NewFromConfig(w.AWS, sqsqueue.Tuned), url),
		Logger:    logger,
	}
}

// Invoke implements lambda.Handler.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var in Input
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("read batch: %w", err)
	}
	out := h.handle(ctx, in)
	h.Counter.AfterCall()
	return json.Marshal(out)
}

// one is a message that holds an event.
type one struct {
	Record
	event chat.Event
}

// handle sends each account's events in their order, and those of different accounts at once. What is done is deleted right away:
// while an account's messages are in flight SQS hands out none after them, and another account's endpoint may be slow.
func (h *Handler) handle(ctx context.Context, in Input) Output {
	accounts := make(map[string][]one)
	var broken []string
	for _, r := range in.Records {
		m, err := sqsqueue.ParseEvent(r.Body)
		if err != nil {
			h.Logger.Error("a message is dropped", "message", r.ID, "error", err)
			broken = append(broken, r.Receipt)
			continue
		}
		accounts[m.Account] = append(accounts[m.Account], one{r, m.Event})
	}
	if len(broken) > 0 {
		if err := h.Queue.Done(ctx, broken); err != nil {
			h.Logger.Warn("delete messages", "error", err) // Lambda does it too
		}
	}
	var mu sync.Mutex
	out := Output{Failures: []Failure{}}
	var wg sync.WaitGroup
	for account, messages := range accounts {
		wg.Go(func() {
			left := h.deliver(ctx, account, messages)
			mu.Lock()
			defer mu.Unlock()
			for _, m := range left {
				out.Failures = append(out.Failures, Failure{m.ID})
			}
		})
	}
	wg.Wait()
	return out
}

// storeAgain is how long to wait after a store's error.
const storeAgain = 5 * time.Second

// deliver sends an account's events and returns those that are to come again.
func (h *Handler) deliver(ctx context.Context, account string, messages []one) (left []one) {
	events := make([]chat.Event, len(messages))
	for i, m := range messages {
		events[i] = m.event
	}
	finished, pause, err := h.Deliverer.Deliver(ctx, account, events)
	if err != nil {
		h.Logger.Error("deliver", "account", account, "error", err)
		pause = max(pause, storeAgain)
	}
	done, left := messages[:finished], messages[finished:]
	if len(done) > 0 {
		if err := h.Queue.Done(ctx, receipts(done)); err != nil {
			h.Logger.Warn("delete messages", "account", account, "error", err) // Lambda does it too
		}
	}
	if len(left) > 0 {
		// All that is left of the account: a message that stayed in flight would hold back the others.
		if err := h.Queue.Hide(ctx, receipts(left), pause); err != nil {
			h.Logger.Warn("hide messages", "account", account, "error", err) // the queue's own timeout does it
		}
	}
	return left
}

func receipts(all []one) []string {
	r := make([]string, len(all))
	for i, m := range all {
		r[i] = m.Receipt
	}
	return r
}
