package whatsapp

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	collections "go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// at gives a mutation a clock's time.
func at(m appstate.Mutation, t time.Time) appstate.Mutation {
	m.Value.Timestamp = proto.Int64(t.UnixMilli())
	return m
}

// TestClocksHaveNoSay: the phone's clock goes wrong, this side's is right, and what was done last counts.
func TestClocksHaveNoSay(t *testing.T) {
	for _, off := range []time.Duration{-365 * 24 * time.Hour, -2 * time.Hour, -5 * time.Minute, 5 * time.Minute, 2 * time.Hour, 365 * 24 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			w := linkedWorld(t)
			budi := w.contact("6281200000002", "Budi")
			b := jid(budi)
			w.from(budi, sim.Text("halo"), sim.SendOptions{})
			w.fetched()
			phone := func() time.Time { return time.Now().Add(off) }
			muted := func(v chat.View, _ bool) bool { return v.MuteEnd == chat.MutedForEver }
			loud := func(v chat.View, _ bool) bool { return v.MuteEnd == 0 }
			w.change("mute on the phone", b, muted, at(appstate.Mute(budi.PN(), appstate.Forever), phone()))
			w.ok(w.device.Unmute(w.soon(), b))
			if v, _ := w.shown(b); v.MuteEnd != 0 {
				t.Errorf("unmuted here, and shown as muted until %d", v.MuteEnd)
			}
			w.ok(w.device.Mute(w.soon(), b, chat.MutedForEver))
			w.change("unmute on the phone", b, loud, at(appstate.Unmute(budi.PN()), phone()))
			w.change("archive", b, func(v chat.View, _ bool) bool { return v.Archived }, at(appstate.Archive(budi.PN(), true, appstate.UpTo(time.Now())), time.Now()))
			w.change("unarchive", b, func(v chat.View, _ bool) bool { return !v.Archived }, at(appstate.Archive(budi.PN(), false, appstate.UpTo(time.Now())), phone()))
			w.change("name", b, callsIt("Budi A"), at(appstate.Contact(budi.PN(), appstate.ContactName{Full: "Budi A"}), time.Now()))
			w.change("other name", b, callsIt("Budi B"), at(appstate.Contact(budi.PN(), appstate.ContactName{Full: "Budi B"}), phone()))
		})
	}
}

func callsIt(name string) func(chat.View, bool) bool {
	return func(v chat.View, _ bool) bool { return strings.Contains(string(v.Document), `"name":"`+name+`"`) }
}

// TestRemovals: who is taken out of the address book loses the name there, also while the device was off, when all of the
// app state is fetched anew; a key that changes takes nothing away.
func TestRemovals(t *testing.T) {
	for _, off := range []bool{false, true} {
		w := linkedWorld(t)
		budi := w.contact("6281200000002", "Budi")
		b := jid(budi)
		w.from(budi, sim.Text("halo"), sim.SendOptions{})
		w.change("name", b, callsIt("Budi Santoso"), appstate.Contact(budi.PN(), appstate.ContactName{Full: "Budi Santoso", LID: budi.LID()}))
		w.change("mute", b, func(v chat.View, _ bool) bool { return v.MuteEnd == chat.MutedForEver }, appstate.Mute(budi.PN(), appstate.Forever))
		w.ok(w.phone.RotateAppStateKey(w.soon()))
		w.ok(w.phone.Change(w.soon(), appstate.Contact(budi.PN(), appstate.ContactName{Full: "Budi Santoso", LID: budi.LID()}),
			appstate.Mute(budi.PN(), appstate.Forever)))
		w.eventually("a mute behind it", func() bool { // once the new key is here
			return w.device.Mute(w.soon(), b, chat.MutedForEver) == nil
		})
		if v, _ := w.shown(b); !callsIt("Budi Santoso")(v, true) || v.MuteEnd != chat.MutedForEver {
			t.Errorf("after a change of the key: %s", v.Document)
		}
		if off {
			w.ok(w.halt())
		}
		w.ok(w.phone.Change(w.soon(), appstate.RemoveContact(budi.PN())))
		if off {
			w.run()
		}
		w.eventually("the name to go", func() bool { v, ok := w.shown(b); return !callsIt("Budi Santoso")(v, ok) })
		if v, _ := w.shown(b); v.MuteEnd != chat.MutedForEver {
			t.Error("the mute went with the name")
		}
	}
}

