package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"pesan/internal/kv"
)

// filled is a closed file with items, and what they are.
func filled(t *testing.T) (path string, all map[kv.Key]kv.Item) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pesan.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	all = map[kv.Key]kv.Item{}
	for p := range 25 {
		var ops []kv.Op
		for i := range 80 {
			k := kv.Key{Collection: kv.Messages, Partition: fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G5FAV/62812%08d@s.whatsapp.net", p), Sort: fmt.Sprintf("t/%04d", i)}
			op := kv.Put(kv.Item{Key: k, Data: benchData(random, 200+random.IntN(400)), Fields: map[string]int64{"t": int64(i)}, Token: int64(p)}, kv.Always())
			ops = append(ops, op)
			all[k] = op.Item
		}
		if err := s.Write(t.Context(), kv.Each(ops...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path, all
}

// check returns the keys that Check tells, those without sort key of partitions, and whether it tells of the file.
func check(t *testing.T, path string) (told map[kv.Key]bool, file bool, err error) {
	t.Helper()
	told = map[kv.Key]bool{}
	for d, e := range Check(t.Context(), path) {
		if e != nil {
			return told, file, e
		}
		if d.Key == (kv.Key{}) {
			file = true
		} else {
			told[d.Key] = true
		}
	}
	return told, file, nil
}

func TestCheckFindsNothing(t *testing.T) {
	path, all := filled(t)
	s, err := Open(t.Context(), path, Options{}) // while it is used
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, kv.Item{Key: key("p", "a")})
	if told, file, err := check(t, path); err != nil || file || len(told) > 0 {
		t.Errorf("%v, %v, %v", told, file, err)
	}
	to := filepath.Join(t.TempDir(), "copy")
	if err := Copy(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Copy(t.Context(), path, to); err == nil {
		t.Error("a copy takes another file's place")
	}
	c, err := Open(t.Context(), to, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for k, want := range all {
		if got, err := c.Get(t.Context(), k, kv.Strong); err != nil || !bytes.Equal(got.Data, want.Data) || got.Version != want.Version {
			t.Fatalf("%s is %+v, %v", k, got, err)
		}
	}
	if _, err := c.Get(t.Context(), key("p", "a"), kv.Strong); err != nil {
		t.Error(err)
	}
}

// TestDamage has a disk change a file in several ways. Nothing is read that wasn't written, Check tells of all that is gone, and Mend
// keeps the rest.
func TestDamage(t *testing.T) {
	path, all := filled(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 8192
	for name, harm := range map[string]func(b []byte, r *rand.Rand){
		"2,000 random bytes": func(b []byte, r *rand.Rand) {
			for range 2000 {
				b[page+r.IntN(len(b)-page)] = byte(r.Uint32())
			}
		},
		"20 random bytes": func(b []byte, r *rand.Rand) {
			for range 20 {
				b[page+r.IntN(len(b)-page)] = byte(r.Uint32())
			}
		},
		"5 % of the pages zeroed": func(b []byte, r *rand.Rand) {
			for range len(b)/page/20 + 1 {
				clear(b[page*(1+r.IntN(len(b)/page-1)):][:page])
			}
		},
		"two pages swapped": func(b []byte, r *rand.Rand) {
			one, two := b[page*(3+r.IntN(len(b)/page-3)):][:page], b[page*(3+r.IntN(len(b)/page-3)):][:page]
			kept := bytes.Clone(one)
			copy(one, two)
			copy(two, kept)
		},
		"an older page": func(b []byte, r *rand.Rand) { // a write that the disk has lost
			at := page*(3+r.IntN(len(b)/page-3)) + page - 600
			copy(b[at:at+300], b[at+300:at+600])
		},
	} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				harmed := filepath.Join(t.TempDir(), "pesan.db")
				b := bytes.Clone(whole)
				harm(b, rand.New(rand.NewPCG(seed, 7)))
				if err := os.WriteFile(harmed, b, 0o600); err != nil {
					t.Fatal(err)
				}
				told, file, err := check(t, harmed)
				if errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) {
					return // nothing can be read, and that is said
				} else if err != nil {
					t.Fatal(err)
				}
				mended, lost := filepath.Join(t.TempDir(), "mended.db"), 0
				if err := Mend(t.Context(), harmed, mended, func(Damage) { lost++ }); err != nil && !errors.Is(err, ErrDamaged) {
					t.Fatal(err)
				}
				if again, file, err := check(t, mended); err != nil || file || len(again) > 0 {
					t.Fatalf("what was mended: %v, %v, %v", again, file, err)
				}
				holds(t, harmed, all, func(k kv.Key) bool {
					return told[k] || told[kv.Key{Collection: k.Collection, Partition: k.Partition}] || file
				})
				missing := holds(t, mended, all, func(kv.Key) bool { return true })
				t.Logf("told of %d items or chats, of the file %v; %d of %d items are lost", len(told), file, missing, len(all))
				if missing > 0 && lost == 0 || missing == len(all) {
					t.Errorf("%d items are missing, and %d losses were told", missing, lost)
				}
			})
		}
	}
}

// holds wants each item to be as it was, or else that its loss may be, and returns how many aren't.
func holds(t *testing.T, path string, all map[kv.Key]kv.Item, may func(kv.Key) bool) (missing int) {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		return 0 // and so nothing is read
	}
	defer s.Close()
	for k, want := range all {
		got, err := s.Get(t.Context(), k, kv.Strong)
		switch {
		case err == nil && (!bytes.Equal(got.Data, want.Data) || got.Version != want.Version || got.Fields["t"] != want.Fields["t"]):
			t.Errorf("%s isn't what was written", k)
		case err != nil:
			missing++
			if !may(k) {
				t.Errorf("%s is gone, and nobody told: %v", k, err)
			}
		}
	}
	return missing
}
