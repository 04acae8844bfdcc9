// Package host drives the devices of the accounts whose shards it holds: lease → connect → consume → drain.
//
// # Promise
//
// A shard is worked on by one host at a time: by who holds its lease. A lease lasts as long as the host's heartbeat. A host
// gives all up before that expires when it can't beat, and from that moment its stores refuse every write, also when the process
// was paused meanwhile. A command takes effect once: its record says when it has ended. What fails for now is tried again, what
// keeps failing is recorded as failed and goes to the dead letters. When its context ends a host finishes what it has begun,
// disconnects and hands its shards over at once.
package host

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
	"pesan/internal/sleep"
)

// Config is what a host works with. Fields after Logger have defaults.
type Config struct {
	Name     string // of this process, like no other host's
	Queues   int    // how many there are, of all hosts together: 0 … Queues-1; the shards of a queue are held together
	Leases   chat.Leases
	Stores   func(chat.Ownership) Stores
	Queue    chat.CommandQueue
	Sender   chat.CommandSender // for commands that came by a queue that isn't their account's any more
	Devices  Devices
	Beside   func(ctx context.Context, o chat.Ownership, shards []int) // runs while shards are held, until ctx ends; may be nil
	Now      func() time.Time                                          // with a monotonic reading, as time.Now
	Logger   *slog.Logger
	Batches  chat.BatchSender // sends again what waited for its device
	TTL      time.Duration    // of a heartbeat; 15 s
	Renew    time.Duration    // how often the host beats; TTL/3
	Poll     time.Duration    // how often shards are looked for, four times as often while some are missing; 1 s
	Alone    time.Duration    // how often they are while nothing is missing and no other host is there; Poll
	Patience time.Duration    // how long a command waits for its device to be connected; 15 s
	Drain    time.Duration    // how long commands may go on when the host stops; 3 s
	Parallel int              // commands of a shard at a time; 32
	MaxRate  int              // operations of a batch a second; chat.BatchRateBound
	Steps    int              // patches of batches that are made at a time, of all shards together; 8
}

// How often a host on AWS looks for shards: among others so often that it takes soon what another hands over; alone for another
// host. Each look costs a part of a read unit.
const (
	CloudPoll  = 500 * time.Millisecond
	CloudAlone = 5 * time.Second
)

// TTL of a heartbeat, by default; a host beats three times as often.
const TTL = 15 * time.Second

// Stores hold what belongs to accounts, as their owner uses it: they write under his lease alone.
type Stores struct {
	Accounts chat.Accounts
	Chats    chat.ChatStore
	Commands chat.Commands
	Reports  chat.Reports
	Backlog  chat.Backlog
	Batches  chat.Batches
}

// Host shares the shards with other hosts and works on its own. Make one with New.
type Host struct {
	Config
	wg    sync.WaitGroup
	steps *semaphore.Weighted // of batches; who waits longest is next, so that each account gets its turn
	ended chan *shard         // whose work is over
	owned map[int]*shard      // by queue; by Run's goroutine only
}

// New makes a host; Run makes it work.
func New(c Config) *Host {
	c.TTL = cmp.Or(c.TTL, TTL)
	c.Renew = cmp.Or(c.Renew, c.TTL/3)
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.Alone = cmp.Or(c.Alone, c.Poll)
	c.Patience = cmp.Or(c.Patience, 15*time.Second)
	c.Drain = cmp.Or(c.Drain, 3*time.Second)
	c.Parallel = cmp.Or(c.Parallel, 32)
	c.MaxRate = cmp.Or(c.MaxRate, chat.BatchRateBound)
	c.Steps = cmp.Or(c.Steps, 8)
	return &Host{
		Config: c, steps: semaphore.NewWeighted(int64(c.Steps)), ended: make(chan *shard), owned: make(map[int]*shard),
	}
}

// Run works until ctx ends, then drains, hands its shards over, and returns when all has ended. When its heartbeat couldn't be
// kept, the host begins a new life under another name.
func (h *Host) Run(ctx context.Context) error {
	for n := 1; ctx.Err() == nil; n++ {
		name := h.Name
		if n > 1 {
			name = fmt.Sprintf("%s.%d", h.Name, n)
		}
		h.live(ctx, name)
	}
	return nil
}

