package keystore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

const eventPrefix = "b/"

func eventSort(hash [32]byte) string { return eventPrefix + hex.EncodeToString(hash[:]) }

// eventRecord is a decrypted message. Its bytes: both times (varints), 1 and the plaintext unless it is handled.
type eventRecord struct {
	server    int64 // seconds since 1970
	inserted  int64 // milliseconds since 1970
	waits     bool  // for its handler
	plaintext []byte
}

func (e eventRecord) bytes() []byte {
	b := binary.AppendVarint(nil, e.server)
	b = binary.AppendVarint(b, e.inserted)
	if e.waits {
		b = append(append(b, 1), e.plaintext...)
	}
	return b
}

func decodeEvent(b []byte) (e eventRecord, err error) {
	var n, m int
	if e.server, n = binary.Varint(b); n <= 0 {
		return e, errCorrupt
	}
	if e.inserted, m = binary.Varint(b[n:]); m <= 0 {
		return e, errCorrupt
	}
	if b = b[n+m:]; len(b) > 0 {
		e.waits, e.plaintext = true, b[1:]
	}
	return e, nil
}

// GetBufferedEvent returns nil for a message that isn't known, and one without plaintext for one that was handled.
func (k *deviceKeys) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	b, err := k.get(ctx, eventSort(hash))
	if err != nil || b == nil {
		return nil, err
	}
	e, err := decodeEvent(b)
	if err != nil {
		return nil, err
	}
	event := &store.BufferedEvent{ServerTime: time.Unix(e.server, 0), InsertTime: time.UnixMilli(e.inserted)}
	if e.waits {
		event.Plaintext = append([]byte{}, e.plaintext...)
	}
	return event, nil
}

var errEventExists = errors.New("key store: the event is buffered already")

func (k *deviceKeys) PutBufferedEvent(ctx context.Context, hash [32]byte, plaintext []byte, serverTimestamp time.Time) error {
	e := eventRecord{serverTimestamp.Unix(), k.c.opts.Now().UnixMilli(), true, bytes.Clone(plaintext)}
	if known, err := k.get(ctx, eventSort(hash)); err != nil {
		return err
	} else if known != nil {
		return errEventExists
	}
	return k.change(ctx, eventSort(hash), func(old []byte) ([]byte, error) {
		if old != nil {
			return nil, refused("decrypt", errEventExists)
		}
		return e.bytes(), nil
	})
}

// ClearBufferedEventPlaintext remembers that the message was handled, for as long as WhatsApp may deliver it again.
func (k *deviceKeys) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	return k.change(ctx, eventSort(hash), func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, nil
		}
		e, err := decodeEvent(old)
		e.waits = false
		return e.bytes(), err
	})
}

// DeleteOldBufferedHashes does nothing: they expire.
func (k *deviceKeys) DeleteOldBufferedHashes(context.Context) error { return nil }

// whatsmeow keeps sent messages in memory, unless it is told to ask for them here.
var errNoOutgoing = errors.New("key store: sent messages aren't kept")

// AddOutgoingEvent implements store.EventBuffer.
func (k *deviceKeys) AddOutgoingEvent(context.Context, types.JID, types.MessageID, string, []byte) error {
	return errNoOutgoing
}

// GetOutgoingEvent implements store.EventBuffer.
func (k *deviceKeys) GetOutgoingEvent(context.Context, types.JID, types.JID, types.MessageID) (string, []byte, error) {
	return "", nil, errNoOutgoing
}

// DeleteOldOutgoingEvents implements store.EventBuffer.
func (k *deviceKeys) DeleteOldOutgoingEvents(context.Context) error { return nil }
