package webhook

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"pesan/internal/chat"
)

// Log is what a Deliverer reads and writes.
type Log interface {
	chat.HookLog
	chat.HookSecrets
}

// Deliverer sends the events of accounts, each account's in order. It remembers nothing itself: who sends an account's events
// next, in this process or another, goes on where it stopped.
type Deliverer struct {
	Log    Log
	Caller chat.HookCaller
	Now    func() time.Time
	Logger *slog.Logger
	Pauses []time.Duration // after the first failure, the second, …; the last one from then on. nil: those of a webhook
	// Delivered is told of each event that an endpoint took, for who counts; it may be nil.
	Delivered func(account string)
}

// pauses grow up to a quarter of an hour.
var pauses = []time.Duration{
	5 * time.Second, 15 * time.Second, 45 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute,
}

// mostAfter bounds the pause that an endpoint may ask for.
const mostAfter = time.Hour

// kept is how many attempts are shown.
const kept = 10

// quiet is how often a delivery is noted while all goes well: each note is a write.
const quiet = 10 * time.Second

// Deliver sends events of one account, in order, until all are finished, one fails, the webhook has become another, or the
// deadline of ctx leaves no time for another attempt. finished is how many needn't be given again: they were delivered, kept as
// dead, or nobody wants them. pause is how long to wait before the others are given again. An error is the store's; giving the
// others again mends it.
func (d *Deliverer) Deliver(
	ctx context.Context, account string, events []chat.Event,
) (finished int, pause time.Duration, err error) {
	hook, health, err := d.Log.Hook(ctx, account)
	if chat.CodeOf(err) == chat.WebhookNotFound {
		return len(events), 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	r := &round{Deliverer: d, account: account, hook: hook, health: health}
	for finished < len(events) && pause == 0 && err == nil && r.hasTime(ctx) {
		if finished > 0 { // while the one before was sent, all that came from the number before may have been emptied
			var same bool
			if same, err = r.same(ctx); !same {
				break
			}
		}
		var done bool
		if done, pause, err = r.finish(ctx, events[finished]); done {
			finished++
		}
	}
	if noted := r.note(ctx); err == nil {
		err = noted
	}
	return finished, pause, err
}

// round is the events of one account that are being sent.
type round struct {
	*Deliverer
	account string
	hook    chat.Hook
	health  chat.HookHealth
	secret  string
	changed bool // health is to be stored
}

// same tells whether the webhook is as it was when the round began.
func (r *round) same(ctx context.Context) (bool, error) {
	hook, _, err := r.Log.Hook(ctx, r.account)
	if chat.CodeOf(err) == chat.WebhookNotFound {
		return false, nil
	}
	return err == nil && hook.Version == r.hook.Version, err
}

// hasTime tells whether an attempt can end before ctx does.
func (r *round) hasTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || r.Now().Add(attemptTime+storeTime).Before(deadline))
}

// storeTime is for what is written after an attempt.
const storeTime = 2 * time.Second

// finish brings one event to its end, or says when to try it again.
func (r *round) finish(ctx context.Context, e chat.Event) (done bool, pause time.Duration, err error) {
	now := r.Now()
	switch {
	case !r.hook.Takes(e.Kind, e.Number):
		return true, 0, nil
	case !r.health.Off.IsZero():
		return true, 0, r.bury(ctx, e, chat.HookAttempt{})
	case r.health.Next.After(now):
		return false, r.health.Next.Sub(now), nil
	}
	if r.secret == "" {
		if r.secret, err = r.Log.HookSecret(ctx, r.account); chat.CodeOf(err) == chat.WebhookNotFound {
			return true, 0, nil // deleted meanwhile
		} else if err != nil {
			return false, 0, err
		}
	}
	result := r.Caller.Send(ctx, r.hook.URL, r.secret, e)
	if ctx.Err() != nil && !result.Delivered() {
		return false, 0, ctx.Err() // the process ends; that says nothing of the endpoint
	}
	r.record(result)
	if result.Delivered() {
		if r.Delivered != nil {
			r.Delivered(r.account)
		}
		return true, 0, nil
	}
	r.Logger.LogAttrs(ctx, slog.LevelWarn, "webhook failed", slog.String("account", r.account), slog.String("event", e.ID),
		slog.String("error", result.Error), slog.Int("status", result.Status), slog.Int("failures", r.health.Failures))
	if !r.health.Off.IsZero() || r.Now().Sub(e.At) >= chat.EventPatience {
		err := r.note(ctx) // first: who sees the event among the dead ones sees why
		if err == nil {
			err = r.bury(ctx, e, result.HookAttempt)
		}
		return err == nil, 0, err
	}
	return false, r.health.Next.Sub(r.Now()), nil
}

// record takes an attempt into the endpoint's health.
func (r *round) record(result chat.HookAnswer) {
	h := &r.health
	before := len(h.Last) > 0 && h.Last[len(h.Last)-1].Delivered() && result.At.Sub(h.Last[len(h.Last)-1].At) < quiet
	if result.Delivered() && h.Failures == 0 && before {
		return
	}
	r.changed = true
	h.Last = append(h.Last, result.HookAttempt)
	h.Last = h.Last[max(0, len(h.Last)-kept):]
	if result.Delivered() {
		h.Failures, h.Failing, h.Next = 0, time.Time{}, time.Time{}
		return
	}
	now := r.Now()
	if h.Failures++; h.Failures == 1 {
		h.Failing = now
	}
	h.Next = now.Add(max(r.pause(h.Failures), min(result.After, mostAfter)))
	switch {
	case result.Status == gone:
		h.Off, h.Reason = now.Truncate(time.Millisecond), chat.HookGone
	case now.Sub(h.Failing) >= chat.HookPatience:
		h.Off, h.Reason = now.Truncate(time.Millisecond), chat.HookFailing
	}
}

const gone = 410 // by the specification it asks to be left alone

// pause is how long to wait after a number of failures in a row, more or less, so that endpoints that failed at the same moment
// aren't tried at the same one.
func (r *round) pause(failures int) time.Duration {
	all := r.Pauses
	if all == nil {
		all = pauses
	}
	p := all[min(failures, len(all))-1]
	return p - p/10 + rand.N(p/5+1)
}

// bury keeps an event that is given up. Where the hook isn't as it was read, nobody wants it any more, or it will be given again.
func (r *round) bury(ctx context.Context, e chat.Event, last chat.HookAttempt) error {
	return r.Log.PutDeadEvent(ctx, r.account, r.hook, chat.DeadEvent{Event: e, Failed: r.Now(), Last: last})
}

// note stores the endpoint's health.
func (r *round) note(ctx context.Context) error {
	if !r.changed {
		return nil
	}
	r.changed = false
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	err := r.Log.PutHookHealth(ctx, r.account, r.hook, r.health)
	if chat.CodeOf(err) == chat.WebhookNotFound {
		err = nil
	}
	return err
}
