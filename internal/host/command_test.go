package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/chat"
	"pesan/internal/host"
)

func TestCommandsReachTheDevice(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		defer w.start(w.config("a"))()
		seconds := func(c *chat.Command) { c.Seconds = 3600 }
		commands := []chat.Command{
			w.command(a, chat.MuteCommand), w.command(a, chat.MuteCommand, seconds),
			w.command(a, chat.UnmuteCommand), w.command(a, chat.ClearCommand),
		}
		w.send(commands...)
		for _, c := range commands {
			w.ended(c, "", 1)
		}
		want := []string{
			"mute 6281234567890@s.whatsapp.net -1",
			fmt.Sprint("mute 6281234567890@s.whatsapp.net ", commands[1].RequestedAt.Add(time.Hour).UnixMilli()),
			"unmute 6281234567890@s.whatsapp.net",
			"clear 6281234567890@s.whatsapp.net",
		}
		if got := w.device(a).said(); !slices.Equal(got, want) {
			t.Errorf("device was told\n%q, want\n%q", got, want)
		}
	})
}

// TestPasskeyReachesTheDevice: with the device off nobody can have asked for it.
func TestPasskeyReachesTheDevice(t *testing.T) {
	inWorld(t, func(w *world) {
		a, off := w.account(), w.account(off)
		defer w.start(w.config("a"))()
		credential := func(c *chat.Command) { c.Chat, c.Passkey = "", `{"id":"x"}` }
		sent, confirmed := w.command(a, chat.PasskeyCommand, credential), w.command(a, chat.ConfirmPasskeyCommand)
		refused := w.command(off, chat.PasskeyCommand, credential)
		w.send(sent, confirmed, refused)
		w.ended(sent, "", 1)
		w.ended(confirmed, "", 1)
		w.ended(refused, chat.PasskeyNotAsked, 1)
		if got, want := w.device(a).said(), []string{`passkey {"id":"x"}`, "confirm passkey"}; !slices.Equal(got, want) {
			t.Errorf("device was told %q", got)
		}
	})
}

func TestFinalErrorsEndACommand(t *testing.T) {
	for _, code := range []chat.Code{chat.WhatsAppRejected, chat.ChatNotFound} {
		inWorld(t, func(w *world) {
			a := w.account()
			w.device(a).answer = func(context.Context, string) error { return fmt.Errorf("mute: %w", &chat.Error{Code: code}) }
			defer w.start(w.config("a"))()
			c := w.command(a, chat.MuteCommand)
			w.send(c)
			w.ended(c, code, 1)
			pass(time.Hour)
			if got := len(w.device(a).said()); got != 1 {
				t.Errorf("%d calls", got)
			}
		})
	}
}

func TestTemporaryErrorsAreTriedAgain(t *testing.T) {
	for name, fault := range map[string]func(){
		"unavailable": func() {},
		"panic":       func() { panic("planted") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.account()
				calls := 0
				w.device(a).answer = func(context.Context, string) error {
					if calls++; calls == 3 {
						return nil
					}
					fault()
					return &chat.Error{Code: chat.Unavailable}
				}
				defer w.start(w.config("a"))()
				c := w.command(a, chat.MuteCommand)
				w.send(c)
				if r, _ := w.record(c); r.State != chat.CommandPending {
					t.Errorf("after the first try the command is %s", r.State)
				}
				pass(time.Minute)
				w.ended(c, "", 3)
			})
		})
	}
}

func TestGivesUpAtLast(t *testing.T) {
	for code, fault := range map[chat.Code]error{
		chat.Unavailable: &chat.Error{Code: chat.Unavailable},
		chat.Internal:    errors.New("planted"),
	} {
		inWorld(t, func(w *world) {
			a := w.account()
			w.device(a).answer = func(context.Context, string) error { return fault }
			defer w.start(w.config("a"))()
			c, next := w.command(a, chat.MuteCommand), w.command(a, chat.ConnectCommand)
			w.send(c, next)
			pass(time.Hour)
			w.ended(c, code, chat.MaxAttempts)
			if got := len(w.device(a).said()); got != chat.MaxAttempts {
				t.Errorf("%d tries, want %d", got, chat.MaxAttempts)
			}
			w.ended(next, "", 1)
		})
	}
}

