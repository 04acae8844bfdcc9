package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"pesan/internal/kv"
)

func each(t *testing.T, f *fixture) {
	k := newKey("")
	f.write(t)
	f.write(t, kv.Each(), kv.Together(), kv.Each())
	f.write(t, kv.Each(put(beside(k, "there"), "1")))
	f.refuse(t, "one of three", kv.ErrConflict, kv.Each(
		put(beside(k, "a"), "a"), kv.Put(item(beside(k, "there"), "2"), kv.Absent()), put(beside(k, "b"), "b"),
	))
	f.want(t, beside(k, "there"), "1")
	for _, s := range []string{"a", "b"} { // each may have been made or not
		if it := f.stored(t, beside(k, s)); it != nil && string(it.Data) != s {
			t.Errorf("%s is %s", s, show(it))
		}
	}
}

// eachMany makes more operations than a batch of any adapter has, of all kinds, in several collections.
func eachMany(t *testing.T, f *fixture) {
	chats, messages := newKey(""), newKey("")
	messages.Collection = kv.Messages
	const n = 120
	name := func(i int) string { return fmt.Sprintf("%03d", i) }
	var ops []kv.Op
	for i := range n {
		ops = append(ops, put(beside(chats, name(i)), "1"),
			kv.Put(kv.Item{Key: beside(messages, name(i)), Data: []byte("1"), Token: int64(i)}, kv.Absent()))
	}
	f.write(t, kv.Each(ops...))
	ops = nil
	for i := range n {
		switch i % 4 {
		case 0:
			ops = append(ops, kv.Delete(beside(chats, name(i)), kv.Always(), 0), put(beside(messages, name(i)), "2"))
		case 1:
			ops = append(ops, put(beside(chats, name(i)), "2"), kv.Delete(beside(messages, name(i)), kv.Present(), int64(i)))
		case 2:
			ops = append(ops, kv.Check(beside(chats, name(i)), kv.Present(), 0), put(beside(chats, "new"+name(i)), "2"))
		}
	}
	f.write(t, kv.Each(ops...))
	for i := range n {
		want := map[int][3]string{0: {"", "2", ""}, 1: {"2", "", ""}, 2: {"1", "1", "2"}, 3: {"1", "1", ""}}[i%4]
		for j, k := range []kv.Key{beside(chats, name(i)), beside(messages, name(i)), beside(chats, "new"+name(i))} {
			if want[j] == "" {
				f.wantNone(t, k)
			} else {
				f.want(t, k, want[j])
			}
		}
	}
}

func together(t *testing.T, f *fixture) {
	k := newKey("")
	other := newKey("account")
	other.Collection = kv.Accounts
	f.write(t, kv.Each(kv.Put(kv.Item{Key: other, Token: 5}, kv.Always())))
	made := func() kv.Step {
		return kv.Together(put(beside(k, "new"), "1"), kv.Put(item(beside(k, "there"), "2"), kv.Absent()),
			kv.Check(other, kv.Present(), 5))
	}
	for name, one := range map[string]struct {
		failing kv.Op
		want    error
	}{
		"put":         {kv.Put(item(beside(k, "x"), ""), kv.Present()), kv.ErrConflict},
		"delete":      {kv.Delete(beside(k, "x"), kv.Present(), 0), kv.ErrConflict},
		"check":       {kv.Check(newKey("x"), kv.Present(), 0), kv.ErrConflict},
		"fenced":      {kv.Check(other, kv.Present(), 4), kv.ErrFenced},
		"fenced put":  {kv.Put(kv.Item{Key: other, Token: 4}, kv.Always()), kv.ErrFenced},
		"fenced gone": {kv.Delete(other, kv.Always(), 1), kv.ErrFenced},
	} {
		step := made()
		if one.failing.Item.Key == other {
			step.Ops = step.Ops[:2]
		}
		for _, ops := range [][]kv.Op{append([]kv.Op{one.failing}, step.Ops...),
			append(step.Ops[:len(step.Ops):len(step.Ops)], one.failing)} {
			f.refuse(t, name, one.want, kv.Together(ops...))
			f.wantNone(t, beside(k, "new"))
			f.wantNone(t, beside(k, "there"))
			f.write(t, kv.Each(put(beside(k, "after"), name))) // in a partition that the refused one may have begun
			f.want(t, beside(k, "after"), name)
			f.write(t, kv.Each(kv.Delete(beside(k, "after"), kv.Always(), 0)))
		}
	}
	step := made()
	for range 2 { // made again, each finds itself
		f.write(t, step)
		f.want(t, beside(k, "new"), "1")
		f.want(t, beside(k, "there"), "2")
	}
	f.write(t, kv.Together(kv.Delete(beside(k, "new"), kv.Present(), 0), put(beside(k, "moved"), "1")))
	f.wantNone(t, beside(k, "new"))
	f.want(t, beside(k, "moved"), "1")
}

