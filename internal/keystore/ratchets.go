package keystore

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// ratchets holds what steps forward when a message is encrypted or decrypted: Signal sessions with their identity keys, and sender keys. A step
// outside a decryption is written at once. One inside waits, with the plaintext, until the message's handler is done (see the package
// comment). Whatever is written of a device's ratchets, all that waits is written with it, in an order that is safe to be broken off:
// plaintexts, ratchets, removed pre keys.
type ratchets struct {
	p       *partition
	preKeys *preKeys

	decrypting sync.Mutex // held by a decryption
	writing    sync.Mutex // held by whoever changes or writes what waits

	mu      sync.Mutex
	waiting map[string][]byte          // sort key → record, nil for none
	removed map[uint32]bool            // pre keys
	events  map[eventHash]*eventRecord // plaintexts
	stored  map[eventHash]bool         // plaintexts in the table
	cleared clearedEvents

	migrated map[string]bool // PNs that have no records any more; under writing
}

// mostWaiting bounds what waits in memory of one device.
const mostWaiting = 64

func newRatchets(p *partition, k *preKeys) *ratchets {
	return &ratchets{
		p: p, preKeys: k, waiting: map[string][]byte{}, removed: map[uint32]bool{}, events: map[eventHash]*eventRecord{},
		stored: map[eventHash]bool{}, migrated: map[string]bool{},
	}
}

const ratchetPrefix = "r:"

func peerSort(address string) string          { return ratchetPrefix + address }
func memberSort(group, address string) string { return ratchetPrefix + address + "#" + group }
func isMember(sort string) bool               { return strings.Contains(sort, "#") }

// record is what is kept of a peer's device, or, with a session only, of a group member's.
type record struct {
	hasSession, hasIdentity bool
	session                 []byte
	identity                [32]byte
}

// A record's bytes: flags (1 session, 2 identity), the identity if there is one, the session.
func decodeRecord(b []byte) (r record, err error) {
	if len(b) == 0 {
		return r, nil
	}
	r.hasSession, r.hasIdentity = b[0]&1 != 0, b[0]&2 != 0
	b = b[1:]
	if r.hasIdentity {
		if len(b) < len(r.identity) {
			return record{}, errCorrupt
		}
		copy(r.identity[:], b)
		b = b[len(r.identity):]
	}
	r.session = b
	return r, nil
}

// bytes is nil when there is nothing to keep.
func (r record) bytes() []byte {
	if !r.hasSession && !r.hasIdentity {
		return nil
	}
	b := make([]byte, 1, 1+len(r.identity)+len(r.session))
	if r.hasSession {
		b[0] |= 1
	}
	if r.hasIdentity {
		b[0] |= 2
		b = append(b, r.identity[:]...)
	}
	if r.hasSession {
		b = append(b, r.session...)
	}
	return b
}

// step changes a record; steps of a decryption are kept apart until it succeeds.
type step func(*record)

func setSession(session []byte) step {
	session = slices.Clone(session)
	return func(r *record) { r.hasSession, r.session = true, session }
}

func dropSession(r *record) { r.hasSession, r.session = false, nil }

func setIdentity(key [32]byte) step {
	return func(r *record) { r.hasIdentity, r.identity = true, key }
}

func dropIdentity(r *record) { r.hasIdentity, r.identity = false, [32]byte{} }

// get returns the record as this context sees it, zero when there is none.
func (r *ratchets) get(ctx context.Context, sort string) (record, error) {
	b, err := r.bytes(ctx, sort)
	if err != nil {
		return record{}, err
	}
	rec, err := decodeRecord(b)
	if err != nil {
		return record{}, err
	}
	if d := decryptionOf(ctx, r); d != nil {
		for _, s := range d.steps[sort] {
			s(&rec)
		}
	}
	return rec, nil
}

