package host_test

import (
	"fmt"
	"testing"
	"time"

	"pesan/internal/chat"
)

// TestAnAccountGoesToAnotherShard and back: at each moment one host drives its device, and what the one before would write yet is
// refused.
func TestAnAccountGoesToAnotherShard(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		for _, name := range []string{"a", "b"} {
			c := w.config(name)
			c.Queues = 2
			c.Devices = placed{w, name}
			defer w.start(c)()
		}
		pass(10 * time.Second) // each has a queue
		var token int64
		for i, shard := range []int{1, 0, 33, 33, 41, 8, 1} { // 41 is on the queue of 33
			before := w.device(a).owner
			old := w.stores(before)
			restart := w.command(a, chat.RestartCommand, func(c *chat.Command) { c.Shard = &shard })
			w.send(restart)
			if i%3 == 1 {
				w.send(restart) // handed out twice
			}
			pass(time.Second)
			if r, _ := w.record(restart); r.State != chat.CommandDone {
				t.Fatalf("%d: the command is %s, %v", i, r.State, r.Failure)
			}
			stored, err := w.store.Account(w.t.Context(), a)
			w.ok(err)
			if _, live := w.device(a).state(); stored.Shard != shard || live != 1 || w.device(a).where() != []string{"a", "b"}[shard%2] {
				t.Fatalf("%d: in shard %d, %d running, at %s", i, stored.Shard, live, w.device(a).where())
			}
			moved := i != 3 && i != 4 // to another host
			now := w.device(a).owner.Token()
			if moved && now <= token {
				t.Errorf("%d: token %d after %d", i, now, token)
			}
			token = now
			w.ok(w.stores(w.device(a).owner).Accounts.UpdateAccount(w.t.Context(), a, func(a *chat.Account) error {
				a.PushName = fmt.Sprint("of shard ", shard)
				return nil
			}))
			err = old.Accounts.UpdateAccount(w.t.Context(), a, func(a *chat.Account) error { a.Name = "late"; return nil })
			if moved && chat.CodeOf(err) != chat.LeaseHeld {
				t.Errorf("%d: the owner before writes: %v", i, err)
			}
			mute := w.command(a, chat.MuteCommand)
			w.send(mute)
			pass(time.Second)
			w.ended(mute, "", 1)
			if i == 4 {
				off := w.command(a, chat.RestartCommand) // stays where it is
				w.send(off)
				pass(time.Second)
				w.ended(off, "", 1)
			}
		}
	})
}

// TestAnAccountThatIsOffGoesToAnotherShard without being started.
func TestAnAccountThatIsOffGoesToAnotherShard(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account(off)
		c := w.config("a")
		c.Queues = 2
		defer w.start(c)()
		shard := 1
		restart := w.command(a, chat.RestartCommand, func(c *chat.Command) { c.Shard = &shard })
		w.send(restart)
		w.ended(restart, "", 1)
		stored, err := w.store.Account(w.t.Context(), a)
		w.ok(err)
		if runs, _ := w.device(a).state(); stored.Shard != shard || runs != 0 {
			t.Errorf("in shard %d, run %d times", stored.Shard, runs)
		}
	})
}
