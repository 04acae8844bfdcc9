package sim

import (
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim/media"
)

var lastStamp atomic.Int64

// stamp is the time of somebody's act in ms since 1970. No two are the same: nobody reacts twice within a millisecond.
func stamp() *int64 {
	for {
		last := lastStamp.Load()
		if now := max(time.Now().UnixMilli(), last+1); lastStamp.CompareAndSwap(last, now) {
			return &now
		}
	}
}

// Text is a plain text message.
func Text(text string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(text)} }

// Document is a message with a file, which is put where devices download from; path is where.
func (s *Server) Document(plain []byte, mimetype, name string) (m *waE2E.Message, path string, err error) {
	f, err := s.media.Put(media.Document, plain)
	if err != nil {
		return nil, "", err
	}
	return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256,
		FileLength: proto.Uint64(uint64(len(plain))), Mimetype: &mimetype, FileName: &name,
	}}, f.DirectPath, nil
}

// Edit replaces the content of the sender's own message id in a chat.
func Edit(chat types.JID, id string, content *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
		ProtocolMessage: &waE2E.ProtocolMessage{
			Key: messageKey(chat, id), Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
			EditedMessage: content, TimestampMS: stamp(),
		},
	}}}
}

// Revoke deletes the sender's own message id in a chat for everyone.
func Revoke(chat types.JID, id string) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key: messageKey(chat, id), Type: waE2E.ProtocolMessage_REVOKE.Enum(),
	}}
}

// React reacts to a message, whose key is as the one who reacts sees it; an empty emoji takes the reaction back.
func React(key *waCommon.MessageKey, emoji string) *waE2E.Message {
	return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
		Key: key, Text: proto.String(emoji), SenderTimestampMS: stamp(),
	}}
}

func messageKey(chat types.JID, id string) *waCommon.MessageKey {
	return &waCommon.MessageKey{RemoteJID: proto.String(chat.String()), FromMe: proto.Bool(true), ID: proto.String(id)}
}

// inner is the message inside its wrappers.
func inner(m *waE2E.Message) *waE2E.Message {
	for {
		var next *waE2E.Message
		for _, w := range []*waE2E.FutureProofMessage{
			m.GetViewOnceMessage(), m.GetViewOnceMessageV2(), m.GetViewOnceMessageV2Extension(), m.GetEphemeralMessage(),
			m.GetDocumentWithCaptionMessage(), m.GetEditedMessage(), m.GetLottieStickerMessage(),
		} {
			if w.GetMessage() != nil {
				next = w.GetMessage()
			}
		}
		if next == nil {
			return m
		}
		m = next
	}
}

// stanzaType is the type of a message's stanza.
func stanzaType(m *waE2E.Message) string {
	switch in := inner(m); {
	case in.GetReactionMessage() != nil, in.GetEncReactionMessage() != nil:
		return "reaction"
	case in.GetPollCreationMessage() != nil, in.GetPollCreationMessageV2() != nil, in.GetPollCreationMessageV3() != nil,
		in.GetPollUpdateMessage() != nil:
		return "poll"
	case mediaType(m) != "":
		return "media"
	}
	return "text"
}

// mediaType is the mediatype of a message's encrypted part, "" for a text.
func mediaType(m *waE2E.Message) string {
	switch in := inner(m); {
	case in.GetImageMessage() != nil:
		return "image"
	case in.GetStickerMessage() != nil:
		return "sticker"
	case in.GetDocumentMessage() != nil:
		return "document"
	case in.GetAudioMessage().GetPTT():
		return "ptt"
	case in.GetAudioMessage() != nil:
		return "audio"
	case in.GetVideoMessage().GetGifPlayback():
		return "gif"
	case in.GetVideoMessage() != nil:
		return "video"
	case in.GetContactMessage() != nil:
		return "vcard"
	case in.GetContactsArrayMessage() != nil:
		return "contact_array"
	case in.GetLiveLocationMessage() != nil:
		return "livelocation"
	case in.GetLocationMessage() != nil:
		return "location"
	case in.GetListMessage() != nil:
		return "list"
	case in.GetButtonsMessage() != nil:
		return "button"
	case in.GetProductMessage() != nil:
		return "product"
	case in.GetExtendedTextMessage().GetMatchedText() != "":
		return "url"
	}
	return ""
}

// editAttr marks a message that changes another, "" for all others.
func editAttr(m *waE2E.Message) string {
	in := inner(m)
	switch p := in.GetProtocolMessage(); {
	case p.GetKey() != nil && p.GetType() == waE2E.ProtocolMessage_REVOKE && p.GetKey().GetFromMe():
		return string(types.EditAttributeSenderRevoke)
	case p.GetKey() != nil && p.GetType() == waE2E.ProtocolMessage_REVOKE:
		return string(types.EditAttributeAdminRevoke)
	case p.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT:
		return string(types.EditAttributeMessageEdit)
	case in.GetReactionMessage() != nil && in.GetReactionMessage().GetText() == "":
		return string(types.EditAttributeSenderRevoke)
	case in.GetPinInChatMessage() != nil:
		return string(types.EditAttributePinInChat)
	}
	return ""
}
