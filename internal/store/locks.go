package store

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
)

// chatName names a chat of an account.
type chatName struct {
	account string
	jid     chat.JID
}

// locks let one change of a chat at a time be made in this process. Against other processes conditions help; but who loses
// has to read all again.
type locks struct {
	mu  sync.Mutex
	all map[chatName]*lock
}

type lock struct {
	*semaphore.Weighted
	users int // who hold it or wait for it
}

func newLocks() *locks { return &locks{all: make(map[chatName]*lock)} }

func (k *locks) acquire(ctx context.Context, name chatName) (release func(), err error) {
	k.mu.Lock()
	l := k.all[name]
	if l == nil {
		l = &lock{Weighted: semaphore.NewWeighted(1)}
		k.all[name] = l
	}
	l.users++
	k.mu.Unlock()
	if err := l.Acquire(ctx, 1); err != nil {
		k.leave(name, l)
		return nil, err
	}
	return func() { l.Release(1); k.leave(name, l) }, nil
}

// tryAcquire returns nil where somebody holds the lock or waits for it.
func (k *locks) tryAcquire(name chatName) (release func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[name] != nil {
		return nil
	}
	l := &lock{Weighted: semaphore.NewWeighted(1), users: 1}
	l.TryAcquire(1)
	k.all[name] = l
	return func() { l.Release(1); k.leave(name, l) }
}

func (k *locks) leave(name chatName, l *lock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(k.all, name)
	}
}

// recent keeps chats that their owner has changed or looked at of late, so that a chat in which many messages arrive isn't read
// and decoded for each. A change takes a chat out, and puts it back when it has stored it: one that fails may have spoilt it. The
// chat's lock is held from one to the other. Should a former owner write a chat that is kept here, late, the owner's next change
// meets a conflict, and reads it.
type recent struct {
	*handy[recentName, *storedChat]
	drops int64 // how often chats were dropped whose locks others may have held; under mu
}

// recentName is a chat as the owner of a lease knows it; the next one starts with nothing of it.
type recentName struct {
	chatName
	token int64
}

func (s *Store) recently(name chatName) recentName { return recentName{name, s.token} }

// kept is where the store's chats are kept; nil: it isn't that of an owner.
func (s *Store) kept() *recent {
	if !s.owns() {
		return nil
	}
	return s.recent
}

// maxRecent bounds their memory, some 10 KiB each.
const maxRecent = 256

// take returns nil where the chat isn't there, and what put asks for.
func (r *recent) take(name recentName) (c *storedChat, drops int64) {
	if r == nil {
		return nil, 0
	}
	drops = r.dropped()
	c, _ = r.handy.take(name)
	return c, drops
}

// dropped is how often chats were dropped.
func (r *recent) dropped() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drops
}

func (r *recent) put(name recentName, c *storedChat, drops int64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if drops == r.drops {
		r.set(name, c)
	}
}

// drop forgets all chats, also those that are being changed.
func (r *recent) drop() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.all)
	r.drops++
}
