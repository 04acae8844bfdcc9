package store

import (
	"sync"

	"pesan/internal/kv"
)

// read keeps items that the owner of an account has read or written, and is about to change: his next change needs no other read.
// What somebody else writes meanwhile he finds out by the condition of his write, and reads again.
type read struct {
	mu    sync.Mutex
	items map[readKey]kv.Item
}

// readKey is an item as the owner of a lease knows it.
type readKey struct {
	kv.Key
	token int64
}

// maxRead bounds their memory, some 2 KiB each.
const maxRead = 4096

func newRead() *read { return &read{items: make(map[readKey]kv.Item)} }

func (r *read) put(token int64, it kv.Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.items) >= maxRead {
		for other := range r.items { // any of them
			delete(r.items, other)
			break
		}
	}
	r.items[readKey{it.Key, token}] = it
}

// take also forgets it: who fails to write knows it no more.
func (r *read) take(token int64, k kv.Key) (it kv.Item, there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	it, there = r.items[readKey{k, token}]
	delete(r.items, readKey{k, token})
	return it, there
}
