package sim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	groups "go.mau.fi/libsignal/groups/state/record"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/util/optional"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/keys"
)

var errNoKey = errors.New("no such key")

// signalStore is a person's side of the Signal protocol, in memory. libsignal changes the records that it is given even
// when it then fails to decrypt, so that it gets copies then; encrypting, which must be cheap, works on the record itself.
// The store isn't safe for concurrent use: its owner's lock guards it.
type signalStore struct {
	identity   *keys.KeyPair
	regID      uint32
	signed     *keys.PreKey
	preKeys    map[uint32]*keys.PreKey // one-time, given out and not yet used
	nextPreKey uint32
	sessions   map[string]*record.Session
	encrypting bool
	senderKeys map[string][]byte
}

func newSignalStore() *signalStore {
	pair := keys.NewKeyPair()
	var id [4]byte
	_, _ = rand.Read(id[:])
	return &signalStore{
		identity: pair, regID: binary.BigEndian.Uint32(id[:])&0x3fff + 1, signed: pair.CreateSignedPreKey(1),
		preKeys: map[uint32]*keys.PreKey{}, sessions: map[string]*record.Session{}, senderKeys: map[string][]byte{},
	}
}

// deviceKeys are the public keys of a linked device, as the server holds them. Device.mu guards preKeys and seen.
type deviceKeys struct {
	noise    []byte // 32 B
	identity []byte // 32 B
	regID    uint32
	signed   publicPreKey
	preKeys  []publicPreKey      // one-time, the next to give out first
	seen     map[uint32][32]byte // all one-time keys so far, by id
	adv      []byte              // details of the device's identity, signed by the account and by the device
}

type publicPreKey struct {
	id  uint32
	pub [32]byte
	sig [64]byte // of a signed pre key, over 05‖pub
}

// bundle is what a session is built from. one may be nil: a session without a one-time key.
func (k *deviceKeys) bundle(device uint32, one *publicPreKey) *prekey.Bundle {
	id, pub := optional.NewEmptyUint32(), ecc.ECPublicKeyable(nil)
	if one != nil {
		id, pub = optional.NewOptionalUint32(one.id), ecc.NewDjbECPublicKey(one.pub)
	}
	return prekey.NewBundle(k.regID, device, id, k.signed.id, pub, ecc.NewDjbECPublicKey(k.signed.pub), k.signed.sig,
		identity.NewKey(ecc.NewDjbECPublicKey([32]byte(k.identity))))
}

// startSession builds a session from a bundle; it becomes the current one with this address.
func (s *signalStore) startSession(ctx context.Context, a *protocol.SignalAddress, b *prekey.Bundle) error {
	return session.NewBuilderFromSignal(s, a, store.SignalProtobufSerializer).ProcessBundle(ctx, b)
}

func (s *signalStore) hasSession(a *protocol.SignalAddress) bool {
	return s.sessions[a.String()] != nil
}

func (s *signalStore) encrypt(
	ctx context.Context, a *protocol.SignalAddress, plain []byte,
) (kind string, data []byte, err error) {
	s.encrypting = true
	defer func() { s.encrypting = false }()
	b := session.NewBuilderFromSignal(s, a, store.SignalProtobufSerializer)
	m, err := session.NewCipher(b, a).Encrypt(ctx, pad(plain))
	if err != nil {
		return "", nil, err
	}
	kind = "msg"
	if m.Type() == protocol.PREKEY_TYPE {
		kind = "pkmsg"
	}
	return kind, m.Serialize(), nil
}

// decrypt opens a msg or pkmsg. id is the sender's identity key that must have been used.
func (s *signalStore) decrypt(ctx context.Context, a *protocol.SignalAddress, kind string, data, id []byte) ([]byte, error) {
	z := store.SignalProtobufSerializer
	cipher := session.NewCipher(session.NewBuilderFromSignal(s, a, z), a)
	if kind == "pkmsg" {
		m, err := protocol.NewPreKeySignalMessageFromBytes(data, z.PreKeySignalMessage, z.SignalMessage)
		if err != nil {
			return nil, err
		}
		if pub := m.IdentityKey().PublicKey().PublicKey(); !bytes.Equal(pub[:], id) {
			return nil, errors.New("another identity key than the device's")
		}
		plain, err := cipher.DecryptMessage(ctx, m)
		if err != nil {
			return nil, err
		}
		return unpad(plain)
	}
	m, err := protocol.NewSignalMessageFromBytes(data, z.SignalMessage)
	if err != nil {
		return nil, err
	}
	plain, err := cipher.Decrypt(ctx, m)
	if err != nil {
		return nil, err
	}
	return unpad(plain)
}

// confirm stops sending pre key messages in the current session: the other side has shown that it has the session.
func (s *signalStore) confirm(ctx context.Context, a *protocol.SignalAddress) error {
	r, err := s.LoadSession(ctx, a)
	if err != nil {
		return err
	}
	r.SessionState().ClearUnackPreKeyMessage()
	return s.StoreSession(ctx, a, r)
}

// oneTime makes a pre key to give out.
func (s *signalStore) oneTime() *keys.PreKey {
	s.nextPreKey++
	k := keys.NewPreKey(s.nextPreKey)
	s.preKeys[k.KeyID] = k
	return k
}

// pad appends n bytes of value n, 1..15.
func pad(plain []byte) []byte {
	var n [1]byte
	_, _ = rand.Read(n[:])
	size := int(n[0])%15 + 1
	return append(plain[:len(plain):len(plain)], bytes.Repeat([]byte{byte(size)}, size)...)
}

func unpad(plain []byte) ([]byte, error) {
	if len(plain) == 0 {
		return nil, errors.New("empty plaintext")
	}
	size := int(plain[len(plain)-1])
	if size == 0 || size > 16 || size > len(plain) ||
		!bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(size)}, size)) {
		return nil, errors.New("bad padding")
	}
	return plain[:len(plain)-size], nil
}

