package whatsapp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// doings are what people and the user do, drawn, one thing after the other.
type doings struct {
	*world
	worlds []*world // of the account's devices; the first is the one above
	r      *rand.Rand
	byLID  bool // the app state has persons' chats under their LIDs
	people []*sim.Contact
	hidden *sim.Contact // whose number the devices don't know yet; nil: there is nobody
	groups []*sim.Group
	chats  []types.JID // of all these
	clock  time.Time
	said   int64 // ms since 1970 by everybody's clock, when something was said last
	log    []string

	seen  map[string]bool     // ids of messages that the user has read
	old   map[string]bool     // and of those that a history has counted
	told  []chunk             // of histories, still to be sent
	added map[*sim.Group]bool // into which the account came since one looked
}

// chunk is one of a history that was made for a device.
type chunk struct {
	to *world
	sim.History
}

// maybe is true once in n times.
func (d *doings) maybe(n int) bool { return d.r.IntN(n) == 0 }

// now is the moment by everybody's clock, in ms since 1970, later than the one before.
func (d *doings) now() *int64 {
	d.said = max(d.said+1, d.clock.UnixMilli())
	return proto.Int64(d.said)
}

// pass lets a second pass, so that what comes isn't among what an action reaches.
func (d *doings) pass() { d.clock = d.clock.Add(time.Second) }

// acts are what do draws from.
var acts = []string{
	"they write", "they write", "they write", "they write", "the user writes", "the user writes", "timer", "edit", "revoke",
	"react", "react", "react", "read", "mute", "unmute", "pin", "archive", "mark", "star", "clear", "contact",
	"govern", "govern", "govern", "label", "lock", "pin it", "pin it", "list", "apart", "apart",
}

// do does one thing, if there is something to do it with.
func (d *doings) do() {
	if d.r.IntN(3) > 0 { // often within one second
		d.clock = d.clock.Add(time.Duration(1+d.r.IntN(10)) * time.Second)
	}
	n := d.r.IntN(len(d.chats))
	in := d.chats[n]
	what := d.r.IntN(len(acts))
	d.log = append(d.log, fmt.Sprintf("%s in %s", acts[what], in.User))
	switch {
	case acts[what] == "apart":
		d.apart()
	case acts[what] == "list":
		d.broadcast()
	case n >= len(d.people) && acts[what] == "govern":
		d.govern(d.groups[n-len(d.people)])
	case what < 12 || acts[what] == "pin it":
		d.say(in, what)
	default:
		d.set(in, what)
	}
	d.follow(in)
}

// with are who may write in a chat besides the user, and the group that it is.
func (d *doings) with(in types.JID) (who *sim.Contact, g *sim.Group) {
	n := slices.Index(d.chats, in)
	if n < len(d.people) {
		return d.people[n], nil
	}
	g = d.groups[n-len(d.people)]
	members := slices.DeleteFunc(g.Members(), func(c *sim.Contact) bool { return c == d.phone.Contact })
	return members[d.r.IntN(len(members))], g
}

// address is what a chat is called in the app state.
func (d *doings) address(in types.JID) types.JID {
	if who, g := d.with(in); g == nil && (d.byLID || who == d.people[3]) { // the last one's number isn't always known
		return who.LID()
	}
	return in
}

