package whatsapp

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// sealed is what is encrypted a second time, under the secret of the message that it is about.
type sealed struct {
	use  whatsmeow.MsgSecretType
	key  *waCommon.MessageKey
	data interface {
		GetEncIV() []byte
		GetEncPayload() []byte
	}
	take func(plain []byte) error
}

// open opens what a message has sealed, in evt or in what it returns. later is true when the secret isn't here: the message
// that has it may still come.
func (r *run) open(b *translate.Book, evt *events.Message) (opened translate.Opened, later bool, err error) {
	s := sealedIn(evt, &opened)
	if s == nil {
		return opened, false, nil
	}
	plain, found, err := r.unseal(b, evt, s)
	if err != nil || !found {
		return opened, err == nil, err
	}
	if plain == nil || s.take(plain) != nil {
		r.log.Warn("sealed message can't be opened", "message", evt.Info.ID, "use", string(s.use))
	}
	return opened, false, nil
}

// sealedIn is what a message has sealed; nil for nothing.
func sealedIn(evt *events.Message, opened *translate.Opened) *sealed {
	m := evt.Message
	switch {
	case m.GetEncReactionMessage() != nil:
		e := m.GetEncReactionMessage()
		return &sealed{whatsmeow.EncSecretReaction, e.GetTargetMessageKey(), e, func(plain []byte) error {
			reaction := &waE2E.ReactionMessage{}
			err := proto.Unmarshal(plain, reaction)
			reaction.Key = e.GetTargetMessageKey()
			evt.RawMessage = &waE2E.Message{ReactionMessage: reaction}
			return err
		}}
	case m.GetEncCommentMessage() != nil:
		e := m.GetEncCommentMessage()
		return &sealed{whatsmeow.EncSecretComment, e.GetTargetMessageKey(), e, func(plain []byte) error {
			comment := &waE2E.Message{}
			err := proto.Unmarshal(plain, comment)
			evt.RawMessage = &waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: comment,
				TargetMessageKey: e.GetTargetMessageKey()}}
			return err
		}}
	case m.GetPollUpdateMessage().GetVote() != nil:
		p := m.GetPollUpdateMessage()
		return &sealed{whatsmeow.EncSecretPollVote, p.GetPollCreationMessageKey(), p.GetVote(), func(plain []byte) error {
			opened.Vote = &waE2E.PollVoteMessage{}
			return proto.Unmarshal(plain, opened.Vote)
		}}
	case m.GetEncEventResponseMessage() != nil:
		e := m.GetEncEventResponseMessage()
		return &sealed{whatsmeow.EncSecretEventResponse, e.GetEventCreationMessageKey(), e, func(plain []byte) error {
			opened.Answer = &waE2E.EventResponseMessage{}
			return proto.Unmarshal(plain, opened.Answer)
		}}
	case m.GetSecretEncryptedMessage() != nil:
		return secretMessage(evt, m.GetSecretEncryptedMessage())
	}
	return nil
}

// secretMessage is an edit, or an option that somebody adds to a poll.
func secretMessage(evt *events.Message, e *waE2E.SecretEncryptedMessage) *sealed {
	use, known := map[waE2E.SecretEncryptedMessage_SecretEncType]whatsmeow.MsgSecretType{
		waE2E.SecretEncryptedMessage_EVENT_EDIT:      whatsmeow.EncSecretEventEdit,
		waE2E.SecretEncryptedMessage_MESSAGE_EDIT:    whatsmeow.EncSecretMessageEdit,
		waE2E.SecretEncryptedMessage_POLL_EDIT:       whatsmeow.EncSecretPollEdit,
		waE2E.SecretEncryptedMessage_POLL_ADD_OPTION: whatsmeow.EncSecretPollAddOption,
	}[e.GetSecretEncType()]
	if !known {
		return nil
	}
	return &sealed{use, e.GetTargetMessageKey(), e, func(plain []byte) error {
		m := &waE2E.Message{}
		err := proto.Unmarshal(plain, m)
		if option := m.GetPollAddOptionMessage(); option != nil {
			option.PollCreationMessageKey = e.GetTargetMessageKey()
			evt.RawMessage = &waE2E.Message{PollAddOptionMessage: option}
			return err
		}
		evt.RawMessage = &waE2E.Message{ProtocolMessage: edited(m, e, evt)}
		return err
	}}
}

