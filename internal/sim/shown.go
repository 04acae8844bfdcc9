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

	contact, pushName string // of a person: the address book's name, and their own
	moved             int64  // seconds since 1970 of the newest message, in a group too
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

	came     moment
	edited   int64 // ms since 1970 by its sender's clock; 0: never
	reacted  []reacted
	received Message
}

type reacted struct {
	id, by string
	mine   bool
	sent   int64 // ms since 1970 by its sender's clock
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

// Shown is a chat, with a person or a group, as the phone shows it: what it received, sent and read, and what the user has
// set, by the rules of WhatsApp's clients. ok is false where there is nothing to show.
func (p *Phone) Shown(chat types.JID) (c ShownChat, ok bool) {
	c, newest := p.conversation(chat)
	set := p.settings(chat, &c)
	if !set.keepsArchived && newest > set.archivedTo {
		c.Archived = false // news take a chat out of the archive, also those that are gone since
	}
	if newest > set.markedTo {
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
	c.moved = c.Time
	g := p.s.group(chat)
	if g == nil {
		c.Name = cmp.Or(c.contact, c.pushName)
		return c, c.Time > set.deletedTo
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
				c.pushName = who.PushName() // who has never written anywhere has none
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
				came := moment{m.Time.Unix(), place}
				target.reacted = append(target.reacted, reacted{m.ID, by.User, m.FromMe, r.GetSenderTimestampMS(), came})
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_REVOKE:
			if target := find(protocol.GetKey().GetID()); target != nil && target.By == by.User {
				target.Revoked, target.Text, target.reacted = true, "", nil
				clear(target.Reactions)
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT:
			if target := find(protocol.GetKey().GetID()); target != nil && target.By == by.User && !target.Revoked {
				target.Text, target.edited = protocol.GetEditedMessage().GetConversation(), protocol.GetTimestampMS()
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_EPHEMERAL_SETTING:
			c.Timer = protocol.GetEphemeralExpiration()
		default:
			c.Messages = append(c.Messages, ShownMessage{
				ID: m.ID, By: by.User, FromMe: m.FromMe, Text: said.GetConversation(), Reactions: map[string]string{},
				came: moment{m.Time.Unix(), place}, received: m,
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

// set is how far what the user has set of a chat reaches, in seconds since 1970.
type set struct {
	archivedTo, markedTo, deletedTo int64
	keepsArchived                   bool // whatever comes
}

// settings replays what the user and the companions have set.
func (p *Phone) settings(chat types.JID, c *ShownChat) (to set) {
	for _, e := range p.state.Log() {
		v := e.Value
		if e.Index[0] == "setting_unarchiveChats" {
			to.keepsArchived = !v.GetUnarchiveChatsSetting().GetUnarchiveChats()
		}
		if len(e.Index) < 2 {
			continue
		}
		if jid, err := types.ParseJID(e.Index[1]); err != nil || !p.sameChat(jid, chat) {
			continue
		}
		if e.Operation == appstate.Remove {
			if e.Index[0] == "contact" {
				c.contact = ""
			}
			continue
		}
		switch e.Index[0] {
		case "contact":
			c.contact = v.GetContactAction().GetFullName()
		case "mute":
			c.Muted = v.GetMuteAction().GetMuteEndTimestamp()
		case "pin_v1":
			if c.Pinned = v.GetPinAction().GetPinned(); c.Pinned {
				c.Archived = false
			}
		case "archive":
			c.Archived = v.GetArchiveChatAction().GetArchived()
			to.archivedTo = v.GetArchiveChatAction().GetMessageRange().GetLastMessageTimestamp()
		case "markChatAsRead":
			c.MarkedUnread = !v.GetMarkChatAsReadAction().GetRead()
			to.markedTo = v.GetMarkChatAsReadAction().GetMessageRange().GetLastMessageTimestamp()
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
		case "deleteChat":
			through := v.GetDeleteChatAction().GetMessageRange().GetLastMessageTimestamp()
			c.Messages = slices.DeleteFunc(c.Messages, func(m ShownMessage) bool { return m.came.time <= through })
			to.deletedTo = max(to.deletedTo, through)
		}
	}
	return to
}
