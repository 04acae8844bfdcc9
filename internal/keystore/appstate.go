package keystore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/store"
)

// appState holds the keys, versions and mutation MACs of WhatsApp's synchronised settings.
//
// A collection's MACs are spread over packed items. Each names the round it belongs to, and the version's item tells the present round, so
// that forgetting a version forgets thousands of MACs with one write.
type appState struct {
	p *partition

	mu sync.Mutex
	// MACs that are removed but wait for those that whatsmeow adds right after, to be written with them: most are of the same index.
	removed map[string]map[string]bool
}

const (
	appStateKeysSort = "k"
	versionPrefix    = "v:"
	macPrefix        = "m:"
)

// collection is the state of one: round, then, unless version is 0, version and hash.
type collection struct {
	round, version uint64
	hash           [128]byte
}

func (c collection) bytes() []byte {
	b := binary.AppendUvarint(nil, c.round)
	if c.version == 0 {
		return b
	}
	return append(binary.AppendUvarint(b, c.version), c.hash[:]...)
}

func decodeCollection(b []byte) (c collection, err error) {
	if len(b) == 0 {
		return c, nil
	}
	var n, m int
	if c.round, n = binary.Uvarint(b); n <= 0 {
		return c, errCorrupt
	}
	if b = b[n:]; len(b) == 0 {
		return c, nil
	}
	if c.version, m = binary.Uvarint(b); m <= 0 || len(b) != m+len(c.hash) {
		return c, errCorrupt
	}
	c.hash = [128]byte(b[m:])
	return c, nil
}

// collection reads all of them in one request: whatsmeow goes through all after a login.
func (s *appState) collection(ctx context.Context, name string) (collection, error) {
	sort := versionPrefix + name
	if _, cached := s.p.c.cache.get(cacheKey{s.p, sort}); !cached {
		if _, err := s.p.getMany(ctx, versionSorts()); err != nil {
			return collection{}, err
		}
	}
	b, err := s.p.get(ctx, sort)
	if err != nil {
		return collection{}, err
	}
	return decodeCollection(b)
}

func versionSorts() (sorts []string) {
	for _, name := range appstate.AllPatchNames {
		sorts = append(sorts, versionPrefix+string(name))
	}
	return sorts
}

func (s *appState) change(ctx context.Context, name string, f func(*collection)) error {
	return s.p.update(ctx, versionPrefix+name, func(old []byte) ([]byte, error) {
		c, err := decodeCollection(old)
		if err != nil {
			return nil, err
		}
		f(&c)
		return c.bytes(), nil
	})
}

// macs are the MACs of a collection's present round, by index MAC: round and version (uvarints), value MAC.
func (s *appState) macs(name string, round uint64) buckets {
	return buckets{s.p, macPrefix + name + ":", func(v []byte) bool {
		r, n := binary.Uvarint(v)
		return n > 0 && r == round
	}}
}

func cutMAC(b []byte) (version uint64, mac []byte) {
	_, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil
	}
	version, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return 0, nil
	}
	return version, b[n+m:]
}

// take returns the removed MACs that wait, and counts them as written.
func (s *appState) take(name string) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	removed := s.removed[name]
	delete(s.removed, name)
	return removed
}

// write stores MACs at a version, none for removed ones alone.
func (s *appState) write(ctx context.Context, name string, version uint64, added []store.AppStateMutationMAC) error {
	c, err := s.collection(ctx, name)
	if err != nil {
		return err
	}
	if c.version == 0 && len(added) > 0 {
		return errNoVersion
	}
	removed := s.take(name)
	values := map[string][]byte{}
	for index := range removed {
		values[index] = nil
	}
	for _, m := range added {
		v := binary.AppendUvarint(binary.AppendUvarint(nil, c.round), version)
		values[string(m.IndexMAC)] = append(v, m.ValueMAC...)
	}
	err = s.macs(name, c.round).update(ctx, slices.Collect(maps.Keys(values)), func(index string, old []byte) []byte {
		v := values[index]
		if old == nil || removed[index] {
			return v
		}
		if before, _ := cutMAC(old); before > version {
			return old
		}
		return v
	})
	if err != nil {
		s.remove(name, slices.Collect(maps.Keys(removed)))
	}
	return err
}

func (s *appState) remove(name string, indexes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, index := range indexes {
		if s.removed == nil {
			s.removed = map[string]map[string]bool{}
		}
		if s.removed[name] == nil {
			s.removed[name] = map[string]bool{}
		}
		s.removed[name][index] = true
	}
}

func (s *appState) isRemoved(name, index string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed[name][index]
}

// flush writes the removals that wait.
func (s *appState) flush(ctx context.Context) error {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.removed))
	s.mu.Unlock()
	for _, name := range names {
		if err := s.write(ctx, name, 0, nil); err != nil {
			return err
		}
	}
	return nil
}

var errNoVersion = errors.New("device store: mutation MACs of a collection without a version")

func (k *deviceKeys) PutAppStateVersion(ctx context.Context, name string, version uint64, hash [128]byte) error {
	return k.appState.change(ctx, name, func(c *collection) { c.version, c.hash = version, hash })
}