// TestGivenUpByTheNext: where processes have ended again and again that had begun a command, the next one begins it no more, and
// tells who waits.
func TestGivenUpByTheNext(t *testing.T) {
	for begun := range chat.MaxDeliveries + 1 {
		inWorld(t, func(w *world) {
			a := w.account()
			c, next := w.command(a, chat.MuteCommand), w.command(a, chat.UnmuteCommand)
			w.send(c, next)
			for range begun {
				received, err := w.queue.Receive(w.t.Context(), 0, 1)
				w.ok(err)
				w.ok(received[0].Release(w.t.Context(), 0))
			}
			defer w.start(w.config("a"))()
			pass(time.Minute)
			want := []string{"unmute 6281234567890@s.whatsapp.net"}
			switch {
			case begun < chat.MaxAttempts:
				w.ended(c, "", begun+1)
				want = append([]string{"mute 6281234567890@s.whatsapp.net -1"}, want...)
			case begun < chat.MaxDeliveries:
				w.ended(c, chat.Unavailable, begun+1)
			}
			w.ended(next, "", 1)
			if got := w.device(a).said(); !slices.Equal(got, want) {
				t.Errorf("begun %d times before, device was told %q", begun, got)
			}
		})
	}
}

func TestAHangingCommandIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		w.device(a).answer = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		defer w.start(w.config("a"))()
		c := w.command(a, chat.MuteCommand)
		w.send(c)
		pass(time.Hour)
		w.ended(c, chat.Unavailable, chat.MaxAttempts)
	})
}

// TestASlowCommandIsNotHandedOutAgain needs the visibility timeout to be extended.
func TestASlowCommandIsNotHandedOutAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		w.device(a).answer = func(ctx context.Context, _ string) error {
			select {
			case <-time.After(chat.VisibilityTimeout + 10*time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		config := w.config("a")
		queue := &spyQueue{CommandQueue: w.queue}
		config.Queue = queue
		defer w.start(config)()
		c := w.command(a, chat.MuteCommand)
		w.send(c)
		pass(time.Hour)
		w.ended(c, "", 1)
		if got := queue.deliveries.Load(); got != 1 {
			t.Errorf("%d deliveries", got)
		}
	})
}

func TestTwoDeliveriesOfOneCommandAtATime(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		w.device(a).answer = func(context.Context, string) error {
			<-time.After(20 * time.Second)
			return nil
		}
		config := w.config("a")
		config.Queue = &spyQueue{CommandQueue: w.queue, twice: true}
		defer w.start(config)()
		c := w.command(a, chat.MuteCommand)
		w.send(c)
		pass(time.Hour)
		w.ended(c, "", 1)
		if got := len(w.device(a).said()); got != 1 {
			t.Errorf("carried out %d times", got)
		}
	})
}

// spyQueue counts what it hands out, if need be twice at the same time.
type spyQueue struct {
	chat.CommandQueue
	twice      bool
	deliveries atomic.Int32
}

func (q *spyQueue) Receive(ctx context.Context, shard, limit int) ([]chat.Delivery, error) {
	all, err := q.CommandQueue.Receive(ctx, shard, limit)
	q.deliveries.Add(int32(len(all)))
	if q.twice {
		all = slices.Concat(all, all)
	}
	return all, err
}

func TestASlowAccountHoldsUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		slow, quick := w.account(), w.account()
		release := make(chan struct{})
		w.device(slow).answer = func(context.Context, string) error { <-release; return nil }
		defer w.start(w.config("a"))()
		first, second := w.command(slow, chat.MuteCommand), w.command(slow, chat.UnmuteCommand)
		other := w.command(quick, chat.MuteCommand)
		w.send(first, second, other)
		w.ended(other, "", 1)
		if got := len(w.device(slow).said()); got != 1 {
			t.Errorf("%d commands of one account at a time", got)
		}
		close(release)
		synctest.Wait()
		w.ended(first, "", 1)
		w.ended(second, "", 1)
	})
}

