package host_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/host"
)

// batch makes a batch of mutes as the API does, of n chats.
func (w *world) batch(account string, n int, change ...func(*chat.Batch)) chat.Batch {
	w.t.Helper()
	b := chat.Batch{
		ID: ulid.Make().String(), Account: account, Rate: chat.MaxBatchRate, Total: n, Chunk: chat.BatchChunk,
		State: chat.BatchQueued, RequestedAt: time.Now(),
	}
	for _, c := range change {
		c(&b)
	}
	var all []chat.Operation
	for i := range n {
		all = append(all, chat.Operation{Op: chat.MuteCommand, Chat: member(i), Line: i + 1})
	}
	w.ok(w.store.PutOperations(w.t.Context(), account, b.ID, all))
	for i := range b.Chunks() {
		w.ok(w.queue.SendBatch(w.t.Context(), 0, b.Message(i)))
	}
	stored, created, err := w.store.CreateBatch(w.t.Context(), b, time.Now())
	w.ok(err)
	if !created {
		w.t.Fatalf("batch %s is there", stored.ID)
	}
	return stored
}

func member(i int) chat.JID { return chat.JID(fmt.Sprintf("%d@s.whatsapp.net", 6281300000000+i)) }

func slow(b *chat.Batch)    { b.Rate = 3 }
func waiting(b *chat.Batch) { b.Wait = true }

// fast lets batches be as fast as they ask for.
func (w *world) fast() func() time.Duration {
	c := w.config("host")
	c.MaxRate = chat.MaxBatchRate
	return w.start(c)
}

// now is the batch as it stands, with its counts checked against the results.
func (w *world) now(b chat.Batch) chat.Batch {
	w.t.Helper()
	b, err := w.store.Batch(w.t.Context(), b.Account, b.ID)
	w.ok(err)
	counts := make(map[chat.OperationState]int)
	for n := range b.Chunks() {
		_, results, err := w.store.Operations(w.t.Context(), b.Account, b.ID, n)
		w.ok(err)
		for _, r := range results {
			counts[r.State]++
		}
	}
	if counts[chat.OperationDone] != b.Done || counts[chat.OperationFailed] != b.Failed || counts[chat.OperationOvertaken] != b.Overtaken {
		w.t.Errorf("batch counts %+v, its results %v", b, counts)
	}
	if b.Done+b.Failed+b.Overtaken+b.Pending()+b.Cancelled()+b.Unbegun() != b.Total {
		w.t.Errorf("counts of %+v don't add up", b)
	}
	return b
}

// once fails unless the device was told of each of the first n chats exactly once.
func (w *world) once(account string, n int) {
	w.t.Helper()
	counts := make(map[string]int)
	for _, call := range w.device(account).said() {
		counts[strings.Fields(call)[1]]++
	}
	for i := range n {
		if c := counts[string(member(i))]; c != 1 {
			w.t.Errorf("chat %d was changed %d times", i, c)
		}
	}
	if len(counts) != n {
		w.t.Errorf("%d chats were changed, want %d", len(counts), n)
	}
}

func TestBatch(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		stop := w.fast()
		began := time.Now()
		b := w.batch(a, 1234)
		pass(time.Minute)
		if b = w.now(b); b.State != chat.BatchDone || b.Done != 1234 || b.EndedAt.Sub(began) > 2*time.Second {
			t.Errorf("batch is %+v after %v", b, b.EndedAt.Sub(began))
		}
		w.once(a, 1234)
		open, err := w.store.OpenBatches(w.t.Context(), a)
		w.ok(err)
		if len(open) > 0 {
			t.Errorf("open: %+v", open)
		}
		stop()
	})
}

// TestBatchPace: a batch isn't faster than it asks for, over patches and chunks, and no faster than the operator allows.
func TestBatchPace(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		stop := w.start(w.config("host"))
		b := w.batch(a, 600, slow)
		pass(100 * time.Second)
		if b = w.now(b); b.Done < 295 || b.Done > 310 || b.State != chat.BatchRunning {
			t.Errorf("after 100 s at 3 a second: %+v", b)
		}
		if left := time.Until(b.EstimatedEnd(time.Now())); left < 95*time.Second || left > 105*time.Second {
			t.Errorf("the end is estimated in %v", left)
		}
		pass(103 * time.Second)
		if b = w.now(b); b.State != chat.BatchDone || b.Done != 600 {
			t.Errorf("after 203 s: %+v", b)
		}
		hasty := w.batch(a, 500)
		pass(8 * time.Second)
		if hasty = w.now(hasty); hasty.State != chat.BatchRunning {
			t.Errorf("500 in 8 s at most 50 a second: %+v", hasty)
		}
		pass(4 * time.Second)
		if hasty = w.now(hasty); hasty.State != chat.BatchDone {
			t.Errorf("after 12 s: %+v", hasty)
		}
		stop()
	})
}

