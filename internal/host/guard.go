package host

import (
	"context"
	"sync"
	"time"

	"pesan/internal/chat"
)

// Guard tells what this process may write: only for accounts whose shard it holds at this very moment. Stores ask it
// right before they write; see Fence. It works for as long as the process lives, over many leases.
type Guard struct {
	now   func() time.Time
	mu    sync.RWMutex
	holds map[string]*hold // by account
}

// NewGuard makes a guard; now must have a monotonic reading, as time.Now.
func NewGuard(now func() time.Time) *Guard { return &Guard{now: now, holds: make(map[string]*hold)} }

// Lease is the lease under which this process drives the account now. LEASE_HELD when it doesn't, or no more.
func (g *Guard) Lease(account string) (chat.Lease, error) {
	g.mu.RLock()
	h := g.holds[account]
	g.mu.RUnlock()
	if h == nil {
		return chat.Lease{}, &chat.Error{Code: chat.LeaseHeld, Message: "not this host's account"}
	}
	return h.check(g.now())
}

// Check is Lease for those who don't need it.
func (g *Guard) Check(account string) error {
	_, err := g.Lease(account)
	return err
}

func (g *Guard) admit(account string, h *hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds[account] = h
}

// expel forgets the accounts of a hold.
func (g *Guard) expel(h *hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for account, of := range g.holds {
		if of == h {
			delete(g.holds, account)
		}
	}
}

// hold is a lease as its holder sees it.
type hold struct {
	mu    sync.Mutex
	lease chat.Lease
	until time.Time // relied on until then, by this process's clocks
	over  bool
}

func newHold(l chat.Lease, until time.Time) *hold { return &hold{lease: l, until: until} }

// check looks at both clocks: the monotonic one stands still while the machine sleeps, the other may be set.
func (h *hold) check(now time.Time) (chat.Lease, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || !now.Before(h.until) || !now.Round(0).Before(h.until.Round(0)) {
		return chat.Lease{}, &chat.Error{Code: chat.LeaseHeld, Message: "lease has ended"}
	}
	return h.lease, nil
}

type holdKey struct{}

// withHold makes Held know the lease under which ctx's work is done.
func withHold(ctx context.Context, h *hold, now func() time.Time) context.Context {
	return context.WithValue(ctx, holdKey{}, func() error {
		_, err := h.check(now())
		return err
	})
}

// Held returns LEASE_HELD when ctx is that of work under a lease that can't be relied on any more. A client of a store asks
// it at the last moment before a request leaves: a process that was paused after it had asked the Guard finds out there.
func Held(ctx context.Context) error {
	if check, ok := ctx.Value(holdKey{}).(func() error); ok {
		return check()
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
func (h *hold) keep(ctx context.Context, leases chat.Leases, now func() time.Time, trust, ttl, every time.Duration) error {
	wait := every
	for {
		lease, until := h.now()
		if err := pause(ctx, min(wait, until.Sub(now()))); err != nil {
			return nil
		}
		if _, err := h.check(now()); err != nil {
			return err
		}
		start := now()
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
