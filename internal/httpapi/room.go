package httpapi

import (
	"cmp"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
)

// room is the memory that large answers take together, over net/http. A call that lists things takes as much as such an answer
// may need while it is made, and keeps what it has needed until the client has read it. Who finds no room waits a while.
type room struct {
	all *semaphore.Weighted

	mu     sync.Mutex
	shares map[string]*share // by account
}

// share is what one account can take, which isn't all: a client that reads slowly holds up its own account only.
type share struct {
	*semaphore.Weighted
	calls int // that have or want some
}

const (
	roomForAll  = 96 << 20
	roomForOne  = roomForAll / 2
	roomToBegin = 24 << 20 // that an answer of 12 MB needs while it is made
	roomWait    = 5 * time.Second
)

func newRoom() *room {
	return &room{all: semaphore.NewWeighted(roomForAll), shares: make(map[string]*share)}
}

// stay is the room that a call has.
type stay struct {
	*room
	account string
	share   *share
	size    int64
}

// enter waits for room to begin in. RATE_LIMITED when there is none for long; ctx's error when the client doesn't wait.
func (r *room) enter(client context.Context, account string) (*stay, error) {
	ctx, cancel := context.WithTimeout(client, roomWait)
	defer cancel()
	r.mu.Lock()
	own := r.shares[account]
	if own == nil {
		own = &share{Weighted: semaphore.NewWeighted(roomForOne)}
		r.shares[account] = own
	}
	own.calls++
	r.mu.Unlock()
	if own.Acquire(ctx, roomToBegin) != nil {
		r.leave(account, own)
		return nil, cmp.Or(client.Err(), error(&chat.Error{Code: chat.RateLimited}))
	}
	if r.all.Acquire(ctx, roomToBegin) != nil {
		own.Release(roomToBegin)
		r.leave(account, own)
		return nil, cmp.Or(client.Err(), error(&chat.Error{Code: chat.RateLimited}))
	}
	return &stay{r, account, own, roomToBegin}, nil
}

func (r *room) leave(account string, own *share) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own.calls--; own.calls == 0 {
		delete(r.shares, account)
	}
}

// keep gives back what is over size. With 0 the stay ends.
func (s *stay) keep(size int64) {
	if s == nil || s.size == 0 {
		return
	}
	if size < s.size {
		s.all.Release(s.size - size)
		s.share.Release(s.size - size)
		s.size = size
	}
	if size == 0 {
		s.leave(s.account, s.share)
	}
}
