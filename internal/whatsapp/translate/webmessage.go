package translate

import (
	"cmp"
	"encoding/json"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"pesan/internal/chat"
	"pesan/internal/render/wajson"
)

// webMessage is a message of a chat as the phone stores it; ok is false for what is no message of a conversation.
func (b *Book) webMessage(in chat.JID, w *waWeb.WebMessageInfo, order int64) (_ chat.Message, ok bool) {
	w = readable(w)
	message := said(w.GetMessage())
	content := wajson.ContentOf(message)
	m := chat.Message{ID: w.GetKey().GetID()}
	var edited int64
	if p := content.Message.GetProtocolMessage(); p.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT &&
		p.GetEditedMessage() != nil {
		// The phone stores an edited message as its last edit.
		m.ID, edited = p.GetKey().GetID(), max(p.GetTimestampMS(), chat.Baseline)
		message = said(p.GetEditedMessage())
		content = wajson.ContentOf(message)
	}
	stub := w.GetMessageStubType()
	if parent := w.GetCommentMetadata().GetCommentParentKey(); parent.GetID() != "" && parent.GetID() != m.ID {
		// A comment stands in its parent's thread.
		m.Comments = map[string]chat.Comment{m.ID: comment(message, b.author(in, w),
			addOnOf(w.GetKey(), int64(w.GetMessageTimestamp())))}
		m.ID = parent.GetID()
		return m, true
	}
	switch {
	case m.ID == "", asides[content.Type]:
		return m, false
	case content.Type != "":
		m.Content = b.content(in, message, content)
	case message != nil && isUnknown(message):
		stub = waWeb.WebMessageInfo_FUTUREPROOF
		w = newerInfo(w)
		fallthrough
	case stub != waWeb.WebMessageInfo_UNKNOWN:
		m.Content.Type = stubType
		m.Content.Class = classOf(stub, func() bool { return b.amongst(w.GetMessageStubParameters()) })
		m.Content.Aside = isTemplate(stub)
	default:
		return m, false
	}
	m.Content.Sender, m.Content.FromMe = b.author(in, w), w.GetKey().GetFromMe()
	m.Content.Time, m.Content.Order = max(int64(w.GetMessageTimestamp()), 1), order
	m.Content.Replies = int(w.GetCommentMetadata().GetReplyCount())
	if m.Content.FromMe && (content.Type == "groupInviteMessage" || w.GetBroadcast() && in.Kind() == chat.Private) {
		m.Content.Class = chat.Ignored
	}
	m.Content.MentionMe = m.Content.MentionMe || w.GetNonJIDMentions() > 0 && in.Kind() == chat.Group
	m.Content.Info = remaining(w)
	expiry(&m.Content, w)
	if edited != 0 {
		m.Content.Partial = true
		b.edit(&m, m.Content.Sender, editOf(m.Content, m.Content.Editable, 0), edited)
	}
	if isRevoke(stub) {
		m.Revoked = map[chat.JID]int64{m.Content.Sender: 1} // the phone has checked who may
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
		at := max(r.GetSenderTimestampMS(), chat.Baseline)
		put(&m.Reactions, b.adder(in, r.GetKey()), chat.Reaction{AddOn: addOnOf(r.GetKey(), at/1000), Text: r.GetText()}, at)
	}
	for _, u := range w.GetPollUpdates() {
		at := max(u.GetSenderTimestampMS(), chat.Baseline)
		vote := chat.Vote{AddOn: addOnOf(u.GetPollUpdateMessageKey(), at/1000), Options: selected(u.GetVote())}
		put(&m.Votes, b.adder(in, u.GetPollUpdateMessageKey()), vote, at)
	}
	for _, r := range w.GetEventResponses() {
		at := max(r.GetTimestampMS(), chat.Baseline)
		a := answer(r.GetEventResponseMessage(), addOnOf(r.GetEventResponseMessageKey(), at/1000), at)
		put(&m.Answers, b.adder(in, r.GetEventResponseMessageKey()), a.Value, a.At)
	}
	if k := w.GetKeepInChat(); k.GetKeepType() != waE2E.KeepType_UNKNOWN_KEEP_TYPE {
		by := b.Canonical(Parse(k.GetDeviceJID()))
		if by == "" {
			by = b.adder(in, k.GetKey())
		}
		at := cmp.Or(k.GetClientTimestampMS(), k.GetServerTimestampMS(), k.GetServerTimestamp()*1000, chat.Baseline)
		put(&m.Keeps, by, k.GetKeepType() == waE2E.KeepType_KEEP_FOR_ALL, at)
	}
	if p := w.GetPinInChat(); p.GetType() != waWeb.PinInChat_UNKNOWN_TYPE {
		at := cmp.Or(p.GetSenderTimestampMS(), p.GetServerTimestampMS(), chat.Baseline)
		pin := chat.Pin{By: b.adder(in, p.GetKey()), Pinned: p.GetType() == waWeb.PinInChat_PIN_FOR_ALL}
		if pin.Pinned {
			pin.Seconds = int64(p.GetMessageAddOnContextInfo().GetMessageAddOnDurationInSecs())
		}
		m.Pin = chat.Register[chat.Pin]{Value: pin, At: at}
	}
	for _, a := range w.GetMessageAddOns() {
		b.messageAddOn(m, in, a)
	}
}

