package keystore

import (
	"bytes"
	"context"
	"hash/fnv"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.mau.fi/whatsmeow/store"
	"golang.org/x/sync/errgroup"
)

// partition holds the items of one linked device: bytes under a sort key. What it gives out is shared with the cache: not to be changed.
//
//	r:<address>             ratchets.go  a peer's Signal session and identity key
//	r:<address>#<group>     ratchets.go  a member's sender key
//	b:<hash>                events.go    a decrypted message that waits for its handler, expires
//	o:<chat>#<id>           events.go    a sent message, for retries, expires
//	p:<n>                   prekeys.go   24 pre keys
//	k, v:<name>, m:<name>:  appstate.go  app state keys, versions, MACs
//	c: s: t: z              names.go     contacts, chat settings, privacy tokens, the NCT salt
//	l: n:                   lids.go      LID → PN, PN → LID
//	x:<chat>#<id>#<sender>  secrets.go   a message secret
type partition struct {
	c     *Container
	pk    string
	fence *fence

	closed atomic.Bool // the device is deleted
	// whatsmeow goes on with a message after it couldn't learn which session is the sender's. Its decryption is refused then, or it
	// would fail for a wrong reason and the message be acknowledged.
	unsure atomic.Bool

	// A value may enter the cache only if nothing was written since it was read; fills counts the writes.
	mu    sync.Mutex
	fills [stripes]uint32
	locks [stripes]sync.Mutex // held by whoever changes an item
}

const stripes = 32

// parallel is how many requests of one bulk operation are under way.
const parallel = 16

func newPartition(c *Container, account string, generation int64, f *fence) *partition {
	return &partition{c: c, pk: partitionKey(account, generation), fence: f}
}

func partitionKey(account string, generation int64) string {
	return account + "#" + strconv.FormatInt(generation, 36)
}

func (p *partition) alive() error {
	if p.closed.Load() {
		return store.ErrDeviceDeleted
	}
	return p.fence.alive()
}

func (p *partition) stamp(ctx context.Context) (int64, error) {
	if p.closed.Load() {
		return 0, store.ErrDeviceDeleted
	}
	return p.fence.stamp(ctx)
}

// get returns nil when there is no such item.
func (p *partition) get(ctx context.Context, sort string) ([]byte, error) {
	if err := p.alive(); err != nil {
		return nil, err
	}
	if v, found := p.c.cache.get(cacheKey{p, sort}); found {
		return v, nil
	}
	fill := p.fill(sort)
	v, err := p.read(ctx, sort)
	if err == nil {
		p.filled(sort, v, fill)
	}
	return v, err
}

// read goes round the cache.
func (p *partition) read(ctx context.Context, sort string) ([]byte, error) {
	if err := p.alive(); err != nil {
		return nil, err
	}
	out, err := call(ctx, p.c, "read an item", func(ctx context.Context) (*dynamodb.GetItemOutput, error) {
		return p.c.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &p.c.table, Key: key(p.pk, sort), ConsistentRead: aws.Bool(true)}, noRetries)
	})
	if err != nil {
		return nil, err
	}
	return p.value(out.Item), nil
}

// value is nil for an item that was deleted or has expired.
func (p *partition) value(item map[string]types.AttributeValue) []byte {
	if ttl := item[attrTTL]; ttl != nil && number(ttl) <= p.c.opts.Now().Unix() {
		return nil
	}
	if v, ok := item[attrValue].(*types.AttributeValueMemberB); ok {
		return v.Value
	}
	return nil
}

// getMany returns the items that there are.
func (p *partition) getMany(ctx context.Context, sorts []string) (map[string][]byte, error) {
	found := make(map[string][]byte, len(sorts))
	var missing []string
	seen := map[string]bool{}
	for _, s := range sorts {
		if seen[s] {
			continue
		}
		seen[s] = true
		if v, ok := p.c.cache.get(cacheKey{p, s}); !ok {
			missing = append(missing, s)
		} else if v != nil {
			found[s] = v
		}
	}
	const most = 100 // of one BatchGetItem
	for len(missing) > 0 {
		n := min(most, len(missing))
		if err := p.readMany(ctx, missing[:n], found); err != nil {
			return nil, err
		}
		missing = missing[n:]
	}
	return found, nil
}

func (p *partition) readMany(ctx context.Context, sorts []string, found map[string][]byte) error {
	if err := p.alive(); err != nil {
		return err
	}
	fills := make(map[string]uint32, len(sorts))
	keys := make([]map[string]types.AttributeValue, 0, len(sorts))
	for _, s := range sorts {
		fills[s] = p.fill(s)
		keys = append(keys, key(p.pk, s))
	}
	request := map[string]types.KeysAndAttributes{p.c.table: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for len(request) > 0 {
		out, err := call(ctx, p.c, "read items", func(ctx context.Context) (*dynamodb.BatchGetItemOutput, error) {
			out, err := p.c.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: request}, noRetries)
			if err == nil && len(out.Responses[p.c.table]) == 0 && len(out.UnprocessedKeys) > 0 {
				err = &types.ProvisionedThroughputExceededException{}
			}
			return out, err
		})
		if err != nil {
			return err
		}
		for _, item := range out.Responses[p.c.table] {
			if s, ok := item[attrSort].(*types.AttributeValueMemberS); ok {
				if v := p.value(item); v != nil {
					found[s.Value] = v
				}
			}
		}
		request = out.UnprocessedKeys
	}
	for _, s := range sorts {
		p.filled(s, found[s], fills[s])
	}
	return nil
}

