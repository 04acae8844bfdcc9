package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

const budi = chat.JID("6281234567890@s.whatsapp.net")

// said is a message of Budi's that has just come.
func said(id string) chat.Change {
	const at = 1_772_366_400 // the same each time
	return chat.Change{Chat: budi, Messages: []chat.Message{{ID: id, Content: chat.Content{
		Sender: budi, Time: at, Order: at, Type: "conversation", Body: "Halo " + id, Message: chat.JSON(fmt.Sprintf(`{"conversation":%q}`, "Halo "+id)),
	}}}}
}

// arrived is an event as a receiver got it.
type arrived struct {
	id   string
	at   time.Time
	body struct {
		Type    chat.EventKind
		ID      string
		Number  int64
		Results map[string]any
	}
}

// endpoint keeps what it gets.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	all    []arrived
	came   chan struct{}
	answer func(http.ResponseWriter) // nil: 204
}

func newEndpoint(t testing.TB) *endpoint {
	e := &endpoint{came: make(chan struct{}, 1)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := arrived{id: r.Header.Get("webhook-id"), at: time.Now()}
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(b, &a.body)
		}
		if err != nil {
			return // it was cut off
		}
		e.mu.Lock()
		answer := e.answer
		if answer == nil {
			e.all = append(e.all, a)
		}
		e.mu.Unlock()
		raise(e.came)
		if answer != nil {
			answer(w)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) got() []arrived {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (e *endpoint) answers(with func(http.ResponseWriter)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = with
}

// patience bounds the wait for what must come, also on a machine under load.
const patience = 2 * time.Minute

// wait waits until enough is there.
func (e *endpoint) wait(t testing.TB, what string, enough func([]arrived) bool) []arrived {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		if all := e.got(); enough(all) {
			return all
		}
		select {
		case <-e.came:
		case <-late.C:
			t.Fatalf("%s: the endpoint got %v", what, e.got())
		}
	}
}

// eventually looks until something is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	tick, late := time.NewTicker(10*time.Millisecond), time.NewTimer(patience)
	defer tick.Stop()
	defer late.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatal("it never is so")
		}
	}
}

func count(kind chat.EventKind, all []arrived) (n int) {
	for _, a := range all {
		if a.body.Type == kind {
			n++
		}
	}
	return n
}

// office is a store with a forwarder over it.
type office struct {
	testing.TB
	*store.Store
	projector *chat.Projector
	forwarder *Forwarder
	stop      func()
}

func newOffice(t testing.TB, s *store.Store, sink Sink) *office {
	o := &office{TB: t, Store: s, projector: chat.NewProjector(s, time.Now)}
	if sink == nil {
		sender := NewSender(Options{Loopback: true, Now: time.Now})
		t.Cleanup(sender.Close)
		sink = &Deliverer{Log: s, Caller: sender, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Pauses: []time.Duration{20 * time.Millisecond}}
	}
	o.forwarder = NewForwarder(Config{
		Accounts: s, Feed: s, Messages: s, Hooks: s, Reports: s, Sink: sink, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Shards: []int{0}, Recheck: 50 * time.Millisecond,
	})
	return o
}

// open starts the forwarder.
func (o *office) open() {
	ctx, cancel := context.WithCancel(o.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); o.forwarder.Run(ctx) }()
	o.stop = sync.OnceFunc(func() { cancel(); <-ended })
	o.Cleanup(o.stop)
}

func (o *office) account(id string, shard int) {
	o.Helper()
	if err := o.CreateAccount(o.Context(), chat.Account{ID: id, Shard: shard}); err != nil {
		o.Fatal(err)
	}
}

func (o *office) hook(account, url string, kinds ...chat.EventKind) {
	o.Helper()
	end, err := o.End(o.Context(), account)
	if err == nil {
		err = o.SetHook(o.Context(), account, chat.Hook{URL: url, Events: kinds, CreatedAt: time.Now(), Since: end.Seq}, testSecret)
	}
	if err != nil {
		o.Fatal(err)
	}
	o.forwarder.Wake(account)
}

func (o *office) say(account, id string) {
	o.Helper()
	if err := o.projector.Apply(o.Context(), account, said(id)); err != nil {
		o.Fatal(err)
	}
}

const neighbour, stranger = "01KXQZ5T9W4Y8N2M6P3R7V1B0D", "01KXQZ5T9W4Y8N2M6P3R7V1B0E"

func open(t testing.TB) *store.Store {
	return storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), time.Now)
}