func TestWaitsForTheDeviceToBeConnected(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		ready := time.Now().Add(5 * time.Second)
		w.device(a).answer = func(context.Context, string) error {
			if time.Now().Before(ready) {
				return &chat.Error{Code: chat.DeviceNotConnected}
			}
			return nil
		}
		defer w.start(w.config("a"))()
		c := w.command(a, chat.MuteCommand)
		w.send(c)
		pass(7 * time.Second)
		w.ended(c, "", 1)
	})
}

// TestACommandHurriesItsDevice: one that waits for others to connect goes before them when a command waits for it, also for
// a pairing code, and not when a batch does, which would hurry all of them.
func TestACommandHurriesItsDevice(t *testing.T) {
	inWorld(t, func(w *world) {
		ready := func(d *device) func(context.Context, string) error {
			return func(context.Context, string) error {
				if !d.Connected() {
					return &chat.Error{Code: chat.DeviceNotConnected}
				}
				return nil
			}
		}
		muted, paired, batched := w.account(), w.account(unlinked), w.account()
		for _, a := range []string{muted, paired, batched} {
			d := w.device(a)
			d.away.Store(true)
			d.answer, d.hurry = ready(d), func() { d.away.Store(false) }
		}
		defer w.start(w.config("a"))()
		mute := w.command(muted, chat.MuteCommand)
		pair := w.command(paired, chat.ConnectCommand, func(c *chat.Command) { c.Phone = "6281200000001" })
		w.send(mute, pair)
		w.batch(batched, 3, waiting)
		pass(time.Second) // of virtual time
		w.ended(mute, "", 1)
		w.ended(pair, "", 1)
		if w.device(batched).Connected() {
			t.Error("a batch hurries its device")
		}
	})
}

// TestCommandsThatWaitForDevicesHoldUpNoOther: however many there are.
func TestCommandsThatWaitForDevicesHoldUpNoOther(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.config("a")
		c.Parallel = 2
		var waiting []chat.Command
		for range 2 * c.Parallel {
			a := w.account()
			w.device(a).answer = func(context.Context, string) error { return &chat.Error{Code: chat.DeviceNotConnected} }
			waiting = append(waiting, w.command(a, chat.MuteCommand))
		}
		other := w.command(w.account(), chat.MuteCommand)
		defer w.start(c)()
		w.send(append(waiting, other)...)
		w.ended(other, "", 1)
		for _, c := range waiting {
			if r, _ := w.record(c); r.State != chat.CommandPending {
				t.Errorf("a command for a device that may yet connect is %s", r.State)
			}
		}
		pass(time.Minute)
		for _, c := range waiting {
			w.ended(c, chat.DeviceNotConnected, 1)
		}
	})
}

// lateList lists accounts once it is told to.
type lateList struct {
	accounts
	until chan struct{}
}

type accounts = chat.Accounts // which has a method of that name

func (l lateList) AccountsOf(ctx context.Context, shards []int) ([]chat.Account, error) {
	<-l.until
	return l.accounts.AccountsOf(ctx, shards)
}

