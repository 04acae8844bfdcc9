package translate

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/render/wajson"
)

// asides are the contents that say something about a chat or another message, and are no messages of a conversation.
var asides = map[string]bool{
	"protocolMessage":             true,
	"reactionMessage":             true,
	"encReactionMessage":          true,
	"pollUpdateMessage":           true,
	"pollAddOptionMessage":        true,
	"keepInChatMessage":           true,
	"pinInChatMessage":            true,
	"encEventResponseMessage":     true,
	"secretEncryptedMessage":      true,
	"encCommentMessage":           true,
	"scheduledCallEditMessage":    true,
	"splitPaymentUpdateMessage":   true,
	"stickerSyncRmrMessage":       true,
	"statusNotificationMessage":   true,
	"messageHistoryBundle":        true,
	"messageHistoryNotice":        true,
	"groupRootKeyShare":           true,
	"rootSecretDistributeMessage": true,
	"placeholderMessage":          true,
}

// envelope is what is around a live message.
type envelope struct {
	chat     chat.JID // where the message shows
	sender   chat.JID // canonical
	fromMe   bool
	id       string
	at       time.Time
	order    int64
	pushName string
}

// open reads a message's envelope; ok is false when it belongs to no chat.
func (b *Book) open(info *types.MessageInfo, order int64) (e envelope, ok bool) {
	e = envelope{fromMe: info.IsFromMe, id: info.ID, at: info.Timestamp, order: order}
	e.chat, ok = Address(info.Chat)
	if !ok || info.ID == "" {
		return e, false
	}
	sender, _ := Address(info.Sender)
	senderAlt, _ := Address(info.SenderAlt)
	recipientAlt, _ := Address(info.RecipientAlt)
	b.Learn(sender, senderAlt)
	b.Learn(e.chat, recipientAlt)
	if info.IsIncomingBroadcast() && !info.IsFromMe && sender != "" {
		e.chat = sender // it shows where the sender's own messages do
	}
	switch {
	case info.IsFromMe:
		e.sender = b.own
	case e.chat.Kind() == chat.Group || e.chat.Kind() == chat.Broadcast:
		e.sender = b.Canonical(sender)
	default:
		e.sender = b.Canonical(e.chat)
	}
	if !info.IsFromMe && info.PushName != "-" {
		e.pushName = info.PushName
	}
	return e, e.sender != ""
}

// seconds is a time as messages have it; a message without one would count as unknown.
func seconds(t time.Time) int64 { return max(t.Unix(), 1) }

// millis is the time of a register.
func millis(t time.Time) int64 { return max(t.UnixMilli(), chat.Baseline) }

// Message says what a message tells of its chat. Order is its place among those of the same second.
func (b *Book) Message(evt *events.Message, order int64) []chat.Change {
	e, ok := b.open(&evt.Info, order)
	if !ok {
		return nil
	}
	c := b.Change(e.chat)
	m := said(evt.RawMessage)
	content := wajson.ContentOf(m)
	switch {
	case content.Type == "protocolMessage":
		b.protocol(&c, e, content.Message.GetProtocolMessage())
	case content.Type == "reactionMessage":
		b.reaction(&c, e, content.Message.GetReactionMessage())
	case content.Type == "" || asides[content.Type]:
	default:
		b.speech(&c, e, evt, m, content)
	}
	if e.pushName != "" && e.chat.Kind() == chat.Private {
		c.State.PushName = chat.Register[string]{Value: e.pushName, At: millis(e.at)}
	}
	return append([]chat.Change{c}, b.senderLink(e)...)
}

// senderLink tells the two addresses of a group message's sender.
func (b *Book) senderLink(e envelope) []chat.Change {
	if e.fromMe || e.chat.Kind() != chat.Group {
		return nil
	}
	c := b.Change(e.sender)
	if c.Alt == "" {
		return nil
	}
	return []chat.Change{c}
}

// said is what a message says to its reader: the envelope of the user's other devices is taken off, and what only the
// Signal protocol needs.
func said(m *waE2E.Message) *waE2E.Message {
	if inner := m.GetDeviceSentMessage().GetMessage(); inner != nil {
		m = inner
	}
	if m.GetSenderKeyDistributionMessage() == nil && m.GetFastRatchetKeySenderKeyDistributionMessage() == nil {
		return m
	}
	m = proto.Clone(m).(*waE2E.Message)
	m.SenderKeyDistributionMessage, m.FastRatchetKeySenderKeyDistributionMessage = nil, nil
	return m
}

