package whatsapp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"pesan/internal/render"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// shownHere is the chat with a person as the API shows it, in the simulator's words.
func (w *world) shownHere(with *sim.Contact) (c sim.ShownChat, ok bool) {
	v, ok := w.shown(jid(with))
	if !ok {
		return c, false
	}
	var row struct {
		Name           string
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
		Name: row.Name, Muted: row.MuteEndTime, Pinned: row.Pinned != 0, Archived: row.Archived, MarkedUnread: row.MarkedAsUnread,
		Unread: row.UnreadCount, Time: row.Time,
	}
	if len(row.Messages) > 0 {
		c.Last = row.Messages[0].Message.Key.ID
	}
	for _, document := range w.messages(jid(with)) {
		var m struct {
			ID, Body, MessageStubType string
			FromMe, Starred           bool
			Reactions                 []struct {
				Key  struct{ FromMe bool }
				Text string
			}
		}
		w.ok(json.Unmarshal([]byte(document), &m))
		shown := sim.ShownMessage{
			ID: m.ID, FromMe: m.FromMe, Text: m.Body, Revoked: m.MessageStubType == "REVOKE", Starred: m.Starred, Reactions: map[string]string{},
		}
		for _, r := range m.Reactions {
			by := with.PN().User
			if r.Key.FromMe {
				by = ownNumber
			}
			shown.Reactions[by] = r.Text
		}
		c.Messages = append(c.Messages, shown)
	}
	return c, true
}

// differs says how chats differ from what the phone shows; "" when they don't.
func (w *world) differs(people ...*sim.Contact) string {
	var b strings.Builder
	for _, who := range people {
		phone, there := w.phone.Shown(who)
		here, ok := w.shownHere(who)
		if ok != there {
			fmt.Fprintf(&b, "%s shows here: %t, on the phone: %t\n", who.PushName(), ok, there)
			continue
		}
		one, other := text(phone), text(here)
		if there && one != other {
			fmt.Fprintf(&b, "%s on the phone:\n%s\nhere:\n%s\n", who.PushName(), one, other)
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
	clock  time.Time
	log    []string
}

// do does one thing, if there is something to do it with.
func (d *doings) do() {
	w, who := d.w, d.people[d.r.IntN(len(d.people))]
	d.clock = d.clock.Add(10 * time.Second)
	for now := time.Now().UnixMilli(); now == time.Now().UnixMilli(); { // what is said has a time in milliseconds
	}
	shown, _ := w.phone.Shown(who)
	var m *sim.ShownMessage
	if n := len(shown.Messages); n > 0 {
		m = &shown.Messages[d.r.IntN(n)]
	}
	o := sim.SendOptions{Time: d.clock, ByLID: d.r.IntN(2) == 0}
	say := func(mine bool, content *waE2E.Message) {
		var err error
		if mine {
			_, err = w.phone.SendFromPhone(w.soon(), who.PN(), content, o)
		} else {
			_, err = who.Send(w.soon(), w.phone, content, o)
		}
		w.ok(err)
	}
	set := func(m appstate.Mutation) { w.ok(w.phone.Change(w.soon(), m)) }
	key := func() *waCommon.MessageKey {
		return &waCommon.MessageKey{ID: &m.ID, RemoteJID: proto.String(who.PN().String()), FromMe: &m.FromMe}
	}
	what := d.r.IntN(20)
	d.log = append(d.log, fmt.Sprintf("%d with %s", what, who.PushName()))
	switch {
	case what < 4:
		say(false, sim.Text(fmt.Sprint("dari ", d.clock.Unix())))
	case what < 6 && !shown.Archived:
		say(true, sim.Text(fmt.Sprint("ke ", d.clock.Unix())))
	case m == nil:
	case what == 7 && !m.Revoked:
		say(m.FromMe, sim.Edit(who.PN(), m.ID, sim.Text(fmt.Sprint("baru ", d.clock.Unix()))))
	case what == 8 && !m.Revoked:
		say(m.FromMe, sim.Revoke(who.PN(), m.ID))
	case what < 11 && !m.Revoked:
		mine, k := d.r.IntN(2) == 0, key()
		if !mine { // as the other side sees it
			k.FromMe, k.RemoteJID = proto.Bool(!m.FromMe), proto.String(w.phone.PN().String())
		}
		say(mine, sim.React(k, []string{"", "👍", "❤️"}[d.r.IntN(3)]))
	case what < 13 && !shown.MarkedUnread:
		var ids []string
		for _, m := range shown.Messages {
			if !m.FromMe {
				ids = append(ids, m.ID)
			}
		}
		if len(ids) > 0 {
			w.ok(w.phone.ReadOnPhone(w.soon(), who.PN(), ids...))
		}
	case what == 13:
		set(appstate.Mute(who.PN(), []int64{appstate.Forever, time.Now().Add(time.Hour).UnixMilli()}[d.r.IntN(2)]))
	case what == 14:
		set(appstate.Unmute(who.PN()))
	case what == 15:
		set(appstate.Pin(who.PN(), d.r.IntN(2) == 0))
	case what == 16:
		set(appstate.Archive(who.PN(), d.r.IntN(2) == 0, appstate.UpTo(d.clock)))
	case what == 17 && shown.Unread == 0:
		set(appstate.MarkChatAsRead(who.PN(), d.r.IntN(2) == 0, appstate.UpTo(d.clock)))
	case what == 18:
		set(appstate.Star(appstate.Message{Chat: who.PN(), ID: m.ID, FromMe: m.FromMe}, d.r.IntN(2) == 0))
	case what == 19:
		switch d.r.IntN(4) {
		case 0:
			if shown.Name != who.PushName() { // the phone removes nothing that isn't there
				set(appstate.RemoveContact(who.PN()))
			}
		case 1:
			set(appstate.ClearChat(who.PN(), true, false, appstate.UpTo(d.clock)))
		case 2:
			set(appstate.DeleteMessageForMe(appstate.Message{Chat: who.PN(), ID: m.ID, FromMe: m.FromMe}, false, d.clock))
		case 3:
			set(appstate.Contact(who.PN(), appstate.ContactName{Full: fmt.Sprint("Nama ", d.r.IntN(100)), LID: who.LID()}))
		}
	}
}

// TestAsThePhoneShowsIt has people and the user do what they like, while the device is there, away, or started anew: after
// quiet every chat is, field by field, what the phone shows.
func TestAsThePhoneShowsIt(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := linkedWorld(t)
			d := &doings{w: w, r: rand.New(rand.NewPCG(seed, 0)), clock: time.Now().Add(-time.Hour).Truncate(time.Second)}
			d.people = []*sim.Contact{w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")}
			w.fetched()
			difference := ""
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("%s\nafter %s", difference, strings.Join(d.log, ", "))
				}
			})
			for range 3 {
				for range 15 {
					d.do()
				}
				w.alike(func() bool { difference = w.differs(d.people...); return difference == "" })
				w.ok(w.halt())
				for range 8 { // what waits until the device is back
					d.do()
				}
				if d.r.IntN(2) == 0 {
					w.open()
				}
				w.run()
				w.alike(func() bool { difference = w.differs(d.people...); return difference == "" })
			}
		})
	}
}

// alike waits until all that WhatsApp has was taken, and until is.
func (w *world) alike(is func() bool) {
	w.t.Helper()
	w.ok(w.linked.WaitOnline(w.soon()))
	w.ok(w.linked.WaitDrained(w.soon()))
	w.eventually("the phone's chats", is)
}
