package webhook

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

const account = "01KXQZ5T9W4Y8N2M6P3R7V1B0C"

// world is a deliverer, a store, and an endpoint that answers as it is told.
type world struct {
	*Deliverer
	t      *testing.T
	store  *store.Store
	url    string
	sender *Sender

	mu     sync.Mutex
	at     time.Time
	status int
	got    []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), status: 200}
	w.store = storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), w.now)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		w.got = append(w.got, string(body))
		rw.WriteHeader(w.status)
	}))
	t.Cleanup(receiver.Close)
	sender := NewSender(Options{Loopback: true, Now: w.now})
	t.Cleanup(sender.Close)
	w.url, w.sender = receiver.URL, sender
	w.Deliverer = &Deliverer{Log: w.store, Caller: sender, Now: w.now, Logger: slog.New(slog.DiscardHandler)}
	if err := w.store.CreateAccount(t.Context(), chat.Account{ID: account}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *world) answer(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

// taken are the bodies that came since it was asked last.
func (w *world) taken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.got, " ")
	w.got = nil
	return all
}

func (w *world) set(kinds ...chat.EventKind) {
	w.t.Helper()
	h := chat.Hook{URL: w.url, Events: kinds, CreatedAt: w.now()}
	if err := w.store.SetHook(w.t.Context(), account, h, testSecret); err != nil {
		w.t.Fatal(err)
	}
}

// events are messages of these numbers, stored now.
func (w *world) events(numbers ...int64) (all []chat.Event) {
	for _, n := range numbers {
		all = append(all, chat.Event{
			ID: chat.EventID(account, n, 0), Number: n, Kind: chat.MessageEvent, At: w.now(), Body: chat.JSON(fmt.Sprint(n)),
		})
	}
	return all
}

// deliver holds what a delivery comes to.
func (w *world) deliver(events []chat.Event, finished int, taken string) (pause time.Duration) {
	w.t.Helper()
	n, pause, err := w.Deliver(w.t.Context(), account, events)
	if got := w.taken(); err != nil || n != finished || got != taken {
		w.t.Fatalf("finished %d, %v, taken %q; want %d, %q", n, err, got, finished, taken)
	}
	return pause
}

