// Package kvtest holds the storage port's contract as a suite of tests, and the faults and crashes that what is written over the
// port has to bear.
package kvtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"pesan/internal/kv"
	"pesan/internal/testkit/check"
)

// Open opens an adapter with a clock. What it opens may hold other data and may be shared among tests, if each has its own clock:
// every test works in partitions of its own.
type Open func(t *testing.T, now func() time.Time) kv.Store

// Contract checks an adapter against every sentence of package kv.
func Contract(t *testing.T, open Open) {
	for _, one := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"PutGet", putGet},
		{"Overwrite", overwrite},
		{"Collections", collectionsApart},
		{"StringsOfKeys", stringsOfKeys},
		{"Conditions", conditions},
		{"OwnVersion", ownVersion},
		{"Tokens", tokens},
		{"Expiry", expiry},
		{"ExpiryInQueries", expiryInQueries},
		{"GetMany", getMany},
		{"Order", order},
		{"Bounds", bounds},
		{"KeysOnly", keysOnly},
		{"Pages", pages},
		{"BetweenItems", betweenItems},
		{"Each", each},
		{"EachMany", eachMany},
		{"Together", together},
		{"TogetherMany", togetherMany},
		{"Steps", steps},
		{"Limits", limits},
		{"Invalid", invalid},
		{"Context", contexts},
		{"LostUpdates", lostUpdates},
		{"FencingRace", fencingRace},
		{"TogetherRace", togetherRace},
		{"ReadYourWrites", readYourWrites},
		{"Model", model},
	} {
		t.Run(one.name, func(t *testing.T) {
			f := &fixture{ctx: t.Context(), clock: &Clock{now: noon}}
			f.Store = open(t, f.clock.Now)
			one.run(t, f)
		})
	}
}

// noon is when the tests begin. It is in the future, so that a server that deletes what has expired by its own clock doesn't
// disturb them.
var noon = time.Date(2090, 3, 1, 12, 0, 0, 0, time.UTC)

// Clock is a clock that is set.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a clock that stands at a time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type fixture struct {
	kv.Store
	ctx   context.Context
	clock *Clock
}

// in is the time in some seconds.
func (f *fixture) in(seconds int64) int64 { return f.clock.Now().Unix() + seconds }

// newKey is a key in a partition of its own.
func newKey(sort string) kv.Key {
	return kv.Key{Collection: kv.Chats, Partition: rand.Text(), Sort: sort}
}

// beside is a key in the same partition.
func beside(k kv.Key, sort string) kv.Key {
	k.Sort = sort
	return k
}

func item(k kv.Key, data string) kv.Item { return kv.Item{Key: k, Data: []byte(data)} }

func put(k kv.Key, data string) kv.Op { return kv.Put(item(k, data), kv.Always()) }

func (f *fixture) write(t *testing.T, steps ...kv.Step) {
	t.Helper()
	if err := f.Write(f.ctx, steps...); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// refuse makes a write that must fail.
func (f *fixture) refuse(t *testing.T, what string, want error, steps ...kv.Step) {
	t.Helper()
	if err := f.Write(f.ctx, steps...); !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want %v", what, err, want)
	}
}

// stored returns nil where there is no item, and sees to it that GetMany says the same.
func (f *fixture) stored(t *testing.T, k kv.Key) *kv.Item {
	t.Helper()
	it, err := f.Get(f.ctx, k, kv.Strong)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		t.Fatalf("get: %v", err)
	}
	many, errMany := f.GetMany(f.ctx, []kv.Key{k})
	if errMany != nil || len(many) != 1 || (many[0] == nil) != (err != nil) || many[0] != nil && !same(*many[0], it) {
		t.Fatalf("Get returns %s, %v; GetMany %s, %v", show(&it), err, show(many...), errMany)
	}
	if err != nil {
		return nil
	}
	return &it
}

func (f *fixture) want(t *testing.T, k kv.Key, data string) {
	t.Helper()
	if it := f.stored(t, k); it == nil || string(it.Data) != data {
		t.Fatalf("%s is %s, want %q", k, show(it), data)
	}
}

func (f *fixture) wantNone(t *testing.T, k kv.Key) {
	t.Helper()
	if it := f.stored(t, k); it != nil {
		t.Fatalf("%s is %s, want none", k, show(it))
	}
}

func (f *fixture) query(t *testing.T, q kv.Query) []kv.Item {
	t.Helper()
	var items []kv.Item
	for it, err := range f.Query(f.ctx, q) {
		if err != nil {
			t.Fatalf("query: %v", err)
		}
		items = append(items, it)
	}
	return items
}

func all(k kv.Key) kv.Query { return kv.Query{Collection: k.Collection, Partition: k.Partition} }

func sorts(items []kv.Item) []string {
	s := []string{}
	for _, it := range items {
		s = append(s, it.Sort)
	}
	return s
}

// same compares all of two items; an empty list or map is as good as none.
func same(a, b kv.Item) bool {
	return a.Key == b.Key && string(a.Data) == string(b.Data) && maps.Equal(a.Fields, b.Fields) &&
		a.Version == b.Version && a.Token == b.Token && a.Expires == b.Expires
}

func show(items ...*kv.Item) string {
	s := ""
	for _, it := range items {
		switch {
		case it == nil:
			s += "(none)"
		case len(it.Data) > 100:
			s += fmt.Sprintf("{%s: %d bytes}", it.Key, len(it.Data))
		default:
			s += fmt.Sprintf("{%s: %q %v version %x token %d expires %d}", it.Key, it.Data, it.Fields, it.Version, it.Token,
				it.Expires)
		}
	}
	return s
}

// atOnce runs n calls at the same time and fails with the first error.
func atOnce(t *testing.T, n int, call func(i int) error) {
	t.Helper()
	if err := check.Together(n, call); err != nil {
		t.Fatal(err)
	}
}
