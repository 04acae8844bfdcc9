package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

const (
	leases       = "leases"  // the partition of what is held; an item is written only when a shard's holder changes
	hosts        = "hosts"   // the partition of heartbeats, among the commands, where senders of commands look
	untilMS      = "until"   // ms since 1970 when a heartbeat expires
	beatMS       = "beat"    // ms since 1970 when it was made, by the host's clock
	fieldLeaving = "leaving" // a host hands over what it holds
)

func leaseKey(shard int) kv.Key {
	return kv.Key{Collection: kv.Work, Partition: leases, Sort: fmt.Sprintf("%06d", shard)}
}

func heartbeatKey(host string) kv.Key {
	return kv.Key{Collection: kv.Commands, Partition: hosts, Sort: host}
}

// storedLease is what stands under a shard's key. It stays after a release, for its epoch.
type storedLease struct {
	Host  string `json:"host,omitempty"` // "": nobody
	Epoch int64  `json:"epoch"`
}

// Beat implements chat.Leases.
func (s *Store) Beat(ctx context.Context, b chat.Heartbeat, now time.Time, ttl time.Duration) (chat.Heartbeat, error) {
	b.Expires = now.Add(ttl)
	it := kv.Item{
		Key:    heartbeatKey(b.Host),
		Fields: fieldsOf(map[string]int64{untilMS: b.Expires.UnixMilli(), beatMS: now.UnixMilli(), fieldLeaving: bit(b.Leaving)}),
		// Whether a host lives is told by the field and the reader's clock; that the item expires only tidies up.
		Expires: b.Expires.Add(time.Hour).Unix(),
	}
	first := b.Version == [8]byte{}
	err := retryOnConflict(ctx, func() error {
		condition := kv.Always()
		if !first {
			condition = kv.Unchanged(b.Version)
		}
		put := kv.Put(it, condition)
		err := s.kv.Write(ctx, kv.Each(put))
		if !errors.Is(err, kv.ErrConflict) {
			b.Version = put.Item.Version
			return err
		}
		stored, err := s.get(ctx, it.Key)
		switch {
		case err != nil:
			return err
		case stored == nil:
			return &chat.Error{Code: chat.LeaseHeld, Message: "another host has found this one dead"}
		}
		b.Version = stored.Version // of a call whose answer got lost: nobody else writes it
		return kv.ErrConflict
	})
	return b, failed("beat", err)
}

// Leave implements chat.Leases.
func (s *Store) Leave(ctx context.Context, host string) error {
	return failed("leave hosts", s.kv.Write(ctx, kv.Each(kv.Delete(heartbeatKey(host), kv.Always(), 0))))
}

// Hosts implements chat.Leases. What a moment ago was is good enough, for half the price: who takes or lets go a lease looks
// again.
func (s *Store) Hosts(ctx context.Context, now time.Time) ([]string, error) {
	var living []string // in the order of the sort key
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Commands, Partition: hosts, Consistency: kv.Eventual}) {
		if err != nil {
			return nil, failed("list hosts", err)
		}
		if it.Fields[untilMS] > now.UnixMilli() && it.Fields[fieldLeaving] == 0 {
			living = append(living, it.Sort)
		}
	}
	return living, nil
}

// LastBeat returns when a host was heard last; zero when none has left a heartbeat.
func (s *Store) LastBeat(ctx context.Context) (time.Time, error) {
	var last int64
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Commands, Partition: hosts}) {
		if err != nil {
			return time.Time{}, failed("read heartbeats", err)
		}
		last = max(last, it.Fields[beatMS])
	}
	if last == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(last), nil
}

// AcquireLease implements chat.Leases.
func (s *Store) AcquireLease(ctx context.Context, shards []int, host string, now time.Time) (l chat.Lease, err error) {
	err = retryOnConflict(ctx, func() error {
		held, epoch, err := s.leases(ctx)
		if err != nil {
			return err
		}
		l = chat.Lease{Shards: shards, Host: host, Epoch: epoch + 1}
		data, err := marshal(storedLease{Host: host, Epoch: l.Epoch})
		if err != nil {
			return err
		}
		free := map[string]bool{"": true, host: true} // by holder; what a host asks for it doesn't use
		ops := make([]kv.Op, 0, len(shards))
		for _, shard := range shards {
			have := held[leaseKey(shard).Sort]
			if !free[have.Host] {
				if err := s.bury(ctx, have.Host, now); err != nil {
					return err
				}
				free[have.Host] = true
			}
			ops = append(ops, kv.Put(kv.Item{Key: leaseKey(shard), Data: data}, kv.As(have.item)))
		}
		return s.kv.Write(ctx, kv.Together(ops...))
	})
	if err != nil {
		return chat.Lease{}, failed("acquire lease", err)
	}
	return l, nil
}

// bury takes away the heartbeat of a host that has died, so that it can't beat again; LEASE_HELD when it lives.
func (s *Store) bury(ctx context.Context, host string, now time.Time) error {
	it, err := s.get(ctx, heartbeatKey(host))
	switch {
	case err != nil || it == nil:
		return err
	case it.Fields[untilMS] > now.UnixMilli():
		return &chat.Error{Code: chat.LeaseHeld}
	}
	return s.kv.Write(ctx, kv.Each(kv.Delete(it.Key, kv.Unchanged(it.Version), 0)))
}

// heldLease is what is stored of a shard; its item is nil where there is none.
type heldLease struct {
	storedLease
	item *kv.Item
}

// leases reads what is held, by sort key, and the greatest epoch.
func (s *Store) leases(ctx context.Context) (held map[string]heldLease, epoch int64, err error) {
	held = make(map[string]heldLease)
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Work, Partition: leases}) {
		if err != nil {
			return nil, 0, err
		}
		h := heldLease{item: &it}
		if h.storedLease, err = jsonOf[storedLease](&it); err != nil {
			return nil, 0, err
		}
		held[it.Sort] = h
		epoch = max(epoch, h.Epoch)
	}
	return held, epoch, nil
}

// ReleaseLease implements chat.Leases.
func (s *Store) ReleaseLease(ctx context.Context, l chat.Lease) error {
	data, err := marshal(storedLease{Epoch: l.Epoch})
	if err != nil {
		return err
	}
	err = retryOnConflict(ctx, func() error {
		held, _, err := s.leases(ctx)
		if err != nil {
			return err
		}
		var ops []kv.Op
		for _, shard := range l.Shards {
			if have := held[leaseKey(shard).Sort]; have.Host == l.Host && have.Epoch == l.Epoch {
				ops = append(ops, kv.Put(kv.Item{Key: leaseKey(shard), Data: data}, kv.As(have.item)))
			}
		}
		return s.kv.Write(ctx, kv.Each(ops...))
	})
	return failed("release lease", err)
}

// TakeOver frees what a former process held when it was killed. Only who knows that no other process uses the database may call
// it, before he uses it himself.
func (s *Store) TakeOver(ctx context.Context) error {
	return failed("take over", s.deleteAll(ctx, kv.Query{Collection: kv.Commands, Partition: hosts}))
}
