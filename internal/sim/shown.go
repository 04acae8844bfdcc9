package sim

import (
	"cmp"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim/appstate"
)

// ShownChat is a private chat or a group as the phone shows it.
type ShownChat struct {
	Name         string
	Members      []string // of a group, sorted: phone numbers, each with WhatsApp's rank
	ReadOnly     bool     // a group in which the user isn't
	Timer        uint32   // seconds after which messages disappear
	Muted        int64    // end in ms since 1970; appstate.Forever; 0: not muted
	Pinned       bool
	Archived     bool
	MarkedUnread bool
	Unread       int
	Time         int64  // seconds since 1970 of the newest message; of a group 0, whose notices move it, too
	Last         string // id of what stands in the list: a message, or a reaction by the user or to the user's message
	Messages     []ShownMessage
}

// ShownMessage is a message of a conversation, as the phone shows it.
type ShownMessage struct {
	ID        string
	By        string // phone number
	FromMe    bool
	Text      string
	Revoked   bool
	Starred   bool
	Reactions map[string]string // emojis, by the users of the phone numbers
	came      moment
	reacted   []reacted
}

type reacted struct {
	id, by string
	mine   bool
	came   moment
}

// moment is when something came: its second, and its place among all that the phone received.
type moment struct {
	time  int64
	place int
}

func (m moment) compare(o moment) int {
	return cmp.Or(cmp.Compare(m.time, o.time), cmp.Compare(m.place, o.place))
}

// Shown is a chat, with a person or a group, as the phone shows it: what it received, sent and read, and what the user has set, by
// the rules of WhatsApp's clients. ok is false where there is nothing to show.
func (p *Phone) Shown(chat types.JID) (c ShownChat, ok bool) {
	c, newest := p.conversation(chat)
	archivedTo, markedTo := p.settings(chat, &c)
	if newest > archivedTo {
		c.Archived = false // news take a chat out of the archive, also those that are gone since
	}
	if newest > markedTo {
		c.MarkedUnread = false // and take the place of the mark
	}
	p.devMu.Lock()
	for _, m := range c.Messages {
		if !m.FromMe && !p.read[m.ID] {
			c.Unread++
		}
	}
	p.devMu.Unlock()
	last := moment{time: -1}
	for _, m := range c.Messages {
		if m.came.compare(last) >= 0 {
			last, c.Last = m.came, m.ID
		}
		for _, r := range m.reacted {
			if r.came.compare(last) >= 0 && (r.mine || m.FromMe) {
				last, c.Last = r.came, r.id
			}
		}
	}
	g := p.s.group(chat)
	if g == nil {
		return c, c.Time > 0
	}
	of := g.knownTo(p.Contact)
	c.Name, c.Timer, c.Time, c.ReadOnly, c.Members = of.Name, of.Timer, 0, of.ReadOnly, of.Members
	return c, true
}

// knownTo is what somebody knows of a group: as it is, or as it was when they left it.
func (g *Group) knownTo(c *Contact) ShownChat {
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.ContainsFunc(g.members, func(m *member) bool { return m.Contact == c }) {
		return ShownChat{Name: g.subject, Timer: g.ephemeral, Members: g.ranks()}
	}
	return g.left[c]
}

// ranks are the members' phone numbers with their ranks; the lock is held.
func (g *Group) ranks() (all []string) {
	for _, m := range g.members {
		rank := map[string]string{"": "REGULAR", "admin": "ADMIN", "superadmin": "SUPERADMIN"}[m.admin]
		all = append(all, m.pn.User+" "+rank)
	}
	slices.Sort(all)
	return all
}

// conversation replays what was said, and what became of it; newest is the time of the newest message of somebody else.
func (p *Phone) conversation(chat types.JID) (c ShownChat, newest int64) {
	find := func(id string) *ShownMessage {
		if i := slices.IndexFunc(c.Messages, func(m ShownMessage) bool { return m.ID == id }); i >= 0 {
			return &c.Messages[i]
		}
		return nil
	}
	for place, m := range p.Received() {
		by := p.pn
		if !m.FromMe {
			who := p.s.find(m.From.ToNonAD())
			if by = who.pn; p.sameChat(by, chat) {
				c.Name = who.PushName() // who has never written anywhere has none
			}
		}
		if !p.sameChat(m.Chat, chat) {
			continue
		}
		said := inner(m.Message) // an edit is wrapped
		switch protocol, r := said.GetProtocolMessage(), said.GetReactionMessage(); {
		case r != nil:
			target := find(r.GetKey().GetID())
			if target == nil || target.Revoked {
				continue
			}
			target.reacted = slices.DeleteFunc(target.reacted, func(o reacted) bool { return o.by == by.User })
			if delete(target.Reactions, by.User); r.GetText() != "" {
				target.Reactions[by.User] = r.GetText()
				target.reacted = append(target.reacted, reacted{m.ID, by.User, m.FromMe, moment{m.Time.Unix(), place}})
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_REVOKE:
			if target := find(protocol.GetKey().GetID()); target != nil && target.By == by.User {
				target.Revoked, target.Text, target.reacted = true, "", nil
				clear(target.Reactions)
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT:
			if target := find(protocol.GetKey().GetID()); target != nil && target.By == by.User && !target.Revoked {
				target.Text = protocol.GetEditedMessage().GetConversation()
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_EPHEMERAL_SETTING:
			c.Timer = protocol.GetEphemeralExpiration()
		default:
			c.Messages = append(c.Messages, ShownMessage{
				ID: m.ID, By: by.User, FromMe: m.FromMe, Text: said.GetConversation(), Reactions: map[string]string{},
				came: moment{m.Time.Unix(), place},
			})
			c.Time = max(c.Time, m.Time.Unix())
			if !m.FromMe {
				newest = max(newest, m.Time.Unix())
			}
		}
	}
	slices.SortFunc(c.Messages, func(a, b ShownMessage) int { return a.came.compare(b.came) })
	return c, newest
}

// settings replays what the user and the companions have set, and tells how far a chat's archiving and its mark reach.
func (p *Phone) settings(chat types.JID, c *ShownChat) (archivedTo, markedTo int64) {
	pushName := c.Name
	for _, e := range p.state.Log() {
		if len(e.Index) < 2 {
			continue
		}
		if jid, err := types.ParseJID(e.Index[1]); err != nil || !p.sameChat(jid, chat) {
			continue
		}
		v := e.Value
		if e.Operation == appstate.Remove {
			if e.Index[0] == "contact" {
				c.Name = pushName
			}
			continue
		}
		switch e.Index[0] {
		case "contact":
			c.Name = cmp.Or(v.GetContactAction().GetFullName(), pushName)
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
			markedTo = v.GetMarkChatAsReadAction().GetMessageRange().GetLastMessageTimestamp()
		case "star":
			for i := range c.Messages {
				if c.Messages[i].ID == e.Index[2] {
					c.Messages[i].Starred = v.GetStarAction().GetStarred()
				}
			}
		case "deleteMessageForMe":
			c.Messages = slices.DeleteFunc(c.Messages, func(m ShownMessage) bool { return m.ID == e.Index[2] })
		case "clearChat":
			through, keeps := v.GetClearChatAction().GetMessageRange().GetLastMessageTimestamp(), e.Index[2] == "0"
			c.Messages = slices.DeleteFunc(c.Messages, func(m ShownMessage) bool {
				return m.came.time <= through && !(keeps && m.Starred)
			})
		}
	}
	return archivedTo, markedTo
}
