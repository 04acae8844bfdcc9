package keystore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// WhatsApp keeps what isn't acknowledged for 14 days, and whatsmeow what it sent for 7.
const (
	eventAge    = 14 * 24 * time.Hour
	outgoingAge = 7 * 24 * time.Hour
)

type eventHash = [32]byte

// eventRecord is a decrypted message.
type eventRecord struct {
	plaintext []byte // nil once it is handled
	server    int64  // seconds since 1970
	inserted  int64  // milliseconds since 1970
}

func (e *eventRecord) event() *store.BufferedEvent {
	return &store.BufferedEvent{
		Plaintext: slices.Clone(e.plaintext), ServerTime: time.Unix(e.server, 0), InsertTime: time.UnixMilli(e.inserted),
	}
}

func (e *eventRecord) bytes() []byte {
	b := binary.AppendVarint(nil, e.server)
	b = binary.AppendVarint(b, e.inserted)
	return append(b, e.plaintext...)
}

func decodeEvent(b []byte) (*eventRecord, error) {
	var e eventRecord
	var n, m int
	if e.server, n = binary.Varint(b); n <= 0 {
		return nil, errCorrupt
	}
	if e.inserted, m = binary.Varint(b[n:]); m <= 0 {
		return nil, errCorrupt
	}
	e.plaintext = b[n+m:]
	if e.plaintext == nil {
		e.plaintext = []byte{}
	}
	return &e, nil
}

// clearedEvents remembers the messages that were handled last. One that WhatsApp delivers again later is told by the
// ratchet's counter instead.
type clearedEvents struct {
	events map[eventHash]*eventRecord
	order  []eventHash
}

const mostCleared = 256

