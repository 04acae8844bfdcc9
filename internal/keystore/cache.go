package keystore

import (
	"container/list"
	"sync"
)

// cache keeps the values that were used last, of all devices, up to a size. Values in it are never changed.
type cache struct {
	mu      sync.Mutex
	limit   int
	size    int
	order   *list.List // of *cached, the latest first
	entries map[cacheKey]*list.Element
}

type cacheKey struct {
	partition *partition
	sort      string
}

type cached struct {
	key   cacheKey
	value []byte // nil: there is no such item
}

// cacheOverhead is what an entry takes beside its key and value, in bytes.
const cacheOverhead = 200

func (e *cached) size() int { return len(e.key.sort) + len(e.value) + cacheOverhead }

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), entries: map[cacheKey]*list.Element{}}
}

func (c *cache) get(k cacheKey) (value []byte, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[k]
	if el == nil {
		return nil, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*cached).value, true
}

func (c *cache) put(k cacheKey, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.entries[k])
	e := &cached{key: k, value: value}
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

// removeAll forgets a partition.
func (c *cache) removeAll(p *partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, el := range c.entries {
		if k.partition == p {
			c.drop(el)
		}
	}
}

func (c *cache) drop(el *list.Element) {
	if el == nil {
		return
	}
	e := c.order.Remove(el).(*cached)
	delete(c.entries, e.key)
	c.size -= e.size()
}
