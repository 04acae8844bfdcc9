package host

import (
	"context"
	"sync"
	"time"

	"pesan/internal/chat"
)

// hold is a lease as its holder sees it. It implements chat.Ownership, for all accounts of the shard.
type hold struct {
	clock func() time.Time // with a monotonic reading, as time.Now

	mu    sync.Mutex
	lease chat.Lease
	until time.Time // relied on until then, by this process's clocks
	over  bool
}

var _ chat.Ownership = (*hold)(nil)

func newHold(l chat.Lease, until time.Time, clock func() time.Time) *hold {
	return &hold{clock: clock, lease: l, until: until}
}

// Token implements chat.Ownership.
func (h *hold) Token() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease.Epoch
}

// Check implements chat.Ownership. It looks at both clocks: the monotonic one stands still while the machine sleeps, the other
// may be set.
func (h *hold) Check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock()
	if h.over || !now.Before(h.until) || !now.Round(0).Before(h.until.Round(0)) {
		return &chat.Error{Code: chat.LeaseHeld, Message: "lease has ended"}
	}
	return nil
}

func (h *hold) renewed(l chat.Lease, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lease, h.until = l, until
}

func (h *hold) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}

func (h *hold) now() (chat.Lease, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease, h.until
}

// keep renews the lease until ctx ends, and returns nil then. It returns LEASE_HELD once the lease can't be relied on any
// more.
func (h *hold) keep(ctx context.Context, leases chat.Leases, trust, ttl, every time.Duration) error {
	wait := every
	for {
		lease, until := h.now()
		if err := pause(ctx, min(wait, until.Sub(h.clock()))); err != nil {
			return nil
		}
		if err := h.Check(); err != nil {
			return err
		}
		start := h.clock()
		ask, cancel := context.WithTimeout(ctx, min(every, until.Sub(start)))
		l, err := leases.RenewLease(ask, lease, start, ttl)
		cancel()
		switch {
		case err == nil:
			h.renewed(l, start.Add(trust))
			wait = every
		case ctx.Err() != nil:
			return nil
		case chat.CodeOf(err) == chat.LeaseHeld:
			return err
		default:
			wait = every / 5
		}
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
