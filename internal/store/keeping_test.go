package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"pesan/internal/chat"
)

// TestHandy: what is kept is bounded, the last that came is among it, and taking it forgets it.
func TestHandy(t *testing.T) {
	h := newHandy[int, int](3)
	for i := range 6 {
		h.put(i, i+10)
		if _, there := h.all[i]; !there || len(h.all) != min(i+1, 3) {
			t.Errorf("behind %d it keeps %v", i, h.all)
		}
	}
	if v, there := h.take(5); v != 15 || !there {
		t.Errorf("took %d, %v", v, there)
	}
	if v, there := h.take(5); v != 0 || there {
		t.Errorf("took %d again, %v", v, there)
	}
}

// TestLocks: one at a time has a chat, who gives up waiting leaves nothing behind, and what nobody wants takes no memory.
func TestLocks(t *testing.T) {
	k, name := newLocks(), chatName{"a", "1@g.us"}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	for what, take := range map[string]func() func(){
		"acquired": func() func() {
			release, err := k.acquire(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return release
		},
		"tried": func() func() { return k.tryAcquire(name) },
	} {
		release := take()
		if release == nil {
			t.Fatalf("%s: a free lock isn't given", what)
		}
		for range 2 {
			if k.tryAcquire(name) != nil {
				t.Errorf("%s: two have the lock", what)
			}
			if _, err := k.acquire(late, name); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: who has no time gets %v", what, err)
			}
		}
		next := make(chan func())
		go func() {
			release, err := k.acquire(t.Context(), name)
			if err != nil {
				t.Error(err)
			}
			next <- release
		}()
		for users := 0; users < 2; { // until it waits
			k.mu.Lock()
			users = k.all[name].users
			k.mu.Unlock()
		}
		release()
		release = <-next
		if k.tryAcquire(name) != nil {
			t.Errorf("%s: who waited doesn't have the lock alone", what)
		}
		if release(); len(k.all) != 0 {
			t.Errorf("%s: %d locks are left", what, len(k.all))
		}
	}
}

// TestKeptListsAreBounded: lists are kept up to their bound; behind it those go that weren't used for the longest time.
func TestKeptListsAreBounded(t *testing.T) {
	k := newLists(20)
	use := func(account string, grown int) {
		t.Helper()
		l, fresh := k.find(account)
		if fresh == nil {
			k.begin(l)
			k.end(account, l, []chat.View{}, grown)
		}
	}
	keeps := func(size int, accounts ...string) {
		t.Helper()
		if got := slices.Sorted(maps.Keys(k.all)); !slices.Equal(got, accounts) || k.size != size {
			t.Errorf("it keeps %v of %d bytes, want %v of %d", got, k.size, accounts, size)
		}
	}
	use("a", 10)
	use("b", 10)
	keeps(20, "a", "b")
	use("a", 0)
	use("c", 10)
	keeps(20, "a", "c")
	k.note("c", "1@g.us")
	use("c", -4)
	keeps(16, "a", "c")
	k.drop("a")
	k.drop("a")
	keeps(6, "c")
	use("d", 21)
	keeps(0)

	use("a", 10) // which can't be brought up to date then
	failed, _ := k.find("a")
	k.abandon("a", failed)
	keeps(0)
	use("a", 7)
	k.abandon("a", failed) // by another who waited for it
	keeps(7, "a")

	l, fresh := k.find("a")
	if fresh == nil {
		t.Error("what was read isn't fresh")
	}
	k.note("a", "1@g.us")
	if _, fresh = k.find("a"); fresh != nil {
		t.Error("what has changed is fresh")
	}
	k.begin(l)
	if _, fresh = k.find("a"); fresh != nil {
		t.Error("what somebody is about to bring up to date is fresh")
	}
	k.end("a", l, []chat.View{}, 0)
	if _, fresh = k.find("a"); fresh == nil {
		t.Error("what was brought up to date isn't fresh")
	}
}

