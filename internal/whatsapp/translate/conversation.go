package translate

import (
	"cmp"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/reflect/protoreflect"

	"pesan/internal/chat"
	"pesan/internal/render/wajson"
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

// webMessage is a message of a chat as the phone stores it; ok is false for what is no message of a conversation.
func (b *Book) webMessage(in chat.JID, w *waWeb.WebMessageInfo, order int64) (_ chat.Message, ok bool) {
	message := said(w.GetMessage())
	content := wajson.ContentOf(message)
	m := chat.Message{ID: w.GetKey().GetID()}
	var edited int64
	if p := content.Message.GetProtocolMessage(); p.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT && p.GetEditedMessage() != nil {
		// The phone stores an edited message as its last edit.
		m.ID, edited = p.GetKey().GetID(), max(p.GetTimestampMS(), chat.Baseline)
		message = said(p.GetEditedMessage())
		content = wajson.ContentOf(message)
	}
	stub := w.GetMessageStubType()
	if m.ID == "" || content.Type == "" && stub == waWeb.WebMessageInfo_UNKNOWN || asides[content.Type] {
		return m, false
	}
	if content.Type != "" {
		m.Content = b.content(message, content)
	} else {
		m.Content.Type = stubType
		m.Content.Class = classOf(stub)
	}
	m.Content.Sender, m.Content.FromMe = b.author(in, w), w.GetKey().GetFromMe()
	m.Content.Time, m.Content.Order = max(int64(w.GetMessageTimestamp()), 1), order
	m.Content.Info = remaining(w)
	expiry(&m.Content, w)
	if edited != 0 {
		b.edit(&m, m.Content.Sender, m.Content, edited)
	}
	if isRevoke(stub) {
		m.Revoked = map[chat.JID]bool{m.Content.Sender: true} // the phone has checked who may
	}
	if w.Status != nil {
		m.Status = chat.Status(w.GetStatus()) + chat.StatusError
	}
	if w.GetStarred() {
		m.Starred = chat.Register[bool]{Value: true, At: chat.Baseline}
	}
	b.additions(&m, in, w)
	return m, true
}

func isRevoke(stub waWeb.WebMessageInfo_StubType) bool {
	return stub == waWeb.WebMessageInfo_REVOKE || stub == waWeb.WebMessageInfo_ADMIN_REVOKE
}

// author is who wrote a message.
func (b *Book) author(in chat.JID, w *waWeb.WebMessageInfo) chat.JID {
	if w.GetKey().GetFromMe() {
		return b.own
	}
	if in.Kind() == chat.Group || in.Kind() == chat.Broadcast {
		for _, s := range []string{w.GetParticipant(), w.GetKey().GetParticipant()} {
			if jid := Parse(s); jid != "" {
				return b.Canonical(jid)
			}
		}
	}
	return b.Canonical(in)
}

// additions are what others added to a message.
func (b *Book) additions(m *chat.Message, in chat.JID, w *waWeb.WebMessageInfo) {
	for _, r := range w.GetUserReceipt() {
		if by := b.Canonical(Parse(r.GetUserJID())); by != "" {
			if m.Receipts == nil {
				m.Receipts = make(map[chat.JID]chat.Receipt, len(w.GetUserReceipt()))
			}
			m.Receipts[by] = chat.Receipt{
				Received: max(r.GetReceiptTimestamp(), 0),
				Read:     max(r.GetReadTimestamp(), 0),
				Played:   max(r.GetPlayedTimestamp(), 0),
			}
		}
	}
	for _, r := range w.GetReactions() {
		by := b.Canonical(in)
		if r.GetKey().GetFromMe() {
			by = b.own
		} else if jid := Parse(r.GetKey().GetParticipant()); jid != "" {
			by = b.Canonical(jid)
		}
		at := max(r.GetSenderTimestampMS(), chat.Baseline)
		if m.Reactions == nil {
			m.Reactions = make(map[chat.JID]chat.Register[chat.Reaction], len(w.GetReactions()))
		}
		added := chat.AddOn{ID: r.GetKey().GetID(), FromMe: r.GetKey().GetFromMe(), Time: at / 1000}
		m.Reactions[by] = chat.Register[chat.Reaction]{Value: chat.Reaction{AddOn: added, Text: r.GetText()}, At: at}
	}
}

// expiry sets when a disappearing message ends, unless it is kept.
func expiry(c *chat.Content, w *waWeb.WebMessageInfo) {
	c.Ephemeral = c.Ephemeral || w.GetEphemeralDuration() > 0
	switch start := int64(w.GetEphemeralStartTimestamp()); {
	case w.GetKeepInChat().GetKeepType() == waE2E.KeepType_KEEP_FOR_ALL:
	case w.GetEphemeralExpirationTimestamp() != 0:
		c.Expires = asSeconds(int64(w.GetEphemeralExpirationTimestamp()))
	case w.GetEphemeralDuration() == 0:
	case start > 0:
		c.Expires = asSeconds(start) + int64(w.GetEphemeralDuration())
	default:
		c.Expires = c.Time + int64(w.GetEphemeralDuration())
	}
}

// elsewhere are the fields of a WebMessageInfo that have a place of their own in a message.
var elsewhere = map[protoreflect.Name]bool{
	"key": true, "message": true, "messageTimestamp": true, "status": true, "participant": true, "starred": true,
	"userReceipt": true, "reactions": true,
}

// remaining renders the other fields.
func remaining(w *waWeb.WebMessageInfo) chat.JSON {
	rest := &waWeb.WebMessageInfo{}
	into := rest.ProtoReflect()
	w.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !elsewhere[fd.Name()] && !(fd.Name() == "messageStubType" && isRevoke(w.GetMessageStubType())) {
			into.Set(fd, v)
		}
		return true
	})
	return chat.JSON(wajson.Message(rest))
}