// TestACommandThatWaitsForItsDeviceHoldsUpNoStart: it came before the devices were listed, the first of which is its own.
func TestACommandThatWaitsForItsDeviceHoldsUpNoStart(t *testing.T) {
	inWorld(t, func(w *world) {
		first := w.account(func(a *chat.Account) { a.AsOf = time.Now() })
		other := w.account()
		until := make(chan struct{})
		begun := sync.OnceFunc(func() { close(until) })
		w.device(first).answer = func(context.Context, string) error {
			begun()
			return &chat.Error{Code: chat.DeviceNotConnected}
		}
		c := w.config("a")
		c.Stores = func(o chat.Ownership) host.Stores {
			stores := w.stores(o)
			stores.Accounts = lateList{stores.Accounts, until}
			return stores
		}
		mute := w.command(first, chat.MuteCommand)
		w.send(mute)
		defer w.start(c)()
		if runs, _ := w.device(other).state(); runs != 1 {
			t.Errorf("the other device was run %d times", runs)
		}
		pass(time.Minute)
		w.ended(mute, chat.DeviceNotConnected, 1)
		if runs, _ := w.device(first).state(); runs != 1 {
			t.Errorf("the command's device was run %d times", runs)
		}
	})
}

func TestDeviceThatStaysUnconnected(t *testing.T) {
	inWorld(t, func(w *world) {
		away, over, off, unlinked := w.account(), w.account(), w.account(off), w.account(unlinked)
		w.device(over).run = func(context.Context) error { return nil }
		for _, a := range []string{away, over, off, unlinked} {
			w.device(a).answer = func(context.Context, string) error { return &chat.Error{Code: chat.DeviceNotConnected} }
		}
		defer w.start(w.config("a"))()
		late := w.command(away, chat.MuteCommand)
		w.send(late)
		for _, a := range []string{over, off, unlinked} {
			c := w.command(a, chat.MuteCommand)
			w.send(c)
			w.ended(c, chat.DeviceNotConnected, 1)
		}
		if r, _ := w.record(late); r.State != chat.CommandPending {
			t.Errorf("a command for a device that may yet connect is %s", r.State)
		}
		pass(time.Minute)
		w.ended(late, chat.DeviceNotConnected, 1)
	})
}

// TestRepetition delivers a command that has ended: it isn't carried out again, and its report ends even if that was
// missed before.
func TestRepetition(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		c := w.command(a, chat.MuteCommand)
		_, err := w.store.EndCommand(w.t.Context(), a, c.ID, chat.Outcome{Attempts: 1, At: time.Now()})
		w.ok(err)
		defer w.start(w.config("a"))()
		w.send(c)
		w.ended(c, "", 1)
		if got := w.device(a).said(); len(got) != 0 {
			t.Errorf("device was told %q", got)
		}
	})
}

// TestLateCommands sends commands that have waited for long: those that are too late end at once.
func TestLateCommands(t *testing.T) {
	inWorld(t, func(w *world) {
		a, deleted := w.account(), w.account()
		clear, mute, late := w.command(a, chat.ClearCommand), w.command(a, chat.MuteCommand), w.command(a, chat.UnmuteCommand)
		gone := w.command(deleted, chat.DeleteCommand)
		pass(2 * time.Hour)
		defer w.start(w.config("a"))()
		w.send(clear, mute)
		w.ended(clear, "", 1)
		w.ended(mute, "", 1)
		pass(chat.CommandAge - 2*time.Hour)
		w.send(late, gone)
		w.ended(late, chat.Unavailable, 1)
		if said := w.device(a).said(); len(said) != 2 || !strings.HasPrefix(said[0], "clear") || !strings.HasPrefix(said[1], "mute") {
			t.Errorf("the device was told %q", said)
		}
		if _, err := w.store.Account(w.t.Context(), deleted); chat.CodeOf(err) != chat.DeviceNotFound {
			t.Errorf("a late deletion leaves the account: %v", err)
		}
	})
}

