package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// TrafficOptions say how people go on talking. The zero value is good.
type TrafficOptions struct {
	Seed    uint64
	Pace    time.Duration // from one event to the next, on average; 2 s when 0
	OnEvent func(Event)   // called for each event from Traffic's goroutine; may be nil
}

// Event is one thing that happened.
type Event struct {
	Kind EventKind
	Chat types.JID
	ID   string // of the message it is or is about; empty when there is none
}

// EventKind is what an event is.
type EventKind string

const (
	Incoming  EventKind = "incoming" // somebody writes
	Outgoing  EventKind = "outgoing" // the owner writes, on the phone
	Edited    EventKind = "edited"
	Revoked   EventKind = "revoked"
	Reacted   EventKind = "reacted"
	Read      EventKind = "read"      // the owner reads a chat, on the phone
	Delivered EventKind = "delivered" // the owner's message reached the other side
	Seen      EventKind = "seen"      // the other side read it
	Changed   EventKind = "changed"   // the owner mutes, pins or archives a chat, on the phone
)

const conversations = 4 // that go on at the same time

// Traffic lets the people talk until ctx ends: a few conversations at a time, of which one goes on with every event. It
// returns nil when ctx ended, else what went wrong. It is called once.
func (w *World) Traffic(ctx context.Context, o TrafficOptions) error {
	if o.Pace <= 0 {
		o.Pace = 2 * time.Second
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x747261666669))
	t := &traffic{
		World: w, o: o, rng: rng, unread: map[*chat][]string{},
		writer: &writer{rng: rng, owner: w.Account.Owner, put: w.server.Media().Put},
	}
	for _, c := range w.Account.chats {
		for _, m := range c.said[len(c.said)-c.unread:] {
			t.unread[c] = append(t.unread[c], m.id)
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := t.next(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("demo traffic: %w", err)
		}
		timer.Reset(between(rng, o.Pace/2, o.Pace*3/2))
	}
}

// traffic is what goes on.
type traffic struct {
	*World
	o      TrafficOptions
	rng    *rand.Rand
	writer *writer
	going  []*talk
	unread map[*chat][]string // ids that the owner hasn't read, oldest first
	due    []func(context.Context) (Event, error)
}

// talk is a conversation that goes on.
type talk struct {
	chat *chat
	rest []*said
}

// next makes one event.
func (t *traffic) next(ctx context.Context) error {
	e, err := t.event(ctx)
	if err == nil && t.o.OnEvent != nil && e.Kind != "" {
		t.o.OnEvent(e)
	}
	return err
}

func (t *traffic) event(ctx context.Context) (Event, error) {
	if len(t.due) > 0 && t.rng.IntN(3) == 0 {
		do := t.due[0]
		t.due = t.due[1:]
		return do(ctx)
	}
	switch t.rng.IntN(30) {
	case 0:
		return t.change(ctx)
	case 1, 2:
		from := t.rng.IntN(len(t.Account.chats))
		for i := range t.Account.chats {
			if c := t.Account.chats[(from+i)%len(t.Account.chats)]; len(t.unread[c]) > 0 {
				return t.read(ctx, c)
			}
		}
	}
	for len(t.going) < conversations {
		if err := t.begin(); err != nil {
			return Event{}, err
		}
	}
	i := t.rng.IntN(len(t.going))
	talk := t.going[i]
	m := talk.rest[0]
	if m.by == nil && len(t.unread[talk.chat]) > 0 { // who answers has read
		return t.read(ctx, talk.chat)
	}
	if talk.rest = talk.rest[1:]; len(talk.rest) == 0 {
		t.going = slices.Delete(t.going, i, i+1)
	}
	return t.deliver(ctx, talk.chat, m)
}

// begin starts a conversation in a chat where none goes on, rather in a busy one.
func (t *traffic) begin() error {
	all := t.Account.chats
	for {
		c := all[int(float64(len(all))*t.rng.Float64()*t.rng.Float64())]
		if c.jid.Server == types.NewsletterServer || c.jid.Server == types.BroadcastServer ||
			slices.ContainsFunc(t.going, func(o *talk) bool { return o.chat == c }) {
			continue
		}
		s := pick(t.rng, scenes()[pick(t.rng, c.themes)])
		news, err := t.writer.play(c, s, time.Now())
		if err != nil {
			return err
		}
		news = slices.DeleteFunc(news, func(m *said) bool { return m.missed })
		if len(news) > 0 {
			t.going = append(t.going, &talk{chat: c, rest: news})
			return nil
		}
	}
}

