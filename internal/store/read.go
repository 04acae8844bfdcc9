package store

import (
	"sync"

	"pesan/internal/kv"
)

// handy keeps what the owner of an account is about to need again, a bounded number of things. Taking one forgets it.
type handy[K comparable, V any] struct {
	most int

	mu  sync.Mutex
	all map[K]V
}

func newHandy[K comparable, V any](most int) *handy[K, V] {
	return &handy[K, V]{most: most, all: make(map[K]V)}
}

func (h *handy[K, V]) put(k K, v V) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(k, v)
}

// set is put; h.mu is held.
func (h *handy[K, V]) set(k K, v V) {
	if len(h.all) >= h.most {
		for other := range h.all { // any of them
			delete(h.all, other)
			break
		}
	}
	h.all[k] = v
}

func (h *handy[K, V]) take(k K) (v V, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, there = h.all[k]
	delete(h.all, k)
	return v, there
}

// read keeps items that the owner of an account has read or written, and is about to change: his next change needs no other read.
// What somebody else writes meanwhile he finds out by the condition of his write, and reads again; who fails to write knows the
// item no more.
type read = handy[readKey, kv.Item]

// readKey is an item as the owner of a lease knows it.
type readKey struct {
	kv.Key
	token int64
}

// maxRead bounds their memory, some 2 KiB each.
const maxRead = 4096