// TestBatchBesideCommands: a command waits for no more than a patch, and batches of two accounts for none of the other's.
func TestBatchBesideCommands(t *testing.T) {
	inWorld(t, func(w *world) {
		a, other := w.account(), w.account()
		taking := func(ctx context.Context, _ []chat.Command) error {
			<-time.After(50 * time.Millisecond)
			return nil
		}
		w.device(a).taking, w.device(other).taking = taking, taking
		stop := w.fast()
		big := w.batch(a, 3000)
		small := w.batch(other, 5)
		pass(time.Second)
		if b := w.now(small); b.State != chat.BatchDone {
			t.Errorf("the small batch waits for the big one: %+v", b)
		}
		for range 20 {
			c := w.command(a, chat.MuteCommand, func(c *chat.Command) { c.Chat = "120363000000000001@g.us" })
			w.send(c)
			pass(110 * time.Millisecond)
			w.ended(c, "", 1)
		}
		if b := w.now(big); b.State != chat.BatchRunning {
			t.Errorf("the batch is over already: %+v", b)
		}
		stop()
	})
}

// TestBatchAcrossHosts: hosts come and go in the middle of chunks, more often than the queue hands a message out.
func TestBatchAcrossHosts(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		w.device(a).taking = func(context.Context, []chat.Command) error {
			<-time.After(10 * time.Millisecond)
			return nil
		}
		b := w.batch(a, 1100)
		for range 20 {
			stop := w.fast()
			pass(130 * time.Millisecond)
			stop()
		}
		if now := w.now(b); now.State != chat.BatchRunning || now.Done == 0 {
			t.Errorf("after 20 hosts: %+v", now)
		}
		stop := w.fast()
		pass(time.Minute)
		if b = w.now(b); b.State != chat.BatchDone || b.Done != 1100 {
			t.Errorf("batch is %+v", b)
		}
		w.once(a, 1100)
		stop()
	})
}

// TestBatchOvertaken: a command that is wanted after a batch isn't undone by it, also where another host goes on with the batch.
func TestBatchOvertaken(t *testing.T) {
	for name, moved := range map[string]bool{"one host": false, "two hosts": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.account()
				stop := w.fast()
				before := w.command(a, chat.UnmuteCommand, func(c *chat.Command) { c.Chat = member(28) })
				w.send(before)
				pass(time.Second)
				b := w.batch(a, 30, slow)
				pass(2 * time.Second)
				unmute := w.command(a, chat.UnmuteCommand, func(c *chat.Command) { c.Chat = member(25) })
				other := w.command(a, chat.ArchiveCommand, func(c *chat.Command) { c.Chat = member(26) }) // of another setting
				w.send(unmute, other)
				pass(time.Second)
				w.ended(before, "", 1)
				w.ended(unmute, "", 1)
				w.ended(other, "", 1)
				if moved {
					stop()
					stop = w.fast()
				}
				pass(time.Minute)
				if b = w.now(b); b.State != chat.BatchDone || b.Overtaken != 1 || b.Done != 29 {
					t.Errorf("batch is %+v", b)
				}
				for _, call := range w.device(a).said() {
					if strings.HasPrefix(call, "mute") && strings.Contains(call, string(member(25))) {
						t.Errorf("%s came after the unmute", call)
					}
				}
				next := w.batch(a, 30)
				pass(time.Minute)
				if next = w.now(next); next.Done != 30 {
					t.Errorf("a batch that was wanted later is %+v", next)
				}
				stop()
			})
		})
	}
}

