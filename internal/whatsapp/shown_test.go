package whatsapp

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	waappstate "go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// shownHere is a chat as the API shows it, in the simulator's words.
func (w *world) shownHere(in types.JID) (c sim.ShownChat, ok bool) {
	v, err := w.store.WholeChat(w.soon(), account, jidOf(in))
	if err != nil {
		return c, false
	}
	var row struct {
		Name           string
		Participant    []struct{ Rank, UserJID string }
		ReadOnly       bool
		Timer          uint32 `json:"ephemeralExpiration"`
		Archived       bool
		MarkedAsUnread bool
		Pinned         int64
		Locked         bool
		Labels         []string
		MuteEndTime    int64
		UnreadCount    int
		Mentions       int   `json:"unreadMentionCount"`
		Time           int64 `json:"conversationTimestamp"`
		Messages       []struct {
			Message struct{ Key struct{ ID string } }
		}
	}
	w.ok(json.Unmarshal(render.AppendChat(nil, &v, render.Single, time.Now()), &row))
	c = sim.ShownChat{
		Name: row.Name, ReadOnly: row.ReadOnly, Timer: row.Timer, Muted: row.MuteEndTime, Pinned: row.Pinned != 0,
		Archived: row.Archived, Locked: row.Locked, Labels: row.Labels,
		MarkedUnread: row.MarkedAsUnread, Unread: row.UnreadCount, Mentions: row.Mentions, Time: row.Time,
	}
	for _, p := range row.Participant {
		c.Members = append(c.Members, chat.JID(p.UserJID).User()+" "+p.Rank)
	}
	slices.Sort(c.Members)
	if in.Server == types.GroupServer {
		c.Time = 0
	}
	if len(row.Messages) > 0 {
		c.Last = row.Messages[0].Message.Key.ID
	}
	for _, document := range w.messages(jidOf(in)) {
		var m struct {
			ID, Body, MessageStubType, Sender string
			FromMe, Starred, Broadcast        bool
			PinInChat                         json.RawMessage
			Reactions                         []struct {
				Key struct {
					FromMe      bool
					Participant string
				}
				Text string
			}
		}
		w.ok(json.Unmarshal([]byte(document), &m))
		shown := sim.ShownMessage{
			ID: m.ID, By: chat.JID(m.Sender).User(), FromMe: m.FromMe, Text: m.Body, Starred: m.Starred,
			Revoked: m.MessageStubType == "REVOKE", Listed: m.Broadcast, Pinned: m.PinInChat != nil,
			Reactions: map[string]string{},
		}
		for _, r := range m.Reactions {
			by := chat.JID(r.Key.Participant).User()
			switch {
			case r.Key.FromMe:
				by = ownNumber
			case by == "":
				by = in.User
			}
			shown.Reactions[by] = r.Text
		}
		c.Messages = append(c.Messages, shown)
	}
	return c, true
}

// differs says how chats differ from what the phone shows; "" when they don't.
func (w *world) differs(chats ...types.JID) string {
	var b strings.Builder
	for _, in := range chats {
		phone, there := w.phone.Shown(in)
		here, ok := w.shownHere(in)
		if ok != there {
			fmt.Fprintf(&b, "%s shows here: %t, on the phone: %t\n", in, ok, there)
			continue
		}
		if there {
			b.WriteString(unlike(in.User, phone, here))
		}
	}
	return b.String()
}

// unlike names the fields in which two differ.
func unlike(of string, phone, here sim.ShownChat) string {
	var b strings.Builder
	field := func(of, name string, one, other reflect.Value) {
		if one, other := fmt.Sprint(one), fmt.Sprint(other); one != other {
			fmt.Fprintf(&b, "%s %s: %s on the phone, here %s\n", of, name, one, other)
		}
	}
	fields := func(of string, one, other any) {
		for f := range reflect.TypeOf(one).Fields() {
			if f.IsExported() && f.Name != "Messages" {
				field(of, f.Name, reflect.ValueOf(one).FieldByIndex(f.Index), reflect.ValueOf(other).FieldByIndex(f.Index))
			}
		}
	}
	fields(of, phone, here)
	ids := func(all []sim.ShownMessage) (ids []string) {
		for _, m := range all {
			ids = append(ids, m.ID)
		}
		return ids
	}
	if one, other := ids(phone.Messages), ids(here.Messages); !slices.Equal(one, other) {
		fmt.Fprintf(&b, "%s messages: %s on the phone, here %s\n", of, one, other)
		return b.String()
	}
	for i, m := range phone.Messages {
		fields(of+" "+m.ID, m, here.Messages[i])
	}
	return b.String()
}

var (
	seed  = flag.Uint64("seed", 0, "the only one of TestAsThePhoneShowsIt; 0: all")
	draws = flag.Int("draws", 0, "how many seeds TestAsThePhoneShowsIt draws; 0: it takes those of always")
)