// say has somebody, or the user, say something in a chat.
func (d *doings) say(in types.JID, what int) {
	who, g := d.with(in)
	shown, _ := d.phone.Shown(in)
	var m *sim.ShownMessage
	if n := len(shown.Messages); n > 0 {
		m = &shown.Messages[d.r.IntN(n)]
	}
	o := sim.SendOptions{Time: d.clock, ByLID: d.maybe(2)}
	if who == d.hidden && g == nil {
		o.ByLID, o.HideAlt = true, true
	}
	send := func(by string, content *waE2E.Message) {
		var err error
		switch from := d.person(by); {
		case shown.ReadOnly || g != nil && from != nil && !slices.Contains(g.Members(), from):
		case from == nil:
			d.read(in)
			_, err = d.phone.SendFromPhone(d.soon(), d.address(in), content, sim.SendOptions{Time: o.Time, HideAlt: o.HideAlt})
		case g != nil:
			_, err = from.SendGroup(d.soon(), g, content, o)
		default:
			_, err = from.Send(d.soon(), d.phone, content, o)
		}
		d.ok(err)
	}
	theirs := who.PN().User
	either := []string{ownNumber, theirs}[d.r.IntN(2)]
	switch {
	case what < 4:
		o.Spoil = d.maybe(6)
		if d.maybe(12) {
			send(theirs, sim.Newer("?"))
		} else {
			send(theirs, d.text("dari", g, m))
		}
	case what < 6 && !shown.Archived:
		send(ownNumber, d.text("ke", g, m))
	case what == 6 && g == nil:
		send(either, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type:                waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
			EphemeralExpiration: proto.Uint32([]uint32{0, 86400, 604800}[d.r.IntN(3)]),
		}})
		d.pass() // a device that starts anew can't tell which of two of a second came first
	case m == nil || m.Revoked || m.Text == "" || m.Listed: // of a kind to which nobody adds
	case what == 7:
		d.first(in, m)
		edit := sim.Edit(in, m.ID, d.text("baru", g, nil))
		edit.EditedMessage.Message.ProtocolMessage.TimestampMS = d.now()
		send(m.By, edit)
	case what == 8:
		d.first(in, m)
		by, revoke := m.By, sim.Revoke(in, m.ID)
		if g != nil && d.maybe(2) && !d.added[g] { // of others nobody tells a device what they were while the user was out
			by = d.admin(shown)
		}
		if by != m.By {
			key := revoke.ProtocolMessage.Key
			key.FromMe, key.Participant = proto.Bool(false), proto.String(m.By+"@s.whatsapp.net")
		}
		send(by, revoke)
	case acts[what] == "pin it":
		key := keyFor(in, m.ID, m.By == either, types.NewJID(m.By, types.DefaultUserServer))
		pin := sim.Pin(key, []time.Duration{0, 7 * 24 * time.Hour}[d.r.IntN(2)])
		pin.PinInChatMessage.SenderTimestampMS = d.now()
		send(either, pin)
	case what > 8:
		key := &waCommon.MessageKey{ID: &m.ID, RemoteJID: proto.String(in.String()), FromMe: proto.Bool(m.By == either)}
		if g != nil && m.By != either {
			key.Participant = proto.String(m.By + "@s.whatsapp.net")
		}
		emojis := []string{"👍", "❤️", ""}
		reaction := sim.React(key, emojis[d.r.IntN(len(emojis))])
		d.pass() // a history doesn't tell what of a second came first
		o.Time = d.clock
		reaction.ReactionMessage.SenderTimestampMS = d.now()
		send(either, reaction)
		d.pass()
	}
}

// text is what somebody writes, or edits: in a group it may concern the user, such as an answer to a message.
func (d *doings) text(word string, g *sim.Group, m *sim.ShownMessage) *waE2E.Message {
	text := fmt.Sprint(word, " ", d.r.IntN(1000))
	own := []string{d.phone.PN().String(), d.phone.LID().String()}[d.r.IntN(2)]
	context := &waE2E.ContextInfo{}
	switch what := d.r.IntN(9); {
	case g != nil && what == 0:
		context.MentionedJID = []string{own}
	case g != nil && what == 1:
		context.NonJIDMentions = proto.Uint32(1)
	case g != nil && what == 2 && m != nil && m.FromMe:
		context.StanzaID, context.Participant, context.QuotedMessage = &m.ID, &own, sim.Text(m.Text)
	default:
		return sim.Text(text)
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: &text, ContextInfo: context}}
}

// broadcast has the user send something to a list.
func (d *doings) broadcast() {
	to := slices.DeleteFunc(slices.Clone(d.people), func(c *sim.Contact) bool { return c == d.hidden || d.maybe(2) })
	m := sim.Text(fmt.Sprint("semua ", d.r.IntN(1000)))
	_, err := d.phone.Broadcast(d.soon(), "1234567890", to, m, sim.SendOptions{Time: d.clock})
	d.ok(err)
}

// admin is one of a group's, by number.
func (d *doings) admin(g sim.ShownChat) string {
	var admins []string
	for _, m := range g.Members {
		if number, rank, _ := strings.Cut(m, " "); rank != "REGULAR" {
			admins = append(admins, number)
		}
	}
	return admins[d.r.IntN(len(admins))]
}

// first has the user read what a history counted, before it changes: such a count doesn't say which messages mention the user.
func (d *doings) first(in types.JID, m *sim.ShownMessage) {
	if d.old[m.ID] {
		d.read(in)
	}
}

// read has the user open a chat on the phone.
func (d *doings) read(in types.JID) {
	shown, _ := d.phone.Shown(in)
	var ids []string
	for _, m := range shown.Messages {
		if !m.FromMe && !d.seen[m.ID] {
			ids = append(ids, m.ID)
			d.seen[m.ID] = true
		}
	}
	if len(ids) > 0 {
		d.ok(d.phone.ReadOnPhone(d.soon(), d.address(in), ids...))
		d.pass() // what a history counts of a second, and what was read of it, aren't told apart
	}
	if shown.MarkedUnread {
		d.change(appstate.MarkChatAsRead(d.address(in), true, appstate.UpTo(d.clock)))
		d.pass()
	}
}

