package storetest

import (
	"context"
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
		{"AcquireAllOrNone", acquireAllOrNone},
		{"AcquireTogether", acquireLeaseTogether},
		{"Beat", beatHeart},
		{"BeatAgainstAcquire", beatAgainstAcquire},
		{"Release", releaseLease},
		{"Hosts", livingHosts},
	})
}

// born makes a host's first heartbeat; its name is like no other's.
func born(t *testing.T, ctx context.Context, leases chat.Leases, name string, now time.Time) chat.Heartbeat {
	t.Helper()
	b, err := leases.Beat(ctx, chat.Heartbeat{Host: name + "-" + newAccount()}, now, ttl)
	ok(t, "first beat", err)
	return b
}

func acquireLease(t *testing.T, ctx context.Context, leases chat.Leases) {
	shards, other := []int{newShard(), newShard()}, []int{newShard()}
	a, b := born(t, ctx, leases, "a", noon), born(t, ctx, leases, "b", noon.Add(10*time.Second))
	first, err := leases.AcquireLease(ctx, shards, a.Host, noon)
	ok(t, "acquire", err)
	if !slices.Equal(first.Shards, shards) || first.Host != a.Host || first.Epoch < 1 {
		t.Errorf("acquired %+v", first)
	}
	_, err = leases.AcquireLease(ctx, shards, b.Host, noon.Add(ttl-time.Millisecond))
	wantCode(t, "held shards", err, chat.LeaseHeld)
	second, err := leases.AcquireLease(ctx, other, b.Host, noon)
	ok(t, "acquire another shard", err)
	if second.Epoch <= first.Epoch {
		t.Errorf("epoch %d after %d of other shards", second.Epoch, first.Epoch)
	}
	third, err := leases.AcquireLease(ctx, shards, b.Host, noon.Add(ttl))
	ok(t, "acquire what a dead host held", err)
	if third.Epoch <= second.Epoch {
		t.Errorf("epoch %d after %d", third.Epoch, second.Epoch)
	}
	_, err = leases.Beat(ctx, a, noon.Add(ttl+time.Second), ttl)
	wantCode(t, "a beat after death", err, chat.LeaseHeld)
	ok(t, "leave", leases.Leave(ctx, b.Host))
	fourth, err := leases.AcquireLease(ctx, shards, born(t, ctx, leases, "c", noon).Host, noon)
	ok(t, "acquire what a host held that has left", err)
	if fourth.Epoch <= third.Epoch {
		t.Errorf("epoch %d after %d", fourth.Epoch, third.Epoch)
	}
}

func acquireAllOrNone(t *testing.T, ctx context.Context, leases chat.Leases) {
	a, b := born(t, ctx, leases, "a", noon), born(t, ctx, leases, "b", noon)
	free, held := newShard(), newShard()
	_, err := leases.AcquireLease(ctx, []int{held}, a.Host, noon)
	ok(t, "acquire", err)
	_, err = leases.AcquireLease(ctx, []int{free, held}, b.Host, noon)
	wantCode(t, "shards of which one is held", err, chat.LeaseHeld)
	_, err = leases.AcquireLease(ctx, []int{free}, a.Host, noon)
	ok(t, "acquire what wasn't taken", err)
}

func acquireLeaseTogether(t *testing.T, ctx context.Context, leases chat.Leases) {
	shards := []int{newShard(), newShard()}
	var epoch int64
	for round := range 5 {
		now := noon.Add(time.Duration(round) * (ttl + time.Second))
		var winners, newest atomic.Int64
		var hosts [8]string
		for i := range hosts {
			hosts[i] = born(t, ctx, leases, "host", now).Host
		}
		ok(t, "acquire", together(len(hosts), func(i int) error {
			lease, err := leases.AcquireLease(ctx, shards, hosts[i], now)
			if err == nil {
				winners.Add(1)
				newest.Store(lease.Epoch)
			} else if c := chat.CodeOf(err); c == chat.LeaseHeld || c == chat.Unavailable {
				err = nil
			}
			return err
		}))
		if winners.Load() != 1 {
			t.Fatalf("round %d: %d hosts hold the shards", round, winners.Load())
		}
		if newest.Load() <= epoch {
			t.Fatalf("round %d: epoch %d after %d", round, newest.Load(), epoch)
		}
		epoch = newest.Load()
	}
}

func beatHeart(t *testing.T, ctx context.Context, leases chat.Leases) {
	shards := []int{newShard()}
	a, b := born(t, ctx, leases, "a", noon), born(t, ctx, leases, "b", noon)
	_, err := leases.AcquireLease(ctx, shards, a.Host, noon)
	ok(t, "acquire", err)
	old := a
	now := noon.Add(10 * time.Second)
	a, err = leases.Beat(ctx, a, now, ttl)
	ok(t, "beat", err)
	if a.Host != old.Host || !a.Expires.Equal(now.Add(ttl)) {
		t.Errorf("%+v after a beat is %+v", old, a)
	}
	a, err = leases.Beat(ctx, old, now, ttl)
	ok(t, "a beat after one whose answer got lost", err)
	_, err = leases.AcquireLease(ctx, shards, b.Host, noon.Add(ttl+time.Second))
	wantCode(t, "what a living host holds", err, chat.LeaseHeld)
	now = a.Expires.Add(time.Hour)
	a, err = leases.Beat(ctx, a, now, ttl)
	ok(t, "a late beat that nobody has noticed", err)
	_, err = leases.AcquireLease(ctx, shards, b.Host, now)
	wantCode(t, "what a host holds that was late", err, chat.LeaseHeld)
	a.Leaving = true
	a, err = leases.Beat(ctx, a, now, ttl)
	ok(t, "beat while leaving", err)
	_, err = leases.AcquireLease(ctx, shards, b.Host, now)
	wantCode(t, "what a leaving host still holds", err, chat.LeaseHeld)
	ok(t, "leave", leases.Leave(ctx, a.Host))
	_, err = leases.Beat(ctx, a, now, ttl)
	wantCode(t, "a beat after leaving", err, chat.LeaseHeld)
}

