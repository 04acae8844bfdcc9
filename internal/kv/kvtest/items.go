package kvtest

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pesan/internal/kv"
)

func putGet(t *testing.T, f *fixture) {
	k := newKey("a")
	f.wantNone(t, k)
	if _, err := f.Get(f.ctx, k, kv.Eventual); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	for name, it := range map[string]kv.Item{
		"empty":   {},
		"no data": {Fields: map[string]int64{"unread": 1}},
		"all": {Data: binary, Fields: map[string]int64{"a": math.MaxInt64, "b": math.MinInt64, "c": -1}, Token: 7,
			Expires: f.in(60)},
		"far token": {Data: []byte("x"), Token: math.MaxInt64, Expires: f.in(1e9)},
		"zero":      {Data: []byte{0}, Fields: map[string]int64{}},
		"long name": {Fields: map[string]int64{strings.Repeat("n", 32): 1, "N": 2}},
	} {
		it.Key = newKey(name)
		op := kv.Put(it, kv.Absent())
		f.write(t, kv.Each(op))
		if got := f.stored(t, it.Key); got == nil || !same(*got, op.Item) {
			t.Errorf("%s: put %s, got %s", name, show(&op.Item), show(got))
		}
		if got := f.query(t, all(it.Key)); len(got) != 1 || !same(got[0], op.Item) {
			t.Errorf("%s: put %s, a query finds %d", name, show(&op.Item), len(got))
		}
	}
	zeros := item(newKey("a"), "")
	zeros.Fields = map[string]int64{"zero": 0, "one": 1}
	f.write(t, kv.Each(kv.Put(zeros, kv.Always())))
	if got := f.stored(t, zeros.Key); len(got.Fields) != 1 || got.Fields["one"] != 1 || len(got.Data) != 0 {
		t.Errorf("the field that is zero wasn't left out: %s", show(got))
	}
	data := []byte("mine")
	f.write(t, kv.Each(kv.Put(kv.Item{Key: k, Data: data}, kv.Always())))
	copy(data, "your")
	f.want(t, k, "mine")
	copy(f.stored(t, k).Data, "your")
	f.want(t, k, "mine")
}

func overwrite(t *testing.T, f *fixture) {
	k := newKey("a")
	first := kv.Put(kv.Item{Key: k, Data: []byte("first"), Fields: map[string]int64{"a": 1, "b": 2}, Token: 3,
		Expires: f.in(60)}, kv.Always())
	second := kv.Put(kv.Item{Key: k, Fields: map[string]int64{"b": 3}}, kv.Always())
	for _, op := range []kv.Op{first, second, first} {
		f.write(t, kv.Each(op))
		if got := f.stored(t, k); got == nil || !same(*got, op.Item) {
			t.Fatalf("put %s, got %s", show(&op.Item), show(got))
		}
	}
	f.write(t, kv.Each(kv.Delete(k, kv.Always(), 0)))
	f.wantNone(t, k)
	f.write(t, kv.Each(kv.Delete(k, kv.Always(), 0)), kv.Each(kv.Delete(k, kv.Always(), 5)))
	f.write(t, kv.Each(second))
	f.want(t, k, "")
}

func collectionsApart(t *testing.T, f *fixture) {
	k := newKey("a")
	for _, c := range kv.Collections() {
		k.Collection = c
		f.write(t, kv.Each(put(k, string(c))))
	}
	other := newKey("a")
	f.write(t, kv.Each(put(other, "other")))
	for _, c := range kv.Collections() {
		k.Collection = c
		f.want(t, k, string(c))
		if got := f.query(t, all(k)); len(got) != 1 || string(got[0].Data) != string(c) || got[0].Key != k {
			t.Errorf("a query of %s finds %d items", c, len(got))
		}
	}
	k.Collection = kv.Reports
	f.write(t, kv.Each(kv.Delete(k, kv.Present(), 0)))
	f.wantNone(t, k)
	k.Collection = kv.Devices
	f.want(t, k, string(kv.Devices))
}

// awkward are strings that something may take for another.
var awkward = []string{
	"a", "A", "á", "a\u0301", " ", "a ", " a", "\x00", "a\x00", "a\x00b", "\x01", "\n", "%", "_", "'", `"`,
	"''; DROP TABLE items", "/", "a/b", "#", ":v", "0", "00", "1", "-1", "1e3", "null", "true", "\u007f",
	"\u0080", "߿", "ࠀ", "\uffff", "\U00010000", "😀", "\U0010ffff", strings.Repeat("k", kv.MaxKey),
	strings.Repeat("k", kv.MaxKey-1), strings.Repeat("é", kv.MaxKey/2), "c/6281111111111@s.whatsapp.net",
}

