package keystore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/kv"
)

// Ratchets step forward when a message is encrypted or decrypted: Signal sessions with their identity keys, and sender keys.

const ratchetPrefix = "r/"

func peerSort(address string) string          { return ratchetPrefix + address }
func memberSort(group, address string) string { return ratchetPrefix + address + "#" + group }
func isMember(sort string) bool               { return strings.Contains(sort, "#") }

func isConflict(err error) bool { return errors.Is(err, kv.ErrConflict) }
func isFenced(err error) bool   { return errors.Is(err, kv.ErrFenced) }

// ratchet is what is kept of a peer's device, or, with a session only, of a group member's.
type ratchet struct {
	hasSession, hasIdentity bool
	session                 []byte
	identity                [32]byte
}

// A ratchet's bytes: flags (1 session, 2 identity), the identity if there is one, the session.
func decodeRatchet(b []byte) (r ratchet, err error) {
	if len(b) == 0 {
		return r, nil
	}
	r.hasSession, r.hasIdentity = b[0]&1 != 0, b[0]&2 != 0
	b = b[1:]
	if r.hasIdentity {
		if len(b) < len(r.identity) {
			return ratchet{}, errCorrupt
		}
		copy(r.identity[:], b)
		b = b[len(r.identity):]
	}
	r.session = b
	return r, nil
}

func ratchetOf(it *kv.Item) (ratchet, error) {
	b, err := valueOf(it)
	if err != nil {
		return ratchet{}, err
	}
	return decodeRatchet(b)
}

// bytes is nil when there is nothing to keep.
func (r ratchet) bytes() []byte {
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
	return append(b, r.session...)
}

func step(change func(*ratchet)) edit {
	return func(old []byte) ([]byte, error) {
		r, err := decodeRatchet(old)
		if err != nil {
			return nil, err
		}
		change(&r)
		return r.bytes(), nil
	}
}

func setSession(session []byte) edit {
	session = slices.Clone(session)
	return step(func(r *ratchet) { r.hasSession, r.session = true, session })
}

func setIdentity(key [32]byte) edit {
	return step(func(r *ratchet) { r.hasIdentity, r.identity = true, key })
}

var (
	dropSession  = step(func(r *ratchet) { r.hasSession, r.session = false, nil })
	dropIdentity = step(func(r *ratchet) { r.hasIdentity, r.identity = false, [32]byte{} })
)

func (k *deviceKeys) ratchet(ctx context.Context, sort string) (ratchet, error) {
	b, err := k.get(ctx, sort)
	if err != nil {
		return ratchet{}, err
	}
	return decodeRatchet(b)
}

func (k *deviceKeys) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return k.change(ctx, peerSort(address), setIdentity(key))
}

func (k *deviceKeys) DeleteIdentity(ctx context.Context, address string) error {
	return k.change(ctx, peerSort(address), dropIdentity)
}

func (k *deviceKeys) DeleteAllIdentities(ctx context.Context, phone string) error {
	return k.changeAll(ctx, phone, dropIdentity)
}

// IsTrustedIdentity trusts the first key of an address.
func (k *deviceKeys) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	r, err := k.ratchet(ctx, peerSort(address))
	return err == nil && (!r.hasIdentity || r.identity == key), err
}

// GetSession returns nil when there is none.
func (k *deviceKeys) GetSession(ctx context.Context, address string) ([]byte, error) {
	return k.session(ctx, peerSort(address))
}

func (k *deviceKeys) session(ctx context.Context, sort string) ([]byte, error) {
	r, err := k.ratchet(ctx, sort)
	if err != nil || !r.hasSession {
		return nil, err
	}
	return append([]byte{}, r.session...), nil
}

func (k *deviceKeys) HasSession(ctx context.Context, address string) (bool, error) {
	r, err := k.ratchet(ctx, peerSort(address))
	return r.hasSession, err
}

