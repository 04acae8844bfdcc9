package whatsapp

import (
	"context"
	"errors"

	"go.mau.fi/whatsmeow/store"
)

// watchBuffer has the device reconnect when the store gives up on a message that is being decrypted: whatsmeow leaves such a
// message unacknowledged, and tells nobody. It is called while there is no connection.
func (r *run) watchBuffer() {
	if _, watched := r.keys.EventBuffer.(watchedBuffer); !watched && r.keys.EventBuffer != nil {
		r.keys.EventBuffer = watchedBuffer{r.keys.EventBuffer, r.again}
	}
}

// watchedBuffer is whatsmeow's store of decrypted messages.
type watchedBuffer struct {
	store.EventBuffer
	again func(error)
}

// GetBufferedEvent implements store.EventBuffer.
func (w watchedBuffer) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	e, err := w.EventBuffer.GetBufferedEvent(ctx, hash)
	w.look(ctx, err)
	return e, err
}

// DoDecryptionTxn implements store.EventBuffer.
func (w watchedBuffer) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	err := w.EventBuffer.DoDecryptionTxn(ctx, decrypt)
	w.look(ctx, err)
	return err
}

// look tells a store that gave up, which says that something was cancelled, from a device that ends.
func (w watchedBuffer) look(ctx context.Context, err error) {
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		w.again(err)
	}
}