func stringsOfKeys(t *testing.T, f *fixture) {
	k := newKey("")
	sorted := slices.Sorted(slices.Values(awkward))
	for _, s := range awkward {
		f.write(t, kv.Each(kv.Put(item(beside(k, s), s), kv.Absent())))
	}
	for _, s := range awkward {
		f.want(t, beside(k, s), s)
	}
	got := f.query(t, all(k))
	if !slices.Equal(sorts(got), sorted) {
		t.Errorf("sort keys come as %q, want %q", sorts(got), sorted)
	}
	for _, it := range got {
		if string(it.Data) != it.Sort {
			t.Errorf("%s has %q", it.Key, it.Data)
		}
	}
	for _, expect := range []int{1, 2, 3} { // a page ends behind each
		q := all(k)
		q.Expect = expect
		if got := sorts(f.query(t, q)); !slices.Equal(got, sorted) {
			t.Errorf("expecting %d, sort keys come as %q, want %q", expect, got, sorted)
		}
	}
	for i, s := range sorted { // each as a bound
		q := all(k)
		q.From = s
		if got := sorts(f.query(t, q)); !slices.Equal(got, sorted[i:]) {
			t.Errorf("from %q come %q", s, got)
		}
		q.From = kv.After(s)
		if got := sorts(f.query(t, q)); !slices.Equal(got, sorted[i+1:]) {
			t.Errorf("after %q come %q", s, got)
		}
		q.From, q.To, q.Reverse = "", s, true
		got := sorts(f.query(t, q))
		slices.Reverse(got)
		if !slices.Equal(got, sorted[:i]) {
			t.Errorf("before %q come %q", s, got)
		}
	}
	prefix := k.Partition
	for _, s := range awkward {
		p := kv.Key{Collection: kv.Chats, Partition: prefix + s, Sort: "a"}
		if len(p.Partition) > kv.MaxKey {
			p.Partition = p.Partition[:kv.MaxKey-len("é")] // whole letters, as all before are of two bytes or one
			p.Partition = strings.ToValidUTF8(p.Partition, "")
		}
		f.write(t, kv.Each(put(p, s)))
		f.want(t, p, s)
		if got := f.query(t, all(p)); len(got) != 1 || got[0].Key != p {
			t.Errorf("partition %q has %d items", p.Partition, len(got))
		}
	}
}

// conditions tries all kinds of operations under all conditions on each state of an item.
func conditions(t *testing.T, f *fixture) {
	states := map[string]func(kv.Key) *kv.Item{
		"none": func(kv.Key) *kv.Item { return nil },
		"live": func(k kv.Key) *kv.Item { return &kv.Item{Key: k, Data: []byte("old")} },
		"live for a while": func(k kv.Key) *kv.Item {
			return &kv.Item{Key: k, Data: []byte("old"), Expires: f.in(1)}
		},
		"expired": func(k kv.Key) *kv.Item { return &kv.Item{Key: k, Data: []byte("old"), Expires: f.in(0)} },
	}
	for name, state := range states {
		for kind, condition := range map[string]func(read kv.Version) kv.Condition{
			"always":    func(kv.Version) kv.Condition { return kv.Always() },
			"absent":    func(kv.Version) kv.Condition { return kv.Absent() },
			"present":   func(kv.Version) kv.Condition { return kv.Present() },
			"unchanged": kv.Unchanged,
			"changed":   func(kv.Version) kv.Condition { return kv.Unchanged(kv.NewVersion()) },
		} {
			live := strings.HasPrefix(name, "live")
			holds := map[string]bool{"always": true, "absent": !live, "present": live, "unchanged": live}[kind]
			for _, op := range []string{"put", "delete", "check"} {
				for _, shape := range []func(...kv.Op) kv.Step{kv.Each, kv.Together} {
					k := newKey("a")
					read := kv.NewVersion()
					if it := state(k); it != nil {
						before := kv.Put(*it, kv.Always())
						read = before.Item.Version
						f.write(t, kv.Each(before))
					}
					before := f.stored(t, k)
					c := condition(read)
					made := map[string]kv.Op{"put": kv.Put(item(k, "new"), c), "delete": kv.Delete(k, c, 0),
						"check": kv.Check(k, c, 0)}[op]
					// another operation makes Together what it is
					err := f.Write(f.ctx, shape(put(beside(k, "b"), "b"), made))
					what := op + " if " + kind + " on " + name
					if holds && err != nil || !holds && !errors.Is(err, kv.ErrConflict) {
						t.Errorf("%s: %v", what, err)
						continue
					}
					after := f.stored(t, k)
					switch {
					case holds && op == "put":
						if after == nil || !same(*after, made.Item) {
							t.Errorf("%s: the item is %s", what, show(after))
						}
					case holds && op == "delete":
						if after != nil {
							t.Errorf("%s: the item is %s", what, show(after))
						}
					case (before == nil) != (after == nil) || before != nil && !same(*before, *after):
						t.Errorf("%s: the item is %s, was %s", what, show(after), show(before))
					}
				}
			}
		}
	}
	k := newKey("a")
	f.write(t, kv.Each(kv.Put(item(k, "1"), kv.As(nil))))
	f.refuse(t, "as none", kv.ErrConflict, kv.Each(kv.Put(item(k, "2"), kv.As(nil))))
	f.write(t, kv.Each(kv.Put(item(k, "3"), kv.As(f.stored(t, k)))))
	f.want(t, k, "3")
}

