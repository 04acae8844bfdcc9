package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/sleep"
	"pesan/internal/stableid"
)

// attemptTime bounds one attempt at a command.
const attemptTime = 45 * time.Second

// lastMinutes of a command's time are for an attempt that was begun before, and for clocks that differ: when others take
// the command for lost, nobody works on it.
const lastMinutes = 10 * time.Minute

// handle returns nil when the command is to leave the queue: its outcome is recorded, or nobody is left to record it for.
// With an error it goes back, and after too many deliveries to the dead letters. free lets another command begin meanwhile.
func (s *shard) handle(ctx context.Context, d chat.Delivery, free func()) error {
	c, err := d.Command()
	if err != nil {
		return dead{fmt.Errorf("read command: %w", err)}
	}
	log := s.Logger.With("account", clip(c.Account), "command", clip(c.ID), "kind", clip(string(c.Kind)))
	if c.Request != "" {
		log = log.With("request", clip(c.Request))
	}
	invalid := c.Validate()
	a, err := s.stores.Accounts.Account(ctx, c.Account)
	switch {
	case invalid != nil && err != nil:
		return dead{fmt.Errorf("command of nobody: %w", invalid)}
	case chat.CodeOf(err) == chat.DeviceNotFound:
		log.Info("command of a deleted account")
		return nil
	case err != nil:
		return fmt.Errorf("find account: %w", err)
	case !s.owns(a):
		return s.forward(ctx, log, a, c)
	case s.outgrown(a):
		return errDraining
	}
	l := s.link(c.Account)
	if !l.lock.TryAcquire(1) {
		if err := l.lock.Acquire(ctx, 1); err != nil {
			return err
		}
		if a, err = s.stores.Accounts.Account(ctx, c.Account); err != nil || !s.owns(a) { // another command may have changed it
			l.lock.Release(1)
			if err != nil {
				return fmt.Errorf("find account: %w", err)
			}
			return s.forward(ctx, log, a, c)
		}
	}
	defer l.lock.Release(1)
	l.free = free
	return s.execute(ctx, log, l, a, c, invalid, d.Attempt())
}

// forward sends a command on that was sent while there were other queues, or while its account belonged to another shard.
func (s *shard) forward(ctx context.Context, log *slog.Logger, a chat.Account, c chat.Command) error {
	log.Info("command goes to its account's queue", "shard", a.Shard)
	if c.Hops++; c.Hops > chat.MaxHops {
		return dead{fmt.Errorf("command was sent on %d times", chat.MaxHops)}
	}
	if err := s.Sender.Send(ctx, a.Shard, c); err != nil {
		return fmt.Errorf("send command on: %w", err)
	}
	return nil
}

// execute brings a command to its outcome; the link is locked, lest two deliveries of one command both execute it.
func (s *shard) execute(
	ctx context.Context, log *slog.Logger, l *link, a chat.Account, c chat.Command, invalid error, attempt int,
) error {
	if !chat.ValidCommandID(c.ID) {
		log.Warn("invalid command", "error", invalid)
		return s.refuse(ctx, c, invalid)
	}
	if invalid == nil && !c.Meant(a) {
		log.Warn("command for another number")
		return s.refuseForeign(ctx, c, attempt)
	}
	r, err := s.recorded(ctx, c)
	if err != nil {
		return fmt.Errorf("record command: %w", err)
	}
	if r.State != chat.CommandPending {
		if r.State == chat.CommandFailed && attempt > chat.MaxAttempts {
			return dead{errGivenUp}
		}
		return nil
	}
	if invalid == nil && !r.Same(c) {
		log.Warn("command under the id of another")
		return s.refuse(ctx, c, &chat.Error{Code: chat.IdempotencyConflict})
	}
	again := false
	switch now := s.Now(); {
	case invalid != nil:
		err = invalid
	case r.Lost(now.Add(lastMinutes)):
		err = &chat.Error{Code: chat.Unavailable, Message: "too late"}
	case attempt > chat.MaxAttempts: // the processes have ended that had begun it, or couldn't record how it ended
		err, again = errGivenUp, true
	default:
		err = s.attempt(ctx, l, a, r)
		again = temporary(err)
	}
	if errors.Is(err, errMoved) {
		a.Shard = *c.Shard
		return s.forward(ctx, log, a, c)
	}
	if again && attempt < chat.MaxAttempts {
		return err
	}
	if ended := s.end(ctx, r, err, attempt); ended != nil {
		return ended
	}
	log.Info("command ended", "error", err, "attempt", attempt, "after", s.Now().Sub(c.RequestedAt))
	if again {
		return dead{err}
	}
	return nil
}

// errGivenUp is how a command ends that was begun too often without an end.
var errGivenUp = &chat.Error{Code: chat.Unavailable, Message: "given up"}

// dead is the error of a command that is to go to the dead letters.
type dead struct{ error }

func (e dead) Unwrap() error { return e.error }

// temporary tells whether trying again may help.
func temporary(err error) bool {
	switch chat.CodeOf(err) {
	case chat.Unavailable, chat.Internal, chat.LeaseHeld, chat.WhatsAppLimited:
		return true
	}
	return false
}