// TestForwards: what happens is sent in its order, in the vendor's forms, to the one who asked, and nothing from before.
func TestForwards(t *testing.T) {
	o := newOffice(t, open(t), nil)
	mine, other := newEndpoint(t), newEndpoint(t)
	o.account(account, 0)
	o.account(neighbour, 0)
	o.account(stranger, 1) // of another host
	o.say(account, "OLD")
	o.open()
	o.say(account, "OLD2")
	o.hook(account, mine.URL)
	o.hook(neighbour, other.URL, chat.MessageEvent)
	o.hook(stranger, other.URL)
	for i := range 50 {
		o.say(account, fmt.Sprint("A", i))
		o.say(neighbour, fmt.Sprint("B", i))
		o.say(stranger, fmt.Sprint("C", i))
	}
	if err := o.UpdateAccount(t.Context(), account, func(a *chat.Account) error {
		a.State, a.Reason = chat.Pairing, "STREAM_REPLACED"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	all := mine.wait(t, "all", func(all []arrived) bool { return count(chat.DisconnectedEvent, all) == 1 })
	next, ids := 0, map[string]bool{}
	for i, a := range all {
		if a.id == "" || a.id != a.body.ID || ids[a.id] || i > 0 && a.body.Number < all[i-1].body.Number {
			t.Errorf("event %d is %q, number %d", i, a.id, a.body.Number)
		}
		if ids[a.id] = true; a.body.Results["apiKey"] != "pk_"+account+"_…" {
			t.Errorf("key %v", a.body.Results["apiKey"])
		}
		if a.body.Type != chat.MessageEvent {
			continue
		}
		key, _ := a.body.Results["key"].(map[string]any)
		if key["id"] != fmt.Sprint("A", next) || a.body.Results["body"] != fmt.Sprint("Halo A", next) || a.body.Results["to"] != "6281234567890" {
			t.Errorf("message %d is %v", next, a.body.Results)
		}
		next++
	}
	if next != 50 || count(chat.ChatEvent, all) != 50 || count(chat.ChangeStateEvent, all) != 1 {
		t.Errorf("%d messages, %d chats, %d states", next, count(chat.ChatEvent, all), count(chat.ChangeStateEvent, all))
	}
	last := all[len(all)-1].body.Results
	if last["state"] != "PAIRING" || last["reason"] != "STREAM_REPLACED" || last["reconnect"] != true {
		t.Errorf("disconnected: %v", last)
	}
	theirs := other.wait(t, "the neighbour's", func(all []arrived) bool { return len(all) == 50 })
	if n := count(chat.MessageEvent, theirs); n != 50 {
		t.Errorf("the neighbour got %d messages", n)
	}
}

// TestGoesOn: what wasn't taken when a forwarder ended, the next one hands on; what was taken it doesn't.
func TestGoesOn(t *testing.T) {
	s := open(t)
	e := newEndpoint(t)
	first := newOffice(t, s, nil)
	first.account(account, 0)
	first.open()
	first.hook(account, e.URL, chat.MessageEvent)
	first.say(account, "M0")
	e.wait(t, "the first", func(all []arrived) bool { return len(all) == 1 })
	first.stop()
	for i := 1; i < 100; i++ {
		first.say(account, fmt.Sprint("M", i))
	}
	second := newOffice(t, s, nil)
	second.open()
	last := func(all []arrived) any {
		key, _ := all[len(all)-1].body.Results["key"].(map[string]any)
		return key["id"]
	}
	e.wait(t, "the others", func(all []arrived) bool { return last(all) == "M99" })
	eventually(t, func() bool { // it has noted what was taken
		c, err := s.HookCursor(t.Context(), account)
		end, err2 := s.End(t.Context(), account)
		return err == nil && err2 == nil && c.Number == end.Seq
	})
	second.stop()
	third := newOffice(t, s, nil)
	third.open()
	third.say(account, "M100")
	all := e.wait(t, "one more", func(all []arrived) bool { return last(all) == "M100" })
	repeated := all[0].id == all[1].id // who stopped while the first was taken didn't hear that it was
	if repeated {
		all = all[1:]
	}
	for i, a := range all {
		if key, _ := a.body.Results["key"].(map[string]any); key["id"] != fmt.Sprint("M", i) {
			t.Errorf("event %d is of %v", i, key["id"])
		}
	}
}

// countedHooks counts the reads of webhooks.
type countedHooks struct {
	*store.Store
	found, read atomic.Int64
}

func (c *countedHooks) Hooked(ctx context.Context, accounts []string) ([]string, error) {
	c.found.Add(1)
	return c.Store.Hooked(ctx, accounts)
}

func (c *countedHooks) Hook(ctx context.Context, account string) (chat.Hook, chat.HookHealth, error) {
	c.read.Add(1)
	return c.Store.Hook(ctx, account)
}

// TestFindsWebhooksTogether: of many accounts those that have none aren't looked at one by one when a host starts, nor right
// after that when something happens to them.
func TestFindsWebhooksTogether(t *testing.T) {
	o := newOffice(t, open(t), nil)
	hooks := &countedHooks{Store: o.Store}
	o.forwarder.Hooks, o.forwarder.Recheck = hooks, time.Hour
	for i := range 50 {
		o.account(fmt.Sprintf("01KXQZ5T9W4Y8N2M6P3R7V1C%02d", i), 0)
	}
	o.open()
	eventually(t, func() bool { return hooks.found.Load() > 0 })
	o.say("01KXQZ5T9W4Y8N2M6P3R7V1C07", "A")
	o.stop()
	if found, read := hooks.found.Load(), hooks.read.Load(); found != 1 || read > 1 {
		t.Errorf("webhooks were found %d times, and %d were read", found, read)
	}
}

// TestSlowNeighbours: endpoints that hang hold back nobody else's events.
func TestSlowNeighbours(t *testing.T) {
	o := newOffice(t, open(t), nil)
	o.open()
	release := make(chan struct{})
	hanging := newEndpoint(t)
	hanging.answers(func(http.ResponseWriter) { <-release })
	defer close(release)
	for i := range 20 {
		id := fmt.Sprintf("01KXQZ5T9W4Y8N2M6P3R7V2A%02d", i)
		o.account(id, 0)
		o.hook(id, hanging.URL)
		o.say(id, "M")
	}
	quick := newEndpoint(t)
	o.account(account, 0)
	o.hook(account, quick.URL, chat.MessageEvent)
	start := time.Now()
	for i := range 20 {
		o.say(account, fmt.Sprint("M", i))
	}
	quick.wait(t, "the quick one's", func(all []arrived) bool { return len(all) == 20 })
	if took := time.Since(start); took > attemptTime/2 {
		t.Errorf("it took %v", took)
	}
}

// TestAnotherNumber: nothing of the number before is sent once its chats were deleted, whatever comes of the attempt that was
// under way.
func TestAnotherNumber(t *testing.T) {
	for _, status := range []int{http.StatusBadGateway, http.StatusNoContent} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			o := newOffice(t, open(t), nil)
			e := newEndpoint(t)
			o.account(account, 0)
			o.open()
			underWay, release := make(chan struct{}, 1), make(chan struct{})
			e.answers(func(w http.ResponseWriter) {
				raise(underWay)
				<-release
				w.WriteHeader(status)
			})
			o.hook(account, e.URL, chat.MessageEvent)
			for i := range 30 {
				o.say(account, fmt.Sprint("OLD", i))
			}
			<-underWay
			if err := o.DeleteChats(t.Context(), account); err != nil {
				t.Fatal(err)
			}
			e.answers(nil)
			close(release)
			o.say(account, "NEW")
			all := e.wait(t, "the new number's", func(all []arrived) bool { return len(all) > 0 })
			if key, _ := all[0].body.Results["key"].(map[string]any); len(all) != 1 || key["id"] != "NEW" {
				t.Errorf("%d events, the first of %v", len(all), key["id"])
			}
		})
	}
}

