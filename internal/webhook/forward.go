package webhook

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/stableid"
)

// Sink takes events of one account, in order.
type Sink interface {
	// Deliver takes the events that it can take now. finished is how many needn't be given again, also with an error; pause is how
	// long to wait before the others are.
	Deliver(ctx context.Context, account string, events []chat.Event) (finished int, pause time.Duration, err error)
}

var _ Sink = (*Deliverer)(nil)

// Messages finds single messages.
type Messages interface {
	// Message returns the message alone; CHAT_NOT_FOUND or MESSAGE_NOT_FOUND where it doesn't show.
	Message(ctx context.Context, account string, jid chat.JID, id string, now time.Time) (chat.Conversation, error)
}

// Config is what a Forwarder works with. Recheck has a default.
type Config struct {
	Accounts interface {
		chat.AccountReader
		AccountsOf(ctx context.Context, shards []int) ([]chat.Account, error)
	}
	Feed interface {
		chat.Feed
		chat.FeedWatcher
		chat.FeedAppender
	}
	Messages Messages
	Hooks    chat.HookCursors
	Reports  interface {
		AddReport(ctx context.Context, r chat.Report) error
	}
	Sink    Sink
	Shards  []int // whose accounts' feeds are forwarded
	Now     func() time.Time
	Logger  *slog.Logger
	Recheck time.Duration // how long an account without a webhook is left alone; 10 s
}

// Forwarder hands what the feeds of accounts tell to a sink, each account's events in their order and one account's apart from
// another's. How far it has come is stored after the sink has taken the events: where a process ends, the next one hands
// some on again, under the same ids.
type Forwarder struct {
	Config
	mu      sync.Mutex
	ctx     context.Context      // Run's; nil: it doesn't work yet, or no more
	working map[string]*signals  // by account
	idle    map[string]time.Time // accounts without a webhook, and since when that is known
	later   map[string]*time.Timer
	wg      sync.WaitGroup
}

// signals reach the one who works on an account's events. Each channel has an element when it is so.
type signals struct {
	more  chan struct{} // there may be more events
	woken chan struct{} // the webhook may be another
}

// NewForwarder makes a forwarder; Run makes it work.
func NewForwarder(c Config) *Forwarder {
	c.Recheck = cmp.Or(c.Recheck, 10*time.Second)
	return &Forwarder{
		Config: c, working: make(map[string]*signals), idle: make(map[string]time.Time), later: make(map[string]*time.Timer),
	}
}

// together is how many entries of a feed are handed on between two notes of how far it has come.
const together = 20

// The pauses after a store's error.
const (
	firstWait = 500 * time.Millisecond
	lastWait  = 30 * time.Second
)

// Run works until ctx ends, once. It begins with what was left before.
func (f *Forwarder) Run(ctx context.Context) {
	f.mu.Lock()
	f.ctx = ctx
	f.mu.Unlock()
	defer f.end()
	defer f.Feed.WatchFeed("", f.heard)()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := f.begin(ctx)
		if err == nil {
			<-ctx.Done()
			return
		}
		if ctx.Err() != nil {
			return
		}
		f.Logger.Error("find webhooks", "error", err)
		wakeable(ctx, wait, nil)
	}
}