func (k *deviceKeys) GetAppStateVersion(ctx context.Context, name string) (uint64, [128]byte, error) {
	c, err := k.appState.collection(ctx, name)
	return c.version, c.hash, err
}

// DeleteAppStateVersion forgets the collection's MACs too.
func (k *deviceKeys) DeleteAppStateVersion(ctx context.Context, name string) error {
	if c, err := k.appState.collection(ctx, name); err != nil || c.version == 0 {
		return err
	}
	err := k.appState.change(ctx, name, func(c *collection) { *c = collection{round: c.round + 1} })
	if err == nil {
		k.appState.take(name)
	}
	return err
}

// PutAppStateMutationMACs needs a version of the collection to be stored.
func (k *deviceKeys) PutAppStateMutationMACs(ctx context.Context, name string, version uint64, mutations []store.AppStateMutationMAC) error {
	return k.appState.write(ctx, name, version, mutations)
}

func (k *deviceKeys) DeleteAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error {
	if err := k.p.alive(); err != nil {
		return err
	}
	indexes := make([]string, len(indexMACs))
	for i, m := range indexMACs {
		indexes[i] = string(m)
	}
	k.appState.remove(name, indexes)
	return nil
}

func (k *deviceKeys) GetAppStateMutationMAC(ctx context.Context, name string, indexMAC []byte) ([]byte, error) {
	c, err := k.appState.collection(ctx, name)
	if err != nil || c.version == 0 || k.appState.isRemoved(name, string(indexMAC)) {
		return nil, err
	}
	v, err := k.appState.macs(name, c.round).get(ctx, string(indexMAC))
	if err != nil || v == nil {
		return nil, err
	}
	_, mac := cutMAC(v)
	return bytes.Clone(mac), nil
}

// The keys are one packed item, by key id: timestamp (varint), data, fingerprint.
func (k *deviceKeys) appStateKeys(ctx context.Context) (pack, error) {
	b, err := k.p.get(ctx, appStateKeysSort)
	if err != nil {
		return pack{}, err
	}
	return unpack(b)
}

func encodeAppStateKey(key store.AppStateSyncKey) []byte {
	b := binary.AppendVarint(nil, key.Timestamp)
	return appendField(appendField(b, key.Data), key.Fingerprint)
}

func decodeAppStateKey(b []byte) (*store.AppStateSyncKey, error) {
	timestamp, n := binary.Varint(b)
	if n <= 0 {
		return nil, errCorrupt
	}
	data, rest, ok := cutField(b[n:])
	if !ok {
		return nil, errCorrupt
	}
	fingerprint, _, ok := cutField(rest)
	if !ok {
		return nil, errCorrupt
	}
	return &store.AppStateSyncKey{Timestamp: timestamp, Data: bytes.Clone(data), Fingerprint: bytes.Clone(fingerprint)}, nil
}

// PutAppStateSyncKey keeps the stored key unless the new one is younger.
func (k *deviceKeys) PutAppStateSyncKey(ctx context.Context, id []byte, key store.AppStateSyncKey) error {
	return k.p.update(ctx, appStateKeysSort, func(old []byte) ([]byte, error) {
		p, err := unpack(old)
		if err != nil {
			return nil, err
		}
		if b := p.entries[string(id)]; b != nil {
			before, err := decodeAppStateKey(b)
			if err != nil {
				return nil, err
			}
			if before.Timestamp >= key.Timestamp {
				return old, nil
			}
		}
		p.entries[string(id)] = encodeAppStateKey(key)
		return p.bytes(), nil
	})
}

// GetAppStateSyncKey returns nil when there is no such key.
func (k *deviceKeys) GetAppStateSyncKey(ctx context.Context, id []byte) (*store.AppStateSyncKey, error) {
	p, err := k.appStateKeys(ctx)
	if err != nil {
		return nil, err
	}
	if b := p.entries[string(id)]; b != nil {
		return decodeAppStateKey(b)
	}
	return nil, nil
}

func (k *deviceKeys) GetLatestAppStateSyncKeyID(ctx context.Context) ([]byte, error) {
	p, err := k.appStateKeys(ctx)
	if err != nil {
		return nil, err
	}
	var latest []byte
	var timestamp int64
	for _, id := range slices.Sorted(maps.Keys(p.entries)) {
		key, err := decodeAppStateKey(p.entries[id])
		if err != nil {
			return nil, err
		}
		if latest == nil || key.Timestamp > timestamp {
			latest, timestamp = []byte(id), key.Timestamp
		}
	}
	return latest, nil
}

// GetAllAppStateSyncKeys returns the youngest first.
func (k *deviceKeys) GetAllAppStateSyncKeys(ctx context.Context) ([]*store.AppStateSyncKey, error) {
	p, err := k.appStateKeys(ctx)
	if err != nil {
		return nil, err
	}
	var all []*store.AppStateSyncKey
	for _, id := range slices.Sorted(maps.Keys(p.entries)) {
		key, err := decodeAppStateKey(p.entries[id])
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	slices.SortStableFunc(all, func(a, b *store.AppStateSyncKey) int { return cmp.Compare(b.Timestamp, a.Timestamp) })
	return all, nil
}