func (w *world) health() chat.HookHealth {
	w.t.Helper()
	_, h, err := w.store.Hook(w.t.Context(), account)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

func (w *world) dead() (numbers []int64) {
	w.t.Helper()
	all, _, err := w.store.DeadEvents(w.t.Context(), account, chat.Page{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range all {
		numbers = append(numbers, e.Number)
	}
	return numbers
}

func (w *world) wantDead(numbers ...int64) {
	w.t.Helper()
	if got := w.dead(); fmt.Sprint(got) != fmt.Sprint(numbers) {
		w.t.Errorf("dead are %v, want %v", got, numbers)
	}
}

func TestDelivers(t *testing.T) {
	w := newWorld(t)
	delivered := 0
	w.Delivered = func(string) { delivered++ }
	w.deliver(w.events(1, 2), 2, "") // nobody wants them
	w.set()
	w.deliver(w.events(3, 4, 5), 3, "3 4 5")
	w.set(chat.ReadyEvent)
	w.deliver(w.events(6), 1, "")
	w.set(chat.MessageEvent, chat.ReadyEvent)
	w.deliver(w.events(7), 1, "7")
	if err := w.store.EmptyHook(t.Context(), account, 10); err != nil {
		t.Fatal(err)
	}
	w.deliver(w.events(9, 10, 11), 3, "11")
	if err := w.store.DeleteHook(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	w.deliver(w.events(12), 1, "")
	w.wantDead()
	w.set()
	w.answer(500)
	w.deliver(w.events(13), 0, "13")
	if delivered != 5 {
		t.Errorf("%d events count as delivered", delivered)
	}
}

// TestRetries has an endpoint fail: its events wait in their order, the pauses grow, and nothing is called in one.
func TestRetries(t *testing.T) {
	w := newWorld(t)
	w.set()
	w.answer(500)
	waiting := w.events(1, 2, 3)
	last := time.Duration(0)
	for i := range 12 {
		pause := w.deliver(waiting, 0, "1")
		if pause < last*8/10 || pause < 4*time.Second || pause > 17*time.Minute || i > 8 && pause < 13*time.Minute {
			t.Errorf("after %d failures a pause of %v, before it one of %v", i+1, pause, last)
		}
		last = pause
		if again := w.deliver(waiting, 0, ""); again > pause {
			t.Errorf("within the pause of %v another of %v", pause, again)
		}
		w.pass(pause)
	}
	h := w.health()
	if h.Failures != 12 || len(h.Last) != 10 || h.Last[9].Status != 500 || h.Last[9].Error != BadStatus || h.Failing.IsZero() {
		t.Errorf("%+v", h)
	}
	w.answer(204)
	w.deliver(waiting, 3, "1 2 3")
	if h := w.health(); h.Failures != 0 || !h.Failing.IsZero() || !h.Next.IsZero() || !h.Last[9].Delivered() {
		t.Errorf("%+v", h)
	}
	w.wantDead()
}

// TestGivesUp: an event is kept as dead after a day, and those after it have their own day.
func TestGivesUp(t *testing.T) {
	w := newWorld(t)
	w.set()
	w.answer(503)
	first := w.events(1)
	w.pass(12 * time.Hour)
	waiting := append(first, w.events(2, 3)...)
	attempts := 0
	for len(w.dead()) == 0 {
		finished, pause, err := w.Deliver(t.Context(), account, waiting)
		if err != nil {
			t.Fatal(err)
		}
		attempts++
		waiting = waiting[finished:]
		w.pass(pause)
	}
	w.wantDead(1)
	if since := w.now().Sub(first[0].At); since < 24*time.Hour || since > 25*time.Hour || attempts < 40 || len(waiting) != 2 {
		t.Errorf("dead after %v and %d attempts, %d wait", since, attempts, len(waiting))
	}
	w.taken()
	w.answer(200)
	w.deliver(waiting, 2, "2 3")
	e, err := w.store.DeadEvent(t.Context(), account, first[0].ID)
	if err != nil || e.Last.Status != 503 || string(e.Body) != "1" || !e.At.Equal(first[0].At) {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestSwitchesOff: an endpoint that fails for days is left alone; what waits for it is kept.
func TestSwitchesOff(t *testing.T) {
	w := newWorld(t)
	w.set()
	w.answer(500)
	began := w.now()
	number := int64(0)
	for w.health().Off.IsZero() {
		number++
		waiting := w.events(number)
		for len(waiting) > 0 {
			finished, pause, err := w.Deliver(t.Context(), account, waiting)
			if err != nil {
				t.Fatal(err)
			}
			waiting = waiting[finished:]
			w.pass(pause)
		}
	}
	if after := w.now().Sub(began); after < 72*time.Hour || after > 97*time.Hour || w.health().Reason != chat.HookFailing {
		t.Errorf("off after %v: %+v", after, w.health())
	}
	before := len(w.dead())
	w.taken()
	w.deliver(w.events(100, 101), 2, "")
	if after := len(w.dead()); after != before+2 {
		t.Errorf("%d dead, before %d", after, before)
	}
	w.answer(200)
	w.set() // turns it on
	w.deliver(w.events(102), 1, "102")
}

// TestGone: 410 asks to be left alone.
func TestGone(t *testing.T) {
	w := newWorld(t)
	w.set()
	w.answer(410)
	w.deliver(w.events(1, 2), 2, "1")
	w.wantDead(1, 2)
	if h := w.health(); h.Off.IsZero() || h.Reason != chat.HookGone {
		t.Errorf("%+v", h)
	}
}

// TestChangedWhileItFails: what was set meanwhile counts from the next attempt on, and what another number's is isn't kept.
func TestChangedWhileItFails(t *testing.T) {
	w := newWorld(t)
	w.set()
	w.answer(500)
	waiting := w.events(1, 2)
	w.deliver(waiting, 0, "1")
	w.answer(200)
	w.set() // without the pause of the former
	w.deliver(waiting, 2, "1 2")
	w.answer(500)
	old := w.events(3)
	w.pass(25 * time.Hour)
	w.sender.client.plain.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := w.store.EmptyHook(t.Context(), account, 3); err != nil {
			t.Error(err)
		}
		return nil, io.ErrUnexpectedEOF
	})
	finished, _, err := w.Deliver(t.Context(), account, old)
	if finished != 0 || chat.CodeOf(err) != chat.WebhookNotFound {
		t.Errorf("finished %d, %v", finished, err)
	}
	w.deliver(old, 1, "")
	w.wantDead()
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestNoTime: an attempt that may not end in time isn't begun.
func TestNoTime(t *testing.T) {
	w := newWorld(t)
	w.set()
	w.mu.Lock()
	w.at = time.Now()
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), attemptTime)
	defer cancel()
	if n, pause, err := w.Deliver(ctx, account, w.events(1)); n != 0 || pause != 0 || err != nil || w.taken() != "" {
		t.Errorf("%d, %v, %v", n, pause, err)
	}
}

// TestEnded: an attempt that ends with the process says nothing of the endpoint.
func TestEnded(t *testing.T) {
	w := newWorld(t)
	w.set()
	ctx, cancel := context.WithCancel(t.Context())
	w.sender.client.plain.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	if n, _, err := w.Deliver(ctx, account, w.events(1)); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	if h := w.health(); h.Failures != 0 || len(h.Last) != 0 {
		t.Errorf("%+v", h)
	}
}

// TestWritesLittle: while all goes well a delivery costs no write.
func TestWritesLittle(t *testing.T) {
	w := newWorld(t)
	w.set()
	counted := &countedLog{Log: w.store}
	w.Deliverer.Log = counted
	for n := range int64(100) {
		w.deliver(w.events(n+1), 1, fmt.Sprint(n+1))
		w.pass(100 * time.Millisecond)
	}
	if counted.puts != 1 {
		t.Errorf("%d writes for 100 events in 10 seconds", counted.puts)
	}
}

type countedLog struct {
	Log
	puts int
}

func (c *countedLog) PutHookHealth(ctx context.Context, account string, h chat.Hook, health chat.HookHealth) error {
	c.puts++
	return c.Log.PutHookHealth(ctx, account, h, health)
}
