package whatsapp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

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
		MuteEndTime    int64
		UnreadCount    int
		Time           int64 `json:"conversationTimestamp"`
		Messages       []struct {
			Message struct{ Key struct{ ID string } }
		}
	}
	w.ok(json.Unmarshal(render.AppendChat(nil, &v, render.Single, time.Now()), &row))
	c = sim.ShownChat{
		Name: row.Name, ReadOnly: row.ReadOnly, Timer: row.Timer, Muted: row.MuteEndTime, Pinned: row.Pinned != 0, Archived: row.Archived,
		MarkedUnread: row.MarkedAsUnread, Unread: row.UnreadCount, Time: row.Time,
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
			FromMe, Starred                   bool
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
			ID: m.ID, By: chat.JID(m.Sender).User(), FromMe: m.FromMe, Text: m.Body, Revoked: m.MessageStubType == "REVOKE", Starred: m.Starred,
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
		if len(phone.Messages) == 0 {
			phone.Messages = nil
		}
		one, other := text(phone), text(here)
		if there && one != other {
			fmt.Fprintf(&b, "%s on the phone:\n%s\nhere:\n%s\n", in, one, other)
		}
	}
	return b.String()
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// doings are what people and the user do, drawn, one thing after the other.
type doings struct {
	w      *world
	r      *rand.Rand
	people []*sim.Contact
	groups []*sim.Group
	chats  []types.JID // of all these
	clock  time.Time
	log    []string
}

// do does one thing, if there is something to do it with.
func (d *doings) do() {
	w, n := d.w, d.r.IntN(len(d.chats))
	if d.r.IntN(3) > 0 { // often within one second
		d.clock = d.clock.Add(time.Duration(1+d.r.IntN(10)) * time.Second)
	}
	for now := time.Now().UnixMilli(); now == time.Now().UnixMilli(); { // what is said has a time in milliseconds
	}
	in := d.chats[n]
	var g *sim.Group
	who := d.people[d.r.IntN(len(d.people))]
	if n >= len(d.people) {
		g = d.groups[n-len(d.people)]
		if members := slices.DeleteFunc(g.Members(), func(c *sim.Contact) bool { return c == w.phone.Contact }); true {
			who = members[d.r.IntN(len(members))]
		}
	} else {
		who = d.people[n]
	}
	shown, _ := w.phone.Shown(in)
	var m *sim.ShownMessage
	if n := len(shown.Messages); n > 0 {
		m = &shown.Messages[d.r.IntN(n)]
	}
	what := d.r.IntN(24)
	d.log = append(d.log, fmt.Sprintf("%d in %s", what, in))
	if g != nil && what >= 20 {
		d.govern(g)
		return
	}
	o := sim.SendOptions{Time: d.clock, ByLID: d.r.IntN(2) == 0}
	say := func(by string, content *waE2E.Message) {
		var err error
		switch from := d.person(by); {
		case shown.ReadOnly || g != nil && from != nil && !slices.Contains(g.Members(), from):
		case from == nil:
			_, err = w.phone.SendFromPhone(w.soon(), in, content, sim.SendOptions{Time: d.clock})
		case g != nil:
			_, err = from.SendGroup(w.soon(), g, content, o)
		default:
			_, err = from.Send(w.soon(), w.phone, content, o)
		}
		w.ok(err)
	}
	set := func(m appstate.Mutation) { w.ok(w.phone.Change(w.soon(), m)) }
	theirs := who.PN().User
	either := []string{ownNumber, theirs}[d.r.IntN(2)]
	switch {
	case what < 4:
		o.Spoil = d.r.IntN(6) == 0
		say(theirs, sim.Text(fmt.Sprint("dari ", d.r.IntN(1000))))
	case what < 6 && !shown.Archived:
		say(ownNumber, sim.Text(fmt.Sprint("ke ", d.r.IntN(1000))))
	case what == 6 && g == nil:
		say(either, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32([]uint32{0, 86400, 604800}[d.r.IntN(3)]),
		}})
	case what == 19 && d.r.IntN(2) == 0:
		set(appstate.ClearChat(in, true, false, appstate.UpTo(d.clock)))
		d.clock = d.clock.Add(time.Second) // what comes in the same second would be cleared with it
	case what == 19 && g == nil:
		set(appstate.Contact(in, appstate.ContactName{Full: fmt.Sprint("Nama ", d.r.IntN(100)), LID: who.LID()}))
	case m == nil:
	case what == 7 && !m.Revoked:
		say(m.By, sim.Edit(in, m.ID, sim.Text(fmt.Sprint("baru ", d.r.IntN(1000)))))
	case what == 8 && !m.Revoked:
		say(m.By, sim.Revoke(in, m.ID))
	case what < 12 && !m.Revoked:
		key := &waCommon.MessageKey{ID: &m.ID, RemoteJID: proto.String(in.String()), FromMe: proto.Bool(m.By == either)}
		if g != nil && m.By != either {
			key.Participant = proto.String(m.By + "@s.whatsapp.net")
		}
		say(either, sim.React(key, []string{"", "👍", "❤️"}[d.r.IntN(3)]))
	case what == 12 && !shown.MarkedUnread:
		var ids []string
		for _, m := range shown.Messages {
			if !m.FromMe {
				ids = append(ids, m.ID)
			}
		}
		if len(ids) > 0 {
			w.ok(w.phone.ReadOnPhone(w.soon(), in, ids...))
		}
	case what == 13:
		set(appstate.Mute(in, []int64{appstate.Forever, time.Now().Add(time.Hour).UnixMilli()}[d.r.IntN(2)]))
	case what == 14:
		set(appstate.Unmute(in))
	case what == 15:
		set(appstate.Pin(in, d.r.IntN(2) == 0))
	case what == 16:
		set(appstate.Archive(in, d.r.IntN(2) == 0, appstate.UpTo(d.clock)))
		d.clock = d.clock.Add(time.Second)
	case what == 17 && shown.Unread == 0:
		set(appstate.MarkChatAsRead(in, d.r.IntN(2) == 0, appstate.UpTo(d.clock)))
		d.clock = d.clock.Add(time.Second)
	case what == 18:
		of := appstate.Message{Chat: in, ID: m.ID, FromMe: m.FromMe}
		if g != nil {
			of.Sender = types.NewJID(m.By, types.DefaultUserServer)
		}
		if d.r.IntN(4) == 0 {
			set(appstate.DeleteMessageForMe(of, false, d.clock))
		} else {
			set(appstate.Star(of, d.r.IntN(2) == 0))
		}
	}
}

