package kvtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pesan/internal/kv"
)

func order(t *testing.T, f *fixture) {
	k := newKey("")
	want := []string{"1", "10", "2", "A", "B", "Z", "a", "aa", "ab", "b", "z", "é", "߿", "ࠀ", "\ue000", "\uffff",
		"\U00010000", "😀"}
	for _, i := range rand.Perm(len(want)) {
		f.write(t, kv.Each(put(beside(k, want[i]), want[i])))
	}
	if got := sorts(f.query(t, all(k))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	q := all(k)
	q.Reverse = true
	slices.Reverse(want)
	if got := sorts(f.query(t, q)); !slices.Equal(got, want) {
		t.Errorf("in reverse got %q, want %q", got, want)
	}
	if got := f.query(t, all(newKey(""))); len(got) != 0 {
		t.Errorf("an empty partition has %d items", len(got))
	}
}

func bounds(t *testing.T, f *fixture) {
	k := newKey("")
	var keys []string
	for i := range 30 {
		keys = append(keys, fmt.Sprintf("k%02d", i))
	}
	keys = append(keys, "l", "m/1", "m/2", "m0")
	var ops []kv.Op
	for _, s := range keys {
		ops = append(ops, put(beside(k, s), s))
	}
	f.write(t, kv.Each(ops...))
	for _, b := range [][2]string{
		{"", ""}, {"k05", ""}, {"", "k05"}, {"k05", "k09"}, {"k05", "k05"}, {"k09", "k05"}, {"k05", "k06"},
		{"k05\x00", "k07"}, {"a", "k"}, {"k", "l"},
		{"z", ""}, {"", "A"}, {"k29", "l"}, {"m/", "m/\U0010ffff"}, {"\U0010ffff", ""}, {"k0", "k1"}, {"l", "a"},
	} {
		var want []string
		for _, s := range keys {
			if s >= b[0] && (b[1] == "" || s < b[1]) {
				want = append(want, s)
			}
		}
		for _, reverse := range []bool{false, true} {
			for _, expect := range []int{0, 1, 3, 100} {
				q := kv.Query{Collection: k.Collection, Partition: k.Partition, From: b[0], To: b[1], Reverse: reverse,
					Expect: expect}
				got := sorts(f.query(t, q))
				if reverse {
					slices.Reverse(got)
				}
				if !slices.Equal(got, want) {
					t.Errorf("from %q to %q, reverse %v, expecting %d: %q, want %q", b[0], b[1], reverse, expect, got, want)
				}
			}
		}
	}
	if got, want := sorts(f.query(t, all(k).Prefix("m/"))), []string{"m/1", "m/2"}; !slices.Equal(got, want) {
		t.Errorf("with the prefix m/: %q", got)
	}
	if got := sorts(f.query(t, all(k).Prefix(""))); len(got) != len(keys) {
		t.Errorf("with the empty prefix: %d", len(got))
	}
}

func keysOnly(t *testing.T, f *fixture) {
	k := newKey("a")
	op := kv.Put(kv.Item{Key: k, Data: bytes.Repeat([]byte("x"), 100_000), Fields: map[string]int64{"a": 1}, Token: 1 << 60,
		Expires: f.in(1e9)}, kv.Always())
	f.write(t, kv.Each(op))
	q := all(k)
	q.KeysOnly = true
	want := op.Item
	want.Data, want.Fields = nil, nil
	if got := f.query(t, q); len(got) != 1 || !same(got[0], want) {
		t.Errorf("got %s, want %s", show(&got[0]), show(&want))
	}
}

// pages reads more than fits into a page of any adapter, in items and in bytes.
func pages(t *testing.T, f *fixture) {
	many, large := newKey(""), newKey("")
	var want []string
	for i := range 2_350 {
		want = append(want, fmt.Sprintf("%05d", i))
	}
	for part := range slices.Chunk(want, 500) {
		var ops []kv.Op
		for _, s := range part {
			ops = append(ops, put(beside(many, s), s))
		}
		f.write(t, kv.Each(ops...))
	}
	data := bytes.Repeat([]byte("0123456789"), 30_000)
	for _, s := range want[:12] {
		f.write(t, kv.Each(kv.Put(kv.Item{Key: beside(large, s), Data: data}, kv.Always())))
	}
	for _, expect := range []int{0, 1, 99, 5000} {
		for _, reverse := range []bool{false, true} {
			for k, want := range map[kv.Key][]string{many: want, large: want[:12]} {
				if expect == 1 && len(want) > 100 {
					want = want[:100] // by single pages it takes too long
				}
				q := kv.Query{Collection: k.Collection, Partition: k.Partition, To: want[len(want)-1] + "\x00",
					Reverse: reverse, Expect: expect}
				got := f.query(t, q)
				if reverse {
					slices.Reverse(got)
				}
				if !slices.Equal(sorts(got), want) {
					t.Errorf("expecting %d, reverse %v: %d items, want %d", expect, reverse, len(got), len(want))
				}
				for _, it := range got {
					if k == large && !bytes.Equal(it.Data, data) || k == many && string(it.Data) != it.Sort {
						t.Fatalf("%s has other data", it.Key)
					}
				}
			}
		}
	}
	for range 3 { // whoever has enough goes
		n := 0
		for it, err := range f.Query(f.ctx, all(many)) {
			if err != nil || it.Sort != want[n] {
				t.Fatal(it.Sort, err)
			}
			if n++; n == 1234 {
				break
			}
		}
	}
}

// betweenItems makes other calls while a query goes on: as many queries inside of each other as no adapter has connections.
func betweenItems(t *testing.T, f *fixture) {
	k := newKey("")
	var ops []kv.Op
	for i := range 40 {
		ops = append(ops, put(beside(k, fmt.Sprintf("%02d", i)), "x"))
	}
	f.write(t, kv.Each(ops...))
	var nested func(depth int)
	nested = func(depth int) {
		q := all(k)
		q.Expect = 2
		n := 0
		for it, err := range f.Query(f.ctx, q) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > 2 {
				break
			}
			f.write(t, kv.Each(put(beside(k, fmt.Sprintf("%02d", depth)), "written meanwhile")))
			f.want(t, it.Key, string(f.stored(t, it.Key).Data))
			if n == 1 && depth < 24 {
				nested(depth + 1)
			}
		}
	}
	nested(0)
	q := all(k) // each is deleted when it was read
	q.Expect = 3
	n := 0
	for it, err := range f.Query(f.ctx, q) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		f.write(t, kv.Each(kv.Delete(it.Key, kv.Always(), 0)))
	}
	if left := f.query(t, all(k)); n != len(ops) || len(left) != 0 {
		t.Errorf("%d were deleted, %d are left", n, len(left))
	}
}
