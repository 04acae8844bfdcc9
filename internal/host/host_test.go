package host_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/chat"
	"pesan/internal/host"
)

func TestRunsTheDevicesThatAreOn(t *testing.T) {
	inWorld(t, func(w *world) {
		on, other, down, foreign := w.account(), w.account(), w.account(off), w.account(inShard(1))
		c := w.config("a")
		c.Queues = 2
		taken, err := w.store.Beat(w.t.Context(), chat.Heartbeat{Host: "z"}, time.Now(), time.Hour)
		w.ok(err)
		_, err = w.store.AcquireLease(w.t.Context(), chat.ShardsOf(1, 2), taken.Host, time.Now())
		w.ok(err)
		stop := w.start(c)
		for a, want := range map[string]int{on: 1, other: 1, down: 0, foreign: 0} {
			if runs, live := w.device(a).state(); runs != want || live != want {
				t.Errorf("run %d times, %d running, want %d", runs, live, want)
			}
		}
		if took := stop(); took > time.Second {
			t.Errorf("ends after %v", took)
		}
		if _, live := w.device(on).state(); live != 0 {
			t.Error("device runs after the host")
		}
		hosts, err := w.store.Hosts(w.t.Context(), time.Now())
		w.ok(err)
		if len(hosts) != 1 {
			t.Errorf("alive after the end: %v", hosts)
		}
		if _, err := w.store.AcquireLease(w.t.Context(), chat.ShardsOf(0, 2), taken.Host, time.Now()); err != nil {
			t.Errorf("the shard isn't free at once: %v", err)
		}
	})
}

// TestMostActiveFirst: devices are opened in the order in which they were active last, and told when that was, by which those of
// other queues find their places between them.
func TestMostActiveFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		began := time.Now().Truncate(time.Second)
		active := make(map[string]time.Time)
		for _, minutes := range []int{3, 1, 4, 2, 6, 5} {
			at := began.Add(-time.Duration(minutes) * time.Minute)
			active[w.account(inShard(minutes%2), func(a *chat.Account) { a.AsOf = at })] = at
		}
		never := w.account()
		c := w.config("a")
		c.Queues = 2
		defer w.start(c)()
		last := make(map[bool]time.Time)
		for _, a := range w.opened {
			at := active[a]
			if !w.device(a).active.Equal(at) {
				t.Errorf("a device that was active at %v is opened as if at %v", at, w.device(a).active)
			}
			odd := at.Minute()%2 == began.Minute()%2
			if before := last[odd]; a != never && !before.IsZero() && at.After(before) {
				t.Errorf("one that was active at %v is opened after one that was at %v", at, before)
			}
			last[odd] = at
		}
		if len(w.opened) != len(active)+1 {
			t.Errorf("%d devices are opened", len(w.opened))
		}
	})
}

func TestFaultsAtTheStartAreTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		c := w.config("a")
		c.Stores = func(o chat.Ownership) host.Stores {
			stores := w.stores(o)
			stores.Accounts = &flakyAccounts{accountPort: stores.Accounts, faults: 3}
			return stores
		}
		c.Devices = &flakyDevices{world: w, faults: 3}
		defer w.start(c)()
		pass(time.Minute)
		if runs, live := w.device(a).state(); runs != 1 || live != 1 {
			t.Errorf("run %d times, %d running", runs, live)
		}
	})
}

func TestACrashedDeviceIsRunAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		var runs atomic.Int32
		w.device(a).run = func(ctx context.Context) error {
			if runs.Add(1) <= 2 {
				panic("planted")
			}
			<-ctx.Done()
			return nil
		}
		defer w.start(w.config("a"))()
		if got := runs.Load(); got != 1 {
			t.Errorf("run %d times at once", got)
		}
		pass(time.Minute)
		if got := runs.Load(); got != 3 {
			t.Errorf("run %d times", got)
		}
	})
}

func TestALinkThatIsOverStaysOver(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		w.device(a).run = func(context.Context) error { return errors.New("logged out") }
		defer w.start(w.config("a"))()
		pass(time.Hour)
		if runs, _ := w.device(a).state(); runs != 1 {
			t.Errorf("run %d times", runs)
		}
		connect := w.command(a, chat.ConnectCommand)
		w.send(connect)
		w.ended(connect, "", 1)
		if runs, _ := w.device(a).state(); runs != 2 {
			t.Errorf("run %d times after connect", runs)
		}
	})
}

func TestDrainFinishesWhatHasBegun(t *testing.T) {
	inWorld(t, func(w *world) {
		quick, stuck := w.account(), w.account()
		w.device(quick).answer = func(ctx context.Context, _ string) error {
			<-time.After(2 * time.Second)
			return ctx.Err()
		}
		w.device(stuck).answer = func(ctx context.Context, _ string) error {
			<-ctx.Done()
			if _, live := w.device(stuck).state(); live != 1 {
				t.Error("device is disconnected under a command")
			}
			return ctx.Err()
		}
		stop := w.start(w.config("a"))
		done, undone := w.command(quick, chat.MuteCommand), w.command(stuck, chat.MuteCommand)
		w.send(done, undone)
		if took := stop(); took > 8*time.Second {
			t.Errorf("ends after %v", took)
		}
		w.ended(done, "", 1)
		if r, _ := w.record(undone); r.State != chat.CommandPending {
			t.Errorf("an interrupted command is %s", r.State)
		}
		w.device(stuck).answer = nil
		defer w.start(w.config("b"))()
		w.ended(undone, "", 2)
	})
}