// TestOvertakenByMore: a command sets what it is for, and what it takes off with it.
func TestOvertakenByMore(t *testing.T) {
	for _, c := range []struct {
		hand, batch chat.CommandKind
		overtaken   int
	}{
		{chat.PinCommand, chat.ArchiveCommand, 1}, {chat.ArchiveCommand, chat.PinCommand, 1},
		{chat.UnpinCommand, chat.ArchiveCommand, 0}, {chat.UnarchiveCommand, chat.PinCommand, 0}, {chat.UnpinCommand, chat.PinCommand, 1},
	} {
		t.Run(string(c.hand+" "+c.batch), func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.account()
				b := chat.Batch{
					ID: ulid.Make().String(), Account: a, Rate: chat.MaxBatchRate, Total: 1, Chunk: chat.BatchChunk, State: chat.BatchQueued, RequestedAt: time.Now(),
				}
				w.ok(w.store.PutOperations(w.t.Context(), a, b.ID, []chat.Operation{{Op: c.batch, Chat: member(0)}}))
				_, _, err := w.store.CreateBatch(w.t.Context(), b, time.Now())
				w.ok(err)
				pass(time.Second)
				stop := w.fast()
				by := w.command(a, c.hand, func(c *chat.Command) { c.Chat = member(0) })
				w.send(by)
				pass(time.Second)
				w.ended(by, "", 1)
				w.ok(w.queue.SendBatch(w.t.Context(), 0, b.Message(0)))
				pass(time.Minute)
				if b = w.now(b); b.State != chat.BatchDone || b.Overtaken != c.overtaken {
					t.Errorf("batch is %+v", b)
				}
				stop()
			})
		})
	}
}

func TestBatchCancelled(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		stop := w.fast()
		b := w.batch(a, 600, slow)
		next := w.batch(a, 3)
		pass(20 * time.Second)
		if now := w.now(next); now.State != chat.BatchQueued {
			t.Errorf("the second batch doesn't wait: %+v", now)
		}
		w.ok(w.store.UpdateBatch(w.t.Context(), a, b.ID, func(b *chat.Batch) error {
			b.Stop(chat.BatchCancelled, nil, time.Now())
			return nil
		}))
		told := len(w.device(a).said())
		pass(time.Minute)
		if b = w.now(b); b.State != chat.BatchCancelled || b.Done != told || b.Cancelled() != 600-told || told == 0 {
			t.Errorf("batch is %+v; the device was told of %d", b, told)
		}
		if now := w.now(next); now.State != chat.BatchDone {
			t.Errorf("the second batch is %+v", now)
		}
		stop()
	})
}

// TestBatchAhead: a batch's messages may come before the batch; without one they are dropped, and hold up nothing for long.
func TestBatchAhead(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		stop := w.fast()
		none := chat.Batch{ID: ulid.Make().String(), Account: a}
		w.ok(w.queue.SendBatch(w.t.Context(), 0, none.Message(0)))
		pass(40 * time.Second)
		b := w.batch(a, 4)
		pass(2 * time.Minute)
		if now := w.now(b); now.State != chat.BatchDone {
			t.Errorf("batch is %+v", now)
		}
		late := chat.Batch{
			ID: ulid.Make().String(), Account: a, Rate: 10, Total: 2, Chunk: chat.BatchChunk, State: chat.BatchQueued, RequestedAt: time.Now(),
		}
		w.ok(w.queue.SendBatch(w.t.Context(), 0, late.Message(0)))
		pass(25 * time.Second) // as long as a call may take
		w.ok(w.store.PutOperations(w.t.Context(), a, late.ID, []chat.Operation{
			{Op: chat.MuteCommand, Chat: member(4)}, {Op: chat.MuteCommand, Chat: member(5)},
		}))
		_, _, err := w.store.CreateBatch(w.t.Context(), late, time.Now())
		w.ok(err)
		pass(time.Minute)
		if now := w.now(late); now.State != chat.BatchDone {
			t.Errorf("the late batch is %+v", now)
		}
		w.once(a, 6)
		stop()
	})
}

