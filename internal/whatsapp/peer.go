package whatsapp

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/whatsapp/translate"
)

// peerTimeout is how long WhatsApp may take to take a message for the phone.
const peerTimeout = 75 * time.Second

// tellPhone sends a message to the account's phone, and waits until WhatsApp has taken it. During whatsmeow's SendPeerMessage
// nobody else can send one, whatsmeow itself neither, which would wait for it in the middle of a message that comes in.
func (r *run) tellPhone(ctx context.Context, id types.MessageID, m *waE2E.Message) error {
	own := r.identity().pn
	if own == "" {
		return whatsmeow.ErrNotLoggedIn
	}
	in, to := internals(r.wa), translate.WireJID(own)
	answer := in.WaitResponse(id)
	defer in.CancelResponse(id, answer)
	if err := r.sendPeer(ctx, to, id, m); err != nil {
		return fmt.Errorf("send to the phone: %w", err)
	}
	timer := time.NewTimer(peerTimeout)
	defer timer.Stop()
	select {
	case node := <-answer:
		if node.Tag != "ack" {
			return whatsmeow.ErrIQDisconnected
		}
		if code := node.AttrGetter().OptionalInt("error"); code != 0 {
			return fmt.Errorf("send to the phone: %w %d", whatsmeow.ErrServerReturnedError, code)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("send to the phone: %w", whatsmeow.ErrMessageTimedOut)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendPeer encrypts and sends one message after the other, as the session wants it.
func (r *run) sendPeer(ctx context.Context, to types.JID, id types.MessageID, m *waE2E.Message) error {
	if err := r.telling.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.telling.Release(1)
	in := internals(r.wa)
	node, err := in.PreparePeerMessageNode(ctx, to, id, m, new(whatsmeow.MessageDebugTimings))
	if err != nil {
		return err
	}
	return in.SendNode(ctx, *node)
}
