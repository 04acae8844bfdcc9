package sim

import (
	"cmp"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim/appstate"
)

// ShownChat is a private chat as the phone shows it.
type ShownChat struct {
	Name         string
	Muted        int64 // end in ms since 1970; appstate.Forever; 0: not muted
	Pinned       bool
	Archived     bool
	MarkedUnread bool
	Unread       int
	Time         int64  // seconds since 1970 of the newest message
	Last         string // id of what stands in the list: a message, or a reaction by the user or to the user's message
	Messages     []ShownMessage
}

// ShownMessage is a message of a conversation, as the phone shows it.
type ShownMessage struct {
	ID        string
	FromMe    bool
	Text      string
	Revoked   bool
	Starred   bool
	Reactions map[string]string // emojis, by the users of the phone numbers
	time      int64
	reacted   []reacted
}

type reacted struct {
	id, by string
	mine   bool
	time   int64
}

// Shown is the chat with a person as the phone shows it: what it received, sent and read, and what the user has set, by the
// rules of WhatsApp's clients. ok is false where there is nothing to show.
func (p *Phone) Shown(with *Contact) (c ShownChat, ok bool) {
	c = p.conversation(with)
	archivedTo := p.settings(with, &c)
	p.devMu.Lock()
	read := p.read
	for _, m := range c.Messages {
		if !m.FromMe && !read[m.ID] {
			c.Unread++
		}
		if !m.FromMe && m.time > archivedTo {
			c.Archived = false // news take a chat out of the archive
		}
	}
	p.devMu.Unlock()
	if c.Unread > 0 {
		c.MarkedUnread = false
	}
	newest := int64(-1)
	for _, m := range c.Messages {
		if m.time >= newest {
			newest, c.Last = m.time, m.ID
		}
		for _, r := range m.reacted {
			if r.time >= newest && (r.mine || m.FromMe) {
				newest, c.Last = r.time, r.id
			}
		}
	}
	return c, c.Time > 0
}

// conversation replays what was said, and what became of it.
func (p *Phone) conversation(with *Contact) (c ShownChat) {
	find := func(id string) *ShownMessage {
		if i := slices.IndexFunc(c.Messages, func(m ShownMessage) bool { return m.ID == id }); i >= 0 {
			return &c.Messages[i]
		}
		return nil
	}
	for _, m := range p.Received() {
		if !p.sameChat(m.Chat, with.pn) {
			continue
		}
		by := with.pn.User
		if m.FromMe {
			by = p.pn.User
		}
		said := inner(m.Message) // an edit is wrapped
		switch protocol, r := said.GetProtocolMessage(), said.GetReactionMessage(); {
		case r != nil:
			target := find(r.GetKey().GetID())
			if target == nil {
				continue
			}
			target.reacted = slices.DeleteFunc(target.reacted, func(o reacted) bool { return o.by == by })
			if delete(target.Reactions, by); r.GetText() != "" {
				target.Reactions[by] = r.GetText()
				target.reacted = append(target.reacted, reacted{m.ID, by, m.FromMe, m.Time.Unix()})
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_REVOKE:
			if target := find(protocol.GetKey().GetID()); target != nil && target.FromMe == m.FromMe {
				target.Revoked, target.Text, target.reacted = true, "", nil
				clear(target.Reactions)
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT:
			if target := find(protocol.GetKey().GetID()); target != nil && target.FromMe == m.FromMe && !target.Revoked {
				target.Text = protocol.GetEditedMessage().GetConversation()
			}
		default:
			c.Messages = append(c.Messages, ShownMessage{
				ID: m.ID, FromMe: m.FromMe, Text: said.GetConversation(), Reactions: map[string]string{}, time: m.Time.Unix(),
			})
			c.Time = max(c.Time, m.Time.Unix())
		}
	}
	slices.SortStableFunc(c.Messages, func(a, b ShownMessage) int { return cmp.Compare(a.time, b.time) })
	c.Name = with.PushName()
	return c
}

// settings replays what the user and the companions have set, and tells how far a chat's archiving reaches.
func (p *Phone) settings(with *Contact, c *ShownChat) (archivedTo int64) {
	for _, e := range p.state.Log() {
		if len(e.Index) < 2 {
			continue
		}
		if jid, err := types.ParseJID(e.Index[1]); err != nil || !p.sameChat(jid, with.pn) {
			continue
		}
		v := e.Value
		if e.Operation == appstate.Remove {
			if e.Index[0] == "contact" {
				c.Name = with.PushName()
			}
			continue
		}
		switch e.Index[0] {
		case "contact":
			c.Name = cmp.Or(v.GetContactAction().GetFullName(), with.PushName())
		case "mute":
			c.Muted = v.GetMuteAction().GetMuteEndTimestamp()
		case "pin_v1":
			if c.Pinned = v.GetPinAction().GetPinned(); c.Pinned {
				c.Archived = false
			}
		case "archive":
			c.Archived = v.GetArchiveChatAction().GetArchived()
			archivedTo = v.GetArchiveChatAction().GetMessageRange().GetLastMessageTimestamp()
		case "markChatAsRead":
			c.MarkedUnread = !v.GetMarkChatAsReadAction().GetRead()
		case "star":
			for i := range c.Messages {
				if c.Messages[i].ID == e.Index[2] {
					c.Messages[i].Starred = v.GetStarAction().GetStarred()
				}
			}
		case "deleteMessageForMe":
			c.Messages = slices.DeleteFunc(c.Messages, func(m ShownMessage) bool { return m.ID == e.Index[2] })
		case "clearChat":
			through := v.GetClearChatAction().GetMessageRange().GetLastMessageTimestamp()
			c.Messages = slices.DeleteFunc(c.Messages, func(m ShownMessage) bool { return m.time <= through })
		}
	}
	return archivedTo
}