// begin has the accounts looked at that have a webhook. They are found together: a host that starts has thousands of accounts,
// few of which have one, and much else to read.
func (f *Forwarder) begin(ctx context.Context) error {
	accounts, err := f.Accounts.AccountsOf(ctx, f.Shards)
	if err != nil {
		return fmt.Errorf("list accounts: %w", err)
	}
	ids := make([]string, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	now := f.Now()
	hooked, err := f.Hooks.Hooked(ctx, ids)
	if err != nil {
		return err
	}
	f.mu.Lock()
	for _, account := range ids {
		if f.working[account] == nil {
			f.idle[account] = now
		}
	}
	f.mu.Unlock()
	for _, account := range hooked {
		f.Wake(account)
	}
	return nil
}

func (f *Forwarder) end() {
	f.mu.Lock()
	f.ctx = nil
	for _, t := range f.later {
		t.Stop()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

// heard is called for each entry of a feed. An account that had no webhook a moment ago is looked at later.
func (f *Forwarder) heard(account string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, known := f.idle[account]
	left := f.Recheck - f.Now().Sub(since)
	switch {
	case !known || left <= 0:
		f.start(account)
	case f.later[account] == nil && f.ctx != nil:
		f.later[account] = time.AfterFunc(left, func() { f.Wake(account) })
	}
}

// Wake has an account looked at now.
func (f *Forwarder) Wake(account string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.working[account]; t != nil {
		raise(t.woken)
	}
	f.start(account)
}

// start has somebody work on the account; f.mu is held.
func (f *Forwarder) start(account string) {
	delete(f.idle, account)
	if timer := f.later[account]; timer != nil {
		timer.Stop()
		delete(f.later, account)
	}
	if t := f.working[account]; t != nil {
		raise(t.more)
		return
	}
	ctx := f.ctx
	if ctx == nil || ctx.Err() != nil {
		return
	}
	t := &signals{make(chan struct{}, 1), make(chan struct{}, 1)}
	f.working[account] = t
	f.wg.Go(func() { f.work(ctx, account, t) })
}

func raise(flag chan struct{}) {
	select {
	case flag <- struct{}{}:
	default:
	}
}

// work hands on an account's events until there are none.
func (f *Forwarder) work(ctx context.Context, account string, t *signals) {
	w := &worker{Forwarder: f, account: account, log: f.Logger.With("account", account)}
	for wait := firstWait; ctx.Err() == nil; {
		pause, again, err := w.step(ctx)
		if err != nil && ctx.Err() == nil {
			if chat.CodeOf(err) == chat.LeaseHeld || chat.CodeOf(err) == chat.DeviceNotFound {
				break // another host's business, or nobody's
			}
			w.log.Error("hand on to the webhook", "error", err)
			pause, again, wait = wait, true, min(2*wait, lastWait)
		} else {
			wait = firstWait
		}
		if pause > 0 {
			wakeable(ctx, pause, t.woken)
		}
		if again {
			continue
		}
		f.mu.Lock()
		select {
		case <-t.more:
			f.mu.Unlock()
			continue
		default:
		}
		delete(f.working, account)
		if w.none {
			f.idle[account] = f.Now()
		}
		f.mu.Unlock()
		return
	}
	f.mu.Lock()
	delete(f.working, account)
	f.mu.Unlock()
}

// wakeable waits, unless somebody wakes.
func wakeable(ctx context.Context, d time.Duration, woken <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
	}
}

// worker hands on the events of one account.
type worker struct {
	*Forwarder
	account string
	log     *slog.Logger
	known   bool // owned, and cursor is as it is stored
	cursor  chat.HookCursor
	seen    int64 // up to which number the feed was read
	none    bool  // it has no webhook that wants anything
}

// step hands on some events. again says that there may be more.
func (w *worker) step(ctx context.Context) (pause time.Duration, again bool, err error) {
	hook, health, err := w.Hooks.Hook(ctx, w.account)
	if w.none = chat.CodeOf(err) == chat.WebhookNotFound; w.none {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	a, err := w.Accounts.Account(ctx, w.account)
	if err != nil {
		return 0, false, err
	}
	if !slices.Contains(w.Shards, a.Shard) {
		w.none = true
		return 0, false, nil
	}
	if !w.known {
		if w.cursor, err = w.Hooks.HookCursor(ctx, w.account); err != nil {
			return 0, false, err
		}
		w.known = true
	}
	if !health.Off.IsZero() {
		w.none = true
		return 0, false, w.tell(ctx, a, health)
	}
	if a.Foreign() { // what is stored is about to go
		return time.Second, true, nil
	}
	w.seen = max(w.seen, w.cursor.Number, hook.Since)
	// The position is as new as the call: what has expired can't be sent, and what was emptied raises hook.Since.
	entries, next, err := w.Feed.After(ctx, w.account, chat.Position{Seq: w.seen, At: w.Now()}, together)
	if chat.CodeOf(err) == chat.SinceTooOld {
		return w.lost(ctx)
	}
	if err != nil {
		return 0, false, err
	}
	var events []chat.Event
	for i := range entries {
		told, err := render.Events(w.account, &entries[i], w.find(ctx, &entries[i]))
		if err != nil {
			return 0, false, err
		}
		events = append(events, slices.DeleteFunc(told, func(e chat.Event) bool { return !hook.Takes(e.Kind, e.Number) })...)
	}
	finished := len(events)
	if len(events) > 0 {
		finished, pause, err = w.Sink.Deliver(ctx, w.account, bounded(events))
	}
	through := next.Seq
	if finished < len(events) {
		through = events[finished].Number - 1
	}
	if noted := w.note(ctx, through, finished > 0); err == nil {
		err = noted
	}
	return pause, len(entries) > 0, err
}

// rarely is how many entries that concern no webhook are passed over between two notes.
const rarely = 500

// note stores how far it has come.
func (w *worker) note(ctx context.Context, through int64, taken bool) error {
	w.seen = max(w.seen, through)
	if w.seen == w.cursor.Number || !taken && w.seen-w.cursor.Number < rarely {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	now := chat.HookCursor{Number: w.seen, Told: w.cursor.Told}
	err := w.Hooks.PutHookCursor(ctx, w.account, now)
	if err == nil {
		w.cursor = now
	}
	return err
}

// lost finds the way on where the feed has been cut: another number's chats are being deleted, which will tell from where on, or
// the database was put back to what it was before.
func (w *worker) lost(ctx context.Context) (pause time.Duration, again bool, err error) {
	end, err := w.Feed.End(ctx, w.account)
	if err == nil && end.Seq < w.seen {
		w.log.Warn("the webhook goes on from an earlier place", "from", end.Seq, "was", w.seen)
		w.seen, w.cursor.Number = end.Seq, 0
		return 0, true, w.note(ctx, end.Seq, true)
	}
	return time.Second, true, err
}

// find reads a message that an entry names.
func (w *worker) find(ctx context.Context, e *chat.FeedEntry) func(chat.FeedMessage) (chat.JSON, error) {
	return func(m chat.FeedMessage) (chat.JSON, error) {
		found, err := w.Messages.Message(ctx, w.account, e.Chat, m.ID, w.Now())
		switch code := chat.CodeOf(err); {
		case code == chat.ChatNotFound || code == chat.MessageNotFound || err == nil && len(found.Messages) == 0:
			return "", nil
		case err != nil:
			return "", err
		}
		return found.Messages[0].Document, nil
	}
}

// tell writes once into the API log and the feed that the endpoint was switched off.
func (w *worker) tell(ctx context.Context, a chat.Account, health chat.HookHealth) error {
	if w.cursor.Told.Equal(health.Off) {
		return nil
	}
	err := w.Reports.AddReport(ctx, chat.Report{
		ID: offID(a.ID, health.Off), Account: a.ID, At: health.Off, Endpoint: "webhook:off", Number: a.Number(),
		Target: health.Reason, Status: 200,
	})
	if err == nil {
		err = w.Feed.AppendFeed(ctx, a.ID, chat.FeedEntry{Kind: chat.FeedWebhook, Reason: health.Reason})
	}
	now := chat.HookCursor{Number: w.cursor.Number, Told: health.Off}
	if err == nil {
		err = w.Hooks.PutHookCursor(ctx, a.ID, now)
	}
	if err == nil {
		w.cursor = now
		w.log.Warn("webhook switched off", "reason", health.Reason)
	}
	return err
}

// offID is the same each time.
func offID(account string, at time.Time) string {
	return stableid.New(at, fmt.Sprintf("%s\x00%d", account, at.UnixMilli()))
}

// maxEvent bounds what is sent: what SQS takes for the smallest of its messages, with room for what is around it.
const maxEvent = 200 << 10

// bounded has events that are too large tell only what they are about.
func bounded(events []chat.Event) []chat.Event {
	for i, e := range events {
		if len(e.Body) > maxEvent {
			events[i] = render.Event(e.ID, e.Number, e.Kind, e.At, `{"tooLarge":true}`)
		}
	}
	return events
}