func togetherMany(t *testing.T, f *fixture) {
	k := newKey("")
	var ops []kv.Op
	for i := range kv.MaxTogether {
		ops = append(ops, put(beside(k, fmt.Sprintf("%03d", i)), "1"))
	}
	f.write(t, kv.Together(ops...))
	if got := f.query(t, all(k)); len(got) != kv.MaxTogether {
		t.Errorf("%d of %d were stored", len(got), kv.MaxTogether)
	}
	ops[kv.MaxTogether-1] = kv.Check(beside(k, "none"), kv.Present(), 0)
	for i := range ops[:kv.MaxTogether-1] {
		ops[i] = kv.Delete(ops[i].Item.Key, kv.Present(), 0)
	}
	f.refuse(t, "with a check that fails", kv.ErrConflict, kv.Together(ops...))
	if got := f.query(t, all(k)); len(got) != kv.MaxTogether {
		t.Errorf("%d of %d are left", len(got), kv.MaxTogether)
	}
}

// steps fails in the midst: what stands before is made, what stands behind isn't.
func steps(t *testing.T, f *fixture) {
	k := newKey("")
	at := func(i int) kv.Key { return beside(k, fmt.Sprint(i)) }
	f.write(t,
		kv.Each(put(at(1), "1"), put(at(2), "2")),
		kv.Together(kv.Put(item(at(1), "3"), kv.Present()), kv.Delete(at(2), kv.Present(), 0)),
		kv.Each(kv.Check(at(2), kv.Absent(), 0)), kv.Each(kv.Put(item(at(2), "4"), kv.Absent())),
	)
	f.want(t, at(1), "3")
	f.want(t, at(2), "4")
	for _, shape := range []func(...kv.Op) kv.Step{kv.Each, kv.Together} {
		k = newKey("")
		f.refuse(t, "a write of three steps", kv.ErrConflict,
			shape(put(at(1), "1"), put(at(2), "2")),
			shape(put(at(3), "3"), kv.Put(item(at(4), "4"), kv.Present())),
			shape(put(at(5), "5")))
		f.want(t, at(1), "1")
		f.want(t, at(2), "2")
		f.wantNone(t, at(4))
		f.wantNone(t, at(5))
	}
}

func limits(t *testing.T, f *fixture) {
	k := newKey("large")
	largest := kv.Item{
		Key:  beside(k, string(bytes.Repeat([]byte("s"), kv.MaxKey))),
		Data: bytes.Repeat([]byte{0xff}, kv.MaxData), Fields: map[string]int64{}, Token: 1 << 62, Expires: f.in(1e9),
	}
	for i := range 32 {
		largest.Fields[fmt.Sprintf("%c%s", 'a'+i%26, bytes.Repeat([]byte{byte('A' + i/26)}, 31))] = -1 << 62
	}
	op := kv.Put(largest, kv.Always())
	f.write(t, kv.Each(op))
	if got := f.stored(t, largest.Key); got == nil || !same(*got, op.Item) {
		t.Errorf("the largest item came back as %s", show(got))
	}
	f.write(t, kv.Together(put(k, "small"), kv.Put(largest, kv.Present())))
	tooLarge := largest
	tooLarge.Data = append(largest.Data, 0)
	for _, shape := range []func(...kv.Op) kv.Step{kv.Each, kv.Together} {
		f.refuse(t, "too large", kv.ErrTooLarge, kv.Each(put(beside(k, "first step"), "")),
			shape(put(beside(k, "a"), ""), kv.Put(tooLarge, kv.Always())))
		f.wantNone(t, beside(k, "first step"))
		f.wantNone(t, beside(k, "a"))
	}
}

