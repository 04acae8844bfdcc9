package translate

import (
	"encoding/hex"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/render/wajson"
)

// asides are the contents that say something about a chat or another message, or to a device, and are no messages of a
// conversation. In a history the phone has put them where they belong.
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
	"commentMessage":              true,
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

// aside is what a message adds to others; nil when it is a message of its own, or nothing.
func (b *Book) aside(e envelope, content wajson.Content, opened Opened) []chat.Message {
	m := content.Message
	switch content.Type {
	case "reactionMessage":
		r := m.GetReactionMessage()
		return about(r.GetKey(), func(target *chat.Message) {
			target.Reactions = map[chat.JID]chat.Register[chat.Reaction]{
				e.sender: {Value: chat.Reaction{AddOn: e.addOn(), Text: r.GetText()}, At: e.said(r.GetSenderTimestampMS())},
			}
		})
	case "pollUpdateMessage":
		if opened.Vote == nil {
			return nil
		}
		p := m.GetPollUpdateMessage()
		return about(p.GetPollCreationMessageKey(), func(target *chat.Message) {
			target.Votes = map[chat.JID]chat.Register[chat.Vote]{
				e.sender: {Value: chat.Vote{AddOn: e.addOn(), Options: selected(opened.Vote)},
					At: e.said(p.GetSenderTimestampMS())},
			}
		})
	case "pollAddOptionMessage":
		p := m.GetPollAddOptionMessage()
		return about(p.GetPollCreationMessageKey(), func(target *chat.Message) {
			target.Options = map[string]bool{p.GetAddOption().GetOptionName(): true}
		})
	case "encEventResponseMessage":
		if opened.Answer == nil {
			return nil
		}
		return about(m.GetEncEventResponseMessage().GetEventCreationMessageKey(), func(target *chat.Message) {
			target.Answers = map[chat.JID]chat.Register[chat.Answer]{e.sender: answer(opened.Answer, e.addOn(), e.said(0))}
		})
	case "commentMessage":
		return about(m.GetCommentMessage().GetTargetMessageKey(), func(target *chat.Message) {
			target.Comments = map[string]chat.Comment{e.id: comment(m.GetCommentMessage().GetMessage(), e.sender, e.addOn())}
		})
	case "keepInChatMessage":
		k := m.GetKeepInChatMessage()
		return about(k.GetKey(), func(target *chat.Message) {
			target.Keeps = make(map[chat.JID]chat.Register[bool], 2)
			for _, by := range b.Both(e.sender) {
				target.Keeps[by] = chat.Register[bool]{
					Value: k.GetKeepType() == waE2E.KeepType_KEEP_FOR_ALL, At: e.said(k.GetTimestampMS()),
				}
			}
		})
	case "pinInChatMessage":
		return b.pin(e, m)
	}
	return nil
}

// about is what is told of the message with a key.
func about(key *waCommon.MessageKey, tell func(*chat.Message)) []chat.Message {
	if key.GetID() == "" {
		return []chat.Message{}
	}
	target := chat.Message{ID: key.GetID()}
	tell(&target)
	return []chat.Message{target}
}

// addOn is the message as an addition to another.
func (e *envelope) addOn() chat.AddOn {
	return chat.AddOn{ID: e.id, FromMe: e.fromMe, Time: seconds(e.at), Order: e.order}
}

// said is when the sender says that it was said, in ms since 1970; without it, when WhatsApp got it.
func (e *envelope) said(ms int64) int64 {
	if ms <= 0 {
		return millis(e.at)
	}
	return ms
}

// selected are the hashes of the options that somebody votes for.
func selected(v *waE2E.PollVoteMessage) string {
	hashes := make([]string, len(v.GetSelectedOptions()))
	for i, hash := range v.GetSelectedOptions() {
		hashes[i] = hex.EncodeToString(hash)
	}
	slices.Sort(hashes)
	return strings.Join(hashes, " ")
}

func answer(r *waE2E.EventResponseMessage, a chat.AddOn, at int64) chat.Register[chat.Answer] {
	if r.GetTimestampMS() > 0 {
		at = r.GetTimestampMS()
	}
	return chat.Register[chat.Answer]{Value: chat.Answer{AddOn: a, Response: r.GetResponse().String(),
		Guests: r.GetExtraGuestCount()}, At: at}
}

func comment(m *waE2E.Message, by chat.JID, a chat.AddOn) chat.Comment {
	content := wajson.ContentOf(m)
	return chat.Comment{AddOn: a, By: by, Type: content.Type, Body: content.Body(), Message: chat.JSON(wajson.Message(m))}
}

// pin pins a message for all, or takes its pin away. A pin has a line of its own in the conversation.
func (b *Book) pin(e envelope, m *waE2E.Message) []chat.Message {
	p := m.GetPinInChatMessage()
	pinned := p.GetType() == waE2E.PinInChatMessage_PIN_FOR_ALL
	all := about(p.GetKey(), func(target *chat.Message) {
		pin := chat.Pin{AddOn: e.addOn(), By: e.sender, Pinned: pinned}
		if pinned {
			pin.Seconds = int64(m.GetMessageContextInfo().GetMessageAddOnDurationInSecs())
		}
		target.Pin = chat.Register[chat.Pin]{Value: pin, At: e.said(p.GetSenderTimestampMS())}
	})
	if !pinned || len(all) == 0 {
		return all
	}
	info := e.info()
	info.MessageStubType = waWeb.WebMessageInfo_PINNED_MESSAGE_IN_CHAT.Enum()
	info.MessageStubParameters = []string{p.GetKey().GetID()}
	return append(all, chat.Message{ID: e.id, Content: chat.Content{
		Sender: e.sender, FromMe: e.fromMe, Time: seconds(e.at), Order: e.order, Type: stubType, Info: chat.JSON(wajson.Message(info)),
		Class: classOf(waWeb.WebMessageInfo_PINNED_MESSAGE_IN_CHAT, nil),
	}})
}

// protocol adds what a protocol message does to a chat; those that speak of the device are not for here.
func (b *Book) protocol(c *chat.Change, e envelope, p *waE2E.ProtocolMessage) {
	target := chat.Message{ID: p.GetKey().GetID()}
	switch p.GetType() {
	case waE2E.ProtocolMessage_REVOKE:
		if p.Type == nil || target.ID == "" {
			return
		}
		target.Revoked = make(map[chat.JID]int64, 2)
		for _, jid := range b.Both(e.sender) {
			target.Revoked[jid] = seconds(e.at)
		}
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		m := said(p.GetEditedMessage())
		content := wajson.ContentOf(m)
		if target.ID == "" || content.Type == "" || asides[content.Type] || p.GetTimestampMS() <= 0 {
			return
		}
		kind := editable(e.chat, content)
		b.edit(&target, e.sender, editOf(b.content(e.chat, m, content), kind, seconds(e.at)), p.GetTimestampMS())
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
