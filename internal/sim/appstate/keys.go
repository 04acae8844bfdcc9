package appstate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
)

const macSize = 32

// Share holds every sync key, oldest first: what the phone sends to a new device. The newest encrypts.
func (s *State) Share() *waE2E.AppStateSyncKeyShare {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.share(nil)
}

// ShareOf answers a device's request for keys: those of the ids that exist; the others come without data, as from a
// phone that doesn't have them.
func (s *State) ShareOf(ids ...[]byte) *waE2E.AppStateSyncKeyShare {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.share(ids)
}

// RotateKey makes a new sync key, with which the phone encrypts from now on, and returns the share to send to the
// devices. Until a device has it, it can't read what the phone changes.
func (s *State) RotateKey() (*waE2E.AppStateSyncKeyShare, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.newKey()
	if err != nil {
		return nil, err
	}
	return s.share([][]byte{k.id}), nil
}

// key is a sync key with what is derived from it.
type key struct {
	id, data  []byte // 6 and 32 bytes
	epoch     uint32
	timestamp int64 // ms; devices take the key with the highest one as the newest

	index, value, valueMAC, snapshotMAC, patchMAC []byte // 32 bytes each
}

// newKey appends a key whose id is a device number (0, the phone), two bytes, and an epoch that grows, four bytes.
func (s *State) newKey() (*key, error) {
	random := make([]byte, 4+32)
	if _, err := io.ReadFull(s.opts.Rand, random); err != nil {
		return nil, fmt.Errorf("new sync key: %w", err)
	}
	k := &key{
		data:      random[4:],
		epoch:     binary.BigEndian.Uint32(random[:4]) >> 1,
		timestamp: s.opts.Now().UnixMilli(),
	}
	if n := len(s.keys); n > 0 {
		k.epoch = s.keys[n-1].epoch + 1
		k.timestamp = max(k.timestamp, s.keys[n-1].timestamp+1)
	}
	k.id = binary.BigEndian.AppendUint32([]byte{0, 0}, k.epoch)
	b, err := hkdf.Key(sha256.New, k.data, nil, "WhatsApp Mutation Keys", 5*32)
	if err != nil {
		return nil, fmt.Errorf("expand sync key: %w", err)
	}
	k.index, k.value, k.valueMAC, k.snapshotMAC, k.patchMAC = b[:32], b[32:64], b[64:96], b[96:128], b[128:]
	s.keys = append(s.keys, k)
	return k, nil
}

func (s *State) latestKey() *key { return s.keys[len(s.keys)-1] }

func (s *State) keyByID(id []byte) *key {
	for _, k := range s.keys {
		if slices.Equal(k.id, id) {
			return k
		}
	}
	return nil
}

// share lists the keys of the ids, all keys for nil.
func (s *State) share(ids [][]byte) *waE2E.AppStateSyncKeyShare {
	if ids == nil {
		for _, k := range s.keys {
			ids = append(ids, k.id)
		}
	}
	share := &waE2E.AppStateSyncKeyShare{}
	for _, id := range ids {
		out := &waE2E.AppStateSyncKey{KeyID: &waE2E.AppStateSyncKeyId{KeyID: slices.Clone(id)}}
		if k := s.keyByID(id); k != nil {
			out.KeyData = &waE2E.AppStateSyncKeyData{
				KeyData:   slices.Clone(k.data),
				Timestamp: proto.Int64(k.timestamp),
				Fingerprint: &waE2E.AppStateSyncKeyFingerprint{
					RawID:         proto.Uint32(s.rawID),
					CurrentIndex:  proto.Uint32(uint32(slices.Index(s.keys, k))),
					DeviceIndexes: []uint32{0, 1},
				},
			}
		}
		share.Keys = append(share.Keys, out)
	}
	return share
}

// seal encrypts a mutation: index blob = HMAC of the index in JSON; value blob = iv ‖ AES-256-CBC ‖ MAC of both.
func (k *key) seal(m Mutation, random io.Reader) (*waServerSync.SyncdMutation, error) {
	index, err := json.Marshal(m.Index)
	if err != nil {
		return nil, fmt.Errorf("encode index: %w", err)
	}
	plain, err := proto.Marshal(&waSyncAction.SyncActionData{
		Index: index, Value: m.Value, Padding: []byte{}, Version: proto.Int32(m.Version),
	})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Index[0], err)
	}
	blob, err := k.encrypt(plain, m.Operation, random)
	if err != nil {
		return nil, err
	}
	return &waServerSync.SyncdMutation{
		Operation: m.Operation.Enum(),
		Record: &waServerSync.SyncdRecord{
			Index: &waServerSync.SyncdIndex{Blob: mac(sha256.New, k.index, index)},
			Value: &waServerSync.SyncdValue{Blob: blob},
			KeyID: &waServerSync.KeyId{ID: k.id},
		},
	}, nil
}