// speech adds a message of the conversation.
func (b *Book) speech(c *chat.Change, e envelope, evt *events.Message, m *waE2E.Message, content wajson.Content) {
	msg := chat.Message{ID: e.id, Content: b.content(m, content)}
	msg.Content.Sender, msg.Content.FromMe = e.sender, e.fromMe
	msg.Content.Time, msg.Content.Order = seconds(e.at), e.order
	if expiration := content.Context().GetExpiration(); expiration > 0 {
		msg.Content.Expires = msg.Content.Time + int64(expiration)
	}
	info := &waWeb.WebMessageInfo{}
	if e.pushName != "" {
		info.PushName = &e.pushName
	}
	if evt.Info.Chat.Server == types.BroadcastServer {
		info.Broadcast = proto.Bool(true)
	}
	if name := evt.Info.VerifiedName; name != nil && name.Details.GetVerifiedName() != "" {
		info.VerifiedBizName = proto.String(name.Details.GetVerifiedName())
	}
	msg.Content.Info = chat.JSON(wajson.Message(info))
	if e.fromMe {
		msg.Status = chat.ServerAck
	}
	if meta := evt.NewsletterMeta; meta != nil && !meta.EditTS.IsZero() && meta.EditTS.UnixMilli() > 0 {
		if !meta.OriginalTS.IsZero() {
			msg.Content.Time = seconds(meta.OriginalTS)
		}
		b.edit(&msg, e.sender, msg.Content, millis(meta.EditTS))
	}
	c.Messages = append(c.Messages, msg)
}

// content is what a message says, without who said it and when.
func (b *Book) content(m *waE2E.Message, content wajson.Content) chat.Content {
	c := chat.Content{
		Type:      content.Type,
		Body:      content.Body(),
		Media:     content.IsMedia(),
		Ephemeral: content.Ephemeral,
		Message:   chat.JSON(wajson.Message(m)),
	}
	for _, mentioned := range content.Mentioned() {
		jid, err := chat.ParseJID(mentioned) // senders write what they like
		if err != nil {
			continue
		}
		c.Mentions = append(c.Mentions, b.Canonical(jid))
		c.MentionMe = c.MentionMe || b.isOwn(jid)
	}
	if quoted := content.Quoted(); quoted != nil {
		c.Quoted = chat.JSON(wajson.Message(quoted))
	}
	return c
}

// edit adds what a message says from now on.
func (b *Book) edit(m *chat.Message, by chat.JID, c chat.Content, at int64) {
	m.Edits = make(map[chat.JID]chat.Register[chat.Edit], 2)
	for _, jid := range b.Both(by) {
		m.Edits[jid] = chat.Register[chat.Edit]{Value: chat.Edit{Type: c.Type, Body: c.Body, Message: c.Message}, At: at}
	}
}

// protocol adds what a protocol message does to a chat; those that speak of the device are not for here.
func (b *Book) protocol(c *chat.Change, e envelope, p *waE2E.ProtocolMessage) {
	target := chat.Message{ID: p.GetKey().GetID()}
	switch p.GetType() {
	case waE2E.ProtocolMessage_REVOKE:
		if p.Type == nil || target.ID == "" {
			return
		}
		target.Revoked = make(map[chat.JID]bool, 2)
		for _, jid := range b.Both(e.sender) {
			target.Revoked[jid] = true
		}
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		m := said(p.GetEditedMessage())
		content := wajson.ContentOf(m)
		if target.ID == "" || content.Type == "" || asides[content.Type] {
			return
		}
		at := p.GetTimestampMS()
		if at <= 0 {
			at = millis(e.at)
		}
		b.edit(&target, e.sender, b.content(m, content), at)
	case waE2E.ProtocolMessage_EPHEMERAL_SETTING:
		c.State.Fields = fields(&waHistorySync.Conversation{
			EphemeralExpiration:       proto.Uint32(p.GetEphemeralExpiration()),
			EphemeralSettingTimestamp: proto.Int64(e.at.Unix()),
			DisappearingMode:          p.GetDisappearingMode(),
		}, millis(e.at))
		return
	default:
		return
	}
	c.Messages = append(c.Messages, target)
}

// reaction adds what somebody thinks of a message.
func (b *Book) reaction(c *chat.Change, e envelope, r *waE2E.ReactionMessage) {
	if r.GetKey().GetID() == "" {
		return
	}
	at := r.GetSenderTimestampMS()
	if at <= 0 {
		at = millis(e.at)
	}
	register := chat.Register[chat.Reaction]{Value: chat.Reaction{AddOn: e.addOn(), Text: r.GetText()}, At: at}
	c.Messages = append(c.Messages, chat.Message{
		ID: r.GetKey().GetID(), Reactions: map[chat.JID]chat.Register[chat.Reaction]{e.sender: register},
	})
}

// Undecryptable stands for a message until its sender has sent it again; ok is false for what nobody would see.
func (b *Book) Undecryptable(evt *events.UndecryptableMessage, order int64) []chat.Change {
	e, ok := b.open(&evt.Info, order)
	if !ok || evt.DecryptFailMode == events.DecryptFailHide || evt.Info.Category == "peer" {
		return nil
	}
	c := b.Change(e.chat)
	info := &waWeb.WebMessageInfo{MessageStubType: waWeb.WebMessageInfo_CIPHERTEXT.Enum()}
	if e.pushName != "" {
		info.PushName = &e.pushName
	}
	c.Messages = []chat.Message{{ID: e.id, Content: chat.Content{
		Sender: e.sender, FromMe: e.fromMe, Time: seconds(e.at), Order: e.order,
		Type: stubType, Info: chat.JSON(wajson.Message(info)),
	}}}
	return []chat.Change{c}
}

// addOn is the message as an addition to another.
func (e *envelope) addOn() chat.AddOn {
	return chat.AddOn{ID: e.id, FromMe: e.fromMe, Time: seconds(e.at), Order: e.order}
}
