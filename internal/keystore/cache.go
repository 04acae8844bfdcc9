package keystore

import (
	"container/list"
	"sync"

	"pesan/internal/kv"
)

// cache keeps the items that were used last, of all devices, up to a size. Items in it are never changed.
type cache struct {
	mu      sync.Mutex
	limit   int
	size    int
	order   *list.List // of *cached, the latest first
	entries map[cacheKey]*list.Element
}

type cacheKey struct {
	of   *deviceKeys
	sort string
}

type cached struct {
	key  cacheKey
	item *kv.Item // nil: there is none
}

// cacheOverhead is what an entry takes beside its data, in bytes.
const cacheOverhead = 400

func (e *cached) size() int {
	if e.item == nil {
		return cacheOverhead
	}
	return cacheOverhead + len(e.item.Data)
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), entries: map[cacheKey]*list.Element{}}
}

func (c *cache) get(k cacheKey) (it *kv.Item, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[k]
	if el == nil {
		return nil, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*cached).item, true
}

func (c *cache) put(k cacheKey, it *kv.Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.entries[k])
	e := &cached{k, it}
	c.entries[k] = c.order.PushFront(e)
	c.size += e.size()
	for c.size > c.limit {
		c.drop(c.order.Back())
	}
}

func (c *cache) remove(k cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.entries[k])
}

func (c *cache) drop(el *list.Element) {
	if el == nil {
		return
	}
	e := c.order.Remove(el).(*cached)
	delete(c.entries, e.key)
	c.size -= e.size()
}
