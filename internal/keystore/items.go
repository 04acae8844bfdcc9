package keystore

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow/store"
	"golang.org/x/sync/semaphore"

	"pesan/internal/kv"
)

// deviceKeys is all that one linked device keeps, but for its own keys. It is safe for concurrent use. What happens in a
// decryption (DoDecryptionTxn) is one; everything else happens at once.
type deviceKeys struct {
	store.ChatSettingsStore // nil: what a chat is set to is kept with the chat

	c         *Container
	account   *Account
	partition string
	lock      *semaphore.Weighted // held by who changes something
	migrated  map[string]bool     // numbers that have no ratchets any more; under lock
	newest    []byte              // id of the youngest app state key; nil: unknown or none; under lock
	// whatsmeow goes on with a message after it couldn't learn which session is the sender's. Its decryption is refused then, or it
	// would fail for a wrong reason and the message be acknowledged.
	unsure atomic.Bool

	mu   sync.Mutex
	over error // why nothing can be done any more
}

var (
	_ store.AllSessionSpecificStores = (*deviceKeys)(nil)
	_ store.LIDStore                 = (*deviceKeys)(nil)
)

func newDeviceKeys(a *Account, generation int64) *deviceKeys {
	return &deviceKeys{
		c: a.c, account: a, partition: partition(a.id, generation), lock: semaphore.NewWeighted(1), migrated: map[string]bool{},
	}
}

func (k *deviceKeys) end(why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over == nil {
		k.over = why
	}
}

func (k *deviceKeys) alive() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over
}

// edit makes the new value of an item out of the old one; none is empty.
type edit func(old []byte) ([]byte, error)

// unit is work that holds the lock. That of a decryption collects what is to be written.
type unit struct {
	of    *deviceKeys
	edits map[string][]edit // nil unless it collects
}

type unitKey struct{}

func (k *deviceKeys) unit(ctx context.Context) *unit {
	if u, ok := ctx.Value(unitKey{}).(*unit); ok && u.of == k {
		return u
	}
	return nil
}

// take waits for the lock, unless ctx has it. It must be given back.
func (k *deviceKeys) take(ctx context.Context, u *unit) (_ context.Context, giveBack func(), err error) {
	if k.unit(ctx) != nil {
		return ctx, func() {}, nil
	}
	if err := k.lock.Acquire(ctx, 1); err != nil {
		return nil, nil, refused("wait for the lock", err)
	}
	return context.WithValue(ctx, unitKey{}, u), func() { k.lock.Release(1) }, nil
}

// get returns the value as this context sees it, none as nil. It is shared: not to be changed.
func (k *deviceKeys) get(ctx context.Context, sort string) ([]byte, error) {
	found, err := k.getMany(ctx, []string{sort})
	return found[sort], err
}

// getMany returns the values that there are.
func (k *deviceKeys) getMany(ctx context.Context, sorts []string) (map[string][]byte, error) {
	items, err := k.load(ctx, sorts)
	if err != nil {
		return nil, err
	}
	u := k.unit(ctx)
	found := make(map[string][]byte, len(sorts))
	for i, sort := range sorts {
		value, err := valueOf(items[i])
		if err == nil && u != nil {
			value, err = edited(value, u.edits[sort])
		}
		if err != nil {
			return nil, err
		}
		if len(value) > 0 {
			found[sort] = value
		}
	}
	return found, nil
}

func edited(value []byte, edits []edit) (_ []byte, err error) {
	for _, e := range edits {
		if value, err = e(value); err != nil {
			return nil, err
		}
	}
	return value, nil
}

// valueOf is nil for no item, and for one that was deleted.
func valueOf(it *kv.Item) ([]byte, error) {
	if it == nil {
		return nil, nil
	}
	return expand(it.Data)
}

func (k *deviceKeys) key(sort string) kv.Key {
	return kv.Key{Collection: kv.Devices, Partition: k.partition, Sort: sort}
}

// load returns the items as they are stored. What it must read it reads in turn, so that nobody writes it meanwhile.
func (k *deviceKeys) load(ctx context.Context, sorts []string) ([]*kv.Item, error) {
	if err := k.alive(); err != nil {
		return nil, err
	}
	items, missing := k.cached(sorts)
	if len(missing) == 0 {
		return items, nil
	}
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return nil, err
	}
	defer giveBack()
	keys := make([]kv.Key, len(missing))
	for i, at := range missing {
		keys[i] = k.key(sorts[at])
	}
	read, err := k.account.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, refused("read", err)
	}
	for i, at := range missing {
		items[at] = read[i]
		k.remember(sorts[at], read[i])
	}
	return items, nil
}

func (k *deviceKeys) cached(sorts []string) (items []*kv.Item, missing []int) {
	items = make([]*kv.Item, len(sorts))
	for i, sort := range sorts {
		it, found := k.c.cache.get(cacheKey{k, sort})
		if !found {
			missing = append(missing, i)
		}
		items[i] = it
	}
	return items, missing
}

// remember keeps an item in the cache, but for what is seldom asked for.
func (k *deviceKeys) remember(sort string, it *kv.Item) {
	if !strings.HasPrefix(sort, secretPrefix) {
		k.c.cache.put(cacheKey{k, sort}, it)
	}
}

// list returns all values whose sort key begins so, as they are stored.
func (k *deviceKeys) list(ctx context.Context, prefix string) (map[string][]byte, error) {
	if err := k.alive(); err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	for it, err := range k.account.kv.Query(ctx, kv.Query{Collection: kv.Devices, Partition: k.partition}.Prefix(prefix)) {
		if err != nil {
			return nil, refused("list", err)
		}
		value, err := valueOf(&it)
		if err != nil {
			return nil, err
		}
		if value != nil {
			found[it.Sort] = value
		}
	}
	return found, nil
}