// GetManySessions returns an entry for every address, nil where there is no session.
func (k *deviceKeys) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	if len(addresses) == 0 {
		return nil, nil
	}
	sorts := make([]string, len(addresses))
	for i, a := range addresses {
		sorts[i] = peerSort(a)
	}
	found, err := k.getMany(ctx, sorts)
	if err != nil {
		return nil, err
	}
	sessions := make(map[string][]byte, len(addresses))
	for i, a := range addresses {
		r, err := decodeRatchet(found[sorts[i]])
		if err != nil {
			return nil, err
		}
		sessions[a] = nil
		if r.hasSession {
			sessions[a] = append([]byte{}, r.session...)
		}
	}
	return sessions, nil
}

func (k *deviceKeys) PutSession(ctx context.Context, address string, session []byte) error {
	return k.change(ctx, peerSort(address), setSession(session))
}

func (k *deviceKeys) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	edits := make(map[string]edit, len(sessions))
	for address, session := range sessions {
		edits[peerSort(address)] = setSession(session)
	}
	return k.changeMany(ctx, edits)
}

func (k *deviceKeys) DeleteSession(ctx context.Context, address string) error {
	return k.change(ctx, peerSort(address), dropSession)
}

func (k *deviceKeys) DeleteAllSessions(ctx context.Context, phone string) error {
	return k.changeAll(ctx, phone, dropSession)
}

func (k *deviceKeys) PutSenderKey(ctx context.Context, group, user string, session []byte) error {
	return k.change(ctx, memberSort(group, user), setSession(session))
}

// GetSenderKey returns nil when there is none.
func (k *deviceKeys) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	return k.session(ctx, memberSort(group, user))
}

// changeAll edits the ratchets of all of a user's devices.
func (k *deviceKeys) changeAll(ctx context.Context, user string, e edit) error {
	return k.collect(ctx, func(ctx context.Context) error {
		found, err := k.list(ctx, peerSort(user+":"))
		if err != nil {
			return err
		}
		edits := map[string]edit{}
		for sort := range found {
			if !isMember(sort) {
				edits[sort] = e
			}
		}
		return k.changeMany(ctx, edits)
	})
}

// MigratePNToLID moves sessions, identities and sender keys over what is there, once for each number.
func (k *deviceKeys) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	from, to := pn.SignalAddressUser(), lid.SignalAddressUser()
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return err
	}
	defer giveBack()
	if k.migrated[from] {
		return k.alive()
	}
	for range conflicts {
		if err = k.migrate(ctx, from, to); !isConflict(err) {
			break
		}
	}
	if err != nil {
		k.unsure.Store(true)
		return err
	}
	k.migrated[from] = true
	return nil
}

// movesTogether is how many ratchets one write moves: two puts each, and the check of the owner.
const movesTogether = (kv.MaxTogether - 1) / 2

// migrate moves each ratchet whole or not at all, if this is still the owner.
func (k *deviceKeys) migrate(ctx context.Context, from, to string) error {
	found, err := k.list(ctx, peerSort(from+":"))
	if err != nil {
		return err
	}
	sources := make([]string, 0, len(found))
	for sort := range found {
		sources = append(sources, sort)
	}
	slices.Sort(sources)
	for some := range slices.Chunk(sources, movesTogether) {
		var sorts []string
		for _, source := range some {
			sorts = append(sorts, source, peerSort(to)+strings.TrimPrefix(source, peerSort(from)))
		}
		items, err := k.load(ctx, sorts)
		if err != nil {
			return err
		}
		var puts []kv.Op
		for i := 0; i < len(sorts); i += 2 {
			moved, err := ratchetOf(items[i])
			if err != nil {
				return err
			}
			target, err := ratchetOf(items[i+1])
			if err != nil {
				return err
			}
			if moved.hasSession {
				target.hasSession, target.session = true, moved.session
			}
			if moved.hasIdentity {
				target.hasIdentity, target.identity = true, moved.identity
			}
			puts = append(puts, k.put(sorts[i], nil, items[i]), k.put(sorts[i+1], target.bytes(), items[i+1]))
		}
		together := kv.Together(append(puts[:len(puts):len(puts)], k.account.owned())...)
		if err := k.wrote(puts, k.account.kv.Write(ctx, together)); err != nil {
			return err
		}
	}
	return nil
}