// beatAgainstAcquire: of a host that beats late and of one that takes what it held only one succeeds.
func beatAgainstAcquire(t *testing.T, ctx context.Context, leases chat.Leases) {
	for range 10 {
		shards := []int{newShard()}
		late, other := born(t, ctx, leases, "a", noon), born(t, ctx, leases, "b", noon.Add(ttl))
		_, err := leases.AcquireLease(ctx, shards, late.Host, noon)
		ok(t, "acquire", err)
		now := noon.Add(ttl + time.Second)
		var won [2]bool
		ok(t, "meet", together(2, func(i int) (err error) {
			if i == 0 {
				_, err = leases.Beat(ctx, late, now, ttl)
			} else {
				_, err = leases.AcquireLease(ctx, shards, other.Host, now)
			}
			won[i] = err == nil
			if c := chat.CodeOf(err); c == chat.LeaseHeld || c == chat.Unavailable {
				err = nil
			}
			return err
		}))
		if won[0] && won[1] {
			t.Fatal("a host lives on, and another has what it held")
		}
	}
}

func releaseLease(t *testing.T, ctx context.Context, leases chat.Leases) {
	shards := []int{newShard(), newShard()}
	a, b := born(t, ctx, leases, "a", noon).Host, born(t, ctx, leases, "b", noon).Host
	acquire := func(host string) chat.Lease {
		t.Helper()
		l, err := leases.AcquireLease(ctx, shards, host, noon)
		ok(t, "acquire", err)
		return l
	}
	first := acquire(a)
	ok(t, "release", leases.ReleaseLease(ctx, first))
	second := acquire(b)
	if second.Epoch <= first.Epoch {
		t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
	}
	ok(t, "release an old lease", leases.ReleaseLease(ctx, first))
	_, err := leases.AcquireLease(ctx, shards, a, noon)
	wantCode(t, "shards after an old lease was released", err, chat.LeaseHeld)
	ok(t, "release", leases.ReleaseLease(ctx, second))
	ok(t, "release again", leases.ReleaseLease(ctx, second))
	third := acquire(a)
	fourth := acquire(a) // its release failed
	if third.Epoch <= second.Epoch || fourth.Epoch <= third.Epoch {
		t.Errorf("epochs %d and %d after %d", third.Epoch, fourth.Epoch, second.Epoch)
	}
	ok(t, "release the host's own old lease", leases.ReleaseLease(ctx, third))
	_, err = leases.AcquireLease(ctx, shards, b, noon)
	wantCode(t, "shards after their host's own old lease was released", err, chat.LeaseHeld)
	ok(t, "release a lease that never was", leases.ReleaseLease(ctx, chat.Lease{Shards: []int{newShard()}, Host: a, Epoch: 1}))
}

func livingHosts(t *testing.T, ctx context.Context, leases chat.Leases) {
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
	beat := func(b chat.Heartbeat, now time.Time, ttl time.Duration) chat.Heartbeat {
		t.Helper()
		b, err := leases.Beat(ctx, b, now, ttl)
		ok(t, "beat", err)
		return b
	}
	if got := hosts(noon); got != nil {
		t.Fatalf("hosts before any: %v", got)
	}
	c := beat(chat.Heartbeat{Host: "c" + suffix}, noon, ttl)
	a := beat(chat.Heartbeat{Host: "a" + suffix}, noon, ttl)
	b := beat(chat.Heartbeat{Host: "b" + suffix}, noon, 2*ttl)
	wantSame(t, "hosts", hosts(noon), []string{"a", "b", "c"})
	a = beat(a, noon.Add(10*time.Second), ttl)
	wantSame(t, "hosts after a ttl", hosts(noon.Add(ttl+time.Second)), []string{"a", "b"})
	ok(t, "leave", leases.Leave(ctx, a.Host))
	wantSame(t, "hosts after one left", hosts(noon.Add(12*time.Second)), []string{"b", "c"})
	b.Leaving = true
	beat(b, noon, 2*ttl)
	wantSame(t, "hosts while one is leaving", hosts(noon.Add(12*time.Second)), []string{"c"})
	ok(t, "leave", leases.Leave(ctx, "z"+suffix))
	ok(t, "leave again", leases.Leave(ctx, a.Host))
	wantSame(t, "hosts after an unknown one left", hosts(noon.Add(12*time.Second)), []string{"c"})
	wantSame(t, "hosts at last", hosts(c.Expires), []string(nil))
	if beats, is := leases.(interface {
		LastBeat(context.Context) (time.Time, error)
	}); is { // a store that passes calls on isn't
		latest := noon.Add(10_000 * time.Hour) // later than any other test's
		beat(chat.Heartbeat{Host: "d" + suffix}, latest, ttl)
		beat(chat.Heartbeat{Host: "e" + suffix}, noon, ttl)
		last, err := beats.LastBeat(ctx)
		ok(t, "last beat", err)
		if !last.Equal(latest) {
			t.Errorf("the last beat was at %v, want %v", last, latest)
		}
		ok(t, "leave", leases.Leave(ctx, "d"+suffix))
		last, err = beats.LastBeat(ctx)
		ok(t, "last beat of those that are left", err)
		if last.Before(noon) || !last.Before(latest) {
			t.Errorf("the last beat of those that are left was at %v", last)
		}
	}
}