// TestBatchWaits: for a device that is off, for one that loses its connection, and for a day at most.
func TestBatchWaits(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account(off)
		stop := w.fast()
		b := w.batch(a, 1100, waiting)
		pass(10 * time.Minute)
		if now := w.now(b); now.State != chat.BatchQueued {
			t.Errorf("batch is %+v", now)
		}
		w.ok(w.store.UpdateAccount(w.t.Context(), a, func(a *chat.Account) error { a.On = true; return nil }))
		w.device(a).taking = func(_ context.Context, some []chat.Command) error {
			if some[0].Chat == member(300) {
				w.device(a).away.Store(true)
			}
			return nil
		}
		w.send(w.command(a, chat.ConnectCommand))
		pass(time.Minute)
		now := w.now(b)
		if now.State != chat.BatchRunning || now.Done < 300 || now.Done > 303 {
			t.Errorf("the device has gone away; batch is %+v", now)
		}
		stop()
		stop = w.fast() // another host finds what waits
		pass(10 * time.Minute)
		w.device(a).taking = nil
		w.device(a).away.Store(false)
		pass(time.Minute)
		if now := w.now(b); now.State != chat.BatchDone {
			t.Errorf("batch is %+v", now)
		}
		w.once(a, 1100)
		w.device(a).away.Store(true)
		lost := w.batch(a, 3, waiting, func(b *chat.Batch) { b.RequestedAt = time.Now().Add(-chat.CommandAge + time.Minute) })
		pass(2 * time.Minute)
		if now := w.now(lost).At(time.Now()); now.State != chat.BatchFailed || now.Unbegun() != 3 {
			t.Errorf("a day later: %+v", now)
		}
		w.device(a).away.Store(false)
		pass(time.Minute)
		if now := w.now(lost); now.State != chat.BatchFailed {
			t.Errorf("the batch of a day ago began: %+v", now)
		}
		stop()
	})
}

// countedBatches counts how often open batches are looked for.
type countedBatches struct {
	chat.Batches
	looks *atomic.Int64
}

func (c countedBatches) OpenBatches(ctx context.Context, account string) ([]chat.Batch, error) {
	c.looks.Add(1)
	return c.Batches.OpenBatches(ctx, account)
}

// TestNoLookForBatchesBeforeTheDeviceIsConnected: they couldn't go on, and a host that starts has better to do.
func TestNoLookForBatchesBeforeTheDeviceIsConnected(t *testing.T) {
	inWorld(t, func(w *world) {
		d := w.device(w.account())
		d.away.Store(true)
		var looks atomic.Int64
		c := w.config("a")
		c.Stores = func(o chat.Ownership) host.Stores {
			stores := w.stores(o)
			stores.Batches = countedBatches{stores.Batches, &looks}
			return stores
		}
		defer w.start(c)()
		pass(time.Minute)
		if n := looks.Load(); n != 0 {
			t.Errorf("%d looks while the device isn't connected", n)
		}
		d.away.Store(false)
		pass(time.Minute)
		if n := looks.Load(); n != 1 {
			t.Errorf("%d looks once it is", n)
		}
	})
}

// TestBatchLimited: WhatsApp wants the account to be slower; the pauses grow, and nothing fails.
func TestBatchLimited(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		limits := 0
		w.device(a).taking = func(context.Context, []chat.Command) error {
			if limits < 3 {
				limits++
				return &chat.Error{Code: chat.WhatsAppLimited}
			}
			return nil
		}
		stop := w.fast()
		b := w.batch(a, 10)
		pass(200 * time.Second)
		if now := w.now(b); now.Done > 0 || limits != 3 {
			t.Errorf("after %d limits: %+v", limits, now)
		}
		pass(20 * time.Second)
		if now := w.now(b); now.State != chat.BatchDone || now.Done != 10 {
			t.Errorf("batch is %+v", now)
		}
		w.once(a, 10)
		stop()
	})
}

// TestBatchStops: with the link, by a ban or a logout; what was done is kept, and the rest may be tried again.
func TestBatchStops(t *testing.T) {
	for name, end := range map[string]func(*chat.Account){
		"LOGGED_OUT": func(a *chat.Account) { a.On, a.State, a.Reason, a.JID = false, chat.ServiceOff, "LOGGED_OUT", "" },
		"BANNED":     func(a *chat.Account) { a.State, a.Reason = chat.Pairing, "BANNED" },
		"other":      func(a *chat.Account) { a.Owner, a.JID = "6281200000009@s.whatsapp.net", "6281200000009@s.whatsapp.net" },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.account(func(a *chat.Account) { a.Owner = a.JID })
				stop := w.fast()
				b := w.batch(a, 90, slow, func(b *chat.Batch) { b.Number = "6281200000001@s.whatsapp.net" })
				pass(10 * time.Second)
				w.ok(w.store.UpdateAccount(w.t.Context(), a, func(a *chat.Account) error { end(a); return nil }))
				pass(time.Minute)
				b = w.now(b)
				if b.State != chat.BatchFailed || b.Reason == nil || b.Reason.Code != chat.DeviceNotConnected || b.Done < 25 || b.Done > 36 {
					t.Errorf("batch is %+v", b)
				}
				if r := (chat.Result{}).Of(b); !r.MayPass() {
					t.Errorf("the rest is %+v", r)
				}
				stop()
			})
		})
	}
}