type sorted struct {
	sort  string
	value []byte
}

// list returns all items whose sort key begins so, in the order of the keys, from the table.
func (p *partition) list(ctx context.Context, prefix string) ([]sorted, error) {
	if err := p.alive(); err != nil {
		return nil, err
	}
	var items []sorted
	var start map[string]types.AttributeValue
	for {
		out, err := call(ctx, p.c, "list items", func(ctx context.Context) (*dynamodb.QueryOutput, error) {
			return p.c.db.Query(ctx, &dynamodb.QueryInput{
				TableName: &p.c.table, ConsistentRead: aws.Bool(true), ExclusiveStartKey: start,
				KeyConditionExpression: aws.String(attrPartition + " = :p AND begins_with(" + attrSort + ", :s)"),
				ExpressionAttributeValues: map[string]types.AttributeValue{
					":p": &types.AttributeValueMemberS{Value: p.pk}, ":s": &types.AttributeValueMemberS{Value: prefix},
				},
			}, noRetries)
		})
		if err != nil {
			return nil, err
		}
		for _, item := range out.Items {
			if s, ok := item[attrSort].(*types.AttributeValueMemberS); ok {
				if v := p.value(item); v != nil {
					items = append(items, sorted{s.Value, v})
				}
			}
		}
		if start = out.LastEvaluatedKey; len(start) == 0 {
			return items, nil
		}
	}
}

// update replaces an item by what change makes of it, nil meaning no item; where nothing changes nothing is written.
func (p *partition) update(ctx context.Context, sort string, change func(old []byte) ([]byte, error)) error {
	lock := &p.locks[stripe(sort)]
	lock.Lock()
	defer lock.Unlock()
	old, err := p.get(ctx, sort)
	if err != nil {
		return err
	}
	value, err := change(old)
	if err != nil || bytes.Equal(old, value) && (old == nil) == (value == nil) {
		return err
	}
	return p.write(ctx, sort, value, time.Time{})
}

// put replaces an item, or deletes it when value is nil. One that expires isn't cached.
func (p *partition) put(ctx context.Context, sort string, value []byte, expires time.Time) error {
	lock := &p.locks[stripe(sort)]
	lock.Lock()
	defer lock.Unlock()
	return p.write(ctx, sort, value, expires)
}

func (p *partition) write(ctx context.Context, sort string, value []byte, expires time.Time) error {
	stamp, err := p.stamp(ctx)
	if err != nil {
		return err
	}
	w := p.newWrite(sort, value, expires, stamp)
	_, err = call(ctx, p.c, "write an item", func(ctx context.Context) (any, error) { return w.alone(ctx, p.c.db) })
	if conditionFailed(err) {
		err = p.fence.lost()
	}
	if err != nil || !expires.IsZero() {
		p.forget(sort)
		return err
	}
	p.written(sort, value)
	return nil
}

// add stores an item unless there is one, round the cache.
func (p *partition) add(ctx context.Context, sort string, value []byte) error {
	stamp, err := p.stamp(ctx)
	if err != nil {
		return err
	}
	w := p.newWrite(sort, value, time.Time{}, stamp)
	w.condition, w.values = "attribute_not_exists("+attrPartition+")", nil
	_, err = call(ctx, p.c, "add an item", func(ctx context.Context) (any, error) { return w.alone(ctx, p.c.db) })
	if conditionFailed(err) {
		return nil
	}
	return err
}

// transact writes several items, at most 99, at once, if this is still the owner. The caller keeps others from changing them meanwhile.
func (p *partition) transact(ctx context.Context, items []sorted) error {
	stamp, err := p.stamp(ctx)
	if err != nil {
		return err
	}
	writes := []types.TransactWriteItem{p.fence.check()}
	for _, it := range items {
		writes = append(writes, p.newWrite(it.sort, it.value, time.Time{}, stamp).inTransaction())
	}
	_, err = call(ctx, p.c, "write items", func(ctx context.Context) (any, error) {
		return p.c.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes}, noRetries)
	})
	if conditionFailed(err) {
		err = p.fence.lost()
	}
	for _, it := range items {
		if err != nil {
			p.forget(it.sort)
		} else {
			p.written(it.sort, it.value)
		}
	}
	return err
}

func stripe(sort string) int {
	h := fnv.New32a()
	h.Write([]byte(sort))
	return int(h.Sum32() % stripes)
}

func (p *partition) fill(sort string) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fills[stripe(sort)]
}

// filled caches what was read, unless something was written since fill.
func (p *partition) filled(sort string, value []byte, fill uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fills[stripe(sort)] == fill {
		p.c.cache.put(cacheKey{p, sort}, value)
	}
}

func (p *partition) written(sort string, value []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fills[stripe(sort)]++
	p.c.cache.put(cacheKey{p, sort}, value)
}

func (p *partition) forget(sort string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fills[stripe(sort)]++
	p.c.cache.remove(cacheKey{p, sort})
}

// inParallel calls f for 0 to n-1, a few at a time, and returns the first error.
func inParallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	if n == 1 {
		return f(ctx, 0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range n {
		group.Go(func() error { return f(ctx, i) })
	}
	return group.Wait()
}