// edited is a secret edit as a plain one. Some clients encrypt the whole protocol message, others the new content.
func edited(m *waE2E.Message, e *waE2E.SecretEncryptedMessage, evt *events.Message) *waE2E.ProtocolMessage {
	p := m.GetProtocolMessage()
	if p.GetEditedMessage() == nil {
		p = &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: m}
	}
	p.Key = e.GetTargetMessageKey()
	if p.GetTimestampMS() == 0 {
		p.TimestampMS = proto.Int64(evt.Info.Timestamp.UnixMilli())
	}
	return p
}

// unseal looks for the secret and tries it. Who wrote the message and who concerns it are named in the key in one form of
// address, by number or by LID, which nothing tells; so both are tried. plain is nil when none fits.
func (r *run) unseal(b *translate.Book, evt *events.Message, s *sealed) (plain []byte, found bool, err error) {
	authors := addresses(b, author(evt, s.key))
	senders := addresses(b, evt.Info.Sender)
	var secret []byte
	for _, in := range addresses(b, evt.Info.Chat) {
		for _, by := range authors {
			if secret != nil {
				break
			}
			var kept types.JID
			if secret, kept, err = r.secret(in, by, s.key.GetID()); err != nil {
				return nil, false, fmt.Errorf("look for message secret: %w", err)
			}
			if secret != nil && !slices.Contains(authors, kept) {
				authors = append(authors, kept)
			}
		}
	}
	if err := b.Err(); err != nil || secret == nil {
		return nil, false, err
	}
	for _, same := range []bool{true, false} {
		for _, by := range authors {
			for _, from := range senders {
				if (by.Server == from.Server) != same {
					continue
				}
				if plain = decrypt(secret, s, by, from); plain != nil {
					return plain, true, nil
				}
			}
		}
	}
	return nil, true, nil
}

func (r *run) secret(in, by types.JID, id string) ([]byte, types.JID, error) {
	ctx, cancel := context.WithTimeout(r.ctx, sendTimeout)
	defer cancel()
	return r.guard.GetMessageSecret(ctx, in, by, id)
}

// author is who wrote the message that a key names, as the sender of evt sees it.
func author(evt *events.Message, key *waCommon.MessageKey) types.JID {
	named := key.GetParticipant()
	switch {
	case key.GetFromMe():
		return evt.Info.Sender.ToNonAD()
	case evt.Info.Chat.Server == types.DefaultUserServer, evt.Info.Chat.Server == types.HiddenUserServer:
		named = key.GetRemoteJID()
	}
	jid, err := types.ParseJID(named)
	if err != nil {
		return types.EmptyJID
	}
	return jid.ToNonAD()
}

// addresses are all that are known of a person, as given first; another chat has one.
func addresses(b *translate.Book, jid types.JID) []types.JID {
	jid = jid.ToNonAD()
	all := []types.JID{jid}
	if a, ok := translate.Address(jid); ok && a.Kind() == chat.Private {
		for _, other := range b.Both(a) {
			if wire := translate.WireJID(other); !slices.Contains(all, wire) {
				all = append(all, wire)
			}
		}
	}
	return all
}

// decrypt opens what is sealed by AES-GCM under a key of the secret; nil when it doesn't fit.
func decrypt(secret []byte, s *sealed, author, sender types.JID) []byte {
	id := s.key.GetID()
	key, err := hkdf.Key(sha256.New, secret, nil, id+author.String()+sender.String()+string(s.use), 32)
	if err != nil {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil || len(s.data.GetEncIV()) != gcm.NonceSize() {
		return nil
	}
	var bound []byte
	if s.use == whatsmeow.EncSecretPollVote || s.use == whatsmeow.EncSecretEventResponse {
		bound = []byte(id + "\x00" + sender.String())
	}
	plain, err := gcm.Open([]byte{}, s.data.GetEncIV(), s.data.GetEncPayload(), bound)
	if err != nil {
		return nil
	}
	return plain
}
