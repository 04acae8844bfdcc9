package translate

import (
	"cmp"

	"go.mau.fi/whatsmeow/proto/waHistorySync"

	"pesan/internal/chat"
)

// stubType is the type of a message that has no content but says that something happened.
const stubType = "messageStubType"

// Conversation says what a history sync tells of a chat, in pages of so many messages.
func (b *Book) Conversation(conv *waHistorySync.Conversation, page int) []chat.Change {
	jid := Parse(conv.GetID())
	if jid == "" {
		return nil
	}
	b.Learn(jid, Parse(conv.GetPnJID()))
	b.Learn(jid, Parse(conv.GetLidJID()))
	first := b.Change(jid)
	first.State = b.state(jid, conv)
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
			changes = append(changes, b.Change(jid))
			last = &changes[len(changes)-1]
		}
		last.Messages = append(last.Messages, message)
	}
	return changes
}

// state is the chat itself. What a history sync says has no time of its own: any dated change is later.
func (b *Book) state(jid chat.JID, conv *waHistorySync.Conversation) chat.Chat {
	s := chat.Chat{Fields: fields(conv, chat.Baseline), Activity: int64(conv.GetConversationTimestamp())}
	if name := conv.GetName(); name != "" {
		named := chat.Register[string]{Value: name, At: chat.Baseline}
		if jid.Kind() == chat.Private {
			s.Contact = named
		} else {
			s.Subject = named
		}
	}
	for _, p := range conv.GetParticipant() {
		if member := Parse(p.GetUserJID()); member != "" {
			if s.Members == nil {
				s.Members = make(map[chat.JID]chat.Register[chat.Rank], len(conv.GetParticipant()))
			}
			s.Members[b.Canonical(member)] = chat.Register[chat.Rank]{Value: chat.Rank(p.GetRank().String()), At: chat.Baseline}
		}
	}
	if conv.MuteEndTime != nil {
		s.Mute = chat.Register[int64]{Value: historyMute(conv.GetMuteEndTime()), At: chat.Baseline}
	}
	if conv.GetPinned() != 0 {
		s.Pin = chat.Register[int64]{Value: int64(conv.GetPinned()), At: chat.Baseline}
	}
	if conv.Archived != nil {
		s.Archived = chat.Register[bool]{Value: conv.GetArchived(), At: chat.Baseline}
	}
	if conv.MarkedAsUnread != nil {
		s.MarkedUnread = chat.Register[bool]{Value: conv.GetMarkedAsUnread(), At: chat.Baseline}
	}
	s.Unread = chat.Unread{
		Count:    int(conv.GetUnreadCount()),
		Mentions: int(conv.GetUnreadMentionCount()),
		At:       newest(conv),
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
	for _, n := range h.GetInlineContacts() {
		pn, lid := Parse(n.GetPnJID()), Parse(n.GetLidJID())
		b.Learn(pn, lid)
		jid := cmp.Or(pn, lid)
		if jid == "" || jid.Kind() != chat.Private {
			continue
		}
		c := b.Change(jid)
		c.State.Contact = contact(n, chat.Baseline)
		changes = append(changes, c)
	}
	return changes
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

// historyMute is a mute's end in ms. The unit isn't documented; for ever is -1 in 64 bits.
func historyMute(end uint64) int64 {
	if int64(end) < 0 {
		return chat.MutedForEver
	}
	return asMillis(int64(end))
}
