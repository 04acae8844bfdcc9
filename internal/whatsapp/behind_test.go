package whatsapp

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/host"
	"pesan/internal/sim"
)

// slowChat makes writes of one chat wait.
type slowChat struct {
	*stores
	jid   chat.JID
	on    atomic.Bool
	begun chan struct{} // has an element for each that waits
	goes  chan struct{}
}

func (s *slowChat) Update(
	ctx context.Context, account string, jid chat.JID, ids []string, change func(*chat.Thread) error,
) error {
	if jid == s.jid && s.on.Load() && len(ids) > 0 {
		s.begun <- struct{}{}
		<-s.goes
	}
	return s.stores.Update(ctx, account, jid, ids, change)
}

// slowWorld is linked, and may have the writes of a chat wait.
func slowWorld(t *testing.T, jid chat.JID) (*world, *slowChat) {
	t.Helper()
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	slow := &slowChat{stores: w.store, jid: jid, begun: make(chan struct{}, 100), goes: make(chan struct{})}
	w.devices.Stores = func(o chat.Ownership) host.Stores {
		all := w.stores(o)
		all.Chats = slow
		return all
	}
	w.link()
	return w, slow
}

// TestBehind has a message be stored slowly: those of other chats are stored meanwhile, its own chat's wait for it, and none is
// acknowledged before it.
func TestBehind(t *testing.T) {
	w, slow := slowWorld(t, "6281200000002@s.whatsapp.net")
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	send := func(c *sim.Contact) string {
		id, err := c.Send(w.soon(), w.phone, sim.Text("halo"), sim.SendOptions{})
		w.ok(err)
		return id
	}
	w.acked(send(budi), send(citra)) // a person's first message waits for all others, as it may move a chat
	slow.on.Store(true)
	ids := []string{send(budi), send(citra), send(budi), send(citra)}
	<-slow.begun
	w.eventually("the other chat's messages", func() bool { return len(w.messages(jid(citra))) == 3 })
	if n := len(w.messages(jid(budi))); n != 1 {
		t.Errorf("%d messages are stored, others than the first should wait", n)
	}
	if len(slow.begun) > 0 {
		t.Error("two changes of a chat are under way")
	}
	for _, ack := range w.linked.Acks() {
		for _, id := range ids {
			if ack.ID == id {
				t.Errorf("%s is acknowledged before what came before it is stored", id)
			}
		}
	}
	close(slow.goes)
	w.acked(ids...)
	if n := len(w.messages(jid(budi))); n != 3 {
		t.Errorf("%d messages of three are acknowledged", n)
	}
}

// TestBehindANumberThatChanges: what came for a number before its person gave it up is the person's, though it is stored
// afterwards.
func TestBehindANumberThatChanges(t *testing.T) {
	from, to := types.NewJID("6281200000002", types.DefaultUserServer), types.NewJID("6281200000020", types.DefaultUserServer)
	w, slow := slowWorld(t, jidOf(from))
	budi := w.contact(from.User, "Budi")
	send := func() string {
		id, err := budi.Send(w.soon(), w.phone, sim.Text("halo"), sim.SendOptions{HideAlt: true})
		w.ok(err)
		return id
	}
	w.acked(send())
	r, err := w.device.(*device).current()
	w.ok(err)
	slow.on.Store(true)
	ids := []string{send(), send()}
	<-slow.begun
	w.phone.Renumber(from, to, types.JID{}, types.JID{})
	for ctx, handled := w.soon(), false; !handled; {
		r.flow.mu.Lock()
		handled = r.flow.busy > 0 && len(r.flow.messages) == 0
		changed := r.flow.change()
		r.flow.mu.Unlock()
		if handled {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatal("the notice doesn't come")
		}
	}
	close(slow.goes)
	w.acked(ids...)
	w.eventually("the chat to move", func() bool { v, ok := w.shown(jidOf(from)); return ok && v.JID == jidOf(to) })
	if n := len(w.messages(jidOf(to))); n != 3 {
		t.Errorf("%d messages of three are under the new number", n)
	}
	all, _, err := w.store.Chats(w.soon(), account, chat.Filter{Kind: chat.Private}, chat.Page{Limit: 10}, time.Now())
	w.ok(err)
	if len(all) != 1 {
		t.Errorf("%d chats", len(all))
	}
}

// TestBehindASweep: a chat is swept for whom it names by LID when that is stored, however early the sweep comes by.
func TestBehindASweep(t *testing.T) {
	ani, aniPN := types.NewJID("50000000000001", types.HiddenUserServer), types.NewJID("6281300000001", types.DefaultUserServer)
	w, slow := slowWorld(t, "6281200000002@s.whatsapp.net")
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	r, err := w.device.(*device).current()
	w.ok(err)
	slow.on.Store(true)
	told, err := budi.Send(w.soon(), w.phone, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("kata @50000000000001"), ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{ani.String()}},
	}}, sim.SendOptions{})
	w.ok(err)
	<-slow.begun
	r.persons.sweeper.start()
	w.sweepWaits(r)
	close(slow.goes)
	w.acked(told)
	w.hears(aniPN, ani)
	w.eventually("the address to follow", func() bool {
		return strings.Contains(strings.Join(w.messages(jid(budi)), ""), `"mentionedJidList":["`+aniPN.String()+`"]`)
	})
}

