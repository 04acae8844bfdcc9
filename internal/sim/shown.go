package sim

import (
	"cmp"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
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
	Locked       bool
	Labels       []string // ids, sorted
	MarkedUnread bool
	Unread       int
	Mentions     int    // of these, in a group: those that name the user or everyone, or answer the user
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
	Listed    bool              // a copy of what the user sent to a broadcast list
	Pinned    bool              // in its chat, for all
	Reactions map[string]string // emojis, by the users of the phone numbers

	came     moment
	said     *waE2E.Message // as it was edited last
	edited   int64          // ms since 1970 by its sender's clock; 0: never
	mentions bool
	pin      *Message // that pinned it last, or took the pin off
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
	c = p.conversation(chat)
	all := c.Messages
	set := p.settings(chat, &c)
	beyond := func(r *appstate.Range, whose func(ShownMessage) bool) bool {
		return slices.ContainsFunc(all, func(m ShownMessage) bool { return whose(m) && !m.within(r) })
	}
	theirs := func(m ShownMessage) bool { return !m.FromMe }
	if !set.keepsArchived && beyond(set.archived, theirs) {
		c.Archived = false // news take a chat out of the archive, also those that are gone since
	}
	if beyond(set.marked, theirs) {
		c.MarkedUnread = false // and take the place of the mark
	}
	p.devMu.Lock()
	for _, m := range c.Messages {
		if !m.FromMe && !p.read[m.ID] && !slices.ContainsFunc(set.read, m.within) {
			c.Unread++
			if m.mentions && !m.Revoked {
				c.Mentions++
			}
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
		return c, beyond(set.deleted, func(m ShownMessage) bool { return !m.Listed })
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

// conversation replays what was said, and what became of it.
func (p *Phone) conversation(chat types.JID) (c ShownChat) {
	find := func(id string) *ShownMessage {
		if i := slices.IndexFunc(c.Messages, func(m ShownMessage) bool { return m.ID == id }); i >= 0 {
			return &c.Messages[i]
		}
		return nil
	}
	group := chat.Server == types.GroupServer
	add := func(m Message, place int, by string, said *waE2E.Message) {
		c.Messages = append(c.Messages, ShownMessage{
			ID: m.ID, By: by, FromMe: m.FromMe, Text: textOf(said), Listed: m.Listed, Reactions: map[string]string{},
			came: moment{m.Time.Unix(), place}, mentions: group && p.mentioned(said, said), received: m,
		})
		if !m.Listed { // a copy moves nothing
			c.Time = max(c.Time, m.Time.Unix())
		}
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
		case said.GetPinInChatMessage() != nil:
			pin := said.GetPinInChatMessage()
			target := find(pin.GetKey().GetID())
			if target == nil || target.Revoked {
				continue
			}
			target.Pinned, target.pin = pin.GetType() == waE2E.PinInChatMessage_PIN_FOR_ALL, &m
			if target.Pinned {
				add(m, place, by.User, said) // "… has pinned a message"
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_REVOKE:
			target := find(protocol.GetKey().GetID())
			if target != nil && (group || target.By == by.User) { // in a group admins revoke others', too
				target.Revoked, target.Text, target.reacted = true, "", nil
				target.Pinned, target.pin = false, nil
				clear(target.Reactions)
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT:
			if target := find(protocol.GetKey().GetID()); target != nil && target.By == by.User && !target.Revoked {
				target.said, target.edited = protocol.GetEditedMessage(), protocol.GetTimestampMS()
				target.Text, target.mentions = textOf(target.said), group && p.mentioned(target.said, target.received.Message)
			}
		case protocol != nil && protocol.GetType() == waE2E.ProtocolMessage_EPHEMERAL_SETTING:
			c.Timer = protocol.GetEphemeralExpiration()
		default:
			add(m, place, by.User, said)
		}
	}
	slices.SortFunc(c.Messages, func(a, b ShownMessage) int { return a.came.compare(b.came) })
	return c
}

func textOf(m *waE2E.Message) string {
	return cmp.Or(m.GetConversation(), m.GetExtendedTextMessage().GetText())
}

// mentioned tells whether a message of a group concerns the user: it names them or everyone, or answers them, as it did at first.
func (p *Phone) mentioned(m, first *waE2E.Message) bool {
	own := func(jid string) bool { return jid == p.pn.String() || jid == p.lid.String() }
	context := m.GetExtendedTextMessage().GetContextInfo()
	return context.GetNonJIDMentions() > 0 || slices.ContainsFunc(context.GetMentionedJID(), own) ||
		own(first.GetExtendedTextMessage().GetContextInfo().GetParticipant())
}

// within tells whether a range has a message: it is older than the range's end, or at it and named, as far as any are.
func (m *ShownMessage) within(r *appstate.Range) bool {
	named := func(o *waSyncAction.SyncActionMessage) bool { return o.GetKey().GetID() == m.ID }
	return m.came.time < r.GetLastMessageTimestamp() || m.came.time == r.GetLastMessageTimestamp() &&
		(len(r.GetMessages()) == 0 || slices.ContainsFunc(r.GetMessages(), named))
}

// set is how far what the user has set of a chat reaches.
type set struct {
	archived, marked, deleted *appstate.Range
	read                      []*appstate.Range // by a device; what is read on the phone is told one by one
	keepsArchived             bool              // whatever comes
}

// without is what is left of messages; the list itself stays.
func without(all []ShownMessage, gone func(ShownMessage) bool) []ShownMessage {
	return slices.DeleteFunc(slices.Clone(all), gone)
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
		of := e.Index[1]
		if e.Index[0] == "label_jid" {
			of = e.Index[2]
		}
		if jid, err := types.ParseJID(of); err != nil || !p.sameChat(jid, chat) {
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
			to.archived = v.GetArchiveChatAction().GetMessageRange()
		case "markChatAsRead":
			c.MarkedUnread = !v.GetMarkChatAsReadAction().GetRead()
			to.marked = v.GetMarkChatAsReadAction().GetMessageRange()
			if e.By != appstate.Phone && !c.MarkedUnread {
				to.read = append(to.read, to.marked)
			}
		case "lock":
			c.Locked = v.GetLockChatAction().GetLocked()
		case "label_jid":
			c.Labels = slices.DeleteFunc(c.Labels, func(id string) bool { return id == e.Index[1] })
			if v.GetLabelAssociationAction().GetLabeled() {
				c.Labels = append(c.Labels, e.Index[1])
				slices.Sort(c.Labels)
			}
		case "star":
			for i := range c.Messages {
				if c.Messages[i].ID == e.Index[2] {
					c.Messages[i].Starred = v.GetStarAction().GetStarred()
				}
			}
		case "deleteMessageForMe":
			c.Messages = without(c.Messages, func(m ShownMessage) bool { return m.ID == e.Index[2] })
		case "clearChat":
			r, keeps := v.GetClearChatAction().GetMessageRange(), e.Index[2] == "0"
			c.Messages = without(c.Messages, func(m ShownMessage) bool { return m.within(r) && !(keeps && m.Starred) })
		case "deleteChat":
			r := v.GetDeleteChatAction().GetMessageRange()
			c.Messages = without(c.Messages, func(m ShownMessage) bool { return m.within(r) })
			if r.GetLastMessageTimestamp() >= to.deleted.GetLastMessageTimestamp() {
				to.deleted = r
			}
		}
	}
	return to
}
