package keystore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/store"
)

// App state is WhatsApp's synchronised settings: the keys, and of each collection a version, a hash and the MACs of its
// mutations. A MAC names the round it belongs to, and the version the present one: forgetting a version forgets thousands of
// MACs by one write.

const (
	appStateKeyPrefix = "k/"
	versionPrefix     = "v/"
	macPrefix         = "m/"
)

// collection is the state of one; without a version there is none.
type collection struct {
	Round   uint64 `json:"round,omitempty"`
	Version uint64 `json:"version,omitempty"`
	Hash    []byte `json:"hash,omitempty"`
}

// mutation is the MAC of one.
type mutation struct {
	Round   uint64 `json:"round,omitempty"`
	Version uint64 `json:"version"`
	MAC     []byte `json:"mac"`
}

func macSort(name string, index []byte) string {
	return macPrefix + name + "/" + hex.EncodeToString(index)
}

// collection reads all of them in one request: whatsmeow goes through all after a login.
func (k *deviceKeys) collection(ctx context.Context, name string) (collection, error) {
	sorts := []string{versionPrefix + name}
	if _, missing := k.cached(sorts); len(missing) > 0 {
		for _, other := range appstate.AllPatchNames {
			sorts = append(sorts, versionPrefix+string(other))
		}
	}
	found, err := k.getMany(ctx, sorts)
	if err != nil {
		return collection{}, err
	}
	return decodeJSON[collection](found[sorts[0]])
}

func (k *deviceKeys) changeCollection(ctx context.Context, name string, change func(*collection)) error {
	return k.change(ctx, versionPrefix+name, jsonEdit(func(c *collection, _ bool) bool {
		change(c)
		return true
	}))
}

// jsonEdit lets change work on what is decoded, zero when there is none, and tell whether it shall be.
func jsonEdit[V any](change func(v *V, found bool) (keep bool)) edit {
	return func(old []byte) ([]byte, error) {
		v, err := decodeJSON[V](old)
		if err != nil || !change(&v, old != nil) {
			return nil, err
		}
		return json.Marshal(v)
	}
}

func (k *deviceKeys) PutAppStateVersion(ctx context.Context, name string, version uint64, hash [128]byte) error {
	return k.changeCollection(ctx, name, func(c *collection) { c.Version, c.Hash = version, hash[:] })
}

func (k *deviceKeys) GetAppStateVersion(ctx context.Context, name string) (version uint64, hash [128]byte, err error) {
	c, err := k.collection(ctx, name)
	copy(hash[:], c.Hash)
	return c.Version, hash, err
}

// DeleteAppStateVersion forgets the collection's MACs too.
func (k *deviceKeys) DeleteAppStateVersion(ctx context.Context, name string) error {
	if c, err := k.collection(ctx, name); err != nil || c.Version == 0 {
		return err
	}
	return k.changeCollection(ctx, name, func(c *collection) { *c = collection{Round: c.Round + 1} })
}

var errNoVersion = errors.New("key store: mutation MACs of a collection without a version")

// PutAppStateMutationMACs needs a version of the collection to be stored.
func (k *deviceKeys) PutAppStateMutationMACs(
	ctx context.Context, name string, version uint64, mutations []store.AppStateMutationMAC,
) error {
	c, err := k.collection(ctx, name)
	if err != nil {
		return err
	}
	if c.Version == 0 && len(mutations) > 0 {
		return errNoVersion
	}
	edits := make(map[string]edit, len(mutations))
	for _, added := range mutations {
		edits[macSort(name, added.IndexMAC)] = jsonEdit(func(m *mutation, _ bool) bool {
			if m.Round != c.Round || m.Version <= version {
				*m = mutation{c.Round, version, added.ValueMAC}
			}
			return true
		})
	}
	return k.changeMany(ctx, edits)
}

