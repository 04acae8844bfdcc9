// Package host drives the devices of the accounts whose shards it holds: lease → connect → consume → drain.
//
// # Promise
//
// A shard is worked on by one host at a time: by who holds its lease. A host gives a lease up before it ends when it
// can't renew it, and from that moment its stores refuse every write, also when the process was paused meanwhile. A
// command takes effect once: its record says when it has ended. What fails for now is tried again, what keeps failing is
// recorded as failed and goes to the dead letters. When its context ends a host finishes what it has begun, disconnects
// and hands its shards over at once.
package host

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"pesan/internal/chat"
)

// Config is what a host works with. Fields after Logger have defaults.
type Config struct {
	Name     string // of this process, like no other host's
	Shards   int    // how many there are, of all hosts together: 0 … Shards-1
	Leases   chat.Leases
	Stores   func(chat.Ownership) Stores
	Queue    chat.CommandQueue
	Devices  Devices
	Now      func() time.Time // with a monotonic reading, as time.Now
	Logger   *slog.Logger
	TTL      time.Duration // of a lease; 15 s
	Renew    time.Duration // how often it is renewed; TTL/3
	Poll     time.Duration // how often shards are looked for, four times as often while some are missing; 1 s
	Patience time.Duration // how long a command waits for its device to be connected; 15 s
	Drain    time.Duration // how long commands may go on when the host stops; 3 s
	Parallel int           // commands of a shard at a time; 32
}

// Stores hold what belongs to accounts, as their owner uses it: they write under his lease alone.
type Stores struct {
	Accounts chat.Accounts
	Chats    chat.ChatStore
	Commands chat.Commands
	Reports  chat.Reports
	Backlog  chat.Backlog
}

// Host shares the shards with other hosts and works on its own. Make one with New.
type Host struct {
	Config
	wg     sync.WaitGroup
	ended  chan *shard    // shards whose work is over
	owned  map[int]*shard // by Run's goroutine only, as what follows
	spoken time.Time      // last announcement
}

// New makes a host; Run makes it work.
func New(c Config) *Host {
	c.TTL = cmp.Or(c.TTL, 15*time.Second)
	c.Renew = cmp.Or(c.Renew, c.TTL/3)
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.Patience = cmp.Or(c.Patience, 15*time.Second)
	c.Drain = cmp.Or(c.Drain, 3*time.Second)
	c.Parallel = cmp.Or(c.Parallel, 32)
	return &Host{Config: c, ended: make(chan *shard), owned: make(map[int]*shard)}
}

// Run works until ctx ends, then drains, hands its shards over, and returns when all has ended.
func (h *Host) Run(ctx context.Context) error {
	for {
		wait := h.Poll
		if !h.balance(ctx) {
			wait /= 4 // a shard is about to be let go, or its lease about to end
		}
		tick := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			return h.drain(context.WithoutCancel(ctx))
		case s := <-h.ended:
			delete(h.owned, s.number)
		case <-tick.C:
		}
		tick.Stop()
	}
}

// drain first leaves the hosts that share the shards, so that the others take what this one lets go.
func (h *Host) drain(ctx context.Context) error {
	h.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, h.Renew)
		defer cancel()
		if err := h.Leases.AnnounceHost(ctx, h.Name, h.Now(), 0); err != nil {
			h.Logger.Warn("leave hosts", "error", err)
		}
	})
	for _, s := range h.owned {
		s.stop()
	}
	for len(h.owned) > 0 {
		s := <-h.ended
		delete(h.owned, s.number)
	}
	h.wg.Wait()
	return nil
}

// balance takes free shards up to this host's share, and lets go what is over it. It tells whether nothing is missing.
func (h *Host) balance(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	first, share, err := h.share(ctx)
	if err != nil {
		if ctx.Err() == nil {
			h.Logger.Warn("find hosts", "error", err)
		}
		return true
	}
	for _, s := range h.surplus(share) {
		h.Logger.Info("shard goes to another host", "shard", s.number)
		s.stop()
	}
	for i := 0; i < h.Shards && len(h.owned) < share && ctx.Err() == nil; i++ {
		if number := (first + i) % h.Shards; h.owned[number] == nil {
			h.acquire(ctx, number)
		}
	}
	return len(h.owned) >= share
}

// share tells how many shards this host should have, and where to look for them first, so that hosts don't get in each
// other's way.
func (h *Host) share(ctx context.Context) (first, share int, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.Renew)
	defer cancel()
	now := h.Now()
	if now.Sub(h.spoken) >= h.Renew {
		if err := h.Leases.AnnounceHost(ctx, h.Name, now, h.TTL); err != nil {
			return 0, 0, fmt.Errorf("announce host: %w", err)
		}
		h.spoken = now
	}
	hosts, err := h.Leases.Hosts(ctx, now)
	if err != nil {
		return 0, 0, fmt.Errorf("list hosts: %w", err)
	}
	place, found := slices.BinarySearch(hosts, h.Name)
	count := len(hosts)
	if !found {
		count++
	}
	share, extra := h.Shards/count, h.Shards%count
	first = place*share + min(place, extra)
	if place < extra {
		share++
	}
	return first % h.Shards, share, nil
}

// surplus picks the shards to let go: those with the highest numbers. Those that are stopping already count as gone.
func (h *Host) surplus(share int) []*shard {
	var working []*shard
	for _, s := range h.owned {
		if s.ctx.Err() == nil {
			working = append(working, s)
		}
	}
	slices.SortFunc(working, func(a, b *shard) int { return cmp.Compare(a.number, b.number) })
	return working[min(share, len(working)):]
}

func (h *Host) acquire(ctx context.Context, number int) {
	ask, cancel := context.WithTimeout(ctx, h.Renew)
	defer cancel()
	start := h.Now()
	l, err := h.Leases.AcquireLease(ask, number, h.Name, start, h.TTL)
	if err != nil {
		if chat.CodeOf(err) != chat.LeaseHeld && ctx.Err() == nil {
			h.Logger.Warn("take shard", "shard", number, "error", err)
		}
		return
	}
	h.Logger.Info("shard taken", "shard", number, "epoch", l.Epoch)
	s := newShard(ctx, h, number, newHold(l, start.Add(h.trust()), h.Now))
	h.owned[number] = s
	h.wg.Go(func() {
		s.run()
		h.ended <- s
	})
}

// trust is how long a lease is relied on from the moment it was asked for. What remains of it is for requests under way
// and for clocks that don't run alike.
func (h *Host) trust() time.Duration { return h.TTL - h.TTL/5 }
