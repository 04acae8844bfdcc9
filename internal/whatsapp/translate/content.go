package translate

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"pesan/internal/chat"
	"pesan/internal/render/wajson"
)

// content is what a message of a chat says, without who said it and when.
func (b *Book) content(in chat.JID, m *waE2E.Message, content wajson.Content) chat.Content {
	c := chat.Content{
		Type:      content.Type,
		Body:      content.Body(),
		Media:     content.IsMedia(),
		Ephemeral: content.Ephemeral,
		Message:   chat.JSON(wajson.Message(m)),
		Editable:  editable(in, content),
		NoKeep:    content.Type == "albumMessage" || isViewOnce(m, content) || content.Context().GetAfterReadDuration() > 0,
	}
	if content.Type == "callLogMesssage" {
		c.Class = chat.Noteworthy
	}
	c.Mentions, c.MentionMe = b.mentions(in, content.Context())
	if quoted := content.Quoted(); quoted != nil {
		c.Quoted = chat.JSON(wajson.Message(quoted))
	}
	context := content.Context()
	c.QuotesMe = in.Kind() == chat.Group && context.GetStanzaID() != "" && b.isOwn(Parse(context.GetParticipant()))
	if poll := pollOf(content.Message); poll != nil {
		for _, option := range poll.GetOptions() {
			c.Options = append(c.Options, option.GetOptionName())
		}
		if poll.GetPollContentType() == waE2E.PollContentType_IMAGE {
			c.Expects = len(c.Options)
		}
	}
	if content.Type == "albumMessage" {
		c.Expects = 1
	}
	belongs(&c, m, content)
	return c
}

// mentions are whom a message mentions, and whether the account is among them. WhatsApp counts that in groups only.
func (b *Book) mentions(in chat.JID, context *waE2E.ContextInfo) (who []chat.JID, me bool) {
	me = context.GetNonJIDMentions() > 0 // everyone
	for _, mentioned := range context.GetMentionedJID() {
		jid, err := chat.ParseJID(mentioned) // senders write what they like
		if err != nil {
			continue
		}
		who = append(who, b.Canonical(jid))
		me = me || b.isOwn(jid)
	}
	return who, me && in.Kind() == chat.Group
}

// isViewOnce tells whether a message may be seen once.
func isViewOnce(m *waE2E.Message, content wajson.Content) bool {
	if m.GetViewOnceMessage() != nil || m.GetViewOnceMessageV2() != nil || m.GetViewOnceMessageV2Extension() != nil {
		return true
	}
	in := content.Message
	return in.GetImageMessage().GetViewOnce() || in.GetVideoMessage().GetViewOnce() || in.GetAudioMessage().GetViewOnce() ||
		in.GetExtendedTextMessage().GetViewOnce()
}

// editable says what an edit changes of a message. Forwarded ones stay as they are.
func editable(in chat.JID, content wajson.Content) chat.Editable {
	if content.Context().GetIsForwarded() {
		return chat.NotEditable
	}
	if in.Kind() == chat.Newsletter {
		return chat.WholeEdit
	}
	switch content.Type {
	case "conversation", "extendedTextMessage":
		return chat.TextEdit
	case "imageMessage", "videoMessage", "documentMessage":
		return chat.CaptionEdit
	case "eventMessage":
		return chat.EventEdit
	case "richResponseMessage":
		return chat.WholeEdit
	}
	if strings.HasPrefix(content.Type, "pollCreationMessage") {
		return chat.PollEdit
	}
	return chat.NotEditable
}

// pollOf is a message's poll, of any version; nil if it is none.
func pollOf(m *waE2E.Message) *waE2E.PollCreationMessage {
	for _, poll := range []*waE2E.PollCreationMessage{
		m.GetPollCreationMessage(), m.GetPollCreationMessageV2(), m.GetPollCreationMessageV3(), m.GetPollCreationMessageV5(),
		m.GetPollCreationMessageV6(),
	} {
		if poll != nil {
			return poll
		}
	}
	return nil
}

// belongs says which message it belongs to. The better copy of a picture or film shows by itself while its parent isn't
// here; what is part of an album, a poll or an event doesn't.
func belongs(c *chat.Content, m *waE2E.Message, content wajson.Content) {
	a := m.GetMessageContextInfo().GetMessageAssociation()
	if a == nil {
		a = content.Message.GetMessageContextInfo().GetMessageAssociation()
	}
	switch a.GetAssociationType() {
	case waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, waE2E.MessageAssociation_HD_VIDEO_DUAL_UPLOAD,
		waE2E.MessageAssociation_HEVC_VIDEO_DUAL_UPLOAD, waE2E.MessageAssociation_MOTION_PHOTO:
		c.Alone = true
	case waE2E.MessageAssociation_MEDIA_ALBUM, waE2E.MessageAssociation_MEDIA_POLL,
		waE2E.MessageAssociation_EVENT_COVER_IMAGE, waE2E.MessageAssociation_STICKER_ANNOTATION:
	default:
		return
	}
	c.Parent = a.GetParentMessageKey().GetID()
	c.Slim = chat.JSON(wajson.Message(withoutPictures(content.Message)))
}

// withoutPictures leaves out the small pictures of a message: its parent has it whole otherwise, and may have a hundred.
func withoutPictures(m *waE2E.Message) *waE2E.Message {
	m = proto.Clone(m).(*waE2E.Message)
	m.MessageContextInfo = nil
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return true
		}
		inner := v.Message()
		for _, name := range []protoreflect.Name{"JPEGThumbnail", "contextInfo", "scansSidecar", "streamingSidecar"} {
			if field := inner.Descriptor().Fields().ByName(name); field != nil {
				inner.Clear(field)
			}
		}
		return true
	})
	return m
}

// editOf is the edit that gives a message a content.
func editOf(c chat.Content, kind chat.Editable, sent int64) chat.Edit {
	return chat.Edit{
		Kind: kind, Type: c.Type, Body: c.Body, Mentions: chat.JoinJIDs(c.Mentions), MentionMe: c.MentionMe, Message: c.Message,
		Sent: sent,
	}
}

// edit adds what a message says from now on, by either address of who says it.
func (b *Book) edit(m *chat.Message, by chat.JID, e chat.Edit, at int64) {
	m.Edits = make(map[chat.JID]chat.Register[chat.Edit], 2)
	for _, jid := range b.Both(by) {
		m.Edits[jid] = chat.Register[chat.Edit]{Value: e, At: at}
	}
}