// TestAsThePhoneShowsIt has people and the user do what they like, while one or two devices are there, away, started anew,
// linked, and linked again, and their histories come late: after quiet every chat is, field by field, what the phone shows.
// What it does is always the same, so that nobody is stopped by what somebody else has broken; -draws looks for what is new.
func TestAsThePhoneShowsIt(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 7707373224483101485, 4005093776237646518}
	if *seed != 0 {
		seeds = []uint64{*seed}
	}
	if *draws > 0 {
		seeds = make([]uint64, *draws)
		for i := range seeds {
			seeds[i] = rand.Uint64()
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			testAsThePhoneShowsIt(t, seed)
		})
	}
}

func testAsThePhoneShowsIt(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	log := new(tail)
	state := appstate.Options{SnapshotLag: r.IntN(4)}
	w := newWorldWith(t, sim.Options{}, sim.PhoneOptions{AppState: state}, func(w *world) {
		w.logger = slog.New(slog.NewTextHandler(log, nil)).With("device", 0)
	})
	d := &doings{
		world: w, worlds: []*world{w}, r: r, clock: time.Now().Add(-time.Hour).Truncate(time.Second),
		added: make(map[*sim.Group]bool), seen: make(map[string]bool), old: make(map[string]bool),
	}
	d.people = []*sim.Contact{
		w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra"),
		w.contact("6281200000004", "Ani"), w.contact("6281200000005", "Dewi"),
	}
	if d.byLID = d.maybe(2); d.maybe(2) {
		d.hidden = d.people[3]
	}
	for _, c := range d.people {
		d.chats = append(d.chats, c.PN())
	}
	for _, byLID := range []bool{false, true} {
		o := sim.GroupOptions{ByLID: byLID, Created: d.clock}
		g, err := w.server.NewGroup("Arisan", d.people[0], o, w.phone.Contact, d.people[1])
		w.ok(err)
		d.groups, d.chats = append(d.groups, g), append(d.chats, g.JID())
	}
	// Somebody else is in the address book all the time: one that names nobody is taken for one that the phone doesn't share.
	d.change(appstate.Contact(types.NewJID("6281200000009", types.DefaultUserServer), appstate.ContactName{Full: "Eka"}))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("-run TestAsThePhoneShowsIt -seed %d\nafter %s\n%s", seed, strings.Join(d.log, ", "), log)
		}
	})
	some := func(n int) {
		for range d.r.IntN(n) {
			d.do()
		}
	}
	alike := func() {
		d.log = append(d.log, "LOOK")
		for len(d.told) > 0 {
			d.tell()
		}
		d.unhide()
		for _, w := range d.worlds {
			w.alike(d.chats...)
		}
		clear(d.added)
	}
	some(40)
	d.linkIt(w)
	if d.maybe(2) {
		other := w.beside()
		some(20)
		d.linkIt(other)
		d.worlds = append(d.worlds, other)
	}
	for range 3 {
		some(40)
		alike()
		var back []func()
		for _, w := range d.worlds {
			switch d.r.IntN(4) {
			case 0:
				d.unlink(w)
				back = append(back, func() { d.linkIt(w) })
			case 1, 2:
				w.ok(w.halt())
				back = append(back, func() {
					if d.maybe(2) {
						w.open()
					}
					w.run()
				})
			}
			some(15) // what waits until the device is back
		}
		for _, again := range back {
			again()
			some(10)
		}
		if d.maybe(2) {
			alike()
		}
	}
	alike()
}

// beside is another device of the account, with stores of its own.
func (w *world) beside() *world {
	o := &world{t: w.t, server: w.server, phone: w.phone, folder: w.t.TempDir(), logger: w.logger.With("device", 1)}
	o.open()
	o.ok(o.store.CreateAccount(o.soon(), chat.Account{ID: account, Name: "kantor", On: true, State: chat.ServiceOff}))
	return o
}

// alike waits until all that WhatsApp has was taken, and chats are what the phone shows.
func (w *world) alike(chats ...types.JID) {
	w.t.Helper()
	ctx := w.soon()
	w.ok(w.linked.WaitOnline(ctx))
	w.ok(w.linked.WaitDrained(ctx))
	for {
		w.store.mu.Lock()
		changed := w.store.changed
		w.store.mu.Unlock()
		difference := w.differs(chats...)
		items, err := w.store.ListBacklog(ctx, account)
		w.ok(err)
		told := !slices.ContainsFunc(items, func(i chat.BacklogItem) bool { return strings.HasPrefix(i.ID, historyPrefix) })
		if difference == "" && told {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			w.t.Fatalf("device %d isn't as the phone:\n%s%s", w.linked.JID().Device, difference, w.stands(items))
		}
	}
}

// stands says how far the device has come.
func (w *world) stands(backlog []chat.BacklogItem) string {
	var b strings.Builder
	for _, i := range backlog {
		fmt.Fprintf(&b, "in the backlog: %s\n", i.ID)
	}
	r, err := w.device.(*device).current()
	if err != nil {
		return b.String() + err.Error()
	}
	for _, name := range waappstate.AllPatchNames {
		state, err := r.states.state(own(w.soon()), name)
		fmt.Fprintf(&b, "%s: version %d of %d, %v\n", name, state.Version, w.phone.AppState().Version(appstate.Name(name)), err)
	}
	return b.String()
}

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

const longTail = 200

// Write implements io.Writer.
func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, string(p)); len(l.lines) > 2*longTail {
		l.lines = slices.Clone(l.lines[longTail:])
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}