// What follows is libsignal's store interface.

// GetIdentityKeyPair returns the person's identity.
func (s *signalStore) GetIdentityKeyPair() *identity.KeyPair {
	return identity.NewKeyPair(identity.NewKey(ecc.NewDjbECPublicKey(*s.identity.Pub)), ecc.NewDjbECPrivateKey(*s.identity.Priv))
}

// GetLocalRegistrationID returns the person's registration id.
func (s *signalStore) GetLocalRegistrationID() uint32 { return s.regID }

// SaveIdentity does nothing: the server knows every device's identity.
func (s *signalStore) SaveIdentity(context.Context, *protocol.SignalAddress, *identity.Key) error {
	return nil
}

// IsTrustedIdentity trusts all: decrypt compares with the device's identity.
func (s *signalStore) IsTrustedIdentity(context.Context, *protocol.SignalAddress, *identity.Key) (bool, error) {
	return true, nil
}

// LoadPreKey fails for a key that was used or never given out.
func (s *signalStore) LoadPreKey(_ context.Context, id uint32) (*record.PreKey, error) {
	k := s.preKeys[id]
	if k == nil {
		return nil, fmt.Errorf("one-time pre key %d: %w", id, errNoKey)
	}
	return record.NewPreKey(id, pairOf(&k.KeyPair), nil), nil
}

// RemovePreKey forgets a used key.
func (s *signalStore) RemovePreKey(_ context.Context, id uint32) error {
	delete(s.preKeys, id)
	return nil
}

// StorePreKey isn't needed: oneTime makes the keys.
func (s *signalStore) StorePreKey(context.Context, uint32, *record.PreKey) error { return errNoKey }

// ContainsPreKey says whether a key is given out and unused.
func (s *signalStore) ContainsPreKey(_ context.Context, id uint32) (bool, error) {
	return s.preKeys[id] != nil, nil
}

// LoadSignedPreKey knows one key.
func (s *signalStore) LoadSignedPreKey(_ context.Context, id uint32) (*record.SignedPreKey, error) {
	if id != s.signed.KeyID {
		return nil, fmt.Errorf("signed pre key %d: %w", id, errNoKey)
	}
	return record.NewSignedPreKey(id, 0, pairOf(&s.signed.KeyPair), *s.signed.Signature, nil), nil
}

// LoadSignedPreKeys isn't used by sessions.
func (s *signalStore) LoadSignedPreKeys(context.Context) ([]*record.SignedPreKey, error) {
	return nil, errNoKey
}

// StoreSignedPreKey isn't used by sessions.
func (s *signalStore) StoreSignedPreKey(context.Context, uint32, *record.SignedPreKey) error {
	return errNoKey
}

// ContainsSignedPreKey says whether this is the signed pre key.
func (s *signalStore) ContainsSignedPreKey(_ context.Context, id uint32) (bool, error) {
	return id == s.signed.KeyID, nil
}

// RemoveSignedPreKey isn't used by sessions.
func (s *signalStore) RemoveSignedPreKey(context.Context, uint32) error { return errNoKey }

// LoadSession gives a new session where there is none.
func (s *signalStore) LoadSession(_ context.Context, a *protocol.SignalAddress) (*record.Session, error) {
	z := store.SignalProtobufSerializer
	r := s.sessions[a.String()]
	if r == nil {
		return record.NewSession(z.Session, z.State), nil
	}
	if s.encrypting {
		return r, nil
	}
	return record.NewSessionFromBytes(r.Serialize(), z.Session, z.State)
}

// GetSubDeviceSessions isn't used by sessions.
func (s *signalStore) GetSubDeviceSessions(context.Context, string) ([]uint32, error) {
	return nil, errNoKey
}

// StoreSession keeps a session.
func (s *signalStore) StoreSession(_ context.Context, a *protocol.SignalAddress, r *record.Session) error {
	s.sessions[a.String()] = r
	return nil
}

// ContainsSession says whether there is one.
func (s *signalStore) ContainsSession(_ context.Context, a *protocol.SignalAddress) (bool, error) {
	return s.hasSession(a), nil
}

// DeleteSession forgets a session.
func (s *signalStore) DeleteSession(_ context.Context, a *protocol.SignalAddress) error {
	delete(s.sessions, a.String())
	return nil
}

// DeleteAllSessions forgets all.
func (s *signalStore) DeleteAllSessions(context.Context) error {
	clear(s.sessions)
	return nil
}

// StoreSenderKey keeps a group's sender key.
func (s *signalStore) StoreSenderKey(_ context.Context, n *protocol.SenderKeyName, r *groups.SenderKey) error {
	s.senderKeys[senderKeyID(n)] = r.Serialize()
	return nil
}

// LoadSenderKey gives an empty one where there is none.
func (s *signalStore) LoadSenderKey(_ context.Context, n *protocol.SenderKeyName) (*groups.SenderKey, error) {
	z := store.SignalProtobufSerializer
	data := s.senderKeys[senderKeyID(n)]
	if data == nil {
		return groups.NewSenderKey(z.SenderKeyRecord, z.SenderKeyState), nil
	}
	return groups.NewSenderKeyFromBytes(data, z.SenderKeyRecord, z.SenderKeyState)
}

func senderKeyID(n *protocol.SenderKeyName) string { return n.GroupID() + " " + n.Sender().String() }

func pairOf(k *keys.KeyPair) *ecc.ECKeyPair {
	return ecc.NewECKeyPair(ecc.NewDjbECPublicKey(*k.Pub), ecc.NewDjbECPrivateKey(*k.Priv))
}