func (k *deviceKeys) DeleteAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error {
	edits := make(map[string]edit, len(indexMACs))
	for _, index := range indexMACs {
		edits[macSort(name, index)] = func([]byte) ([]byte, error) { return nil, nil }
	}
	return k.changeMany(ctx, edits)
}

func (k *deviceKeys) GetAppStateMutationMAC(ctx context.Context, name string, indexMAC []byte) ([]byte, error) {
	c, err := k.collection(ctx, name)
	if err != nil || c.Version == 0 {
		return nil, err
	}
	b, err := k.get(ctx, macSort(name, indexMAC))
	if err != nil {
		return nil, err
	}
	m, err := decodeJSON[mutation](b)
	if err != nil || m.Round != c.Round {
		return nil, err
	}
	return m.MAC, nil
}

// ReadAppStateMutationMACs reads MACs at once that GetAppStateMutationMAC is going to be asked for one by one.
func (k *deviceKeys) ReadAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error {
	c, err := k.collection(ctx, name)
	if err != nil || c.Version == 0 || len(indexMACs) == 0 {
		return err
	}
	sorts := make([]string, len(indexMACs))
	for i, index := range indexMACs {
		sorts[i] = macSort(name, index)
	}
	slices.Sort(sorts)
	_, err = k.load(ctx, slices.Compact(sorts))
	return err
}

// PutAppStateSyncKey keeps the stored key unless the new one is younger.
func (k *deviceKeys) PutAppStateSyncKey(ctx context.Context, id []byte, key store.AppStateSyncKey) error {
	return k.change(ctx, appStateKeyPrefix+hex.EncodeToString(id), jsonEdit(func(stored *store.AppStateSyncKey, found bool) bool {
		if !found || stored.Timestamp < key.Timestamp {
			*stored = key
		}
		return true
	}))
}

// GetAppStateSyncKey returns nil when there is no such key.
func (k *deviceKeys) GetAppStateSyncKey(ctx context.Context, id []byte) (*store.AppStateSyncKey, error) {
	b, err := k.get(ctx, appStateKeyPrefix+hex.EncodeToString(id))
	if err != nil || b == nil {
		return nil, err
	}
	key, err := decodeJSON[store.AppStateSyncKey](b)
	return &key, err
}

type identifiedKey struct {
	id  []byte
	key *store.AppStateSyncKey
}

// appStateKeys returns the youngest first.
func (k *deviceKeys) appStateKeys(ctx context.Context) (all []identifiedKey, err error) {
	found, err := k.list(ctx, appStateKeyPrefix)
	if err != nil {
		return nil, err
	}
	for sort, b := range found {
		key, err := decodeJSON[store.AppStateSyncKey](b)
		if err != nil {
			return nil, err
		}
		id, err := hex.DecodeString(sort[len(appStateKeyPrefix):])
		if err != nil {
			return nil, errCorrupt
		}
		all = append(all, identifiedKey{id, &key})
	}
	slices.SortFunc(all, func(a, b identifiedKey) int {
		return cmp.Or(cmp.Compare(b.key.Timestamp, a.key.Timestamp), bytes.Compare(a.id, b.id))
	})
	return all, nil
}

// GetLatestAppStateSyncKeyID looks once for what every patch is encrypted with.
func (k *deviceKeys) GetLatestAppStateSyncKeyID(ctx context.Context) ([]byte, error) {
	if err := k.alive(); err != nil {
		return nil, err
	}
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return nil, err
	}
	defer giveBack()
	if k.newest == nil {
		all, err := k.appStateKeys(ctx)
		if err != nil || len(all) == 0 {
			return nil, err
		}
		k.newest = all[0].id
	}
	return k.newest, nil
}

// GetAllAppStateSyncKeys returns the youngest first.
func (k *deviceKeys) GetAllAppStateSyncKeys(ctx context.Context) (keys []*store.AppStateSyncKey, err error) {
	all, err := k.appStateKeys(ctx)
	for _, one := range all {
		keys = append(keys, one.key)
	}
	return keys, err
}
