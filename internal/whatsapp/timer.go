package whatsapp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// setTimer sets after which time the messages of a chat disappear: by a message to the person, or by a request to the group.
func (r *run) setTimer(ctx context.Context, c chat.Command, index types.JID) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	switch c.Chat.Kind() {
	case chat.Private:
		return r.setPersonTimer(ctx, c, index)
	case chat.Group:
		return r.setGroupTimer(ctx, c, index)
	}
	return &chat.Error{Code: chat.WhatsAppRejected, Message: "messages disappear only in a private chat or a group"}
}

func (r *run) setPersonTimer(ctx context.Context, c chat.Command, index types.JID) error {
	m := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type:                waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
		EphemeralExpiration: proto.Uint32(uint32(c.Seconds)), EphemeralSettingTimestamp: proto.Int64(r.Now().Unix()),
	}}
	sent, err := r.wa.SendMessage(ctx, index, m, whatsmeow.SendRequestExtra{ID: messageID(c)})
	if err != nil {
		return fmt.Errorf("send timer: %w", refusal(err))
	}
	before, err := r.timerSet(ctx, c.Chat)
	if err != nil {
		return err
	}
	b := r.bookFor(ctx)
	changes := b.Message(&events.Message{
		Info: types.MessageInfo{
			MessageSource: types.MessageSource{Chat: index, IsFromMe: true},
			ID:            sent.ID, Timestamp: sent.Timestamp,
		},
		RawMessage: m, Message: m,
	}, r.nextOrder(), translate.Opened{})
	return r.project(b, after(before, changes))
}

// messageID is the same at every attempt, so that a message whose acknowledgement was lost isn't sent twice.
func messageID(c chat.Command) types.MessageID {
	sum := sha256.Sum256([]byte(c.Account + "\x00" + c.ID))
	return whatsmeow.WebMessageIDPrefix + fmt.Sprintf("%X", sum[:9])
}

// setGroupTimer takes the change for the next one after what is known: WhatsApp tells it to this device too, in its own order.
func (r *run) setGroupTimer(ctx context.Context, c chat.Command, index types.JID) error {
	before, err := r.timerSet(ctx, c.Chat)
	if err != nil {
		return err
	}
	order := following(&r.groups.last, before+1)
	err = r.wa.SetDisappearingTimer(ctx, index, time.Duration(c.Seconds)*time.Second, r.Now())
	switch {
	case errors.Is(err, whatsmeow.ErrIQNotAuthorized):
		return &chat.Error{Code: chat.WhatsAppRejected, Message: "only an admin may change this group"}
	case errors.Is(err, whatsmeow.ErrIQForbidden), errors.Is(err, whatsmeow.ErrIQNotFound):
		return &chat.Error{Code: chat.WhatsAppRejected, Message: "the account isn't in this group"}
	case err != nil:
		return fmt.Errorf("set timer: %w", refusal(err))
	}
	b := r.bookFor(ctx)
	return r.project(b, b.GroupChange(&events.GroupInfo{
		JID: index, Ephemeral: &types.GroupEphemeral{IsEphemeral: c.Seconds > 0, DisappearingTimer: uint32(c.Seconds)},
	}, order))
}

// timerField is the field of a chat that holds its timer.
const timerField = "ephemeralExpiration"

// timerSet is the time of the chat's timer.
func (r *run) timerSet(ctx context.Context, jid chat.JID) (at int64, err error) {
	err = r.Chats.Update(ctx, r.account, jid, nil, func(t *chat.Thread) error {
		at = t.Chat.Fields[timerField].At
		return errLooked
	})
	if err != nil && !errors.Is(err, errLooked) {
		return 0, err
	}
	return at, nil
}

// after puts the fields of changes after what was set before: WhatsApp's times have seconds only.
func after(before int64, changes []chat.Change) []chat.Change {
	for _, c := range changes {
		for name, f := range c.State.Fields {
			f.At = max(f.At, before+1)
			c.State.Fields[name] = f
		}
	}
	return changes
}