// ownVersion makes writes again, as who doesn't know whether they were made.
func ownVersion(t *testing.T, f *fixture) {
	k := newKey("a")
	before := kv.Put(item(k, "before"), kv.Absent())
	for name, op := range map[string]kv.Op{
		"absent":    before,
		"always":    kv.Put(item(k, "always"), kv.Always()),
		"present":   kv.Put(item(k, "present"), kv.Present()),
		"unchanged": kv.Put(item(k, "unchanged"), kv.Unchanged(before.Item.Version)),
		"token":     kv.Put(kv.Item{Key: k, Data: []byte("token"), Token: 4}, kv.Unchanged(before.Item.Version)),
	} {
		for _, shape := range []func(...kv.Op) kv.Step{kv.Each, kv.Together} {
			f.write(t, kv.Each(kv.Delete(k, kv.Always(), 0)))
			if name != "absent" {
				f.write(t, kv.Each(before))
			}
			for range 3 {
				if err := f.Write(f.ctx, shape(op, put(beside(k, "b"), "b"))); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				f.want(t, k, string(op.Item.Data))
			}
			if name != "always" {
				f.write(t, kv.Each(put(k, "another")))
			}
			if name == "absent" || name == "unchanged" || name == "token" {
				f.refuse(t, name+" made again after another's", kv.ErrConflict, shape(op))
				f.want(t, k, "another")
			}
		}
	}
	read := *f.stored(t, k)
	a, b := kv.Put(read, kv.Unchanged(read.Version)), kv.Put(read, kv.Unchanged(read.Version))
	f.write(t, kv.Each(a))
	f.refuse(t, "a second put of what was read", kv.ErrConflict, kv.Each(b))
}

func tokens(t *testing.T, f *fixture) {
	k := newKey("a")
	for _, shape := range []func(...kv.Op) kv.Step{kv.Each, kv.Together} {
		for _, stored := range []int64{0, 1, 5, math.MaxInt64} {
			for _, token := range []int64{0, 1, 4, 5, 6, math.MaxInt64} {
				fenced := token != 0 && stored > token
				for kind, condition := range map[string]func(kv.Version) kv.Condition{
					"always":    func(kv.Version) kv.Condition { return kv.Always() },
					"present":   func(kv.Version) kv.Condition { return kv.Present() },
					"unchanged": kv.Unchanged,
					"absent":    func(kv.Version) kv.Condition { return kv.Absent() },
				} {
					for _, op := range []string{"put", "delete", "check"} {
						before := kv.Put(kv.Item{Key: k, Data: []byte("old"), Token: stored}, kv.Always())
						f.write(t, kv.Each(kv.Delete(k, kv.Always(), 0)), kv.Each(before))
						c := condition(before.Item.Version)
						made := map[string]kv.Op{
							"put":    kv.Put(kv.Item{Key: k, Data: []byte("new"), Token: token}, c),
							"delete": kv.Delete(k, c, token), "check": kv.Check(k, c, token),
						}[op]
						err := f.Write(f.ctx, shape(made))
						if fenced {
							if !errors.Is(err, kv.ErrFenced) {
								t.Errorf("%s with %d if %s on %d: %v", op, token, kind, stored, err)
							}
							f.want(t, k, "old")
							continue
						}
						if kind == "absent" {
							if !errors.Is(err, kv.ErrConflict) {
								t.Errorf("%s with %d if absent on %d: %v", op, token, stored, err)
							}
							continue
						}
						after := f.stored(t, k)
						if err != nil || op == "put" && !same(*after, made.Item) || op == "delete" && after != nil {
							t.Errorf("%s with %d if %s on %d: %v, the item is %s", op, token, kind, stored, err, show(after))
						}
					}
				}
			}
		}
	}
	// A token says nothing of what isn't there.
	gone := newKey("a")
	f.write(t, kv.Each(kv.Put(kv.Item{Key: gone, Token: 9, Expires: f.in(1)}, kv.Always())))
	f.clock.Add(time.Second)
	f.write(t, kv.Each(kv.Check(gone, kv.Absent(), 1)), kv.Each(kv.Delete(gone, kv.Always(), 1)))
	f.write(t, kv.Each(kv.Put(kv.Item{Key: gone, Token: 1}, kv.Always())))
	if it := f.stored(t, gone); it == nil || it.Token != 1 {
		t.Errorf("the item is %s", show(it))
	}
}