// person is who has a number; nil for the account itself.
func (d *doings) person(number string) *sim.Contact {
	for _, c := range d.people {
		if c.PN().User == number {
			return c
		}
	}
	return nil
}

// govern has the one who made a group change it.
func (d *doings) govern(g *sim.Group) {
	w, by, who := d.w, d.people[0], d.people[1+d.r.IntN(len(d.people)-1)]
	if d.r.IntN(4) == 0 {
		who = w.phone.Contact
	}
	in := slices.Contains(g.Members(), who)
	switch what := d.r.IntN(7); {
	case what == 0:
		w.ok(g.SetSubject(w.soon(), by, fmt.Sprint("Arisan ", d.r.IntN(100))))
	case what == 1:
		w.ok(g.SetEphemeral(w.soon(), by, []uint32{0, 86400, 604800}[d.r.IntN(3)]))
	case what == 2 && in:
		w.ok(g.Promote(w.soon(), by, who))
	case what == 3 && in:
		w.ok(g.Demote(w.soon(), by, who))
	case in:
		w.ok(g.Remove(w.soon(), by, who))
	default:
		w.ok(g.Add(w.soon(), by, who))
	}
}

// TestAsThePhoneShowsIt has people and the user do what they like, while the device is there, away, or started anew: after
// quiet every chat is, field by field, what the phone shows.
func TestAsThePhoneShowsIt(t *testing.T) {
	for range 2 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testAsThePhoneShowsIt(t, seed) })
	}
}

func testAsThePhoneShowsIt(t *testing.T, seed uint64) {
	w := linkedWorld(t)
	d := &doings{w: w, r: rand.New(rand.NewPCG(seed, 0)), clock: time.Now().Add(-time.Hour).Truncate(time.Second)}
	d.people = []*sim.Contact{w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra"), w.contact("6281200000004", "Ani")}
	for _, c := range d.people {
		d.chats = append(d.chats, c.PN())
	}
	for _, byLID := range []bool{false, true} {
		g, err := w.server.NewGroup("Arisan", d.people[0], sim.GroupOptions{ByLID: byLID, Created: d.clock}, w.phone.Contact, d.people[1])
		w.ok(err)
		d.groups, d.chats = append(d.groups, g), append(d.chats, g.JID())
	}
	difference := ""
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\nafter %s", difference, strings.Join(d.log, ", "))
		}
	})
	for range 3 {
		for range 30 {
			d.do()
		}
		w.alike(func() bool { difference = w.differs(d.chats...); return difference == "" })
		w.ok(w.halt())
		for range 15 { // what waits until the device is back
			d.do()
		}
		if d.r.IntN(2) == 0 {
			w.open()
		}
		w.run()
		w.alike(func() bool { difference = w.differs(d.chats...); return difference == "" })
	}
}

// alike waits until all that WhatsApp has was taken, and until is.
func (w *world) alike(is func() bool) {
	w.t.Helper()
	w.ok(w.linked.WaitOnline(w.soon()))
	w.ok(w.linked.WaitDrained(w.soon()))
	w.eventually("the phone's chats", is)
}
