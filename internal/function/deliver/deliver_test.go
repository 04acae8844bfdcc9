package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/function"
	sqsqueue "pesan/internal/queue/sqs"
	"pesan/internal/store/storetest"
	"pesan/internal/usage"
	"pesan/internal/webhook"
)

// queue notes what is done with messages.
type queue struct {
	mu     sync.Mutex
	done   []string
	hidden []string
	pause  time.Duration
	heard  chan struct{} // has an element when something was done
}

func (q *queue) Done(_ context.Context, receipts []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = append(q.done, receipts...)
	select {
	case q.heard <- struct{}{}:
	default:
	}
	return nil
}

func (q *queue) Hide(_ context.Context, receipts []string, pause time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hidden, q.pause = append(q.hidden, receipts...), pause
	return nil
}

const quick, slow, failing = "01KXQZ5T9W4Y8N2M6P3R7V1B0A", "01KXQZ5T9W4Y8N2M6P3R7V1B0B", "01KXQZ5T9W4Y8N2M6P3R7V1B0C"

func record(account string, n int64) Record {
	id := chat.EventID(account, n, 0)
	body, _ := json.Marshal(sqsqueue.EventMessage{Account: account, Event: chat.Event{ID: id, Number: n, Kind: chat.MessageEvent, At: time.Now(), Body: `{}`}})
	return Record{ID: id, Receipt: "r-" + id, Body: string(body)}
}

// TestBatch hands over what SQS may put together: what is taken is deleted at once, also beside an account whose endpoint is slow, and of
// an account whose endpoint fails all the rest waits, in its order.
func TestBatch(t *testing.T) {
	s := storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), time.Now)
	release := make(chan struct{})
	var mu sync.Mutex
	got := map[string][]string{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+slow {
			<-release
		}
		mu.Lock()
		defer mu.Unlock()
		if got[r.URL.Path] = append(got[r.URL.Path], r.Header.Get("webhook-id")); r.URL.Path == "/"+failing && len(got[r.URL.Path]) > 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer receiver.Close()
	for _, account := range []string{quick, slow, failing} {
		err := s.CreateAccount(t.Context(), chat.Account{ID: account})
		if err == nil {
			err = s.SetHook(t.Context(), account, chat.Hook{URL: receiver.URL + "/" + account, CreatedAt: time.Now()}, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sender := webhook.NewSender(webhook.Options{Loopback: true, Now: time.Now})
	defer sender.Close()
	q := &queue{heard: make(chan struct{}, 1)}
	meter := usage.New(s.HookUsage(), "test", time.Now)
	h := &Handler{
		Counter: function.Counter{Meter: meter, Log: slog.New(slog.DiscardHandler)},
		Deliverer: &webhook.Deliverer{
			Log: s, Caller: sender, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Delivered: meter.Delivered,
		},
		Queue: q, Logger: slog.New(slog.DiscardHandler),
	}
	in := Input{Records: []Record{
		record(slow, 1), record(quick, 1), record(failing, 1), record(quick, 2), record(failing, 2), record(failing, 3), {ID: "x", Receipt: "r-x", Body: "no event"},
	}}
	payload, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan Output, 1)
	go func() {
		answer, err := h.Invoke(t.Context(), payload)
		var out Output
		if err == nil {
			err = json.Unmarshal(answer, &out)
		}
		if err != nil {
			t.Error(err)
		}
		answered <- out
	}()
	id := func(account string, n int64) string { return chat.EventID(account, n, 0) }
	for early := false; !early; {
		<-q.heard // the quick one's are deleted while the slow one's endpoint still works
		q.mu.Lock()
		early = slices.Contains(q.done, "r-"+id(quick, 2))
		q.mu.Unlock()
	}
	close(release)
	out := <-answered
	want := []Failure{{id(failing, 2)}, {id(failing, 3)}}
	if !slices.Equal(out.Failures, want) {
		t.Errorf("failures %v, want %v", out.Failures, want)
	}
	slices.Sort(q.done)
	done := []string{"r-" + id(quick, 1), "r-" + id(quick, 2), "r-" + id(slow, 1), "r-" + id(failing, 1), "r-x"}
	if fmt.Sprint(q.done) != fmt.Sprint(done) {
		t.Errorf("deleted %v, want %v", q.done, done)
	}
	if fmt.Sprint(q.hidden) != fmt.Sprint([]string{"r-" + id(failing, 2), "r-" + id(failing, 3)}) || q.pause < 4*time.Second || q.pause > 6*time.Second {
		t.Errorf("hidden %v for %v", q.hidden, q.pause)
	}
	if fmt.Sprint(got["/"+quick]) != fmt.Sprint([]string{id(quick, 1), id(quick, 2)}) || len(got["/"+failing]) != 2 {
		t.Errorf("received %v", got)
	}
	h.Counter.Stop()
	for account, want := range map[string]int64{quick: 2, slow: 1, failing: 1} {
		days, err := s.AllUsage().Usage(t.Context(), account, "2000-01-01", "2999-12-31")
		if err != nil || len(days) != 1 || days[0].Usage != (chat.Usage{Deliveries: want}) {
			t.Errorf("%s: the usage is %+v, %v, want %d deliveries", account, days, err, want)
		}
	}
}
