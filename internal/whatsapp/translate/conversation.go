package translate

import (
	"cmp"

	"go.mau.fi/whatsmeow/proto/waHistorySync"

	"pesan/internal/chat"
)

// stubType is the type of a message that has no content but says that something happened.
const stubType = "messageStubType"

// Conversation says what a history sync tells of a chat, in pages of so many messages. Only the bootstrap of a link says
// what the chat is like; the parts behind it add older messages.
func (b *Book) Conversation(conv *waHistorySync.Conversation, bootstrap bool, page int) []chat.Change {
	jid := Parse(conv.GetID())
	if jid == "" {
		return nil
	}
	b.Fill(jid, Parse(conv.GetPnJID()))
	lid := Parse(conv.GetLidJID())
	b.Fill(jid, lid)
	if lid.IsLID() && b.Canonical(lid) != b.Canonical(jid) {
		jid = lid // the person has another number now
	}
	first := b.past(jid)
	if bootstrap {
		first.State = b.state(jid, conv)
	}
	changes := []chat.Change{first}
	total := len(conv.GetMessages())
	for i, m := range conv.GetMessages() {
		order := int64(m.GetMsgOrderID())
		if order == 0 {
			order = int64(total - i) // the newest stands first
		}
		message, ok := b.webMessage(jid, m.GetMessage(), order)
		if !ok {
			continue
		}
		last := &changes[len(changes)-1]
		if len(last.Messages) >= page {
			changes = append(changes, b.past(jid))
			last = &changes[len(changes)-1]
		}
		last.Messages = append(last.Messages, message)
	}
	return changes
}

// past is a change by a history.
func (b *Book) past(jid chat.JID) chat.Change {
	c := b.Change(jid)
	c.Past = true
	return c
}

// state is the chat itself as it was when the device was linked: whatever happens in the link is later. Pin, mute and the
// mark as unread aren't taken from here: the app state has them.
func (b *Book) state(jid chat.JID, conv *waHistorySync.Conversation) chat.Chat {
	s := chat.Chat{
		Fields:   fields(conv, chat.Baseline),
		Activity: int64(cmp.Or(conv.GetConversationTimestamp(), conv.GetLastMsgTimestamp())),
	}
	if name := conv.GetName(); name != "" {
		named := chat.Register[string]{Value: name, At: chat.Baseline}
		if jid.Kind() == chat.Private {
			s.Contact = named
		} else {
			s.Subject = named
		}
	}
	s.Username = username(conv.GetUsername(), chat.Baseline)
	if len(conv.GetParticipant()) > 0 {
		s.Members, s.Listed = make(map[chat.JID]chat.Register[chat.Rank], len(conv.GetParticipant())), chat.Baseline
	}
	for _, p := range conv.GetParticipant() {
		if member := Parse(p.GetUserJID()); member != "" {
			s.Members[b.Canonical(member)] = chat.Register[chat.Rank]{Value: chat.Rank(p.GetRank().String()), At: chat.Baseline}
		}
	}
	at := newest(conv)
	ids := idsAt(conv, at)
	if conv.Archived != nil {
		s.Archived = chat.Register[bool]{Value: conv.GetArchived(), At: chat.Baseline}
		s.ArchivedTo = chat.Register[chat.Reach]{Value: chat.ReachOf(chat.RangeOf(at, ids...)), At: chat.Baseline}
	}
	if len(ids) == 0 && conv.GetUnreadCount() == 0 {
		at-- // it counts nothing of that second, in which a message may come live
	}
	s.Unread = chat.Unread{
		Count: int(conv.GetUnreadCount()), Mentions: int(conv.GetUnreadMentionCount()), At: max(at, 0), IDs: chat.JoinIDs(ids),
	}
	return s
}

// Names says what a history sync tells of persons.
func (b *Book) Names(h *waHistorySync.HistorySync) []chat.Change {
	var changes []chat.Change
	for _, n := range h.GetPushnames() {
		jid := Parse(n.GetID())
		if jid == "" || jid.Kind() != chat.Private || b.isOwn(jid) || n.GetPushname() == "" || n.GetPushname() == "-" {
			continue
		}
		c := b.Change(jid)
		c.State.PushName = chat.Register[string]{Value: n.GetPushname(), At: chat.Baseline}
		changes = append(changes, c)
	}
	for _, a := range h.GetAccounts() {
		jid := Parse(a.GetLid())
		if jid == "" || jid.Kind() != chat.Private || b.isOwn(jid) || a.GetUsername() == "" || a.GetIsUsernameDeleted() {
			continue
		}
		c := b.Change(jid)
		c.State.Username = username(a.GetUsername(), chat.Baseline)
		changes = append(changes, c)
	}
	for _, n := range h.GetInlineContacts() {
		pn, lid := Parse(n.GetPnJID()), Parse(n.GetLidJID())
		b.Fill(pn, lid)
		jid := cmp.Or(pn, lid)
		if lid.IsLID() && b.Canonical(lid) != jid {
			jid = lid
		}
		if jid == "" || jid.Kind() != chat.Private {
			continue
		}
		c := b.Change(jid)
		c.State.Contact = contact(n, chat.Baseline)
		changes = append(changes, c)
	}
	return changes
}

// username is what somebody can be found by; where none is told nothing is known.
func username(name string, at int64) (r chat.Register[string]) {
	if name != "" {
		r = chat.Register[string]{Value: name, At: at}
	}
	return r
}

// newest is the time up to which the chat's unread count speaks.
func newest(conv *waHistorySync.Conversation) int64 {
	at := uint64(0)
	for _, m := range conv.GetMessages() {
		at = max(at, m.GetMessage().GetMessageTimestamp())
	}
	if at == 0 {
		at = conv.GetConversationTimestamp()
	}
	return int64(at)
}

// idsAt are the conversation's messages of a second: what comes live in the same isn't among what its count speaks of.
func idsAt(conv *waHistorySync.Conversation, at int64) (ids []string) {
	for _, m := range conv.GetMessages() {
		if int64(m.GetMessage().GetMessageTimestamp()) == at && m.GetMessage().GetKey().GetID() != "" {
			ids = append(ids, m.GetMessage().GetKey().GetID())
		}
	}
	return ids
}