// TestKeepChatsArchived: a message takes a chat out of the archive, unless the phone keeps chats there; both ways when that
// changes, and for chats that come later.
func TestKeepChatsArchived(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	first := w.from(budi, sim.Text("satu"), sim.SendOptions{Time: time.Unix(1_800_000_000, 0)})
	key := &waCommon.MessageKey{ID: &first, RemoteJID: proto.String(string(b)), FromMe: proto.Bool(false)}
	in := func(v chat.View, _ bool) bool { return v.Archived }
	out := func(v chat.View, _ bool) bool { return !v.Archived }
	w.change("archive", b, in, appstate.Archive(budi.PN(), true, appstate.UpTo(time.Unix(1_800_000_000, 0), key)))
	w.from(budi, sim.Text("dua"), sim.SendOptions{Time: time.Unix(1_800_000_010, 0)})
	w.eventually("news to take it out", func() bool { return out(w.shown(b)) })
	w.change("keep archived", b, in, appstate.UnarchiveChats(false))
	w.from(budi, sim.Text("tiga"), sim.SendOptions{Time: time.Unix(1_800_000_020, 0)})
	if v, _ := w.shown(b); !v.Archived {
		t.Error("it came out though chats are kept archived")
	}
	w.ok(w.halt())
	w.open()
	w.run()
	w.change("no more", b, out, appstate.UnarchiveChats(true))
}

// TestKeepChatsArchivedBeforeTheyShow: the setting reaches a chat in the archive that had no message when it flipped.
func TestKeepChatsArchivedBeforeTheyShow(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	archived := appstate.Archive(budi.PN(), true, appstate.UpTo(time.Unix(1_800_000_000, 0)))
	w.ok(w.phone.Change(w.soon(), archived, appstate.UnarchiveChats(true)))
	is := func(keep bool) func(chat.Account) bool {
		return func(a chat.Account) bool { return a.Unarchive.Set() && a.Unarchive.Value != keep }
	}
	w.until("the setting", is(false))
	w.eventually("the archive", func() bool {
		c, _, _, err := w.store.Export(w.soon(), account, jid(budi), chat.Page{Limit: 1})
		return err == nil && c.Archived.Value
	})
	w.ok(w.phone.Change(w.soon(), appstate.UnarchiveChats(false)))
	w.until("the other setting", is(true))
	w.from(budi, sim.Text("halo"), sim.SendOptions{Time: time.Unix(1_800_000_010, 0)})
	w.eventually("the chat", func() bool { _, ok := w.shown(jid(budi)); return ok })
	if v, _ := w.shown(jid(budi)); !v.Archived {
		t.Error("it came out though chats are kept archived")
	}
}

// TestBrokenStateIsFetchedWithPauses: pauses between the fetches of a collection whose hash is wrong grow, also over new
// connections; changes of others pass, and when it is right again nothing is missing.
func TestBrokenStateIsFetchedWithPauses(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	var mu sync.Mutex
	var failures []int
	long := false
	w.devices.retryAfter = func(n int) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, n)
		w.store.tell()
		if long {
			return 300 * time.Millisecond
		}
		return 5 * time.Millisecond
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(failures)
	}
	w.link()
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	w.fetched()
	mu.Lock()
	failures = nil // from the link
	mu.Unlock()
	w.phone.AppState().Inject(appstate.Fault{Kind: appstate.Corrupt, Name: "regular_high", Times: -1})
	w.ok(w.phone.Change(w.soon(), appstate.Mute(budi.PN(), appstate.Forever)))
	w.eventually("failures", func() bool { return count() >= 8 })
	mu.Lock()
	long = true
	mu.Unlock()
	before := count()
	for range 3 {
		logins := w.linked.Logins()
		w.linked.Drop()
		w.ok(w.linked.WaitLogins(w.soon(), logins+1))
		w.ok(w.linked.WaitOnline(w.soon()))
	}
	w.change("archive", b, func(v chat.View, _ bool) bool { return v.Archived }, appstate.Archive(budi.PN(), true, appstate.UpTo(time.Now())))
	mu.Lock()
	for i, n := range failures {
		if n != i+1 {
			t.Errorf("pauses after %v failures", failures)
			break
		}
	}
	mu.Unlock()
	if n := count() - before; n > 20 {
		t.Errorf("%d more fetches", n)
	}
	w.phone.AppState().Heal()
	w.eventually("the mute", func() bool { v, _ := w.shown(b); return v.MuteEnd == chat.MutedForEver })
}

