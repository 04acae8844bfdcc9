package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pesan/internal/chat"
)

const ttl = 15 * time.Second

// Leases checks an adapter of the shards' leases.
func Leases(t *testing.T, open func(*testing.T) chat.Leases) {
	runAll(t, open, []test[chat.Leases]{
		{"Acquire", acquireLease},
		{"AcquireTogether", acquireLeaseTogether},
		{"Renew", renewLease},
		{"Release", releaseLease},
		{"Hosts", announceHosts},
	})
}

func acquireLease(t *testing.T, ctx context.Context, leases chat.Leases) {
	shard, other := newShard(), newShard()
	first, err := leases.AcquireLease(ctx, shard, "a", noon, ttl)
	ok(t, "acquire", err)
	if first.Shard != shard || first.Host != "a" || !first.Expires.Equal(noon.Add(ttl)) {
		t.Errorf("acquired %+v", first)
	}
	for _, host := range []string{"a", "b"} {
		_, err = leases.AcquireLease(ctx, shard, host, noon.Add(ttl-time.Millisecond), ttl)
		wantCode(t, "a held shard", err, chat.LeaseHeld)
	}
	_, err = leases.AcquireLease(ctx, other, "b", noon, ttl)
	ok(t, "acquire another shard", err)
	second, err := leases.AcquireLease(ctx, shard, "b", noon.Add(ttl+time.Millisecond), ttl)
	ok(t, "acquire an expired lease", err)
	if second.Epoch <= first.Epoch {
		t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
	}
}

func acquireLeaseTogether(t *testing.T, ctx context.Context, leases chat.Leases) {
	shard := newShard()
	var epoch int64
	for round := range 5 {
		now := noon.Add(time.Duration(round) * (ttl + time.Second))
		var winners, newest atomic.Int64
		ok(t, "acquire", together(8, func(i int) error {
			lease, err := leases.AcquireLease(ctx, shard, fmt.Sprint("host", i), now, ttl)
			if err == nil {
				winners.Add(1)
				newest.Store(lease.Epoch)
			} else if c := chat.CodeOf(err); c == chat.LeaseHeld || c == chat.Unavailable {
				err = nil
			}
			return err
		}))
		if winners.Load() != 1 {
			t.Fatalf("round %d: %d hosts hold the shard", round, winners.Load())
		}
		if newest.Load() <= epoch {
			t.Fatalf("round %d: epoch %d after %d", round, newest.Load(), epoch)
		}
		epoch = newest.Load()
	}
}

func renewLease(t *testing.T, ctx context.Context, leases chat.Leases) {
	shard := newShard()
	first, err := leases.AcquireLease(ctx, shard, "a", noon, ttl)
	ok(t, "acquire", err)
	now := noon.Add(10 * time.Second)
	renewed, err := leases.RenewLease(ctx, first, now, ttl)
	ok(t, "renew", err)
	if renewed.Shard != shard || renewed.Host != "a" || renewed.Epoch != first.Epoch || !renewed.Expires.Equal(now.Add(ttl)) {
		t.Errorf("%+v renewed is %+v", first, renewed)
	}
	_, err = leases.AcquireLease(ctx, shard, "b", noon.Add(ttl+time.Second), ttl)
	wantCode(t, "a renewed lease", err, chat.LeaseHeld)
	now = renewed.Expires.Add(time.Hour)
	renewed, err = leases.RenewLease(ctx, renewed, now, ttl)
	ok(t, "renew an expired lease", err)
	_, err = leases.AcquireLease(ctx, shard, "b", now, ttl)
	wantCode(t, "a lease renewed late", err, chat.LeaseHeld)

	now = renewed.Expires.Add(time.Second)
	second, err := leases.AcquireLease(ctx, shard, "b", now, ttl)
	ok(t, "acquire", err)
	_, err = leases.RenewLease(ctx, renewed, now, ttl)
	wantCode(t, "renewing a lease that was taken", err, chat.LeaseHeld)
	_, err = leases.RenewLease(ctx, renewed, second.Expires.Add(time.Hour), ttl)
	wantCode(t, "renewing a lease that was taken and has expired", err, chat.LeaseHeld)
	_, err = leases.RenewLease(ctx, second, now, ttl)
	ok(t, "renew", err)
	_, err = leases.RenewLease(ctx, chat.Lease{Shard: newShard(), Host: "a", Epoch: 1}, noon, ttl)
	wantCode(t, "renewing a lease that never was", err, chat.LeaseHeld)
}