// TestDrainWhenEverySlotIsTaken: then the host isn't even receiving.
func TestDrainWhenEverySlotIsTaken(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.account(), w.account()
		for _, account := range []string{a, b} {
			w.device(account).answer = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		}
		c := w.config("a")
		c.Parallel = 2
		stop := w.start(c)
		first, second := w.command(a, chat.MuteCommand), w.command(b, chat.MuteCommand)
		w.send(first, second)
		if took := stop(); took > 8*time.Second {
			t.Errorf("ends after %v", took)
		}
		for _, c := range []chat.Command{first, second} {
			if r, _ := w.record(c); r.State != chat.CommandPending {
				t.Errorf("an interrupted command is %s", r.State)
			}
		}
	})
}

func TestHostsShareTheShards(t *testing.T) {
	const queues = 8
	inWorld(t, func(w *world) {
		accounts := make([]string, queues)
		for i := range accounts {
			accounts[i] = w.account(inShard(i))
		}
		everyOne := func(when string) {
			t.Helper()
			for i, a := range accounts {
				if _, live := w.device(a).state(); live != 1 {
					t.Errorf("%s the device of shard %d runs %d times", when, i, live)
				}
			}
		}
		config := func(name string) (host.Config, *flakyLeases) {
			c := w.config(name)
			leases := &flakyLeases{Leases: w.store}
			c.Queues, c.Leases = queues, leases
			return c, leases
		}
		spread := func(when string, want ...int) {
			t.Helper()
			got := make(map[string]int)
			for shard := range chat.Shards {
				_, err := w.store.AcquireLease(w.t.Context(), []int{shard}, "test", time.Now())
				if chat.CodeOf(err) != chat.LeaseHeld {
					t.Errorf("%s shard %d isn't held: %v", when, shard, err)
				}
			}
			for _, a := range accounts {
				got[w.device(a).where()]++
			}
			for i, name := range []string{"a", "b", "c"}[:len(want)] {
				if got[name] != want[i] {
					t.Errorf("%s %s has %d shards, want %d", when, name, got[name], want[i])
				}
			}
		}
		start := func(name string) (stop func() time.Duration, leases *flakyLeases) {
			c, leases := config(name)
			c.Devices = placed{w, name}
			return w.start(c), leases
		}
		stopA, _ := start("a")
		everyOne("with one host")
		spread("with one host", 8)
		stopB, leasesB := start("b")
		pass(10 * time.Second)
		everyOne("with two hosts")
		spread("with two hosts", 4, 4)
		stopC, _ := start("c")
		pass(10 * time.Second)
		everyOne("with three hosts")
		spread("with three hosts", 3, 3, 2)

		stopC()
		pass(2 * time.Second)
		everyOne("after a stop")
		spread("after a stop", 4, 4, 0)

		leasesB.dead.Store(true) // as if b were gone
		pass(20 * time.Second)
		everyOne("after a crash")
		spread("after a crash", 8, 0, 0)
		stopB()
		stopA()
	})
}

// TestALeaseThatCannotBeRenewedIsGivenUp in time, and taken again later.
func TestALeaseThatCannotBeRenewedIsGivenUp(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		leases := &flakyLeases{Leases: w.store}
		c := w.config("a")
		c.Leases = leases
		stop := w.start(c)
		pass(time.Minute)
		if runs, live := w.device(a).state(); runs != 1 || live != 1 {
			t.Fatalf("run %d times, %d running", runs, live)
		}
		w.ok(w.device(a).owner.Check())
		leases.dead.Store(true)
		pass(14 * time.Second)
		if _, live := w.device(a).state(); live != 0 {
			t.Error("device runs when the lease has nearly ended")
		}
		if err := w.device(a).owner.Check(); chat.CodeOf(err) != chat.LeaseHeld {
			t.Errorf("the lease has ended, but its holder says %v", err)
		}
		leases.dead.Store(false)
		pass(10 * time.Second)
		if runs, live := w.device(a).state(); runs != 2 || live != 1 {
			t.Errorf("run %d times, %d running, when leases work again", runs, live)
		}
		stop()
	})
}

