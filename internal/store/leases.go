package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

const (
	leaseSort = "lease"
	hosts     = "hosts" // the partition of those that share the shards, among the commands, where senders of commands look
	untilMS   = "until" // ms since 1970 when a lease or a host's announcement ends
)

func leaseKey(shard int) kv.Key {
	return kv.Key{Collection: kv.Work, Partition: fmt.Sprintf("shard/%d", shard), Sort: leaseSort}
}

// storedLease is what stands under a shard's key. It stays after a release, for its epoch.
type storedLease struct {
	Host  string    `json:"host"`
	Epoch int64     `json:"epoch"`
	Until time.Time `json:"until"` // the zero time after a release
}

// lease reads the newest lease; it is nil where there was none.
func (s *Store) lease(ctx context.Context, shard int) (l storedLease, it *kv.Item, err error) {
	if it, err = s.get(ctx, leaseKey(shard)); it != nil && err == nil {
		err = json.Unmarshal(it.Data, &l)
	}
	return l, it, err
}

func (s *Store) putLease(ctx context.Context, l chat.Lease, c kv.Condition) (chat.Lease, error) {
	data, err := marshal(storedLease{l.Host, l.Epoch, l.Expires})
	if err != nil {
		return l, err
	}
	put := kv.Put(kv.Item{Key: leaseKey(l.Shard), Data: data, Fields: map[string]int64{"epoch": l.Epoch}}, c)
	l.Version = put.Item.Version
	return l, s.kv.Write(ctx, kv.Each(put))
}

// AcquireLease implements chat.Leases.
func (s *Store) AcquireLease(ctx context.Context, shard int, host string, now time.Time, ttl time.Duration) (l chat.Lease, err error) {
	err = retryOnConflict(ctx, func() error {
		newest, it, err := s.lease(ctx, shard)
		if err != nil {
			return err
		}
		if newest.Until.After(now) {
			return &chat.Error{Code: chat.LeaseHeld}
		}
		l, err = s.putLease(ctx, chat.Lease{Shard: shard, Host: host, Epoch: newest.Epoch + 1, Expires: now.Add(ttl)}, kv.As(it))
		return err
	})
	if err != nil {
		return chat.Lease{}, failed("acquire lease", err)
	}
	return l, nil
}

// RenewLease implements chat.Leases. A lease as it was returned last needs no read.
func (s *Store) RenewLease(ctx context.Context, l chat.Lease, now time.Time, ttl time.Duration) (chat.Lease, error) {
	l.Expires = now.Add(ttl)
	renewed, err := s.replaceLease(ctx, l)
	if err != nil {
		return chat.Lease{}, failed("renew lease", err)
	}
	return renewed, nil
}

// ReleaseLease implements chat.Leases.
func (s *Store) ReleaseLease(ctx context.Context, l chat.Lease) error {
	l.Expires = time.Time{}
	_, err := s.replaceLease(ctx, l)
	if chat.CodeOf(err) == chat.LeaseHeld {
		return nil
	}
	return failed("release lease", err)
}

// replaceLease stores a lease if it is the newest; LEASE_HELD otherwise.
func (s *Store) replaceLease(ctx context.Context, l chat.Lease) (replaced chat.Lease, err error) {
	err = retryOnConflict(ctx, func() error {
		if replaced, err = s.putLease(ctx, l, kv.Unchanged(l.Version)); !errors.Is(err, kv.ErrConflict) {
			return err
		}
		newest, it, err := s.lease(ctx, l.Shard)
		if err == nil && (it == nil || newest.Host != l.Host || newest.Epoch != l.Epoch) {
			err = &chat.Error{Code: chat.LeaseHeld}
		}
		if err != nil {
			return err
		}
		l.Version = it.Version // renewed by a call whose answer got lost
		return kv.ErrConflict
	})
	return replaced, err
}

// AnnounceHost implements chat.Leases.
func (s *Store) AnnounceHost(ctx context.Context, host string, now time.Time, ttl time.Duration) error {
	k := kv.Key{Collection: kv.Commands, Partition: hosts, Sort: host}
	if ttl <= 0 {
		return failed("withdraw host", s.kv.Write(ctx, kv.Each(kv.Delete(k, kv.Always(), 0))))
	}
	expires := now.Add(ttl)
	// Who reads goes by his own clock; that the item expires only tidies up.
	it := kv.Item{Key: k, Fields: map[string]int64{untilMS: expires.UnixMilli()}, Expires: expires.Add(time.Hour).Unix()}
	return failed("announce host", s.kv.Write(ctx, kv.Each(kv.Put(it, kv.Always()))))
}

// Hosts implements chat.Leases.
func (s *Store) Hosts(ctx context.Context, now time.Time) ([]string, error) {
	var announced []string // in the order of the sort key
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Commands, Partition: hosts}) {
		if err != nil {
			return nil, failed("list hosts", err)
		}
		if it.Fields[untilMS] > now.UnixMilli() {
			announced = append(announced, it.Sort)
		}
	}
	return announced, nil
}

// TakeOver frees what a former process held when it was killed: the leases of so many shards, and its announcement. Only who
// knows that no other process uses the database may call it, before he uses it himself.
func (s *Store) TakeOver(ctx context.Context, shards int) error {
	for shard := range shards {
		l, it, err := s.lease(ctx, shard)
		if err == nil && it != nil {
			err = s.ReleaseLease(ctx, chat.Lease{Shard: shard, Host: l.Host, Epoch: l.Epoch, Version: it.Version})
		}
		if err != nil {
			return failed("take over", err)
		}
	}
	return failed("take over", s.deleteAll(ctx, kv.Query{Collection: kv.Commands, Partition: hosts}, 0, nil))
}
