package host

import (
	"context"
	"sync"
	"time"

	"pesan/internal/chat"
)

// life is a host's heartbeat as the host sees it. What the host holds lasts as long.
type life struct {
	name  string           // of the host in this life
	clock func() time.Time // with a monotonic reading, as time.Now
	leave chan struct{}    // closed when the host hands over what it holds

	mu    sync.Mutex
	until time.Time // relied on until then, by this process's clocks
}

// Check looks at both clocks: the monotonic one stands still while the machine sleeps, the other may be set.
func (l *life) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.clock(); !now.Before(l.until) || !now.Round(0).Before(l.until.Round(0)) {
		return &chat.Error{Code: chat.LeaseHeld, Message: "heartbeat has expired"}
	}
	return nil
}

func (l *life) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.Sub(l.clock())
}

// beats is how heartbeats are made.
type beats struct {
	leases            chat.Leases
	trust, ttl, every time.Duration
}

// beat makes a heartbeat.
func (l *life) beat(ctx context.Context, b chat.Heartbeat, how beats) (chat.Heartbeat, error) {
	start := l.clock()
	ctx, cancel := context.WithTimeout(ctx, how.every)
	defer cancel()
	b, err := how.leases.Beat(ctx, b, start, how.ttl)
	if err == nil {
		l.mu.Lock()
		l.until = start.Add(how.trust)
		l.mu.Unlock()
	}
	return b, err
}

// keep beats until ctx ends, and returns nil then; it says at once that the host leaves. It returns LEASE_HELD once the heartbeat
// can't be relied on any more.
func (l *life) keep(ctx context.Context, b chat.Heartbeat, how beats) error {
	wait, leave := how.every, l.leave
	for {
		timer := time.NewTimer(min(wait, l.left()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-leave:
			b.Leaving, leave = true, nil
		case <-timer.C:
		}
		timer.Stop()
		if err := l.Check(); err != nil {
			return err
		}
		beaten, err := l.beat(ctx, b, how)
		switch {
		case err == nil:
			b, wait = beaten, how.every
		case ctx.Err() != nil:
			return nil
		case chat.CodeOf(err) == chat.LeaseHeld:
			return err
		default:
			wait = how.every / 5
		}
	}
}

// hold is a lease as its holder sees it. It implements chat.Ownership, for all accounts of the shards.
type hold struct {
	*life
	lease chat.Lease

	mu   sync.Mutex
	over bool
}

var _ chat.Ownership = (*hold)(nil)

// Token implements chat.Ownership.
func (h *hold) Token() int64 { return h.lease.Epoch }

// Check implements chat.Ownership.
func (h *hold) Check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return &chat.Error{Code: chat.LeaseHeld, Message: "lease has ended"}
	}
	return h.life.Check()
}

func (h *hold) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}
