package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
	"pesan/internal/sleep"
)

// shard is the work on the shards of one queue, under one lease.
type shard struct {
	*Host
	queue int
	hold  *hold
	ctx   context.Context // ends when the shards are to be drained
	stop  context.CancelFunc

	stores Stores // under the lease

	devices context.Context // devices run until it ends
	running sync.WaitGroup  // devices that run

	mu    sync.Mutex
	links map[string]*link // by account
}

func newShard(ctx context.Context, h *Host, queue int, held *hold) *shard {
	s := &shard{Host: h, queue: queue, hold: held, stores: h.Stores(held), links: make(map[string]*link)}
	s.ctx, s.stop = context.WithCancel(ctx)
	return s
}

// run works until the shards are to be drained or living, the host's life, ends, and releases the lease in the end.
func (s *shard) run(living context.Context) {
	defer s.stop()
	defer context.AfterFunc(living, s.stop)()
	s.work(living)
	s.release(living)
}

// work connects the devices and consumes the queue. When it returns, nothing of the shard runs any more.
func (s *shard) work(held context.Context) {
	devices, disconnect := context.WithCancel(held)
	defer disconnect()
	s.devices = devices
	var starting sync.WaitGroup
	starting.Go(s.connect)
	if s.Beside != nil {
		s.running.Go(func() { s.Beside(devices, s.hold, s.hold.lease.Shards) })
	}
	s.consume(held)
	starting.Wait()
	disconnect()
	s.running.Wait()
}

// release lets others take the shards. While the host lives they wait for it, so it is tried until it succeeds.
func (s *shard) release(living context.Context) {
	s.hold.end()
	for wait := firstWait; living.Err() == nil; wait = longer(wait) {
		ask, cancel := context.WithTimeout(living, s.TTL/5)
		err := s.Leases.ReleaseLease(ask, s.hold.lease)
		cancel()
		if err == nil {
			s.Logger.Info("shards released", "queue", s.queue)
			return
		}
		s.Logger.Warn("release shards", "queue", s.queue, "error", err)
		select {
		case <-s.hold.leave: // the host is about to leave, with all that it holds
			return
		default:
			_ = sleep.For(living, wait)
		}
	}
}

// connect runs the devices of the accounts that are on, those first that were active last. It returns when each was started
// once. A device that a command works on, which may wait for it to connect, doesn't keep those behind it waiting.
func (s *shard) connect() {
	accounts, err := s.list()
	if err != nil {
		return
	}
	slices.SortStableFunc(accounts, func(a, b chat.Account) int { return b.AsOf.Compare(a.AsOf) })
	var wg sync.WaitGroup
	for _, a := range accounts {
		if !s.owns(a) || !a.On || s.outgrown(a) {
			continue
		}
		l := s.link(a.ID)
		if !l.lock.TryAcquire(1) {
			wg.Go(func() { s.wake(a.ID, s.startListed(a.ID)) })
			continue
		}
		l.active = a.AsOf
		if err := l.startListed(); err != nil {
			wg.Go(func() { s.wake(a.ID, err) })
		}
	}
	wg.Wait()
}

// outgrown tells whether the account came from a shard whose lease is newer than this one, so that what is written of it under
// this one would be refused. Then the shards are let go, for a moment: the next lease of them is the newest.
func (s *shard) outgrown(a chat.Account) bool {
	if a.Fence < s.hold.Token() {
		return false
	}
	s.Logger.Info("shards are leased anew for an account that came", "queue", s.queue, "account", a.ID)
	s.stop()
	return true
}

// owns tells whether the account belongs to the shards.
func (s *shard) owns(a chat.Account) bool { return a.Shard%s.Queues == s.queue }

func (s *shard) list() ([]chat.Account, error) {
	for wait := firstWait; ; wait = longer(wait) {
		accounts, err := s.stores.Accounts.AccountsOf(s.ctx, s.hold.lease.Shards)
		if err == nil {
			return accounts, nil
		}
		if s.ctx.Err() == nil {
			s.Logger.Error("list accounts", "error", err)
		}
		if err := sleep.For(s.ctx, wait); err != nil {
			return nil, err
		}
	}
}

// wake tries to start the device of an account that is on until it runs; err is how it failed at first.
func (s *shard) wake(account string, err error) {
	for wait := firstWait; err != nil && s.ctx.Err() == nil; wait = longer(wait) {
		s.Logger.Error("start device", "account", account, "error", err)
		if !temporary(err) || sleep.For(s.ctx, wait) != nil {
			return
		}
		err = s.startListed(account)
	}
}

// startListed starts the device of an account that was on when it was listed.
func (s *shard) startListed(account string) error {
	l := s.link(account)
	if err := l.lock.Acquire(s.ctx, 1); err != nil {
		return err
	}
	return l.startListed()
}

// startListed starts the device and unlocks the link. A command that came since the account was listed has decided already, and
// one that comes yet will.
func (l *link) startListed() error {
	defer l.lock.Release(1)
	if l.commanded {
		return nil
	}
	return l.start(l.shard.ctx)
}

// link is the account's; it is made when there is none.
func (s *shard) link(account string) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[account]
	if l == nil {
		l = &link{shard: s, account: account, lock: semaphore.NewWeighted(1), parked: make(chan struct{}, 1)}
		s.links[account] = l
	}
	return l
}

// The pauses between tries.
const (
	firstWait = 500 * time.Millisecond
	maxWait   = time.Minute
)

func longer(wait time.Duration) time.Duration { return min(2*wait, maxWait) }