// TestTellsOnce: that an endpoint was switched off stands once in the log and once in the feed.
func TestTellsOnce(t *testing.T) {
	s := open(t)
	e := newEndpoint(t)
	e.answers(func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) })
	first := newOffice(t, s, nil)
	first.account(account, 0)
	start, err := s.End(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	first.open()
	first.hook(account, e.URL)
	first.say(account, "M")
	told := func() (n int, entries int) {
		reports, _, err := s.ListReports(t.Context(), account, chat.Page{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reports {
			if r.Endpoint == "webhook:off" && r.Target == chat.HookGone {
				n++
			}
		}
		all, _, err := s.After(t.Context(), account, start, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Kind == chat.FeedWebhook {
				entries++
			}
		}
		return n, entries
	}
	eventually(t, func() bool {
		first.forwarder.Wake(account)
		n, entries := told()
		return n > 0 && entries > 0
	})
	first.stop()
	second := newOffice(t, s, nil)
	second.open()
	second.say(account, "M2")
	second.stop()
	if n, entries := told(); n != 1 || entries != 1 {
		t.Errorf("%d reports, %d entries", n, entries)
	}
}

// flaky is a sink that takes some, and then fails or has to be waited for.
type flaky struct {
	mu    sync.Mutex
	turns int
	got   []chat.Event
}

func (f *flaky) Deliver(_ context.Context, _ string, events []chat.Event) (int, time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turns++
	n := min(f.turns%4, len(events))
	f.got = append(f.got, events[:n]...)
	switch f.turns % 3 {
	case 0:
		return n, 0, errors.New("the queue doesn't answer")
	case 1:
		return n, time.Millisecond, nil
	}
	return n, 0, nil
}

// TestPartlyTaken: nothing is left out and nothing overtakes, whatever a sink takes at a time.
func TestPartlyTaken(t *testing.T) {
	sink := new(flaky)
	o := newOffice(t, open(t), sink)
	o.account(account, 0)
	o.open()
	o.hook(account, "https://example.com/")
	for i := range 12 {
		o.say(account, fmt.Sprint("M", i))
	}
	eventually(t, func() bool {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		seen := map[string]bool{}
		for i, e := range sink.got {
			if seen[e.ID] = true; i > 0 && e.Number < sink.got[i-1].Number-1 {
				t.Fatalf("%s after %s", e.ID, sink.got[i-1].ID)
			}
		}
		return len(seen) == 24
	})
}