// messageAddOn adds what the newer of WhatsApp's two forms of an addition says.
func (b *Book) messageAddOn(m *chat.Message, in chat.JID, a *waWeb.MessageAddOn) {
	at := cmp.Or(a.GetSenderTimestampMS(), a.GetServerTimestampMS(), chat.Baseline)
	by, add := b.adder(in, a.GetMessageAddOnKey()), addOnOf(a.GetMessageAddOnKey(), at/1000)
	content := a.GetMessageAddOn()
	switch {
	case content.GetReactionMessage() != nil:
		put(&m.Reactions, by, chat.Reaction{AddOn: add, Text: content.GetReactionMessage().GetText()}, at)
	case content.GetPinInChatMessage() != nil:
		pinned := content.GetPinInChatMessage().GetType() == waE2E.PinInChatMessage_PIN_FOR_ALL
		pin := chat.Pin{AddOn: add, By: by, Pinned: pinned}
		if pinned {
			pin.Seconds = int64(a.GetAddOnContextInfo().GetMessageAddOnDurationInSecs())
		}
		m.Pin.Join(chat.Register[chat.Pin]{Value: pin, At: at})
	case a.GetLegacyMessage().GetPollVote() != nil:
		put(&m.Votes, by, chat.Vote{AddOn: add, Options: selected(a.GetLegacyMessage().GetPollVote())}, at)
	case a.GetLegacyMessage().GetEventResponseMessage() != nil:
		r := answer(a.GetLegacyMessage().GetEventResponseMessage(), add, at)
		put(&m.Answers, by, r.Value, r.At)
	}
}

// put adds what somebody added last.
func put[T comparable](into *map[chat.JID]chat.Register[T], by chat.JID, value T, at int64) {
	if *into == nil {
		*into = make(map[chat.JID]chat.Register[T])
	}
	r := (*into)[by]
	r.Join(chat.Register[T]{Value: value, At: at})
	(*into)[by] = r
}

// adder is who added something to a message, by the key of the addition.
func (b *Book) adder(in chat.JID, key *waCommon.MessageKey) chat.JID {
	if key.GetFromMe() {
		return b.own
	}
	if jid := Parse(key.GetParticipant()); jid != "" {
		return b.Canonical(jid)
	}
	return b.Canonical(in)
}

func addOnOf(key *waCommon.MessageKey, at int64) chat.AddOn {
	return chat.AddOn{ID: key.GetID(), FromMe: key.GetFromMe(), Time: at}
}

// amongst tells whether the account is named in a notice's parameters, which are addresses or objects with an id.
func (b *Book) amongst(parameters []string) bool {
	for _, p := range parameters {
		var named struct {
			ID string `json:"id"`
		}
		if json.Unmarshal([]byte(p), &named) == nil && named.ID != "" {
			p = named.ID
		}
		if b.isOwn(Parse(p)) {
			return true
		}
	}
	return false
}

// readable is the message with its content where the phone couldn't read it and the library can.
func readable(w *waWeb.WebMessageInfo) *waWeb.WebMessageInfo {
	if w.GetMessageStubType() != waWeb.WebMessageInfo_FUTUREPROOF || w.Message != nil || len(w.GetFutureproofData()) == 0 {
		return w
	}
	m := &waE2E.Message{}
	if proto.Unmarshal(w.GetFutureproofData(), m) != nil || wajson.ContentOf(m).Type == "" {
		return w
	}
	w = proto.Clone(w).(*waWeb.WebMessageInfo)
	w.Message, w.MessageStubType, w.FutureproofData = m, nil, nil
	return w
}

// newerInfo is the WebMessageInfo of a message whose kind isn't known yet.
func newerInfo(w *waWeb.WebMessageInfo) *waWeb.WebMessageInfo {
	data, _ := proto.Marshal(w.GetMessage()) // what was unmarshalled marshals
	w = proto.Clone(w).(*waWeb.WebMessageInfo)
	w.MessageStubType, w.FutureproofData = waWeb.WebMessageInfo_FUTUREPROOF.Enum(), data
	return w
}

// Newer is a conversation with those of its messages alone whose kind isn't known yet; nil when there are none.
func Newer(conv *waHistorySync.Conversation) *waHistorySync.Conversation {
	var unknown []*waHistorySync.HistorySyncMsg
	for _, m := range conv.GetMessages() {
		if said := said(m.GetMessage().GetMessage()); said != nil && isUnknown(said) {
			unknown = append(unknown, m)
		}
	}
	if unknown == nil {
		return nil
	}
	return &waHistorySync.Conversation{ID: conv.ID, PnJID: conv.PnJID, LidJID: conv.LidJID, Messages: unknown}
}

// expiry sets when a disappearing message ends.
func expiry(c *chat.Content, w *waWeb.WebMessageInfo) {
	c.Ephemeral = c.Ephemeral || w.GetEphemeralDuration() > 0
	switch start := int64(w.GetEphemeralStartTimestamp()); {
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
	"userReceipt": true, "reactions": true, "pollUpdates": true, "eventResponses": true, "keepInChat": true, "pinInChat": true,
	"messageAddOns": true, "commentMetadata": true,
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
