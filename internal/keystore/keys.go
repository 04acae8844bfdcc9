package keystore

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// deviceKeys is all that one linked device keeps, but for its own keys. It is safe for concurrent use. In a decryption (DoDecryptionTxn),
// sessions, identities, sender keys, pre keys' removal and the event are one; everything else happens at once.
type deviceKeys struct {
	p        *partition
	ratchets *ratchets
	preKeys  *preKeys
	appState *appState
	lids     *lidMap
}

var _ store.AllSessionSpecificStores = (*deviceKeys)(nil)

func newDeviceKeys(p *partition) *deviceKeys {
	preKeys := &preKeys{p: p}
	return &deviceKeys{p: p, preKeys: preKeys, ratchets: newRatchets(p, preKeys), appState: &appState{p: p}, lids: &lidMap{p: p}}
}

// flush writes all that waits.
func (k *deviceKeys) flush(ctx context.Context) error {
	if err := k.ratchets.flushAll(ctx); err != nil {
		return err
	}
	return k.appState.flush(ctx)
}

func (k *deviceKeys) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return k.ratchets.change(ctx, peerSort(address), setIdentity(key))
}

func (k *deviceKeys) DeleteIdentity(ctx context.Context, address string) error {
	return k.ratchets.change(ctx, peerSort(address), dropIdentity)
}

func (k *deviceKeys) DeleteAllIdentities(ctx context.Context, phone string) error {
	return k.ratchets.changeAll(ctx, phone, dropIdentity)
}

// IsTrustedIdentity trusts the first key of an address.
func (k *deviceKeys) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	r, err := k.ratchets.get(ctx, peerSort(address))
	if err != nil {
		return false, err
	}
	return !r.hasIdentity || r.identity == key, nil
}

// GetSession returns nil when there is none.
func (k *deviceKeys) GetSession(ctx context.Context, address string) ([]byte, error) {
	return k.session(ctx, peerSort(address))
}

func (k *deviceKeys) session(ctx context.Context, sort string) ([]byte, error) {
	r, err := k.ratchets.get(ctx, sort)
	if err != nil || !r.hasSession {
		return nil, err
	}
	return append([]byte{}, r.session...), nil
}

func (k *deviceKeys) HasSession(ctx context.Context, address string) (bool, error) {
	r, err := k.ratchets.get(ctx, peerSort(address))
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
	records, err := k.ratchets.getMany(ctx, sorts)
	if err != nil {
		return nil, err
	}
	sessions := make(map[string][]byte, len(addresses))
	for i, a := range addresses {
		sessions[a] = nil
		if r := records[sorts[i]]; r.hasSession {
			sessions[a] = append([]byte{}, r.session...)
		}
	}
	return sessions, nil
}

func (k *deviceKeys) PutSession(ctx context.Context, address string, session []byte) error {
	return k.ratchets.change(ctx, peerSort(address), setSession(session))
}

func (k *deviceKeys) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	steps := make(map[string]step, len(sessions))
	for address, session := range sessions {
		steps[peerSort(address)] = setSession(session)
	}
	return k.ratchets.changeMany(ctx, steps)
}

func (k *deviceKeys) DeleteSession(ctx context.Context, address string) error {
	return k.ratchets.change(ctx, peerSort(address), dropSession)
}

func (k *deviceKeys) DeleteAllSessions(ctx context.Context, phone string) error {
	return k.ratchets.changeAll(ctx, phone, dropSession)
}

// MigratePNToLID moves sessions, identities and sender keys, once for each number.
func (k *deviceKeys) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	err := k.ratchets.migrate(ctx, pn.SignalAddressUser(), lid.SignalAddressUser())
	if err != nil {
		k.p.unsure.Store(true)
	}
	return err
}

func (k *deviceKeys) PutSenderKey(ctx context.Context, group, user string, session []byte) error {
	return k.ratchets.change(ctx, memberSort(group, user), setSession(session))
}

// GetSenderKey returns nil when there is none.
func (k *deviceKeys) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	return k.session(ctx, memberSort(group, user))
}

// GetBufferedEvent returns nil for a message that isn't known, and one without plaintext for one that was handled, if that isn't long ago.
func (k *deviceKeys) GetBufferedEvent(ctx context.Context, ciphertextHash [32]byte) (*store.BufferedEvent, error) {
	e, err := k.ratchets.event(ctx, ciphertextHash)
	if err != nil || e == nil {
		return nil, err
	}
	return e.event(), nil
}

func (k *deviceKeys) PutBufferedEvent(ctx context.Context, ciphertextHash [32]byte, plaintext []byte, serverTimestamp time.Time) error {
	return k.ratchets.addEvent(ctx, ciphertextHash, &eventRecord{
		plaintext: append([]byte{}, plaintext...), server: serverTimestamp.Unix(), inserted: k.p.c.opts.Now().UnixMilli(),
	})
}

func (k *deviceKeys) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	return k.ratchets.decrypt(ctx, fn)
}

func (k *deviceKeys) ClearBufferedEventPlaintext(ctx context.Context, ciphertextHash [32]byte) error {
	return k.ratchets.clearEvent(ctx, ciphertextHash)
}

// DeleteOldBufferedHashes is for what is in memory; what is in the table expires.
func (k *deviceKeys) DeleteOldBufferedHashes(context.Context) error {
	k.ratchets.forgetEvents(k.p.c.opts.Now())
	return nil
}