// TestAPausedHostWritesNothing: a paused process finds that time has gone by before any of its timers has told it.
func TestAPausedHostWritesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		var ahead atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		c := w.config("a")
		c.Now = now
		stop := w.start(c)
		stores := w.stores(w.device(a).owner)
		chats, accounts, backlog := stores.Chats, stores.Accounts, stores.Backlog
		message := func(id string) error {
			return chats.Update(w.t.Context(), a, "6281234567890@s.whatsapp.net", []string{id}, func(thread *chat.Thread) error {
				return thread.Apply(chat.Change{Chat: "6281234567890@s.whatsapp.net", Messages: []chat.Message{{
					ID: id, Content: chat.Content{Sender: "6281234567890@s.whatsapp.net", Time: 1, Type: "conversation"},
				}}}, now())
			})
		}
		w.ok(message("before"))
		w.ok(backlog.PutBacklog(w.t.Context(), a, "before", nil))
		if token := w.device(a).owner.Token(); token == 0 {
			t.Errorf("the fencing token is %d", token)
		}

		held := make(chan struct{})
		w.device(a).answer = func(context.Context, string) error { <-held; return nil }
		mute := w.command(a, chat.MuteCommand)
		w.send(mute)
		ahead.Store(int64(20 * time.Second))
		close(held)
		synctest.Wait()
		if r, _ := w.record(mute); r.State != chat.CommandPending {
			t.Errorf("an outcome was written after the lease: %s", r.State)
		}
		for what, err := range map[string]error{
			"chat":  message("after"),
			"alias": chats.Alias(w.t.Context(), a, "1@lid", "6281234567890@s.whatsapp.net"),
			"account": accounts.UpdateAccount(w.t.Context(), a, func(a *chat.Account) error {
				a.Name = "late"
				return nil
			}),
			"backlog":  backlog.PutBacklog(w.t.Context(), a, "after", nil),
			"done":     backlog.DeleteBacklog(w.t.Context(), a, "before"),
			"deletion": chats.DeleteChats(w.t.Context(), a),
			"removal":  accounts.DeleteAccount(w.t.Context(), a),
		} {
			if chat.CodeOf(err) != chat.LeaseHeld {
				t.Errorf("%s after the lease: %v", what, err)
			}
		}
		conversation, err := w.store.Messages(w.t.Context(), a, "6281234567890@s.whatsapp.net", chat.Page{Limit: 10}, time.Now())
		w.ok(err)
		if len(conversation.Messages) != 1 {
			t.Errorf("%d messages, want the one before", len(conversation.Messages))
		}
		stop()
	})
}

// flakyAccounts fails to list at first.
type flakyAccounts struct {
	accountPort
	faults int
}

type accountPort interface{ chat.Accounts }

func (f *flakyAccounts) AccountsOf(ctx context.Context, shards []int) ([]chat.Account, error) {
	if f.faults--; f.faults >= 0 {
		return nil, errPlanted
	}
	return f.accountPort.AccountsOf(ctx, shards)
}

// flakyDevices fails to open at first.
type flakyDevices struct {
	world  *world
	faults int
}

func (f *flakyDevices) Open(ctx context.Context, account string, o chat.Ownership, active time.Time) (host.Device, error) {
	if f.faults--; f.faults >= 0 {
		return nil, fmt.Errorf("planted: %w", &chat.Error{Code: chat.Unavailable})
	}
	return f.world.Open(ctx, account, o, active)
}

// placed tells devices which host runs them.
type placed struct {
	world *world
	host  string
}

func (p placed) Open(ctx context.Context, account string, o chat.Ownership, active time.Time) (host.Device, error) {
	if _, err := p.world.Open(ctx, account, o, active); err != nil {
		return nil, err
	}
	return &placedDevice{p.world.device(account), p.host}, nil
}

type placedDevice struct {
	*device
	host string
}

func (d *placedDevice) Run(ctx context.Context) error {
	d.move(d.host)
	return d.device.Run(ctx)
}

// flakyLeases fails while dead.
type flakyLeases struct {
	chat.Leases
	dead atomic.Bool
}

var errPlanted = errors.New("planted")

func (f *flakyLeases) AcquireLease(ctx context.Context, shards []int, host string, now time.Time) (chat.Lease, error) {
	if f.dead.Load() {
		return chat.Lease{}, errPlanted
	}
	return f.Leases.AcquireLease(ctx, shards, host, now)
}

func (f *flakyLeases) Beat(ctx context.Context, b chat.Heartbeat, now time.Time, ttl time.Duration) (chat.Heartbeat, error) {
	if f.dead.Load() {
		return chat.Heartbeat{}, errPlanted
	}
	return f.Leases.Beat(ctx, b, now, ttl)
}

func (f *flakyLeases) ReleaseLease(ctx context.Context, l chat.Lease) error {
	if f.dead.Load() {
		return errPlanted
	}
	return f.Leases.ReleaseLease(ctx, l)
}

func (f *flakyLeases) Leave(ctx context.Context, host string) error {
	if f.dead.Load() {
		return errPlanted
	}
	return f.Leases.Leave(ctx, host)
}

func (f *flakyLeases) Hosts(ctx context.Context, now time.Time) ([]string, error) {
	if f.dead.Load() {
		return nil, errPlanted
	}
	return f.Leases.Hosts(ctx, now)
}