func expiry(t *testing.T, f *fixture) {
	k := newKey("a")
	op := kv.Put(kv.Item{Key: k, Data: []byte("1"), Expires: f.in(10)}, kv.Absent())
	f.write(t, kv.Each(op))
	f.clock.Add(9*time.Second + 999*time.Millisecond)
	f.want(t, k, "1")
	f.clock.Add(time.Millisecond)
	f.wantNone(t, k)
	if got := f.query(t, all(k)); len(got) != 0 {
		t.Errorf("a query finds %d items", len(got))
	}
	f.refuse(t, "unchanged on what has expired", kv.ErrConflict, kv.Each(kv.Put(item(k, "2"), kv.Unchanged(op.Item.Version))))
	f.write(t, kv.Each(kv.Put(kv.Item{Key: k, Data: []byte("3"), Expires: f.in(10)}, kv.Absent())))
	f.want(t, k, "3")
	f.write(t, kv.Each(kv.Put(item(k, "4"), kv.Present()))) // for ever
	f.clock.Add(1000 * time.Hour)
	f.want(t, k, "4")
	f.write(t, kv.Each(kv.Put(kv.Item{Key: k, Expires: 1}, kv.Present())))
	f.wantNone(t, k)
	f.write(t, kv.Each(kv.Delete(k, kv.Absent(), 0)), kv.Each(kv.Delete(k, kv.Always(), 0)))
	f.wantNone(t, k)
}

func expiryInQueries(t *testing.T, f *fixture) {
	k := newKey("")
	var ops []kv.Op
	var want []string
	for i := range 60 {
		it := item(beside(k, string(rune('A'+i))), "x")
		if i%3 != 0 {
			it.Expires = f.in(int64(i % 3)) // in 1 and 2 s
		}
		if i%3 != 1 {
			want = append(want, it.Sort)
		}
		ops = append(ops, kv.Put(it, kv.Always()))
	}
	f.write(t, kv.Each(ops...))
	f.clock.Add(time.Second)
	q := all(k)
	for _, q.Expect = range []int{0, 1, 2, 7, 1000} {
		for _, q.KeysOnly = range []bool{false, true} {
			if got := sorts(f.query(t, q)); !slices.Equal(got, want) {
				t.Errorf("expecting %d: %q, want %q", q.Expect, got, want)
			}
		}
	}
	q.Reverse = true
	slices.Reverse(want)
	if got := sorts(f.query(t, q)); !slices.Equal(got, want) {
		t.Errorf("in reverse: %q, want %q", got, want)
	}
}

func getMany(t *testing.T, f *fixture) {
	if got, err := f.GetMany(f.ctx, nil); err != nil || len(got) != 0 {
		t.Errorf("of no keys: %d, %v", len(got), err)
	}
	k := newKey("")
	large := bytes.Repeat([]byte("large"), 20_000) // more than a batch holds
	var ops []kv.Op
	var keys []kv.Key
	for i := range 250 {
		one := beside(k, string(rune('A'+i)))
		it := kv.Item{Key: one, Data: []byte(one.Sort)}
		if i < 170 {
			if i%2 == 0 {
				it.Data = append([]byte(one.Sort), large...)
			}
			ops = append(ops, kv.Put(it, kv.Always()))
		}
		keys = append(keys, one)
	}
	f.write(t, kv.Each(ops...))
	keys = append(keys, keys[3], keys[200], keys[3], keys[0])
	slices.Reverse(keys[:50])
	got, err := f.GetMany(f.ctx, keys)
	if err != nil || len(got) != len(keys) {
		t.Fatalf("%d of %d keys, %v", len(got), len(keys), err)
	}
	for i, it := range got {
		i, there := i, slices.ContainsFunc(ops, func(op kv.Op) bool { return op.Item.Key == keys[i] })
		if (it != nil) != there || it != nil && (it.Key != keys[i] || !strings.HasPrefix(string(it.Data), keys[i].Sort)) {
			t.Fatalf("item %d is %s, want that of %s", i, show(it), keys[i])
		}
	}
	if got[len(got)-2] == got[len(keys)-4] {
		t.Error("an item that was asked for twice is shared")
	}
	mixed := []kv.Key{{Collection: kv.Accounts, Partition: k.Partition, Sort: "a"}, beside(k, "A"),
		{Collection: kv.Work, Partition: k.Partition, Sort: "a"}}
	f.write(t, kv.Each(put(mixed[0], "accounts"), put(mixed[2], "work")))
	if got, err = f.GetMany(f.ctx, mixed); err != nil || string(got[0].Data) != "accounts" || got[1] == nil ||
		string(got[2].Data) != "work" {
		t.Errorf("of several collections: %s, %v", show(got...), err)
	}
}
