package translate

import (
	"cmp"
	"slices"
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

// ChatOf is the chat that a message belongs to, by its canonical address; "" for none.
func (b *Book) ChatOf(info *types.MessageInfo) chat.JID {
	e, _ := b.open(info, 0)
	return b.Canonical(e.chat)
}

// seconds is a time as messages have it; a message without one would count as unknown.
func seconds(t time.Time) int64 { return max(t.Unix(), 1) }

// millis is the time of a register.
func millis(t time.Time) int64 { return max(t.UnixMilli(), chat.Baseline) }

// Opened is what was encrypted a second time, under the secret of the message that it concerns.
type Opened struct {
	Vote   *waE2E.PollVoteMessage
	Answer *waE2E.EventResponseMessage
}

// Message says what a message tells of its chat. Order is its place among those of the same second.
func (b *Book) Message(evt *events.Message, order int64, opened Opened) []chat.Change {
	e, ok := b.open(&evt.Info, order)
	if !ok {
		return nil
	}
	c := b.Change(e.chat)
	m := said(evt.RawMessage)
	content := wajson.ContentOf(m)
	if e.chat.Kind() == chat.Private && !evt.Info.IsIncomingBroadcast() {
		timer(&c.State, e, content.Context())
	}
	switch content.Type {
	case "protocolMessage":
		b.protocol(&c, e, content.Message.GetProtocolMessage())
	case "":
		if !IsNewer(evt) {
			break
		}
		b.newer(&c, e, m)
	default:
		if aside := b.aside(e, content, opened); aside != nil {
			c.Messages = append(c.Messages, aside...)
		} else if !asides[content.Type] {
			b.speech(&c, e, evt, m, content)
		}
	}
	if again := evt.RetryCount > 0 || evt.UnavailableRequestID != ""; again && !slices.ContainsFunc(c.Messages,
		func(m chat.Message) bool { return m.ID == e.id }) {
		c.Messages = append(c.Messages, chat.Message{ID: e.id, Gone: true}) // what stood for it, as it isn't a message of the chat
	}
	if e.pushName != "" && e.chat.Kind() == chat.Private {
		c.State.PushName = chat.Register[string]{Value: e.pushName, At: millis(e.at)}
	}
	changes := append([]chat.Change{c}, b.copies(evt, c)...)
	return append(changes, b.senderLink(e)...)
}

// timer has a chat with a person follow the timer that a message was sent under, if it was set later: so a chat gets the timer
// that the account, or the other one's, gives every new chat.
func timer(s *chat.Chat, e envelope, context *waE2E.ContextInfo) {
	set := asSeconds(context.GetEphemeralSettingTimestamp())
	if set <= 0 || set > e.at.Unix() {
		return
	}
	s.Fields = fields(&waHistorySync.Conversation{
		EphemeralExpiration: proto.Uint32(context.GetExpiration()), EphemeralSettingTimestamp: &set, DisappearingMode: context.GetDisappearingMode(),
	}, set*1000)
}

// copies are those that the recipients' chats have of a message that the user sent to a broadcast list. They move nothing.
func (b *Book) copies(evt *events.Message, list chat.Change) []chat.Change {
	if !evt.Info.IsFromMe || evt.Info.Chat.Server != types.BroadcastServer {
		return nil
	}
	var changes []chat.Change
	for _, r := range evt.Info.BroadcastRecipients {
		pn, _ := Address(r.PN)
		lid, _ := Address(r.LID)
		b.Learn(pn, lid)
		jid := cmp.Or(pn, lid)
		if jid == "" {
			continue
		}
		c := b.Change(jid)
		for _, m := range list.Messages {
			if m.Content.Time != 0 {
				m.Content.Class = chat.Ignored
			}
			c.Messages = append(c.Messages, m)
		}
		if len(c.Messages) > 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

// IsNewer tells whether a message is of a kind that the library doesn't know, and is a message at all: what is added to
// another says so in its stanza.
func IsNewer(evt *events.Message) bool {
	return !isAddOn(&evt.Info) && isUnknown(said(evt.RawMessage))
}

// isAddOn tells whether a message's stanza says that it edits, revokes, pins or adds something to another.
func isAddOn(info *types.MessageInfo) bool {
	return info.Edit != types.EditAttributeEmpty || info.Type == "reaction" || info.MsgMetaInfo.TargetID != ""
}

// isUnknown tells whether a message has content, within its wrappers, and none that is known.
func isUnknown(m *waE2E.Message) bool {
	content := wajson.ContentOf(m)
	return content.Type == "" && len(content.Message.ProtoReflect().GetUnknown()) > 0
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

// newer stands for a message whose kind isn't known yet, as WhatsApp's own clients have it.
func (b *Book) newer(c *chat.Change, e envelope, m *waE2E.Message) {
	data, _ := proto.Marshal(m) // what was unmarshalled marshals
	info := e.info()
	info.MessageStubType, info.FutureproofData = waWeb.WebMessageInfo_FUTUREPROOF.Enum(), data
	c.Messages = append(c.Messages, chat.Message{ID: e.id, Content: chat.Content{
		Sender: e.sender, FromMe: e.fromMe, Time: seconds(e.at), Order: e.order,
		Type: stubType, Info: chat.JSON(wajson.Message(info)), Class: classOf(waWeb.WebMessageInfo_FUTUREPROOF, nil),
	}})
}

// info has what is known of every live message.
func (e *envelope) info() *waWeb.WebMessageInfo {
	info := &waWeb.WebMessageInfo{}
	if e.pushName != "" {
		info.PushName = &e.pushName
	}
	return info
}

// speech adds a message of the conversation.
func (b *Book) speech(c *chat.Change, e envelope, evt *events.Message, m *waE2E.Message, content wajson.Content) {
	msg := chat.Message{ID: e.id, Content: b.content(e.chat, m, content)}
	msg.Content.Sender, msg.Content.FromMe = e.sender, e.fromMe
	msg.Content.Time, msg.Content.Order = seconds(e.at), e.order
	if e.fromMe && content.Type == "groupInviteMessage" {
		msg.Content.Class = chat.Ignored
	}
	if expiration := content.Context().GetExpiration(); expiration > 0 {
		msg.Content.Expires = msg.Content.Time + int64(expiration)
	}
	info := e.info()
	if evt.Info.Chat.Server == types.BroadcastServer {
		info.Broadcast = proto.Bool(true)
		if e.fromMe {
			msg.Content.Class = chat.Noteworthy
		}
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
		msg.Content.Partial = true
		b.edit(&msg, e.sender, editOf(msg.Content, chat.WholeEdit, meta.EditTS.Unix()), millis(meta.EditTS))
	}
	c.Messages = append(c.Messages, msg)
}

// The marks by which clients tell apart what they can't show.
const viewOnceType = "viewOnceMessage"

// viewOnceMark is what WhatsApp's clients call a message that is shown once, on the phone only.
const viewOnceMark = "view_once_unavailable_fanout"

// Undecryptable stands for a message until its sender has sent it again, or for one that only the phone may show. It is
// nothing for what nobody would see.
func (b *Book) Undecryptable(evt *events.UndecryptableMessage, order int64) []chat.Change {
	e, ok := b.open(&evt.Info, order)
	if !ok || evt.DecryptFailMode == events.DecryptFailHide || evt.Info.Category == "peer" || isAddOn(&evt.Info) {
		return nil
	}
	c := b.Change(e.chat)
	info := e.info()
	info.MessageStubType = waWeb.WebMessageInfo_CIPHERTEXT.Enum()
	kind := stubType
	if evt.IsUnavailable && evt.UnavailableType == events.UnavailableTypeViewOnce {
		kind, info.MessageStubParameters = viewOnceType, []string{viewOnceMark}
	}
	c.Messages = []chat.Message{{ID: e.id, Content: chat.Content{
		Sender: e.sender, FromMe: e.fromMe, Time: seconds(e.at), Order: e.order,
		Type: kind, Info: chat.JSON(wajson.Message(info)), Class: chat.Ambient,
	}}}
	return []chat.Change{c}
}