// TestNamesFromTwoSides: names and addresses of a history are stored while those of the app state are, in whatever order: whatsmeow
// locks what it remembers of them while it waits for the database, and must not wait for who waits for that lock.
func TestNamesFromTwoSides(t *testing.T) {
	w := linkedWorld(t)
	w.fetched()
	g := w.device.(*device).running.guard
	budi := w.contact("6281200000002", "Budi").PN()
	lid := func(n int) types.JID { return types.NewJID(fmt.Sprint(99000+n), types.HiddenUserServer) }
	for n, write := range []func() error{
		func() error { _, _, err := g.PutPushName(w.soon(), budi, "Budi"); return err },
		func() error { _, _, err := g.PutBusinessName(w.soon(), budi, "Toko Budi"); return err },
		func() error { return g.PutContactName(w.soon(), budi, "Budi", "Budi S") },
		func() error { return g.PutLIDMapping(w.soon(), lid(0), budi) },
		func() error { return g.PutManyLIDMappings(w.soon(), []store.LIDMapping{{LID: lid(1), PN: budi}}) },
	} {
		w.ok(g.together(w.soon(), func(ctx context.Context) {
			w.ok(g.PutContactName(ctx, budi, "Budi", fmt.Sprint("Budi ", n)))
			w.ok(g.PutLIDMapping(ctx, lid(2+n), budi))
			written := make(chan error)
			go func() { written <- write() }()
			w.ok(<-written)
			w.ok(g.PutContactName(ctx, budi, "Budi", fmt.Sprint("Santoso ", n)))
			w.ok(g.PutLIDMapping(ctx, lid(20+n), budi))
		}))
	}
	if c, err := g.GetContact(w.soon(), budi); err != nil || c.PushName != "Budi" || c.BusinessName != "Toko Budi" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestBeforeAKeyThatIsMissing: what was changed under a key that is here isn't lost behind what can't be read yet.
func TestBeforeAKeyThatIsMissing(t *testing.T) {
	for _, off := range []bool{false, true} {
		w := linkedWorld(t)
		budi, ani := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Ani")
		w.from(budi, sim.Text("halo"), sim.SendOptions{})
		w.from(ani, sim.Text("halo"), sim.SendOptions{})
		muted := func(c *sim.Contact) bool { v, _ := w.shown(jid(c)); return v.MuteEnd == chat.MutedForEver }
		w.ok(w.phone.Change(w.soon(), appstate.Mute(ani.PN(), appstate.Forever)))
		w.eventually("the first mute", func() bool { return muted(ani) })
		w.fetched()
		if off {
			w.ok(w.halt())
		}
		phone := w.phone.AppState()
		_, err := phone.Apply(appstate.Mute(budi.PN(), appstate.Forever)) // no device hears of it alone
		w.ok(err)
		_, err = phone.RotateKey() // which no device gets, unless it asks
		w.ok(err)
		w.ok(w.phone.Change(w.soon(), appstate.Unmute(ani.PN())))
		if off {
			w.run()
		}
		w.eventually("both changes", func() bool { return muted(budi) && !muted(ani) })
	}
}

// TestCollectionsAreAskedForTogether: a device that connects asks once for all that it has, a round trip, and goes on from there.
func TestCollectionsAreAskedForTogether(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	w.fetched()
	w.ok(w.halt())
	w.ok(w.phone.Change(w.soon(), appstate.Mute(budi.PN(), appstate.Forever)))
	w.ok(w.phone.Change(w.soon(), appstate.Archive(budi.PN(), true, appstate.UpTo(time.Now()))))
	count := w.linked.Inject(sim.Fault{Kind: sim.Slow, For: "w:sync:app:state"}) // by no time
	w.open()
	w.run()
	w.eventually("both changes", func() bool {
		v, _ := w.shown(b)
		return v.MuteEnd == chat.MutedForEver && v.Archived
	})
	if n := count.Hits(); n > 3 { // news of the changes may come behind
		t.Errorf("it asks %d times for five collections", n)
	}
	w.change("a change while it is connected", b, func(v chat.View, _ bool) bool { return v.MuteEnd == 0 }, appstate.Mute(budi.PN(), 0))

	w.fetched()
	r, err := w.device.(*device).current()
	w.ok(err)
	before := count.Hits()
	asked := r.states.ask(w.soon(), collections.AllPatchNames[:])
	w.ok(w.device.Mute(w.soon(), b, chat.MutedForEver))
	for _, name := range collections.AllPatchNames {
		w.ok(r.sync.fetchOne(name, false, asked))
	}
	if n := count.Hits() - before; n != 2 {
		t.Errorf("with a change made here between the question and its use it asks %d times, as if the answer told something new", n)
	}
}