func (c *clearedEvents) add(h eventHash, e *eventRecord) {
	if c.events == nil {
		c.events = map[eventHash]*eventRecord{}
	}
	if c.events[h] == nil {
		c.order = append(c.order, h)
	}
	c.events[h] = &eventRecord{server: e.server, inserted: e.inserted}
	if len(c.order) > mostCleared {
		delete(c.events, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
}

const eventPrefix = "b:"

func eventSort(h eventHash) string { return eventPrefix + hex.EncodeToString(h[:]) }

// decryption is what DoDecryptionTxn's function did so far.
type decryption struct {
	of      *ratchets
	steps   map[string][]step
	removed map[uint32]bool
	events  map[eventHash]*eventRecord
}

type decryptionKey struct{}

// decryptionOf is nil outside a decryption of this device.
func decryptionOf(ctx context.Context, r *ratchets) *decryption {
	if d, ok := ctx.Value(decryptionKey{}).(*decryption); ok && d.of == r {
		return d
	}
	return nil
}

// decrypt runs f. If f succeeds its steps are seen by all from then on, together; else they are dropped.
func (r *ratchets) decrypt(ctx context.Context, f func(context.Context) error) error {
	if decryptionOf(ctx, r) != nil {
		return f(ctx)
	}
	r.decrypting.Lock()
	defer r.decrypting.Unlock()
	if r.p.unsure.Swap(false) {
		return &refusal{doing: "decrypt with what may be another's session"}
	}
	d := &decryption{of: r, steps: map[string][]step{}, removed: map[uint32]bool{}, events: map[eventHash]*eventRecord{}}
	if err := f(context.WithValue(ctx, decryptionKey{}, d)); err != nil {
		return err
	}
	return r.commit(ctx, d)
}

func (r *ratchets) commit(ctx context.Context, d *decryption) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := r.take(ctx, d.steps); err != nil {
		return err
	}
	r.mu.Lock()
	for id := range d.removed {
		r.removed[id] = true
	}
	for h, e := range d.events {
		r.events[h] = e
	}
	full := len(r.waiting) > mostWaiting || len(r.events) > mostWaiting
	r.mu.Unlock()
	if full || len(d.events) == 0 {
		return r.flush(ctx, nil)
	}
	return nil
}

// event returns nil for a message that isn't known.
func (r *ratchets) event(ctx context.Context, h eventHash) (*eventRecord, error) {
	if err := r.p.alive(); err != nil {
		return nil, err
	}
	if d := decryptionOf(ctx, r); d != nil && d.events[h] != nil {
		return d.events[h], nil
	}
	r.mu.Lock()
	e, cleared, stored := r.events[h], r.cleared.events[h], r.stored[h]
	r.mu.Unlock()
	switch {
	case e != nil:
		return e, nil
	case cleared != nil:
		return cleared, nil
	case !stored:
		return nil, nil
	}
	b, err := r.p.read(ctx, eventSort(h))
	if err != nil || b == nil {
		return nil, err
	}
	return decodeEvent(b)
}

var errEventExists = errors.New("device store: the event is buffered already")

func (r *ratchets) addEvent(ctx context.Context, h eventHash, e *eventRecord) error {
	if known, err := r.event(ctx, h); err != nil {
		return err
	} else if known != nil {
		return errEventExists
	}
	if d := decryptionOf(ctx, r); d != nil {
		d.events[h] = e
		return nil
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.storeEvent(ctx, h, e)
}

func (r *ratchets) storeEvent(ctx context.Context, h eventHash, e *eventRecord) error {
	if err := r.p.put(ctx, eventSort(h), e.bytes(), time.UnixMilli(e.inserted).Add(eventAge)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored[h] = true
	delete(r.events, h)
	return nil
}

// flushEvents stores the plaintexts that wait, but for the one that is done with; under writing.
func (r *ratchets) flushEvents(ctx context.Context, done *eventHash) error {
	r.mu.Lock()
	var hashes []eventHash
	var events []*eventRecord
	for h, e := range r.events {
		if done == nil || h != *done {
			hashes, events = append(hashes, h), append(events, e)
		}
	}
	r.mu.Unlock()
	return inParallel(ctx, len(hashes), func(ctx context.Context, i int) error {
		return r.storeEvent(ctx, hashes[i], events[i])
	})
}

// clearEvent forgets a message's plaintext and writes its ratchet.
func (r *ratchets) clearEvent(ctx context.Context, h eventHash) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	e, err := r.event(ctx, h)
	if err != nil || e == nil || e == r.cleared.events[h] {
		return err
	}
	if err := r.flush(ctx, &h); err != nil {
		return err
	}
	r.mu.Lock()
	stored := r.stored[h]
	r.mu.Unlock()
	if stored {
		if err := r.p.put(ctx, eventSort(h), nil, time.Time{}); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.events, h)
	delete(r.stored, h)
	r.cleared.add(h, e)
	return nil
}

// forgetEvents drops what WhatsApp won't deliver again.
func (r *ratchets) forgetEvents(now time.Time) {
	oldest := now.Add(-eventAge).UnixMilli()
	r.mu.Lock()
	defer r.mu.Unlock()
	for h, e := range r.events {
		if e.inserted < oldest {
			delete(r.events, h)
		}
	}
	r.cleared.order = slices.DeleteFunc(r.cleared.order, func(h eventHash) bool {
		old := r.cleared.events[h].inserted < oldest
		if old {
			delete(r.cleared.events, h)
		}
		return old
	})
}

// loadEvents learns which plaintexts are in the table.
func (r *ratchets) loadEvents(ctx context.Context) error {
	items, err := r.p.list(ctx, eventPrefix)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range items {
		if h, err := hex.DecodeString(it.sort[len(eventPrefix):]); err == nil && len(h) == len(eventHash{}) {
			r.stored[eventHash(h)] = true
		}
	}
	return nil
}

func outgoingSort(chat types.JID, id types.MessageID) string { return "o:" + chat.String() + "#" + id }

func (k *deviceKeys) AddOutgoingEvent(ctx context.Context, chat types.JID, id types.MessageID, format string, plaintext []byte) error {
	value := append(appendField(nil, []byte(format)), plaintext...)
	return k.p.put(ctx, outgoingSort(chat, id), value, k.p.c.opts.Now().Add(outgoingAge))
}

// GetOutgoingEvent returns sql.ErrNoRows when there is none, as whatsmeow's own store does.
func (k *deviceKeys) GetOutgoingEvent(ctx context.Context, chat, altChat types.JID, id types.MessageID) (string, []byte, error) {
	for _, c := range []types.JID{chat, altChat} {
		b, err := k.p.read(ctx, outgoingSort(c, id))
		if err != nil {
			return "", nil, err
		}
		if b == nil {
			continue
		}
		format, plaintext, ok := cutField(b)
		if !ok {
			return "", nil, errCorrupt
		}
		return string(format), plaintext, nil
	}
	return "", nil, sql.ErrNoRows
}

// DeleteOldOutgoingEvents does nothing: they expire.
func (k *deviceKeys) DeleteOldOutgoingEvents(context.Context) error { return nil }