// TestMergedLists: chats that have changed are put where they belong now, those that don't show any more go, and the list's size
// follows.
func TestMergedLists(t *testing.T) {
	view := func(jid chat.JID, activity int64, name string) chat.View {
		return chat.View{JID: jid, Activity: activity, Name: name}
	}
	a, b, c := view("a", 30, "x"), view("b", 20, "x"), view("c", 10, "x")
	for what, one := range map[string]struct {
		changed     []chat.JID
		again, want []chat.View
		names       int // letters that the names have more
	}{
		"nothing":           {nil, nil, []chat.View{a, b, c}, 0},
		"first and last go": {[]chat.JID{"a", "c"}, nil, []chat.View{b}, -2},
		"all go":            {[]chat.JID{"a", "b", "c"}, nil, nil, -3},
		"the same":          {[]chat.JID{"b"}, []chat.View{b}, []chat.View{a, b, c}, 0},
		"comes first":       {[]chat.JID{"c"}, []chat.View{view("c", 40, "xyz")}, []chat.View{view("c", 40, "xyz"), a, b}, 2},
		"goes last":         {[]chat.JID{"a"}, []chat.View{view("a", 5, "")}, []chat.View{b, c, view("a", 5, "")}, -1},
		"changes places": {[]chat.JID{"a", "b", "c"}, []chat.View{view("c", 30, "x"), view("a", 10, "x")},
			[]chat.View{view("c", 30, "x"), view("a", 10, "x")}, -1},
		"new ones": {[]chat.JID{"n", "m"}, []chat.View{view("m", 25, "m"), view("n", 10, "n")},
			[]chat.View{a, view("m", 25, "m"), b, c, view("n", 10, "n")}, 2},
	} {
		l, all := &list{activity: map[chat.JID]int64{}}, []chat.View{a, b, c}
		for _, v := range all {
			l.activity[v.JID] = v.Activity
		}
		changed := map[chat.JID]bool{}
		for _, jid := range one.changed {
			changed[jid] = true
		}
		merged, grown := l.merge(all, changed, one.again)
		want := one.names + (len(one.want)-len(all))*(sizeOf(&a)-1)
		if !slices.Equal(merged, one.want) || grown != want || len(l.activity) != len(merged) {
			t.Errorf("%s: %+v, grown by %d; want %+v, %d", what, merged, grown, one.want, want)
		}
	}
}

// TestSizesOfViews: what a list takes grows with each text that it holds.
func TestSizesOfViews(t *testing.T) {
	empty := sizeOf(&chat.View{})
	if empty <= int(unsafe.Sizeof(chat.View{})) {
		t.Errorf("a view without texts takes %d bytes, and no entry", empty)
	}
	for n, v := range []chat.View{
		{}, {JID: "1"}, {Document: "12"}, {Last: chat.Line{Document: "123"}}, {Last: chat.Line{ID: "1234"}}, {Name: "12345"},
		{Labels: "123456"},
	} {
		if got := sizeOf(&v); got != empty+n {
			t.Errorf("%+v takes %d bytes, want %d", v, got, empty+n)
		}
	}
}

// TestCacheLimit: unless it is told otherwise, a sole writer keeps lists.
func TestCacheLimit(t *testing.T) {
	for limit, want := range map[int]int{0: 64 << 20, 5: 5} {
		if s := New(nil, Options{SoleWriter: true, CacheLimit: limit}); s.lists.limit != want {
			t.Errorf("asked for %d bytes it keeps up to %d", limit, s.lists.limit)
		}
	}
	if s := New(nil, Options{}); s.lists != nil || time.Since(s.now()) > time.Hour {
		t.Errorf("%+v", s)
	}
}

// TestLateMessagesAreBounded: so many messages are awaited at most that a former owner was about to store, until they are told.
func TestLateMessagesAreBounded(t *testing.T) {
	f := newFeeds()
	const jid = "1@g.us"
	var all []chat.FeedMessage
	for i := range maxLate + 2 {
		what := []chat.FeedChange{chat.FeedNew, chat.FeedAdded}[i%2]
		all = append(all, chat.FeedMessage{ID: strconv.Itoa(i), What: what})
	}
	f.awaitMessages("a", jid, []chat.FeedMessage{{ID: "gone", What: chat.FeedGone}, {ID: "acked", What: chat.FeedAcked}})
	f.awaitMessages("a", jid, all)
	for id, want := range map[string]bool{
		"0": true, strconv.Itoa(maxLate - 1): true, strconv.Itoa(maxLate): false, "gone": false, "acked": false,
	} {
		if f.isAwaited("a", jid, id) != want || f.isAwaited("b", jid, id) || f.isAwaited("a", "2@g.us", id) {
			t.Errorf("message %s is awaited: %v", id, !want)
		}
	}
	f.came("a", jid, all[:1])
	f.awaitMessages("a", jid, all[maxLate:])
	is := func(i int) bool { return f.isAwaited("a", jid, strconv.Itoa(i)) }
	if is(0) || !is(maxLate) || is(maxLate+1) {
		t.Error("what has come makes room for one")
	}
}