// TestClearFromOutsideTheAPI is about what was there when the command came first, at every attempt.
func TestClearFromOutsideTheAPI(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		defer w.start(w.config("a"))()
		came := func(id string, at int64) {
			m := chat.Message{ID: id, Content: chat.Content{Sender: "6281234567890@s.whatsapp.net", Time: at, Order: at, Message: `{}`}}
			err := chat.NewProjector(w.store, time.Now).Apply(w.t.Context(), a, chat.Change{
				Chat: "6281234567890@s.whatsapp.net", Messages: []chat.Message{m},
			})
			w.ok(err)
		}
		came("first", 100)
		attempts := 0
		w.device(a).answer = func(context.Context, string) error {
			if attempts++; attempts < 3 {
				came(fmt.Sprint("later", attempts), 100)
				return &chat.Error{Code: chat.Unavailable}
			}
			return nil
		}
		clear := w.outside(a, chat.ClearCommand)
		w.send(clear)
		pass(5 * time.Minute)
		w.ended(clear, "", 3)
		for _, said := range w.device(a).said() {
			if said != "clear 6281234567890@s.whatsapp.net through 100 first" {
				t.Errorf("the device was told %q", said)
			}
		}
		given := w.outside(a, chat.ClearCommand, func(c *chat.Command) { c.Through = &chat.Through{Time: 7, ID: "given"} })
		w.send(given)
		w.ended(given, "", 1)
		if said := w.device(a).said(); said[len(said)-1] != "clear 6281234567890@s.whatsapp.net through 7 given" {
			t.Errorf("the device was told %q", said)
		}
	})
}

func TestCommandsFromOutsideTheAPI(t *testing.T) {
	inWorld(t, func(w *world) {
		a, down := w.account(), w.account(off)
		defer w.start(w.config("a"))()
		mute, connect := w.outside(a, chat.MuteCommand), w.outside(down, chat.ConnectCommand)
		w.send(mute, connect)
		w.ended(mute, "", 1)
		w.ended(connect, "", 1)
		_, report := w.record(mute)
		if report.Endpoint != "queue:mute" || report.Target != "6281234567890" || report.CommandID != mute.ID {
			t.Errorf("report %+v", report)
		}
		stored, err := w.store.Account(w.t.Context(), down)
		w.ok(err)
		if _, live := w.device(down).state(); !stored.On || live != 1 {
			t.Errorf("after connect: on %v, %d running", stored.On, live)
		}
		disconnect := w.outside(down, chat.DisconnectCommand)
		w.send(disconnect)
		w.ended(disconnect, "", 1)
		stored, err = w.store.Account(w.t.Context(), down)
		w.ok(err)
		if _, live := w.device(down).state(); stored.On || live != 0 || stored.State != chat.ServiceOff {
			t.Errorf("after disconnect: on %v, %s, %d running", stored.On, stored.State, live)
		}
	})
}

func TestInvalidCommands(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		defer w.start(w.config("a"))()
		bad := map[chat.Code]chat.Command{
			chat.InvalidPhone:     w.outside(a, chat.MuteCommand, func(c *chat.Command) { c.Chat = "nobody" }),
			chat.InvalidSecond:    w.outside(a, chat.MuteCommand, func(c *chat.Command) { c.Seconds = -5 }),
			chat.InvalidParameter: w.outside(a, "explode"),
		}
		for code, c := range bad {
			w.send(c)
			w.ended(c, code, 1)
		}
		before := len(w.reports(a))
		pass(time.Second)
		badID := w.outside(a, chat.MuteCommand, func(c *chat.Command) { c.ID = "not valid" })
		w.send(badID)
		if reports := w.reports(a); len(reports) != before+1 || reports[0].Error != chat.InvalidParameter || !reports[0].Finished() {
			t.Errorf("a command with a bad id: reports %+v", reports)
		}
		done := w.outside(a, chat.MuteCommand)
		other := done
		other.Kind = chat.ClearCommand
		w.send(done)
		w.ended(done, "", 1)
		w.send(other)
		w.ended(done, "", 1)
		w.send(w.outside("nobody", chat.MuteCommand), w.outside(w.account()[:25]+"Z", chat.MuteCommand))
		pass(time.Hour)
		if got := w.device(a).said(); len(got) != 1 {
			t.Errorf("device was told %q", got)
		}
		last := w.command(a, chat.UnmuteCommand)
		w.send(last)
		w.ended(last, "", 1)
	})
}