// encrypt makes a value blob.
func (k *key) encrypt(plain []byte, op Operation, random io.Reader) ([]byte, error) {
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	blob := make([]byte, aes.BlockSize+len(plain)+pad, aes.BlockSize+len(plain)+pad+macSize)
	if _, err := io.ReadFull(random, blob[:aes.BlockSize]); err != nil {
		return nil, fmt.Errorf("iv: %w", err)
	}
	copy(blob[aes.BlockSize:], plain)
	for i := aes.BlockSize + len(plain); i < len(blob); i++ {
		blob[i] = byte(pad)
	}
	block, err := aes.NewCipher(k.value)
	if err != nil {
		return nil, fmt.Errorf("value key: %w", err)
	}
	cipher.NewCBCEncrypter(block, blob[:aes.BlockSize]).CryptBlocks(blob[aes.BlockSize:], blob[aes.BlockSize:])
	return append(blob, k.macOfValue(op, blob)...), nil
}

// open verifies and decrypts a mutation. Its errors wrap ErrMalformed, ErrValueMAC or ErrIndexMAC.
func (k *key) open(m *waServerSync.SyncdMutation) (Mutation, error) {
	blob := m.GetRecord().GetValue().GetBlob()
	if len(blob) < 2*aes.BlockSize+macSize || len(blob)%aes.BlockSize != 0 {
		return Mutation{}, fmt.Errorf("%w: value of %d bytes", ErrMalformed, len(blob))
	}
	body, sum := blob[:len(blob)-macSize], blob[len(blob)-macSize:]
	if !hmac.Equal(sum, k.macOfValue(m.GetOperation(), body)) {
		return Mutation{}, ErrValueMAC
	}
	block, err := aes.NewCipher(k.value)
	if err != nil {
		return Mutation{}, fmt.Errorf("value key: %w", err)
	}
	plain := make([]byte, len(body)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, body[:aes.BlockSize]).CryptBlocks(plain, body[aes.BlockSize:])
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || slices.ContainsFunc(plain[len(plain)-pad:], func(b byte) bool { return int(b) != pad }) {
		return Mutation{}, fmt.Errorf("%w: padding", ErrMalformed)
	}
	var data waSyncAction.SyncActionData
	if err := proto.Unmarshal(plain[:len(plain)-pad], &data); err != nil {
		return Mutation{}, fmt.Errorf("%w: value is no SyncActionData", ErrMalformed)
	}
	if !hmac.Equal(m.GetRecord().GetIndex().GetBlob(), mac(sha256.New, k.index, data.GetIndex())) {
		return Mutation{}, ErrIndexMAC
	}
	out := Mutation{Version: data.GetVersion(), Value: data.GetValue(), Operation: m.GetOperation()}
	if err := json.Unmarshal(data.GetIndex(), &out.Index); err != nil || len(out.Index) == 0 {
		return Mutation{}, fmt.Errorf("%w: index is no list of strings", ErrMalformed)
	}
	return out, nil
}

// macOfValue covers the operation, the key id and iv‖ciphertext; the last term is the length of what precedes the latter.
func (k *key) macOfValue(op Operation, body []byte) []byte {
	return mac(sha512.New, k.valueMAC, []byte{byte(op) + 1}, k.id, body, be64(uint64(len(k.id)+1)))[:macSize]
}

// macOfSnapshot covers the state of a collection.
func (k *key) macOfSnapshot(hash lthash, version uint64, name Name) []byte {
	return mac(sha256.New, k.snapshotMAC, hash[:], be64(version), []byte(name))
}

// macOfPatch covers a patch: its snapshot MAC and the value MAC of every mutation.
func (k *key) macOfPatch(snapshotMAC []byte, mutations []*waServerSync.SyncdMutation, version uint64, name Name) []byte {
	parts := [][]byte{snapshotMAC}
	for _, m := range mutations {
		parts = append(parts, valueMAC(m.GetRecord()))
	}
	return mac(sha256.New, k.patchMAC, append(parts, be64(version), []byte(name))...)
}

// valueMAC is the end of a record's value; nil when it is too short to have one.
func valueMAC(r *waServerSync.SyncdRecord) []byte {
	blob := r.GetValue().GetBlob()
	if len(blob) < macSize {
		return nil
	}
	return blob[len(blob)-macSize:]
}

func mac(h func() hash.Hash, key []byte, parts ...[]byte) []byte {
	m := hmac.New(h, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