func releaseLease(t *testing.T, ctx context.Context, leases chat.Leases) {
	shard := newShard()
	first, err := leases.AcquireLease(ctx, shard, "a", noon, ttl)
	ok(t, "acquire", err)
	ok(t, "release", leases.ReleaseLease(ctx, first))
	second, err := leases.AcquireLease(ctx, shard, "b", noon, ttl)
	ok(t, "acquire after a release", err)
	if second.Epoch <= first.Epoch {
		t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
	}
	ok(t, "release an old lease", leases.ReleaseLease(ctx, first))
	_, err = leases.AcquireLease(ctx, shard, "c", noon, ttl)
	wantCode(t, "a shard after an old lease was released", err, chat.LeaseHeld)
	_, err = leases.RenewLease(ctx, first, noon, ttl)
	wantCode(t, "renewing an old lease", err, chat.LeaseHeld)
	ok(t, "release", leases.ReleaseLease(ctx, second))
	ok(t, "release again", leases.ReleaseLease(ctx, second))
	third, err := leases.AcquireLease(ctx, shard, "a", noon, ttl)
	ok(t, "acquire", err)
	if third.Epoch <= second.Epoch {
		t.Errorf("epoch %d after %d", third.Epoch, second.Epoch)
	}
	ok(t, "release", leases.ReleaseLease(ctx, third))
	fourth, err := leases.AcquireLease(ctx, shard, "a", noon, ttl)
	ok(t, "acquire by the same host", err)
	_, err = leases.RenewLease(ctx, third, noon, ttl)
	wantCode(t, "renewing the host's own old lease", err, chat.LeaseHeld)
	ok(t, "release the host's own old lease", leases.ReleaseLease(ctx, third))
	_, err = leases.RenewLease(ctx, fourth, noon, ttl)
	ok(t, "renew", err)
	_, err = leases.AcquireLease(ctx, shard, "b", noon, ttl)
	wantCode(t, "a shard after its host's own old lease was released", err, chat.LeaseHeld)
	ok(t, "release a lease that never was", leases.ReleaseLease(ctx, chat.Lease{Shard: newShard(), Host: "a", Epoch: 1}))
}

func announceHosts(t *testing.T, ctx context.Context, leases chat.Leases) {
	suffix := "-" + newAccount()
	hosts := func(now time.Time) []string {
		t.Helper()
		all, err := leases.Hosts(ctx, now)
		ok(t, "hosts", err)
		if !slices.IsSorted(all) {
			t.Errorf("hosts aren't sorted: %v", all)
		}
		var mine []string
		for _, h := range all {
			if name, found := strings.CutSuffix(h, suffix); found {
				mine = append(mine, name)
			}
		}
		return mine
	}
	announce := func(host string, now time.Time, ttl time.Duration) {
		t.Helper()
		ok(t, "announce", leases.AnnounceHost(ctx, host+suffix, now, ttl))
	}
	if got := hosts(noon); got != nil {
		t.Fatalf("hosts before any: %v", got)
	}
	announce("c", noon, ttl)
	announce("a", noon, ttl)
	announce("b", noon, 2*ttl)
	wantSame(t, "hosts", hosts(noon), []string{"a", "b", "c"})
	announce("a", noon.Add(10*time.Second), ttl)
	wantSame(t, "hosts after a ttl", hosts(noon.Add(ttl+time.Second)), []string{"a", "b"})
	announce("a", noon.Add(11*time.Second), 0)
	wantSame(t, "hosts after one left", hosts(noon.Add(12*time.Second)), []string{"b", "c"})
	announce("z", noon, 0)
	wantSame(t, "hosts after an unknown one left", hosts(noon.Add(12*time.Second)), []string{"b", "c"})
	wantSame(t, "hosts at last", hosts(noon.Add(time.Hour)), []string(nil))
}