func (d *doings) change(mutations ...appstate.Mutation) {
	for _, m := range mutations {
		d.log = append(d.log, fmt.Sprintf("%s%v", []string{"", "-"}[min(1, int(m.Operation))], m.Index))
	}
	d.ok(d.phone.Change(d.soon(), mutations...))
}

// set has the user set something of a chat on the phone.
func (d *doings) set(in types.JID, what int) {
	shown, ok := d.phone.Shown(in)
	who, g := d.with(in)
	at := d.address(in)
	on := d.maybe(2)
	switch {
	case what == 12:
		d.read(in)
	case what == 13:
		d.change(appstate.Mute(at, []int64{appstate.Forever, time.Now().Add(time.Hour).UnixMilli()}[d.r.IntN(2)]))
	case what == 14:
		d.change(appstate.Unmute(at))
	case what == 15 && on:
		d.change(appstate.Pin(at, true), appstate.Archive(at, false, appstate.UpTo(d.clock)))
	case what == 15:
		d.change(appstate.Pin(at, false))
	case what == 16 && on:
		d.change(appstate.Archive(at, true, appstate.UpTo(d.clock)), appstate.Pin(at, false))
		d.pass()
	case what == 16:
		d.change(appstate.Archive(at, false, appstate.UpTo(d.clock)))
	case what == 17 && shown.Unread == 0 && ok:
		d.change(appstate.MarkChatAsRead(at, on, appstate.UpTo(d.clock)))
		d.pass()
	case what == 18 && len(shown.Messages) > 0:
		d.read(in) // one sees what one stars
		m := shown.Messages[d.r.IntN(len(shown.Messages))]
		of := appstate.Message{Chat: at, ID: m.ID, FromMe: m.FromMe}
		if g != nil {
			of.Sender = types.NewJID(m.By, types.DefaultUserServer)
		}
		if d.maybe(4) {
			d.change(appstate.DeleteMessageForMe(of, false, d.clock))
		} else {
			d.change(appstate.Star(of, on))
		}
	case what == 19 && on:
		d.change(appstate.ClearChat(at, d.maybe(2), false, appstate.UpTo(d.clock)))
		d.pass()
	case what == 19 && g == nil && ok && d.maybe(2) && deletable(shown):
		d.read(in)
		d.change(appstate.DeleteChat(at, false, appstate.UpTo(d.clock)))
		d.pass()
	case acts[what] == "label":
		d.change(appstate.LabelChat([]string{"1", "2"}[d.r.IntN(2)], at, on))
	case acts[what] == "lock":
		d.change(appstate.Lock(at, on))
	case what == 20 && g == nil:
		if _, known := d.phone.AppState().Lookup("contact", in.String()); known && on {
			d.change(appstate.RemoveContact(in))
		} else {
			name := appstate.ContactName{Full: fmt.Sprint("Nama ", d.r.IntN(100))}
			if who != d.hidden {
				name.LID = who.LID()
			}
			d.change(appstate.Contact(in, name))
		}
	}
}

// follow has the phone say what it does by itself when something has come: what takes a chat out of the archive, or is in the
// place of its mark.
func (d *doings) follow(in types.JID) {
	shown, _ := d.phone.Shown(in)
	for _, at := range []types.JID{in, d.lidOf(in)} {
		if v, ok := d.phone.AppState().Lookup("archive", at.String()); ok && v.GetArchiveChatAction().GetArchived() && !shown.Archived {
			d.change(appstate.Archive(at, false, appstate.UpTo(d.clock)))
		}
		v, ok := d.phone.AppState().Lookup("markChatAsRead", at.String())
		if ok && !v.GetMarkChatAsReadAction().GetRead() && !shown.MarkedUnread {
			d.change(appstate.MarkChatAsRead(at, true, appstate.UpTo(d.clock.Add(-time.Second))))
		}
	}
}

func (d *doings) lidOf(in types.JID) types.JID {
	if who, g := d.with(in); g == nil {
		return who.LID()
	}
	return in
}

// apart does what is of no chat.
func (d *doings) apart() {
	n := d.r.IntN(9)
	d.log = append(d.log, fmt.Sprint("apart ", n))
	switch n {
	case 0:
		d.ok(d.phone.RotateAppStateKey(d.soon()))
	case 1:
		d.change(appstate.UnarchiveChats(d.maybe(2)))
	case 2:
		d.unhide()
	case 3, 4, 5:
		d.command()
	default:
		d.tell()
	}
}

