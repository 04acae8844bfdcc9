package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow/store"
)

// failingBuffer fails to decrypt.
type failingBuffer struct {
	store.EventBuffer
	err error
}

func (b failingBuffer) DoDecryptionTxn(context.Context, func(context.Context) error) error {
	return b.err
}
func (b failingBuffer) GetBufferedEvent(context.Context, [32]byte) (*store.BufferedEvent, error) {
	return nil, b.err
}

func TestReconnectsWhenTheStoreGivesUp(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	gaveUp := fmt.Errorf("store: %w", context.Canceled)
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want int
	}{
		"gave up":        {t.Context(), gaveUp, 2},
		"device ends":    {ended, gaveUp, 0},
		"bad ciphertext": {t.Context(), errors.New("bad MAC"), 0},
		"fine":           {t.Context(), nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			again := 0
			b := watchedBuffer{failingBuffer{err: c.err}, func(error) { again++ }}
			if err := b.DoDecryptionTxn(c.ctx, nil); err != c.err {
				t.Errorf("decrypt: %v", err)
			}
			if _, err := b.GetBufferedEvent(c.ctx, [32]byte{}); err != c.err {
				t.Errorf("get: %v", err)
			}
			if again != c.want {
				t.Errorf("reconnects %d times, want %d", again, c.want)
			}
		})
	}
}