// sweepWaits returns when a sweep waits for what is about to be stored.
func (w *world) sweepWaits(r *run) {
	w.t.Helper()
	for ctx := w.soon(); r.persons.storing.TryRLock(); runtime.Gosched() {
		r.persons.storing.RUnlock()
		w.ok(ctx.Err())
	}
}

// TestBehindANumber: a group that is about to be stored follows a number that becomes known meanwhile.
func TestBehindANumber(t *testing.T) {
	ani, aniPN := types.NewJID("50000000000001", types.HiddenUserServer), types.NewJID("6281300000001", types.DefaultUserServer)
	group := types.NewJID("120363000000000077", types.GroupServer)
	w, slow := slowWorld(t, jidOf(group))
	r, err := w.device.(*device).current()
	w.ok(err)
	slow.on.Store(true)
	told := &events.Message{Info: types.MessageInfo{
		MessageSource: types.MessageSource{Chat: group, Sender: types.NewJID("6281200000002", types.DefaultUserServer), IsGroup: true},
		ID:            "BUDI", Timestamp: time.Now(),
	}, RawMessage: &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("kata @50000000000001"), ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{ani.String()}},
	}}}
	if !r.handle(told.UnwrapRaw()) {
		t.Fatal("not taken")
	}
	<-slow.begun
	w.ok(r.persons.learned(map[chat.JID]chat.JID{jidOf(ani): jidOf(aniPN)}))
	w.sweepWaits(r)
	close(slow.goes)
	w.eventually("the address to follow", func() bool {
		return strings.Contains(strings.Join(w.messages(jidOf(group)), ""), `"mentionedJidList":["`+aniPN.String()+`"]`)
	})
}

// TestBehindAFault: what is handled in turn isn't stored when what came before couldn't be, or it would stand before that.
func TestBehindAFault(t *testing.T) {
	w, slow := slowWorld(t, "6281200000002@s.whatsapp.net")
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	r, err := w.device.(*device).current()
	w.ok(err)
	handle := func(id string) bool {
		evt := &events.Message{Info: types.MessageInfo{
			MessageSource: types.MessageSource{Chat: budi.PN(), Sender: budi.PN()}, ID: id, Timestamp: time.Now(),
		}, RawMessage: sim.Text(id)}
		return r.handle(evt.UnwrapRaw())
	}
	slow.on.Store(true)
	if !handle("FIRST") {
		t.Fatal("not taken")
	}
	<-slow.begun
	r.refusals.count(&events.Message{Info: types.MessageInfo{ID: "ANOTHER"}})
	order, second := r.order.Load(), make(chan bool)
	go func() { second <- handle("SECOND") }()
	for ctx := w.soon(); r.order.Load() == order; runtime.Gosched() { // it is being handled
		w.ok(ctx.Err())
	}
	failed := false
	w.store.breaks(func(what string) error {
		if what != "chat" || failed {
			return nil
		}
		failed = true
		return errDisk
	})
	close(slow.goes)
	if <-second {
		t.Error("the second is taken")
	}
	if all := w.messages(jid(budi)); len(all) != 1 {
		t.Errorf("%d messages are stored", len(all))
	}
	if n := r.refusals.count(&events.Message{Info: types.MessageInfo{ID: "SECOND"}}); n != 1 {
		t.Errorf("the second is taken for the reason %d times", n-1)
	}
}

// TestBehindOrder: those of one person keep their order under either address, and what may move a chat is alone.
func TestBehindOrder(t *testing.T) {
	const (
		lid, pn = chat.JID("50000000000002@lid"), chat.JID("6281200000002@s.whatsapp.net")
		group   = chat.JID("120363000000000001@g.us")
	)
	s := newBehind(10)
	var begun []chan struct{}
	for i, step := range []struct {
		chats []chat.JID // with their other addresses
		alone bool
		after []int // those that it waits for
	}{
		{chats: []chat.JID{lid, ""}},
		{chats: []chat.JID{pn, ""}},
		{chats: []chat.JID{group, ""}},
		{chats: []chat.JID{lid, pn}, after: []int{0, 1}},
		{chats: []chat.JID{pn, ""}, after: []int{3}},
		{chats: []chat.JID{group, "", lid, pn}, alone: true, after: []int{0, 1, 2, 3, 4}},
		{chats: []chat.JID{"6281200000003@s.whatsapp.net", ""}, after: []int{5}},
		{chats: []chat.JID{group, ""}, after: []int{5}},
	} {
		var changes []chat.Change
		for pair := range slices.Chunk(step.chats, 2) {
			changes = append(changes, chat.Change{Chat: pair[0], Alt: pair[1]})
		}
		before, end := s.begin(changes, step.alone)
		defer end()
		for n, other := range begun {
			if got, want := slices.Contains(before, other), slices.Contains(step.after, n); got != want {
				t.Errorf("%d waits for %d: %t", i, n, got)
			}
		}
		begun = append(begun, s.last[step.chats[0]])
	}
}
