package keystore

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.mau.fi/whatsmeow/util/keys"
)

// preKeys holds the one-time keys that WhatsApp hands out to those who write first, 24 in an item.
type preKeys struct {
	p          *partition
	generating sync.Mutex
}

// A key in an item takes 36 bytes: id (3, big endian), 1 if uploaded, private key (32).
const (
	preKeysPerItem = 24
	preKeyBytes    = 36
	preKeyPrefix   = "p:"
)

type preKey struct {
	id       uint32
	uploaded bool
	private  [32]byte
}

func (k preKey) key() *keys.PreKey {
	return &keys.PreKey{KeyPair: *keys.NewKeyPairFromPrivateKey(k.private), KeyID: k.id}
}

func preKeySort(id uint32) string { return fmt.Sprintf("%s%06x", preKeyPrefix, id/preKeysPerItem) }

func decodePreKeys(b []byte) ([]preKey, error) {
	if len(b)%preKeyBytes != 0 {
		return nil, errCorrupt
	}
	var ks []preKey
	for e := range slices.Chunk(b, preKeyBytes) {
		ks = append(ks, preKey{uint32(e[0])<<16 | uint32(e[1])<<8 | uint32(e[2]), e[3] == 1, [32]byte(e[4:])})
	}
	return ks, nil
}

func encodePreKeys(ks []preKey) []byte {
	var b []byte
	for _, k := range ks {
		var uploaded byte
		if k.uploaded {
			uploaded = 1
		}
		b = append(b, byte(k.id>>16), byte(k.id>>8), byte(k.id), uploaded)
		b = append(b, k.private[:]...)
	}
	return b
}

// all returns the keys in the order of their ids.
func (s *preKeys) all(ctx context.Context) ([]preKey, error) {
	items, err := s.p.list(ctx, preKeyPrefix)
	if err != nil {
		return nil, err
	}
	var all []preKey
	for _, it := range items {
		ks, err := decodePreKeys(it.value)
		if err != nil {
			return nil, err
		}
		all = append(all, ks...)
	}
	slices.SortFunc(all, func(a, b preKey) int { return int(a.id) - int(b.id) })
	return all, nil
}

// find returns nil when there is no such key.
func (s *preKeys) find(ctx context.Context, id uint32) (*keys.PreKey, error) {
	b, err := s.p.get(ctx, preKeySort(id))
	if err != nil {
		return nil, err
	}
	ks, err := decodePreKeys(b)
	if err != nil {
		return nil, err
	}
	for _, k := range ks {
		if k.id == id {
			return k.key(), nil
		}
	}
	return nil, nil
}

// change lets f work on the items that hold the ids.
func (s *preKeys) change(ctx context.Context, ids []uint32, f func([]preKey) []preKey) error {
	var sorts []string
	for _, id := range ids {
		sorts = append(sorts, preKeySort(id))
	}
	slices.Sort(sorts)
	sorts = slices.Compact(sorts)
	return inParallel(ctx, len(sorts), func(ctx context.Context, i int) error {
		return s.p.update(ctx, sorts[i], func(old []byte) ([]byte, error) {
			ks, err := decodePreKeys(old)
			if err != nil {
				return nil, err
			}
			ks = slices.DeleteFunc(f(ks), func(k preKey) bool { return preKeySort(k.id) != sorts[i] })
			return encodePreKeys(ks), nil
		})
	})
}

func (s *preKeys) delete(ctx context.Context, ids []uint32) error {
	return s.change(ctx, ids, func(ks []preKey) []preKey {
		return slices.DeleteFunc(ks, func(k preKey) bool { return slices.Contains(ids, k.id) })
	})
}

func (s *preKeys) add(ctx context.Context, added []preKey) error {
	var ids []uint32
	for _, k := range added {
		ids = append(ids, k.id)
	}
	return s.change(ctx, ids, func(ks []preKey) []preKey { return append(ks, added...) })
}

// generate makes n keys with the ids after the highest of those that there are.
func generate(have []preKey, n int, uploaded bool) []preKey {
	var last uint32
	if len(have) > 0 {
		last = have[len(have)-1].id
	}
	made := make([]preKey, n)
	for i := range made {
		made[i] = preKey{last + 1 + uint32(i), uploaded, *keys.NewKeyPair().Priv}
	}
	return made
}

// remaining returns all keys but those that a decryption used up and that wait to be deleted.
func (k *deviceKeys) remaining(ctx context.Context) ([]preKey, error) {
	all, err := k.preKeys.all(ctx)
	return slices.DeleteFunc(all, func(p preKey) bool { return k.ratchets.isRemoved(ctx, p.id) }), err
}

// settled returns all keys when none waits to be deleted: a new key may get the id of one that is gone.
func (k *deviceKeys) settled(ctx context.Context) ([]preKey, error) {
	if err := k.ratchets.flushAll(ctx); err != nil {
		return nil, err
	}
	return k.remaining(ctx)
}

func (k *deviceKeys) GetOrGenPreKeys(ctx context.Context, count uint32) ([]*keys.PreKey, error) {
	k.preKeys.generating.Lock()
	defer k.preKeys.generating.Unlock()
	have, err := k.settled(ctx)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(have), func(p preKey) bool { return p.uploaded })
	if n := int(count) - len(fresh); n > 0 {
		made := generate(have, n, false)
		if err := k.preKeys.add(ctx, made); err != nil {
			return nil, err
		}
		fresh = append(fresh, made...)
	}
	out := make([]*keys.PreKey, count)
	for i := range out {
		out[i] = fresh[i].key()
	}
	return out, nil
}

// GenOnePreKey makes a key that counts as uploaded.
func (k *deviceKeys) GenOnePreKey(ctx context.Context) (*keys.PreKey, error) {
	k.preKeys.generating.Lock()
	defer k.preKeys.generating.Unlock()
	have, err := k.settled(ctx)
	if err != nil {
		return nil, err
	}
	made := generate(have, 1, true)
	if err := k.preKeys.add(ctx, made); err != nil {
		return nil, err
	}
	return made[0].key(), nil
}

func (k *deviceKeys) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	if k.ratchets.isRemoved(ctx, id) {
		return nil, nil
	}
	return k.preKeys.find(ctx, id)
}

func (k *deviceKeys) RemovePreKey(ctx context.Context, id uint32) error {
	return k.ratchets.removePreKey(ctx, id)
}

func (k *deviceKeys) MarkPreKeysAsUploaded(ctx context.Context, upToID uint32) error {
	have, err := k.remaining(ctx)
	if err != nil {
		return err
	}
	var ids []uint32
	for _, p := range have {
		if p.id <= upToID && !p.uploaded {
			ids = append(ids, p.id)
		}
	}
	return k.preKeys.change(ctx, ids, func(ks []preKey) []preKey {
		for i := range ks {
			ks[i].uploaded = ks[i].uploaded || ks[i].id <= upToID
		}
		return ks
	})
}

func (k *deviceKeys) UploadedPreKeyCount(ctx context.Context) (int, error) {
	have, err := k.remaining(ctx)
	n := 0
	for _, p := range have {
		if p.uploaded {
			n++
		}
	}
	return n, err
}

// isRemoved tells whether a decryption used the key up that is still in the table.
func (r *ratchets) isRemoved(ctx context.Context, id uint32) bool {
	if d := decryptionOf(ctx, r); d != nil && d.removed[id] {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.removed[id]
}

func (r *ratchets) removePreKey(ctx context.Context, id uint32) error {
	if d := decryptionOf(ctx, r); d != nil {
		d.removed[id] = true
		return nil
	}
	return r.preKeys.delete(ctx, []uint32{id})
}