// TestOperationsFail: what is refused fails alone and at once, what fails for now after some tries.
func TestOperationsFail(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		w.device(a).answer = func(_ context.Context, call string) error {
			switch {
			case strings.Contains(call, string(member(4))):
				return &chat.Error{Code: chat.WhatsAppRejected, Message: "406"}
			case strings.Contains(call, string(member(5))):
				return &chat.Error{Code: chat.Unavailable}
			}
			return nil
		}
		stop := w.fast()
		b := w.batch(a, 10)
		pass(time.Minute)
		if b = w.now(b); b.State != chat.BatchDone || b.Done != 8 || b.Failed != 2 {
			t.Errorf("batch is %+v", b)
		}
		_, results, err := w.store.Operations(w.t.Context(), a, b.ID, 0)
		w.ok(err)
		if r := results[4]; r.Failure == nil || r.Failure.Code != chat.WhatsAppRejected || r.Failure.Message != "406" || r.MayPass() {
			t.Errorf("the refused one ended %+v", r)
		}
		if r := results[5]; r.Failure == nil || r.Failure.Code != chat.Unavailable || !r.MayPass() {
			t.Errorf("the other ended %+v", r)
		}
		tries := 0
		for _, call := range w.device(a).said() {
			if strings.Contains(call, string(member(5))) {
				tries++
			}
		}
		if tries != 3 {
			t.Errorf("%d tries", tries)
		}
		stop()
	})
}

// TestBatchFromOutside: a batch that comes with its operations runs once, however often it comes, and has a report; one that
// can't be carried out has one too.
func TestBatchFromOutside(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		stop := w.fast()
		m := chat.BatchMessage{Version: 1, Account: a, Batch: "malam", RequestedAt: time.Now(), Operations: []chat.Operation{
			{Op: chat.MuteCommand, Chat: member(0), Seconds: 60}, {Op: chat.MuteCommand, Chat: member(1)},
		}}
		w.ok(w.queue.SendBatch(w.t.Context(), 0, m))
		pass(time.Minute)
		m.Again = "2"
		w.ok(w.queue.SendBatch(w.t.Context(), 0, m))
		bad := m
		bad.Batch, bad.Operations = "salah", []chat.Operation{{Op: chat.MuteCommand, Chat: member(2)}, {Op: "moot", Chat: member(3)}}
		w.ok(w.queue.SendBatch(w.t.Context(), 0, bad))
		pass(time.Minute)
		w.once(a, 2)
		full := w.account()
		for range chat.MaxOpenBatches {
			b := chat.Batch{ID: ulid.Make().String(), Account: full, Total: 1, Chunk: chat.BatchChunk, State: chat.BatchQueued,
				RequestedAt: time.Now()}
			_, _, err := w.store.CreateBatch(w.t.Context(), b, time.Now())
			w.ok(err)
		}
		m.Account, m.Batch = full, "kesebelas"
		w.ok(w.queue.SendBatch(w.t.Context(), 0, m))
		pass(time.Minute)
		if all := w.reports(full); len(all) != 1 || all[0].Error != chat.TooManyBatches {
			t.Errorf("one more than may be open is reported as %+v", all)
		}
		reports := w.reports(a)
		if len(reports) != 2 {
			t.Fatalf("reports %+v", reports)
		}
		slices.SortFunc(reports, func(a, b chat.Report) int { return strings.Compare(string(a.Error), string(b.Error)) })
		if r := reports[0]; r.Endpoint != "queue:batch" || r.Batch == "" || r.Command != chat.CommandDone || r.EndedAt.IsZero() {
			t.Errorf("report %+v", r)
		}
		if r := reports[1]; r.Error != chat.InvalidParameter || r.Batch != "" {
			t.Errorf("report of the bad one %+v", r)
		}
		stop()
		synctest.Wait()
	})
}