// live works until ctx ends or the heartbeat is lost.
func (h *Host) live(ctx context.Context, name string) {
	// What remains of a heartbeat after trust is for requests under way and for clocks that don't run alike.
	how := beats{leases: h.Leases, trust: h.TTL - h.TTL/5, ttl: h.TTL, every: h.Renew}
	l := &life{name: name, clock: h.Now, leave: make(chan struct{})}
	first, err := h.begin(ctx, l, how)
	if err != nil {
		return
	}
	living, die := context.WithCancel(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(func() {
		defer die()
		if err := l.keep(living, first, how); err != nil {
			h.Logger.Error("heartbeat lost, and all shards with it", "error", err)
		}
	})
	h.share(ctx, living, l)
	lost := living.Err() != nil
	close(l.leave) // first, so that the others take what this one lets go
	for _, s := range h.owned {
		s.stop()
	}
	for len(h.owned) > 0 {
		s := <-h.ended
		delete(h.owned, s.queue)
	}
	h.wg.Wait()
	die()
	keeper.Wait() // a beat after Leave would be a host that nobody is
	if lost {
		return
	}
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.Renew)
	defer cancel()
	if err := h.Leases.Leave(ask, name); err != nil {
		h.Logger.Warn("leave hosts", "error", err)
	}
}

// begin makes the first heartbeat.
func (h *Host) begin(ctx context.Context, l *life, how beats) (chat.Heartbeat, error) {
	for wait := h.Poll; ; wait = longer(wait) {
		b, err := l.beat(ctx, chat.Heartbeat{Host: l.name}, how)
		if err == nil {
			return b, nil
		}
		if ctx.Err() == nil {
			h.Logger.Warn("announce host", "error", err)
		}
		if err := sleep.For(ctx, wait); err != nil {
			return b, err
		}
	}
}

// share takes and lets go shards until ctx or living ends.
func (h *Host) share(ctx, living context.Context, l *life) {
	for {
		tick := time.NewTimer(h.balance(ctx, living, l))
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-living.Done():
			tick.Stop()
			return
		case s := <-h.ended:
			delete(h.owned, s.queue)
		case <-tick.C:
		}
		tick.Stop()
	}
}

// balance takes free shards up to this host's share, and lets go what is over it. It tells when to look again.
func (h *Host) balance(ctx, living context.Context, l *life) time.Duration {
	if ctx.Err() != nil || living.Err() != nil {
		return h.Poll
	}
	ask, cancel := context.WithTimeout(ctx, h.Renew)
	hosts, err := h.Leases.Hosts(ask, h.Now())
	cancel()
	if err != nil {
		if ctx.Err() == nil {
			h.Logger.Warn("find hosts", "error", err)
		}
		return h.Poll
	}
	first, share := h.shareAmong(hosts, l.name)
	for _, s := range h.surplus(share) {
		h.Logger.Info("shards go to another host", "queue", s.queue)
		s.stop()
	}
	for i := 0; i < h.Queues && len(h.owned) < share && ctx.Err() == nil; i++ {
		if queue := (first + i) % h.Queues; h.owned[queue] == nil {
			h.acquire(ctx, living, l, queue)
		}
	}
	switch {
	case len(h.owned) < share:
		return h.Poll / 4 // a shard is about to be let go, or the heartbeat of its host about to expire
	case len(hosts) > 1:
		return h.Poll
	}
	return h.Alone
}

// shareAmong tells of how many queues this host should have the shards, and where to look for them first, so that hosts don't get
// in each other's way.
func (h *Host) shareAmong(hosts []string, name string) (first, share int) {
	place, found := slices.BinarySearch(hosts, name)
	count := len(hosts)
	if !found {
		count++
	}
	share, extra := h.Queues/count, h.Queues%count
	first = place*share + min(place, extra)
	if place < extra {
		share++
	}
	return first % h.Queues, share
}

// surplus picks what to let go: the highest queues. What is stopping already counts as gone.
func (h *Host) surplus(share int) []*shard {
	var working []*shard
	for _, s := range h.owned {
		if s.ctx.Err() == nil {
			working = append(working, s)
		}
	}
	slices.SortFunc(working, func(a, b *shard) int { return cmp.Compare(a.queue, b.queue) })
	return working[min(share, len(working)):]
}

func (h *Host) acquire(ctx, living context.Context, l *life, queue int) {
	ask, cancel := context.WithTimeout(ctx, h.Renew)
	defer cancel()
	lease, err := h.Leases.AcquireLease(ask, chat.ShardsOf(queue, h.Queues), l.name, h.Now())
	if err != nil {
		if chat.CodeOf(err) != chat.LeaseHeld && ctx.Err() == nil {
			h.Logger.Warn("take shards", "queue", queue, "error", err)
		}
		return
	}
	h.Logger.Info("shards taken", "queue", queue, "epoch", lease.Epoch)
	s := newShard(ctx, h, queue, &hold{life: l, lease: lease})
	h.owned[queue] = s
	h.wg.Go(func() {
		s.run(living)
		h.ended <- s
	})
}
