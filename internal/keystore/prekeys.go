package keystore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/util/keys"
)

// Pre keys are one-time keys that WhatsApp hands out to those who write first. There are some 800, made together and marked
// as uploaded together, hence 24 in an item: all of them take 34 writes.

const (
	preKeyPrefix   = "p/"
	preKeysPerItem = 24
	preKeyBytes    = 4 + 1 + 32 // id (big endian), 1 if uploaded, private key
)

type preKey struct {
	id       uint32
	uploaded bool
	private  [32]byte
}

func (k preKey) key() *keys.PreKey {
	return &keys.PreKey{KeyPair: *keys.NewKeyPairFromPrivateKey(k.private), KeyID: k.id}
}

func preKeySort(id uint32) string { return fmt.Sprintf("%s%07x", preKeyPrefix, id/preKeysPerItem) }

func decodePreKeys(b []byte) (ks []preKey, err error) {
	if len(b)%preKeyBytes != 0 {
		return nil, errCorrupt
	}
	for e := range slices.Chunk(b, preKeyBytes) {
		ks = append(ks, preKey{binary.BigEndian.Uint32(e), e[4] == 1, [32]byte(e[5:])})
	}
	return ks, nil
}

func encodePreKeys(ks []preKey) (b []byte) {
	for _, k := range ks {
		b = binary.BigEndian.AppendUint32(b, k.id)
		if k.uploaded {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = append(b, k.private[:]...)
	}
	return b
}

// allPreKeys returns the keys in the order of their ids.
func (k *deviceKeys) allPreKeys(ctx context.Context) (all []preKey, err error) {
	found, err := k.list(ctx, preKeyPrefix)
	if err != nil {
		return nil, err
	}
	for _, b := range found {
		ks, err := decodePreKeys(b)
		if err != nil {
			return nil, err
		}
		all = append(all, ks...)
	}
	slices.SortFunc(all, func(a, b preKey) int { return int(a.id) - int(b.id) })
	return all, nil
}

// changePreKeys lets change work on the items that hold the ids.
func (k *deviceKeys) changePreKeys(ctx context.Context, ids []uint32, change func([]preKey) []preKey) error {
	edits := map[string]edit{}
	for _, id := range ids {
		sort := preKeySort(id)
		edits[sort] = func(old []byte) ([]byte, error) {
			ks, err := decodePreKeys(old)
			if err != nil {
				return nil, err
			}
			return encodePreKeys(slices.DeleteFunc(change(ks), func(p preKey) bool { return preKeySort(p.id) != sort })), nil
		}
	}
	return k.changeMany(ctx, edits)
}

// generate makes n keys with the ids after the highest of those that there are, and stores them.
func (k *deviceKeys) generate(ctx context.Context, have []preKey, n int, uploaded bool) ([]preKey, error) {
	var last uint32
	if len(have) > 0 {
		last = have[len(have)-1].id
	}
	made := make([]preKey, n)
	ids := make([]uint32, n)
	for i := range made {
		ids[i] = last + 1 + uint32(i)
		made[i] = preKey{ids[i], uploaded, *keys.NewKeyPair().Priv}
	}
	return made, k.changePreKeys(ctx, ids, func(ks []preKey) []preKey { return append(ks, made...) })
}

func (k *deviceKeys) GetOrGenPreKeys(ctx context.Context, count uint32) ([]*keys.PreKey, error) {
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return nil, err
	}
	defer giveBack()
	have, err := k.allPreKeys(ctx)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(have), func(p preKey) bool { return p.uploaded })
	if n := int(count) - len(fresh); n > 0 {
		made, err := k.generate(ctx, have, n, false)
		if err != nil {
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
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return nil, err
	}
	defer giveBack()
	have, err := k.allPreKeys(ctx)
	if err != nil {
		return nil, err
	}
	made, err := k.generate(ctx, have, 1, true)
	if err != nil {
		return nil, err
	}
	return made[0].key(), nil
}

// GetPreKey returns nil when there is no such key.
func (k *deviceKeys) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	b, err := k.get(ctx, preKeySort(id))
	if err != nil {
		return nil, err
	}
	ks, err := decodePreKeys(b)
	if err != nil {
		return nil, err
	}
	for _, p := range ks {
		if p.id == id {
			return p.key(), nil
		}
	}
	return nil, nil
}

func (k *deviceKeys) RemovePreKey(ctx context.Context, id uint32) error {
	return k.changePreKeys(ctx, []uint32{id}, func(ks []preKey) []preKey {
		return slices.DeleteFunc(ks, func(p preKey) bool { return p.id == id })
	})
}

func (k *deviceKeys) MarkPreKeysAsUploaded(ctx context.Context, upToID uint32) error {
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return err
	}
	defer giveBack()
	have, err := k.allPreKeys(ctx)
	if err != nil {
		return err
	}
	var ids []uint32
	for _, p := range have {
		if p.id <= upToID && !p.uploaded {
			ids = append(ids, p.id)
		}
	}
	return k.changePreKeys(ctx, ids, func(ks []preKey) []preKey {
		for i := range ks {
			ks[i].uploaded = ks[i].uploaded || ks[i].id <= upToID
		}
		return ks
	})
}

func (k *deviceKeys) UploadedPreKeyCount(ctx context.Context) (int, error) {
	have, err := k.allPreKeys(ctx)
	return len(slices.DeleteFunc(have, func(p preKey) bool { return !p.uploaded })), err
}