func invalid(t *testing.T, f *fixture) {
	k := newKey("a")
	long := string(bytes.Repeat([]byte("k"), kv.MaxKey+1))
	ours := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
		}
		for _, other := range []error{kv.ErrConflict, kv.ErrFenced, kv.ErrTooLarge, kv.ErrUnavailable, kv.ErrNotFound} {
			if errors.Is(err, other) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	key := func(c kv.Collection, partition, sort string) kv.Key {
		return kv.Key{Collection: c, Partition: partition, Sort: sort}
	}
	for what, bad := range map[string]kv.Key{
		"no collection":       key("", k.Partition, "a"),
		"unknown collection":  key("chat", k.Partition, "a"),
		"no partition":        key(kv.Chats, "", "a"),
		"no sort key":         key(kv.Chats, k.Partition, ""),
		"long partition":      key(kv.Chats, long, "a"),
		"long sort key":       key(kv.Chats, k.Partition, long),
		"partition not UTF-8": key(kv.Chats, "\xff", "a"),
		"sort key not UTF-8":  key(kv.Chats, k.Partition, "a\xc3"),
	} {
		_, err := f.Get(f.ctx, bad, kv.Strong)
		ours("get: "+what, err)
		_, err = f.GetMany(f.ctx, []kv.Key{k, bad})
		ours("get many: "+what, err)
		for _, op := range []kv.Op{put(bad, ""), kv.Delete(bad, kv.Always(), 0), kv.Check(bad, kv.Absent(), 0)} {
			ours("write: "+what, f.Write(f.ctx, kv.Each(put(k, "")), kv.Each(op)))
			ours("write: "+what, f.Write(f.ctx, kv.Together(put(k, ""), op)))
		}
		if bad.Sort != "" && len(bad.Sort) <= kv.MaxKey && bad.Sort != "a\xc3" {
			for _, err := range f.Query(f.ctx, all(bad)) {
				ours("query: "+what, err)
			}
		}
	}
	unversioned := put(k, "")
	unversioned.Item.Version = kv.Version{}
	field := func(name string) kv.Op {
		return kv.Put(kv.Item{Key: k, Fields: map[string]int64{name: 1}}, kv.Always())
	}
	for what, op := range map[string]kv.Op{
		"unknown operation":    {Kind: 9, Item: kv.Item{Key: k}},
		"no operation":         {Item: kv.Item{Key: k}},
		"no version":           unversioned,
		"negative token":       kv.Delete(k, kv.Always(), -1),
		"negative expiry":      kv.Put(kv.Item{Key: k, Expires: -1}, kv.Always()),
		"field without a name": field(""),
		"name of a field":      field("a b"),
		"long name of a field": field(string(bytes.Repeat([]byte("n"), 33))),
	} {
		ours(what, f.Write(f.ctx, kv.Each(put(beside(k, "b"), "")), kv.Together(op)))
	}
	ours("a key twice", f.Write(f.ctx, kv.Each(put(k, "1"), put(k, "2"))))
	ours("a key twice", f.Write(f.ctx, kv.Together(put(k, "1"), kv.Check(k, kv.Absent(), 0))))
	many := kv.Together()
	for i := range kv.MaxTogether + 1 {
		many.Ops = append(many.Ops, put(beside(k, fmt.Sprint(i)), ""))
	}
	ours("too many together", f.Write(f.ctx, many))
	for what, q := range map[string]kv.Query{
		"from not UTF-8": {Collection: kv.Chats, Partition: k.Partition, From: "\xff"},
		"to not UTF-8":   {Collection: kv.Chats, Partition: k.Partition, To: "\xff"},
	} {
		n := 0
		for _, err := range f.Query(f.ctx, q) {
			ours(what, err)
			n++
		}
		if n != 1 {
			t.Errorf("%s: %d answers", what, n)
		}
	}
	if got := f.query(t, all(k)); len(got) != 0 {
		t.Errorf("%d items were stored", len(got))
	}
}

func contexts(t *testing.T, f *fixture) {
	k := newKey("a")
	f.write(t, kv.Each(put(k, "1"), put(beside(k, "b"), "1")))
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	_, err := f.Get(ended, k, kv.Strong)
	_, errMany := f.GetMany(ended, []kv.Key{k})
	errWrite := f.Write(ended, kv.Each(put(k, "2")))
	var errQuery error
	for _, errQuery = range f.Query(ended, all(k)) {
	}
	for i, err := range []error{err, errMany, errWrite, errQuery} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d with an ended context: %v", i, err)
		}
	}
	f.want(t, k, "1")
	var ops []kv.Op
	for i := range 300 {
		ops = append(ops, put(beside(k, fmt.Sprint(i)), ""))
	}
	f.write(t, kv.Each(ops...))
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	n, last := 0, error(nil)
	q := all(k)
	q.Expect = 10
	for _, err := range f.Query(ctx, q) {
		cancel()
		n, last = n+1, err
	}
	if !errors.Is(last, context.Canceled) || n > 200 {
		t.Errorf("a query whose context ended gave %d items, then %v", n, last)
	}
}