func (s *shard) attempt(ctx context.Context, l *link, a chat.Account, r chat.CommandRecord) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	return caught(func() error {
		if r.Report == s.entry(r.Command).ID { // not from the API
			if err := s.wish(ctx, &a, r.Kind); err != nil {
				return err
			}
		}
		return s.executeCommand(ctx, l, a, r.Command)
	})
}

// recorded finds the command's record. A command that has none wasn't sent by the API: it gets one, and a report.
func (s *shard) recorded(ctx context.Context, c chat.Command) (chat.CommandRecord, error) {
	r, err := s.stores.Commands.Command(ctx, c.Account, c.ID)
	if chat.CodeOf(err) != chat.CommandNotFound {
		return r, err
	}
	if c.Report == "" {
		entry := s.entry(c)
		c.Report = entry.ID
		entry.CommandID, entry.Command = c.ID, chat.CommandPending
		if err := s.stores.Reports.AddReport(ctx, entry); err != nil {
			return r, err
		}
	}
	if row, _ := chat.ChatCommandOf(c.Kind); row.Ranged && c.Through == nil {
		if err := s.fix(ctx, &c); err != nil {
			return r, err
		}
	}
	r, _, err = s.stores.Commands.PutCommand(ctx, c)
	return r, err
}

// fix says what a command of a range is about that wasn't sent by the API: what is there now, at every attempt.
func (s *shard) fix(ctx context.Context, c *chat.Command) error {
	v, err := s.stores.Chats.Chat(ctx, c.Account, c.Chat)
	if chat.CodeOf(err) == chat.ChatNotFound {
		return nil // nothing shows that it could be about
	}
	if through := v.Through(); err == nil && through.Time > 0 {
		c.Through = &through
	}
	return err
}

// end records the outcome. If another one was recorded before, that one counts.
func (s *shard) end(ctx context.Context, r chat.CommandRecord, err error, attempt int) error {
	o := chat.Outcome{Attempts: attempt, At: s.Now()}
	if err != nil {
		o.Failure = chat.AsError(err)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			o.Failure = &chat.Error{Code: chat.Unavailable}
		}
	}
	err = s.record(ctx, func(ctx context.Context) error {
		_, err := s.stores.Commands.EndCommand(ctx, r.Account, r.ID, o)
		return err
	})
	if err != nil && chat.CodeOf(err) != chat.CommandNotFound { // else it was deleted with its account
		return fmt.Errorf("record outcome: %w", err)
	}
	return nil
}

// recordTime bounds for how long it is tried to record what has been done.
const recordTime = time.Minute

// record stores what has been done, which isn't forgotten because the host is asked to end. What fails is tried again, lest all
// be done again: for recordTime, as long as the host goes on and holds the account.
func (s *shard) record(ctx context.Context, write func(context.Context) error) error {
	until := s.Now().Add(recordTime)
	for wait := firstWait; ; wait = longer(wait) {
		try, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.TTL/5)
		err := write(try)
		cancel()
		if !temporary(err) || s.hold.Check() != nil || s.Now().Add(wait).After(until) || sleep.For(ctx, wait) != nil {
			return err
		}
		s.Logger.Warn("what was done is recorded later", "error", err)
	}
}

// refuse reports a command that can't have a record.
func (s *shard) refuse(ctx context.Context, c chat.Command, err error) error {
	entry := s.entry(c)
	entry.Error = chat.CodeOf(err)
	if err := s.stores.Reports.AddReport(ctx, entry); err != nil {
		return fmt.Errorf("report refusal: %w", err)
	}
	return nil
}

// errOtherNumber is how a command ends that was made for the chats of a number that isn't linked any more.
var errOtherNumber = &chat.Error{Code: chat.DeviceNotConnected, Message: "another number is linked"}

// refuseForeign ends a command that was made for another number. Its record and report have mostly been deleted with that
// number's chats; the new entry doesn't name the chat.
func (s *shard) refuseForeign(ctx context.Context, c chat.Command, attempt int) error {
	_, err := s.stores.Commands.EndCommand(ctx, c.Account, c.ID,
		chat.Outcome{Failure: errOtherNumber, Attempts: attempt, At: s.Now()})
	if err == nil {
		return nil
	}
	if chat.CodeOf(err) != chat.CommandNotFound {
		return fmt.Errorf("record outcome: %w", err)
	}
	c.Chat = ""
	return s.refuse(ctx, c, errOtherNumber)
}

// entry begins the report entry of a command that wasn't sent by the API. A second delivery gets the same id.
func (s *shard) entry(c chat.Command) chat.Report {
	at := c.RequestedAt
	if now := s.Now(); at.IsZero() || at.After(now) || at.Before(now.Add(-chat.ReportAge)) {
		at = now
	}
	return chat.Report{ID: reportID(at, c), Account: c.Account, At: at, Request: clip(c.Request),
		Endpoint: "queue:" + clip(string(c.Kind)), Target: clip(c.Chat.Echo())}
}

// clip bounds what is kept of a text that anybody may have put on the queue.
func clip(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func reportID(at time.Time, c chat.Command) string {
	return stableid.New(at, fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%d", c.Account, c.ID, c.Kind, c.Chat, c.Seconds))
}