func (r *ratchets) bytes(ctx context.Context, sort string) ([]byte, error) {
	if err := r.p.alive(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	b, found := r.waiting[sort]
	r.mu.Unlock()
	if found {
		return b, nil
	}
	return r.p.get(ctx, sort)
}

// getMany returns the records that there are.
func (r *ratchets) getMany(ctx context.Context, sorts []string) (map[string]record, error) {
	if _, err := r.p.getMany(ctx, sorts); err != nil { // into the cache, in one request
		return nil, err
	}
	found := make(map[string]record, len(sorts))
	for _, s := range sorts {
		rec, err := r.get(ctx, s)
		if err != nil {
			return nil, err
		}
		if rec.hasSession || rec.hasIdentity {
			found[s] = rec
		}
	}
	return found, nil
}

// change takes a step with a record: within a decryption for its end, else at once.
func (r *ratchets) change(ctx context.Context, sort string, s step) error {
	return r.changeMany(ctx, map[string]step{sort: s})
}

func (r *ratchets) changeMany(ctx context.Context, steps map[string]step) error {
	if d := decryptionOf(ctx, r); d != nil {
		for sort, s := range steps {
			d.steps[sort] = append(d.steps[sort], s)
		}
		return nil
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	taken := map[string][]step{}
	for sort, s := range steps {
		taken[sort] = []step{s}
	}
	if err := r.take(ctx, taken); err != nil {
		return err
	}
	return r.flush(ctx, nil)
}

// take puts what the steps lead to into what waits, all or nothing; under writing.
func (r *ratchets) take(ctx context.Context, steps map[string][]step) error {
	changed := map[string][]byte{}
	for sort, steps := range steps {
		old, err := r.bytes(ctx, sort)
		if err != nil {
			return err
		}
		rec, err := decodeRecord(old)
		if err != nil {
			return err
		}
		for _, s := range steps {
			s(&rec)
		}
		if b := rec.bytes(); !bytes.Equal(old, b) {
			changed[sort] = b
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.waiting, changed)
	return nil
}

// flush writes all that waits, but for the plaintext that is done with; under writing. What couldn't be written goes on waiting.
func (r *ratchets) flush(ctx context.Context, done *eventHash) error {
	if err := r.flushEvents(ctx, done); err != nil {
		return err
	}
	r.mu.Lock()
	sorts := slices.Sorted(maps.Keys(r.waiting))
	removed := slices.Sorted(maps.Keys(r.removed))
	r.mu.Unlock()
	err := inParallel(ctx, len(sorts), func(ctx context.Context, i int) error {
		r.mu.Lock()
		b := r.waiting[sorts[i]]
		r.mu.Unlock()
		if err := r.p.put(ctx, sorts[i], b, time.Time{}); err != nil {
			return err
		}
		r.mu.Lock()
		delete(r.waiting, sorts[i])
		r.mu.Unlock()
		return nil
	})
	if err != nil || len(removed) == 0 {
		return err
	}
	if err := r.preKeys.delete(ctx, removed); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range removed {
		delete(r.removed, id)
	}
	return nil
}

func (r *ratchets) flushAll(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.flush(ctx, nil)
}

// changeAll takes a step with all records of a user's devices, in no decryption.
func (r *ratchets) changeAll(ctx context.Context, user string, s step) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	all, err := r.ofUser(ctx, user)
	if err != nil {
		return err
	}
	steps := map[string][]step{}
	for sort := range all {
		if !isMember(sort) {
			steps[sort] = []step{s}
		}
	}
	if err := r.take(ctx, steps); err != nil {
		return err
	}
	return r.flush(ctx, nil)
}

// ofUser returns the records of a user's devices, sender keys too; under writing.
func (r *ratchets) ofUser(ctx context.Context, user string) (map[string]record, error) {
	prefix := peerSort(user + ":")
	items, err := r.p.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte, len(items))
	for _, it := range items {
		values[it.sort] = it.value
	}
	r.mu.Lock()
	for sort, b := range r.waiting {
		if strings.HasPrefix(sort, prefix) {
			values[sort] = b
		}
	}
	r.mu.Unlock()
	records := make(map[string]record, len(values))
	for sort, b := range values {
		if b != nil {
			if records[sort], err = decodeRecord(b); err != nil {
				return nil, err
			}
		}
	}
	return records, nil
}

// mostMoves is how many records one transaction moves: two writes each, and the check of the ownership, out of 100.
const mostMoves = 49

// migrate moves all records of a user to another, over what is there. A record is moved whole or not at all.
func (r *ratchets) migrate(ctx context.Context, from, to string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.migrated[from] {
		return nil
	}
	if err := r.flush(ctx, nil); err != nil {
		return err
	}
	records, err := r.ofUser(ctx, from)
	if err != nil {
		return err
	}
	sorts := slices.Sorted(maps.Keys(records))
	for chunk := range slices.Chunk(sorts, mostMoves) {
		var writes []sorted
		for _, sort := range chunk {
			target := peerSort(to) + strings.TrimPrefix(sort, peerSort(from))
			rec, err := r.get(ctx, target)
			if err != nil {
				return err
			}
			if moved := records[sort]; moved.hasSession {
				setSession(moved.session)(&rec)
			}
			if moved := records[sort]; moved.hasIdentity {
				setIdentity(moved.identity)(&rec)
			}
			writes = append(writes, sorted{target, rec.bytes()}, sorted{sort, nil})
		}
		if err := r.p.transact(ctx, writes); err != nil {
			return err
		}
	}
	r.migrated[from] = true
	return nil
}