// command has a client of the API set something of a chat, which may meet what is being changed elsewhere.
func (d *doings) command() {
	w := d.worlds[d.r.IntN(len(d.worlds))]
	kinds := []chat.CommandKind{
		chat.MuteCommand, chat.UnmuteCommand, chat.PinCommand, chat.UnpinCommand, chat.ArchiveCommand, chat.UnarchiveCommand,
		chat.ReadCommand, chat.UnreadCommand, chat.StarCommand, chat.UnstarCommand, chat.ClearCommand, chat.DeleteChatCommand,
	}
	in := d.chats[d.r.IntN(len(d.chats))]
	c := chat.Command{Kind: kinds[d.r.IntN(len(kinds))], Chat: jidOf(in)}
	shown, _ := d.phone.Shown(in)
	_, g := d.with(in)
	switch c.Kind {
	case chat.UnreadCommand:
		if shown.Unread > 0 {
			return
		}
	case chat.StarCommand, chat.UnstarCommand:
		if len(shown.Messages) == 0 {
			return
		}
		c.Message = shown.Messages[d.r.IntN(len(shown.Messages))].ID
	case chat.ClearCommand:
		c.Starred = []chat.Starred{chat.KeepStarred, chat.DeleteStarred}[d.r.IntN(2)]
	case chat.DeleteChatCommand:
		if g != nil || !deletable(shown) {
			return
		}
	}
	if w.stop == nil {
		return
	}
	err := w.device.Change(d.soon(), c) // whatever comes of it, the phone shows
	d.log = append(d.log, fmt.Sprintf("%s %s: %v", c.Kind, in, err))
	d.pass()
	d.follow(in)
}

// deletable tells whether nothing is set of a chat that the phone, which forgets it with the chat, doesn't tell.
func deletable(c sim.ShownChat) bool {
	return c.Muted == 0 && !c.Pinned && !c.Archived && c.Timer == 0 && !c.Locked && len(c.Labels) == 0
}

// unhide tells the number of who hides it.
func (d *doings) unhide() {
	if d.hidden != nil {
		who := d.hidden
		d.hidden = nil
		d.change(appstate.PNForLID(who.LID(), who.PN()))
	}
}

// tell sends the next part of a history.
func (d *doings) tell() {
	if len(d.told) > 0 {
		p := d.told[0]
		d.told = d.told[1:]
		_, err := d.phone.SendHistoryTo(d.soon(), p.to.linked, p.History)
		d.ok(err)
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
	by, who := d.people[0], d.people[1+d.r.IntN(len(d.people)-2)]
	if d.maybe(4) {
		who = d.phone.Contact
	}
	in := slices.Contains(g.Members(), who)
	what := d.r.IntN(7)
	d.log = append(d.log, fmt.Sprintf("govern %d %s %t", what, who.PN().User, in))
	switch {
	case what == 0:
		d.ok(g.SetSubject(d.soon(), by, fmt.Sprint("Arisan ", d.r.IntN(100))))
	case what == 1:
		d.ok(g.SetEphemeral(d.soon(), by, []uint32{0, 86400, 604800}[d.r.IntN(3)]))
	case what == 2 && in:
		d.ok(g.Promote(d.soon(), by, who))
	case what == 3 && in:
		d.ok(g.Demote(d.soon(), by, who))
	case in && d.added[g] && who == d.phone.Contact: // a device that hasn't asked what happened while it was out gets no answer then
	case in:
		d.ok(g.Remove(d.soon(), by, who))
	default:
		d.ok(g.Add(d.soon(), by, who))
		d.added[g] = d.added[g] || who == d.phone.Contact
	}
}

// linkIt links a device; its history is made now, and sent in the course of what comes.
func (d *doings) linkIt(w *world) {
	w.link()
	o := sim.ToldOptions{Latest: 1 + d.r.IntN(10), ByLID: d.maybe(2)}
	if d.hidden != nil {
		o.Unmapped = []*sim.Contact{d.hidden}
	}
	for _, h := range d.phone.Told(o) {
		d.told = append(d.told, chunk{w, h})
	}
	for _, in := range d.chats {
		shown, _ := d.phone.Shown(in)
		for _, m := range shown.Messages {
			d.old[m.ID] = true
		}
	}
	d.log = append(d.log, "LINK")
}

// unlink ends a device's link, which may be away.
func (d *doings) unlink(w *world) {
	d.told = slices.DeleteFunc(d.told, func(p chunk) bool { return p.to == w })
	d.log = append(d.log, "UNLINK")
	w.linked.Unlink()
	if w.stop == nil {
		w.run()
	}
	w.until("the end of the link", func(a chat.Account) bool { return a.Device == "" })
	w.ok(w.halt())
}
