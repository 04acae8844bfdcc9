package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Secret is what a poll, an event or another message carries, under which what is added to it is sealed.
type Secret []byte

// NewSecret makes one.
func NewSecret() Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}

// Put gives a message the secret.
func (s Secret) Put(m *waE2E.Message) *waE2E.Message {
	if m.MessageContextInfo == nil {
		m.MessageContextInfo = &waE2E.MessageContextInfo{}
	}
	m.MessageContextInfo.MessageSecret = s
	return m
}

// Target is the message that something is added to, and who is concerned, in one form of address.
type Target struct {
	Key    *waCommon.MessageKey // as who adds sees it
	Author types.JID            // of the message
	Sender types.JID            // of the addition
	Secret Secret
}

// seal encrypts as WhatsApp's clients do: under a key of the secret, the message's id, its author, the sender and the use.
func (t Target) seal(use string, bound bool, m proto.Message) (iv, payload []byte) {
	plain, err := proto.Marshal(m)
	if err != nil {
		panic(err) // tests make whole messages
	}
	id, author, sender := t.Key.GetID(), t.Author.ToNonAD().String(), t.Sender.ToNonAD().String()
	key, err := hkdf.Key(sha256.New, t.Secret, nil, id+author+sender+use, 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	iv = make([]byte, gcm.NonceSize())
	_, _ = rand.Read(iv) // never fails
	var data []byte
	if bound {
		data = fmt.Appendf(nil, "%s\x00%s", id, sender)
	}
	return iv, gcm.Seal(nil, iv, plain, data)
}

// Poll asks a question.
func Poll(s Secret, question string, options ...string) *waE2E.Message {
	poll := &waE2E.PollCreationMessage{Name: proto.String(question), SelectableOptionsCount: proto.Uint32(1)}
	for _, o := range options {
		poll.Options = append(poll.Options, &waE2E.PollCreationMessage_Option{OptionName: proto.String(o)})
	}
	return s.Put(&waE2E.Message{PollCreationMessageV3: poll})
}

// Hashes are how a vote names options.
func Hashes(options ...string) *waE2E.PollVoteMessage {
	v := &waE2E.PollVoteMessage{}
	for _, o := range options {
		sum := sha256.Sum256([]byte(o))
		v.SelectedOptions = append(v.SelectedOptions, sum[:])
	}
	return v
}

// Vote votes for options of a poll; for none, to take a vote back.
func Vote(t Target, options ...string) *waE2E.Message {
	iv, payload := t.seal("Poll Vote", true, Hashes(options...))
	return &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
		PollCreationMessageKey: t.Key, SenderTimestampMS: stamp(),
		Vote: &waE2E.PollEncValue{EncIV: iv, EncPayload: payload},
	}}
}

// Answer says whether the sender comes to an event.
func Answer(t Target, response waE2E.EventResponseMessage_EventResponseType, guests int32) *waE2E.Message {
	r := &waE2E.EventResponseMessage{Response: &response, TimestampMS: stamp()}
	if guests != 0 {
		r.ExtraGuestCount = &guests
	}
	iv, payload := t.seal("Event Response", true, r)
	return &waE2E.Message{EncEventResponseMessage: &waE2E.EncEventResponseMessage{
		EventCreationMessageKey: t.Key, EncIV: iv, EncPayload: payload,
	}}
}

// SecretReact is a reaction in a large group of a community.
func SecretReact(t Target, emoji string) *waE2E.Message {
	iv, payload := t.seal("Enc Reaction", false, &waE2E.ReactionMessage{
		Text: &emoji, SenderTimestampMS: stamp(),
	})
	return &waE2E.Message{EncReactionMessage: &waE2E.EncReactionMessage{TargetMessageKey: t.Key, EncIV: iv, EncPayload: payload}}
}