// change edits an item: within a decryption with its end, else at once.
func (k *deviceKeys) change(ctx context.Context, sort string, e edit) error {
	return k.changeMany(ctx, map[string]edit{sort: e})
}

func (k *deviceKeys) changeMany(ctx context.Context, edits map[string]edit) error {
	if err := k.alive(); err != nil {
		return err
	}
	u := &unit{of: k, edits: map[string][]edit{}}
	if in := k.unit(ctx); in != nil && in.edits != nil {
		u = in
	}
	for sort, e := range edits {
		u.edits[sort] = append(u.edits[sort], e)
	}
	if u == k.unit(ctx) {
		return nil
	}
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return err
	}
	defer giveBack()
	return k.commit(ctx, u.edits)
}

// collect runs work. If it succeeds its changes are written together, else they are dropped; within other work they are part of
// that one's.
func (k *deviceKeys) collect(ctx context.Context, work func(context.Context) error) error {
	if k.unit(ctx) != nil {
		return work(ctx)
	}
	u := &unit{of: k, edits: map[string][]edit{}}
	ctx, giveBack, err := k.take(ctx, u)
	if err != nil {
		return err
	}
	defer giveBack()
	if err := work(ctx); err != nil {
		return err
	}
	return k.commit(context.WithValue(ctx, unitKey{}, &unit{of: k}), u.edits)
}

// DoDecryptionTxn collects what decrypt changes.
func (k *deviceKeys) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	within := k.unit(ctx) != nil
	return k.collect(ctx, func(ctx context.Context) error {
		if !within && k.unsure.Swap(false) {
			return refused("decrypt", errors.New("the session may be another's"))
		}
		return decrypt(ctx)
	})
}

// Together has what a function stores be written at once, as DoDecryptionTxn does.
func (k *deviceKeys) Together(ctx context.Context, keep func(context.Context) error) error {
	return k.DoDecryptionTxn(ctx, keep)
}

// commit writes what edits lead to, in turn. When somebody else has changed an item it is read again.
func (k *deviceKeys) commit(ctx context.Context, edits map[string][]edit) error {
	sorts := slices.Sorted(maps.Keys(edits))
	mine := map[kv.Version]bool{} // written by a try before
	var err error
	for range conflicts {
		var items []*kv.Item
		if items, err = k.load(ctx, sorts); err != nil {
			return err
		}
		var puts []kv.Op
		for i, sort := range sorts {
			if items[i] != nil && mine[items[i].Version] {
				continue
			}
			old, err := valueOf(items[i])
			if err != nil {
				return err
			}
			value, err := edited(old, edits[sort])
			if err != nil {
				return err
			}
			if !bytes.Equal(value, old) {
				puts = append(puts, k.put(sort, value, items[i]))
				mine[puts[len(puts)-1].Item.Version] = true
			}
		}
		if err = k.write(ctx, puts); !isConflict(err) {
			return err
		}
	}
	return err
}

// How long items are kept that aren't for ever: what WhatsApp delivers again it does within 14 days. AWS takes no request whose
// signature is older than 15 minutes, so that nothing comes back for which a deleted item is missing.
const (
	eventAge   = 14 * 24 * time.Hour
	deletedAge = time.Hour
)

func age(sort string, value []byte) time.Duration {
	switch {
	case len(value) == 0:
		return deletedAge
	case strings.HasPrefix(sort, eventPrefix):
		return eventAge
	}
	return 0
}

// put replaces an item as it was read. One that is to be deleted stays for a while without a value: a late request would put
// it there again.
func (k *deviceKeys) put(sort string, value []byte, read *kv.Item) kv.Op {
	it := kv.Item{Key: k.key(sort), Data: compress(value), Token: k.account.epoch}
	if age := age(sort, value); age > 0 {
		it.Expires = k.c.opts.Now().Add(age).Unix()
	}
	return kv.Put(it, kv.As(read))
}

// write makes puts, in the order in which they may be broken off. A ratchet that wasn't there comes into being only together
// with a check that the account has no later owner: without one it would be his.
func (k *deviceKeys) write(ctx context.Context, puts []kv.Op) error {
	var events, created, rest, preKeys []kv.Op
	for _, op := range puts {
		switch sort := op.Item.Sort; {
		case strings.HasPrefix(sort, eventPrefix):
			events = append(events, op)
		case strings.HasPrefix(sort, preKeyPrefix):
			preKeys = append(preKeys, op)
		case strings.HasPrefix(sort, ratchetPrefix) && op.Condition.Kind() == kv.ConditionAbsent:
			created = append(created, op)
		default:
			rest = append(rest, op)
		}
	}
	steps := []kv.Step{kv.Each(events...), kv.Each(rest...)}
	for some := range slices.Chunk(created, kv.MaxTogether-1) {
		steps = append(steps, kv.Together(append(some[:len(some):len(some)], k.account.owned())...))
	}
	return k.wrote(puts, k.account.kv.Write(ctx, append(steps, kv.Each(preKeys...))...))
}

// wrote keeps what was written in the cache, or forgets what may have been.
func (k *deviceKeys) wrote(puts []kv.Op, err error) error {
	for _, op := range puts {
		if strings.HasPrefix(op.Item.Sort, appStateKeyPrefix) {
			k.newest = nil
		}
		if it := op.Item; err == nil {
			k.remember(it.Sort, &it)
		} else {
			k.c.cache.remove(cacheKey{k, it.Sort})
		}
	}
	if isFenced(err) {
		k.end(errFenced)
	}
	return refused("write", err)
}
