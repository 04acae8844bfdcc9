package host_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/chat"
	"pesan/internal/host"
)

// lateRecords has outcomes not be recorded for as long as it is told to: the store doesn't answer, or says that it can't.
type lateRecords struct {
	until time.Time
	fault error // nil: no answer
	tries atomic.Int32
}

func (l *lateRecords) delay(ctx context.Context) error {
	if l.tries.Add(1); !time.Now().Before(l.until) {
		return nil
	}
	if l.fault == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return l.fault
}

type lateCommands struct {
	chat.Commands
	*lateRecords
}

func (l lateCommands) EndCommand(ctx context.Context, account, id string, o chat.Outcome) (chat.CommandRecord, error) {
	if err := l.delay(ctx); err != nil {
		return chat.CommandRecord{}, err
	}
	return l.Commands.EndCommand(ctx, account, id, o)
}

type lateBatches struct {
	chat.Batches
	*lateRecords
}

func (l lateBatches) EndOperations(ctx context.Context, account, id string, n int, r map[int]chat.Result) (chat.Batch, error) {
	if err := l.delay(ctx); err != nil {
		return chat.Batch{}, err
	}
	return l.Batches.EndOperations(ctx, account, id, n, r)
}

// late is a host's configuration with records that are late.
func (w *world) late(name string, l *lateRecords) host.Config {
	c := w.config(name)
	c.Stores = func(o chat.Ownership) host.Stores {
		stores := w.stores(o)
		stores.Commands, stores.Batches = lateCommands{stores.Commands, l}, lateBatches{stores.Batches, l}
		return stores
	}
	return c
}

// TestRecordingIsTriedAgain: what was done isn't done again where only its record takes long.
func TestRecordingIsTriedAgain(t *testing.T) {
	for name, fault := range map[string]error{
		"no answer": nil, "unavailable": &chat.Error{Code: chat.Unavailable}, "a foreign error": errPlanted,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.account(), w.account()
				l := &lateRecords{until: time.Now().Add(20 * time.Second), fault: fault}
				defer w.start(w.late("a", l))()
				mute, next := w.command(a, chat.MuteCommand), w.command(a, chat.UnmuteCommand)
				w.send(mute, next)
				batch := w.batch(b, patch)
				pass(10 * time.Second)
				if r, _ := w.record(mute); r.State != chat.CommandPending || l.tries.Load() < 4 {
					t.Errorf("after 10 s and %d tries the command is %s", l.tries.Load(), r.State)
				}
				pass(time.Minute)
				w.ended(mute, "", 1)
				w.ended(next, "", 1)
				if said := w.device(a).said(); len(said) != 2 {
					t.Errorf("the device was told %q", said)
				}
				if batch = w.now(batch); batch.State != chat.BatchDone {
					t.Errorf("the batch is %+v", batch)
				}
				w.once(b, patch)
			})
		})
	}
}

// TestRecordingEnds: it isn't tried for ever, nor for longer than the host goes on or has the account; who gets the command then
// carries it out, and records that.
func TestRecordingEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		defer w.start(w.late("a", &lateRecords{until: time.Now().Add(90 * time.Second)}))()
		mute := w.command(a, chat.MuteCommand)
		w.send(mute)
		pass(3 * time.Minute)
		w.ended(mute, "", 2)
	})
	inWorld(t, func(w *world) {
		a := w.account()
		stop := w.start(w.late("a", &lateRecords{until: time.Now().Add(time.Hour)}))
		mute := w.command(a, chat.MuteCommand)
		w.send(mute)
		pass(5 * time.Second)
		if took := stop(); took > 8*time.Second {
			t.Errorf("the host ends after %v", took)
		}
		defer w.start(w.config("b"))()
		synctest.Wait()
		w.ended(mute, "", 2)
	})
	inWorld(t, func(w *world) {
		a := w.account()
		l, leases := &lateRecords{until: time.Now().Add(time.Hour)}, &flakyLeases{Leases: w.store}
		c := w.late("a", l)
		c.Leases = leases
		stop := w.start(c)
		mute := w.command(a, chat.MuteCommand)
		w.send(mute)
		leases.dead.Store(true)
		pass(15 * time.Second) // the heartbeat has expired
		tries := l.tries.Load()
		pass(time.Minute)
		if now := l.tries.Load(); now != tries {
			t.Errorf("%d tries after the lease", now-tries)
		}
		if r, _ := w.record(mute); r.State != chat.CommandPending {
			t.Errorf("the command is %s", r.State)
		}
		stop()
	})
}