// deliver sends what somebody says or does.
func (t *traffic) deliver(ctx context.Context, c *chat, m *said) (Event, error) {
	m.at = time.Now()
	e := Event{Kind: Incoming, Chat: c.jid, ID: m.id}
	content := m.content
	if m.by == nil {
		e.Kind = Outgoing
	}
	// Names of messages are as the sender sees them.
	there := c.jid
	if c.group == nil && m.by != nil {
		there = t.Phone.PN()
	}
	switch {
	case m.revokes:
		e.Kind, e.ID, content = Revoked, m.about.id, sim.Revoke(there, m.about.id)
	case m.edits:
		e.Kind, e.ID = Edited, m.about.id
		content = sim.Edit(there, m.about.id, m.content.GetProtocolMessage().GetEditedMessage())
	case m.emoji != "":
		key := &waCommon.MessageKey{RemoteJID: new(there.String()), FromMe: new(m.about.by == m.by), ID: &m.about.id}
		if c.group != nil && m.about.by != m.by {
			key.Participant = new(t.author(c, m.about).String())
		}
		e.Kind, e.ID, content = Reacted, m.about.id, sim.React(key, m.emoji)
	}
	if err := t.send(ctx, c, m, content); err != nil {
		return Event{}, err
	}
	switch e.Kind {
	case Incoming:
		t.unread[c] = append(t.unread[c], m.id)
	case Outgoing:
		t.expectReceipts(c, m)
	}
	if m.content != nil && !m.edits {
		c.said = append(c.said, m)
	}
	return e, nil
}

func (t *traffic) send(ctx context.Context, c *chat, m *said, content *waE2E.Message) error {
	o := sim.SendOptions{ID: m.id, Time: m.at, ByLID: c.byLID}
	var err error
	switch {
	case m.by == nil:
		_, err = t.Phone.SendFromPhone(ctx, c.jid, content, o)
	case c.group != nil:
		_, err = t.contacts[m.by].SendGroup(ctx, t.groups[c.group], content, o)
	default:
		_, err = t.contacts[m.by].Send(ctx, t.Phone, content, o)
	}
	return err
}

func (t *traffic) author(c *chat, m *said) types.JID {
	switch {
	case m.by != nil:
		return c.address(m.by)
	case c.byLID:
		return t.Phone.LID()
	}
	return t.Phone.PN()
}

// expectReceipts lets the others get and read the owner's message in a while.
func (t *traffic) expectReceipts(c *chat, m *said) {
	by := c.people[0]
	r := sim.Receipt{IDs: []string{m.id}, ByLID: c.byLID, Group: t.groups[c.group]}
	tell := func(kind EventKind, receipt types.ReceiptType) {
		t.due = append(t.due, func(ctx context.Context) (Event, error) {
			r.Type, r.Time = receipt, time.Now()
			return Event{Kind: kind, Chat: c.jid, ID: m.id}, t.contacts[by].SendReceipt(ctx, t.Phone, r)
		})
	}
	tell(Delivered, types.ReceiptTypeDelivered)
	tell(Seen, types.ReceiptTypeRead)
}

// read lets the owner read a chat on the phone.
func (t *traffic) read(ctx context.Context, c *chat) (Event, error) {
	ids := t.unread[c]
	delete(t.unread, c)
	return Event{Kind: Read, Chat: c.jid, ID: ids[len(ids)-1]}, t.Phone.ReadOnPhone(ctx, c.jid, ids...)
}

// change lets the owner change a chat's settings on the phone.
func (t *traffic) change(ctx context.Context) (Event, error) {
	c := t.Account.chats[20+t.rng.IntN(len(t.Account.chats)-20)]
	var m appstate.Mutation
	switch t.rng.IntN(4) {
	case 0:
		m = appstate.Mute(c.jid, time.Now().Add(8*time.Hour).UnixMilli())
	case 1:
		m = appstate.Unmute(c.jid)
	case 2:
		m = appstate.Archive(c.jid, !c.archived, appstate.UpTo(c.last().at))
		c.archived = !c.archived
	case 3:
		m = appstate.MarkChatAsRead(c.jid, true, appstate.UpTo(c.last().at))
		delete(t.unread, c)
	}
	return Event{Kind: Changed, Chat: c.jid}, t.Phone.Change(ctx, m)
}
