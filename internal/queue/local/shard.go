package local

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pesan/internal/kv"
)

// shard is what waits on one shard's queue, the oldest first for each account.
type shard struct {
	number int

	mu       sync.Mutex
	last     uint64 // number of the newest entry
	accounts map[string][]*entry
	changed  chan struct{} // closed at the next change
}

// entry is a command or a batch's message on the queue; its account, or the group of its batches, and number are its place.
type entry struct {
	account  string
	number   uint64
	attempts int
	sending  bool // it isn't stored yet
	visible  time.Time
}

// taken is an entry that is handed out for the nth time.
type taken struct {
	*entry
	attempt int
}

// Partitions of a shard: what waits, which commands were sent of late, and what was handed out too often.
func (s *shard) partition(of string) string { return fmt.Sprintf("queue/%d%s", s.number, of) }

func (s *shard) key(e *entry) kv.Key {
	return kv.Key{Collection: kv.Work, Partition: s.partition(""), Sort: fmt.Sprintf("%016x/%s", e.number, e.account)}
}

// deadKey begins with the time, since numbers begin anew when a queue is opened on which nothing waits.
func (s *shard) deadKey(e *entry) kv.Key {
	k := s.key(e)
	k.Partition, k.Sort = s.partition("/dead"), fmt.Sprintf("%016x/%s", time.Now().UnixMilli(), k.Sort)
	return k
}

func (s *shard) sentKey(account, id string) kv.Key {
	return kv.Key{Collection: kv.Work, Partition: s.partition("/sent"), Sort: account + "/" + id}
}

// shard finds a shard and loads what it holds when it is asked for it the first time.
func (q *Queue) shard(ctx context.Context, number int) (*shard, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.shards[number]; s != nil {
		return s, nil
	}
	s := &shard{number: number, accounts: make(map[string][]*entry), changed: make(chan struct{})}
	for it, err := range q.store.Query(ctx, kv.Query{Collection: kv.Work, Partition: s.partition("")}) {
		if err != nil {
			return nil, err
		}
		e := &entry{attempts: int(it.Fields[attempts])}
		if _, err := fmt.Sscanf(it.Sort, "%016x/", &e.number); err != nil {
			return nil, fmt.Errorf("%s is no place in the queue: %w", it.Key, err)
		}
		_, e.account, _ = strings.Cut(it.Sort, "/")
		s.accounts[e.account] = append(s.accounts[e.account], e)
		s.last = e.number
	}
	q.shards[number] = s
	return s, nil
}

// add gives a command that is being sent its place behind all others of its account.
func (s *shard) add(account string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	e := &entry{account: account, number: s.last, sending: true}
	s.accounts[account] = append(s.accounts[account], e)
	return e
}

// change makes a change to what waits, and wakes those who wait for one.
func (s *shard) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// show lets a command that was sent be taken.
func (s *shard) show(e *entry) { s.change(func() { e.sending = false }) }

// remove forgets an entry, which may be gone already.
func (s *shard) remove(e *entry) {
	s.change(func() {
		left := slices.DeleteFunc(s.accounts[e.account], func(other *entry) bool { return other == e })
		if s.accounts[e.account] = left; len(left) == 0 {
			delete(s.accounts, e.account)
		}
	})
}

// hide has an entry be taken again after a while, unless it was already.
func (s *shard) hide(t taken, after time.Duration) {
	s.change(func() {
		if t.attempts == t.attempt {
			t.visible = time.Now().Add(after)
		}
	})
}

// putBack undoes take for entries that couldn't be handed out.
func (s *shard) putBack(all []taken) {
	s.change(func() {
		for _, t := range all {
			t.attempts--
			t.visible = time.Time{}
		}
	})
}

// take takes some of the oldest entries that are visible, one of each account. Where there is none it tells when the next will be
// visible, zero for never, and what is closed when that changes.
func (s *shard) take(limit int, visibility time.Duration) (all []taken, changed <-chan struct{}, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var heads []*entry
	for _, waiting := range s.accounts {
		switch e := waiting[0]; {
		case e.sending:
		case !e.visible.After(now):
			heads = append(heads, e)
		case next.IsZero() || e.visible.Before(next):
			next = e.visible
		}
	}
	slices.SortFunc(heads, func(a, b *entry) int { return cmp.Compare(a.number, b.number) })
	for _, e := range heads[:min(limit, len(heads))] {
		e.attempts++
		e.visible = now.Add(visibility)
		all = append(all, taken{e, e.attempts})
	}
	return all, s.changed, next
}