// TestCommandsByAnotherQueue: they were sent while there were fewer queues, or by who believed the account in another shard.
func TestCommandsByAnotherQueue(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account(inShard(1))
		for _, name := range []string{"a", "b"} {
			c := w.config(name)
			c.Queues = 2
			defer w.start(c)()
		}
		pass(10 * time.Second) // each has a queue
		var commands []chat.Command
		for _, kind := range []chat.CommandKind{chat.MuteCommand, chat.UnmuteCommand, chat.ArchiveCommand} {
			commands = append(commands, w.command(a, kind))
		}
		w.send(commands...)
		for _, c := range commands {
			w.ended(c, "", 1)
		}
		if got := w.device(a).said(); len(got) != len(commands) || !strings.HasPrefix(got[0], "mute") {
			t.Errorf("the device was told %q", got)
		}
	})
}

func TestConnectWithPhoneMakesAPairingCode(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account(unlinked, off)
		w.ok(w.store.UpdateAccount(w.t.Context(), a, func(a *chat.Account) error { a.On = true; return nil }))
		defer w.start(w.config("a"))()
		c := w.command(a, chat.ConnectCommand, func(c *chat.Command) { c.Phone = "6281200000001" })
		w.send(c)
		w.ended(c, "", 1)
		if got := w.device(a).said(); !slices.Equal(got, []string{"pair 6281200000001"}) {
			t.Errorf("device was told %q", got)
		}
	})
}

// TestALaterWishCounts holds although its command never came.
func TestALaterWishCounts(t *testing.T) {
	inWorld(t, func(w *world) {
		on, down := w.account(), w.account(off)
		defer w.start(w.config("a"))()
		disconnect, connect := w.command(on, chat.DisconnectCommand), w.command(down, chat.ConnectCommand)
		w.send(disconnect, connect)
		w.ended(disconnect, "", 1)
		w.ended(connect, "", 1)
		if _, live := w.device(on).state(); live != 1 {
			t.Error("an outdated disconnect stopped the device")
		}
		if runs, _ := w.device(down).state(); runs != 0 {
			t.Error("an outdated connect started the device")
		}
	})
}

func TestLogoutAndDelete(t *testing.T) {
	inWorld(t, func(w *world) {
		a, gone, neverRun := w.account(), w.account(), w.account(off)
		defer w.start(w.config("a"))()
		for _, id := range []string{a, gone, neverRun} {
			w.ok(w.store.UpdateAccount(w.t.Context(), id, func(a *chat.Account) error { a.On = false; return nil }))
			w.device(id).answer = func(context.Context, string) error {
				if _, live := w.device(id).state(); live != 1 && id != neverRun {
					t.Error("logout after the device was stopped")
				}
				return nil
			}
		}
		kept := w.command(gone, chat.UnmuteCommand)
		logout := w.command(a, chat.LogoutCommand)
		deleteGone, deleteOther := w.command(gone, chat.DeleteCommand), w.command(neverRun, chat.DeleteCommand)
		w.send(logout, deleteGone, deleteOther)
		w.ended(logout, "", 1)
		for _, id := range []string{a, gone, neverRun} {
			if _, live := w.device(id).state(); live != 0 || !slices.Equal(w.device(id).said(), []string{"logout"}) {
				t.Errorf("%d running after %q", live, w.device(id).said())
			}
		}
		for _, id := range []string{gone, neverRun} {
			if _, err := w.store.Account(w.t.Context(), id); chat.CodeOf(err) != chat.DeviceNotFound {
				t.Errorf("a deleted account: %v", err)
			}
			if got := w.reports(id); len(got) != 0 {
				t.Errorf("reports of a deleted account: %+v", got)
			}
		}
		if _, err := w.store.Command(w.t.Context(), gone, kept.ID); chat.CodeOf(err) != chat.CommandNotFound {
			t.Errorf("a command of a deleted account: %v", err)
		}
		w.send(kept)
		pass(time.Hour)
		if got := w.device(gone).said(); len(got) != 1 {
			t.Errorf("a deleted account's device was told %q", got)
		}
	})
}