// SecretComment is a comment there.
func SecretComment(t Target, m *waE2E.Message) *waE2E.Message {
	iv, payload := t.seal("Enc Comment", false, m)
	return &waE2E.Message{EncCommentMessage: &waE2E.EncCommentMessage{TargetMessageKey: t.Key, EncIV: iv, EncPayload: payload}}
}

// SecretEdit edits a message under its secret.
func SecretEdit(t Target, kind waE2E.SecretEncryptedMessage_SecretEncType, content *waE2E.Message) *waE2E.Message {
	use := map[waE2E.SecretEncryptedMessage_SecretEncType]string{
		waE2E.SecretEncryptedMessage_MESSAGE_EDIT: "Message Edit", waE2E.SecretEncryptedMessage_EVENT_EDIT: "Event Edit",
		waE2E.SecretEncryptedMessage_POLL_EDIT: "Poll Edit", waE2E.SecretEncryptedMessage_POLL_ADD_OPTION: "Poll Add Option",
	}[kind]
	plain := content
	if kind != waE2E.SecretEncryptedMessage_POLL_ADD_OPTION {
		plain = &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key: t.Key, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: content,
			TimestampMS: stamp(),
		}}
	}
	iv, payload := t.seal(use, false, plain)
	return &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{
		TargetMessageKey: t.Key, SecretEncType: &kind, EncIV: iv, EncPayload: payload,
	}}
}

// Keep keeps a disappearing message, or lets it go.
func Keep(key *waCommon.MessageKey, keep bool) *waE2E.Message {
	kind := waE2E.KeepType_UNDO_KEEP_FOR_ALL
	if keep {
		kind = waE2E.KeepType_KEEP_FOR_ALL
	}
	return &waE2E.Message{KeepInChatMessage: &waE2E.KeepInChatMessage{
		Key: key, KeepType: &kind, TimestampMS: stamp(),
	}}
}

// Pin pins a message in its chat for some time; zero takes the pin away.
func Pin(key *waCommon.MessageKey, duration time.Duration) *waE2E.Message {
	kind := waE2E.PinInChatMessage_UNPIN_FOR_ALL
	m := &waE2E.Message{}
	if duration > 0 {
		kind = waE2E.PinInChatMessage_PIN_FOR_ALL
		m.MessageContextInfo = &waE2E.MessageContextInfo{MessageAddOnDurationInSecs: proto.Uint32(uint32(duration / time.Second))}
	}
	m.PinInChatMessage = &waE2E.PinInChatMessage{Key: key, Type: &kind, SenderTimestampMS: stamp()}
	return m
}

// PartOf makes a message part of another, as an album's pictures are, or the better copy of a picture. The copies of a
// picture or film travel in a wrapper.
func PartOf(m *waE2E.Message, kind waE2E.MessageAssociation_AssociationType, parent *waCommon.MessageKey) *waE2E.Message {
	if m.MessageContextInfo == nil {
		m.MessageContextInfo = &waE2E.MessageContextInfo{}
	}
	m.MessageContextInfo.MessageAssociation = &waE2E.MessageAssociation{AssociationType: &kind, ParentMessageKey: parent}
	switch kind {
	case waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, waE2E.MessageAssociation_HD_VIDEO_DUAL_UPLOAD:
		return &waE2E.Message{
			AssociatedChildMessage: &waE2E.FutureProofMessage{Message: m}, MessageContextInfo: m.MessageContextInfo,
		}
	}
	return m
}

// Newer is a message of a kind that nobody here knows: a field with a number that WhatsApp hasn't given yet.
func Newer(content string) *waE2E.Message {
	const field = 16_001
	data := []byte{}
	for tag := uint64(field<<3 | 2); ; tag >>= 7 {
		if tag < 0x80 {
			data = append(data, byte(tag))
			break
		}
		data = append(data, byte(tag)|0x80)
	}
	data = append(append(data, byte(len(content))), content...)
	m := &waE2E.Message{}
	m.ProtoReflect().SetUnknown(data)
	return m
}