// lostUpdates has many add to one number.
func lostUpdates(t *testing.T, f *fixture) {
	k := newKey("a")
	const callers, times = 8, 12
	add := func(int) error {
		for range times {
			for {
				read, err := f.GetMany(f.ctx, []kv.Key{k})
				if err != nil {
					return err
				}
				it := kv.Item{Key: k, Fields: map[string]int64{"n": 1}}
				if read[0] != nil {
					it.Fields["n"] += read[0].Fields["n"]
				}
				if err = f.Write(f.ctx, kv.Each(kv.Put(it, kv.As(read[0])))); err == nil {
					break
				}
				if !errors.Is(err, kv.ErrConflict) {
					return err
				}
			}
		}
		return nil
	}
	atOnce(t, callers, add)
	if got := f.stored(t, k).Fields["n"]; got != callers*times {
		t.Errorf("%d, want %d", got, callers*times)
	}
}

// fencingRace has owners of growing tokens overwrite each other: no older one comes after a newer one.
func fencingRace(t *testing.T, f *fixture) {
	k := newKey("a")
	var reached atomic.Int64 // a token that was certainly stored
	atOnce(t, 8, func(i int) error {
		for round := range 15 {
			token := int64(round*8+i) + 1
			before := reached.Load()
			err := f.Write(f.ctx, kv.Each(kv.Put(kv.Item{Key: k, Token: token}, kv.Always())))
			switch {
			case err == nil && before > token:
				return fmt.Errorf("token %d was taken after %d", token, before)
			case err != nil && !errors.Is(err, kv.ErrFenced):
				return err
			case err == nil:
				for old := reached.Load(); old < token && !reached.CompareAndSwap(old, token); old = reached.Load() {
				}
			}
		}
		return nil
	})
	if got := f.stored(t, k).Token; got != 8*15 {
		t.Errorf("the last token is %d", got)
	}
}

// togetherRace moves money among accounts: none gets lost.
func togetherRace(t *testing.T, f *fixture) {
	const accounts, callers, times, money = 4, 6, 8, 100
	partition := newKey("")
	var keys []kv.Key
	for i := range accounts {
		k := beside(partition, fmt.Sprint(i))
		keys = append(keys, k)
		f.write(t, kv.Each(kv.Put(kv.Item{Key: k, Fields: map[string]int64{"money": money}}, kv.Always())))
	}
	atOnce(t, callers, func(i int) error {
		for j := range times {
			from, to := keys[(i+j)%accounts], keys[(i+2*j+1)%accounts]
			if from == to {
				continue
			}
			for {
				read, err := f.GetMany(f.ctx, []kv.Key{from, to})
				if err != nil {
					return err
				}
				a := kv.Put(kv.Item{Key: from, Fields: map[string]int64{"money": read[0].Fields["money"] - 1}}, kv.As(read[0]))
				b := kv.Put(kv.Item{Key: to, Fields: map[string]int64{"money": read[1].Fields["money"] + 1}}, kv.As(read[1]))
				if err = f.Write(f.ctx, kv.Together(a, b)); err == nil {
					break
				}
				if !errors.Is(err, kv.ErrConflict) {
					return err
				}
			}
		}
		return nil
	})
	sum := int64(0)
	for _, it := range f.query(t, all(partition)) {
		sum += it.Fields["money"]
	}
	if sum != accounts*money {
		t.Errorf("%d is left of %d", sum, accounts*money)
	}
}

// readYourWrites has several write and read what they have written, while others do so in the same partition.
func readYourWrites(t *testing.T, f *fixture) {
	partition := newKey("")
	atOnce(t, 6, func(i int) error {
		k := beside(partition, fmt.Sprint(i))
		for j := range 20 {
			data := fmt.Sprint(j)
			if err := f.Write(f.ctx, kv.Each(put(k, data))); err != nil {
				return err
			}
			it, err := f.Get(f.ctx, k, kv.Strong)
			if err != nil || string(it.Data) != data {
				return fmt.Errorf("%s is %q, %v, after %q was written", k, it.Data, err, data)
			}
			q := all(k)
			q.From, q.To = k.Sort, kv.After(k.Sort)
			for it, err := range f.Query(f.ctx, q) {
				if err != nil || string(it.Data) != data {
					return fmt.Errorf("a query finds %q, %v, after %q was written", it.Data, err, data)
				}
			}
			if j%5 == 4 {
				if err := f.Write(f.ctx, kv.Each(kv.Delete(k, kv.Present(), 0))); err != nil {
					return err
				}
				if _, err := f.Get(f.ctx, k, kv.Strong); !errors.Is(err, kv.ErrNotFound) {
					return fmt.Errorf("%s: %v, after it was deleted", k, err)
				}
			}
		}
		return nil
	})
}
