package kvtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pesan/internal/kv"
)

// Faulty is a store of which some calls fail with ErrUnavailable: before they take effect, after it, or amid it, as the
// port allows.
type Faulty struct {
	store kv.Store
	rate  float64

	mu     sync.Mutex
	random *rand.Rand
	failed int
}

// NewFaulty has calls fail at a rate from 0 to 1, the same ones for the same seed, as long as calls come one after the other.
func NewFaulty(s kv.Store, rate float64, seed uint64) *Faulty {
	return &Faulty{store: s, rate: rate, random: rand.New(rand.NewPCG(seed, 0))}
}

// Failed counts the calls that have failed.
func (f *Faulty) Failed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// fate is what becomes of a call: fails, and a number below n that says where.
func (f *Faulty) fate(n int) (fails bool, where int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.random.Float64() >= f.rate {
		return false, 0
	}
	f.failed++
	return true, f.random.IntN(n)
}

var errMadeUp = fmt.Errorf("a made-up fault: %w", kv.ErrUnavailable)

// Get implements kv.Store.
func (f *Faulty) Get(ctx context.Context, k kv.Key, c kv.Consistency) (kv.Item, error) {
	if fails, _ := f.fate(1); fails {
		return kv.Item{}, errMadeUp
	}
	return f.store.Get(ctx, k, c)
}

// GetMany implements kv.Store.
func (f *Faulty) GetMany(ctx context.Context, keys []kv.Key) ([]*kv.Item, error) {
	if fails, _ := f.fate(1); fails {
		return nil, errMadeUp
	}
	return f.store.GetMany(ctx, keys)
}

// Query implements kv.Store.
func (f *Faulty) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	fails, where := f.fate(20)
	return func(yield func(kv.Item, error) bool) {
		n := 0
		for it, err := range f.store.Query(ctx, q) {
			if fails && n == where {
				yield(kv.Item{}, errMadeUp)
				return
			}
			n++
			if !yield(it, err) {
				return
			}
		}
		if fails {
			yield(kv.Item{}, errMadeUp)
		}
	}
}

// Write implements kv.Store.
func (f *Faulty) Write(ctx context.Context, steps ...kv.Step) error {
	if err := kv.Validate(steps); err != nil {
		return err
	}
	pieces := len(pieces(steps))
	fails, where := f.fate(pieces + 1)
	if !fails {
		return f.store.Write(ctx, steps...)
	}
	if where == pieces {
		return errors.Join(f.store.Write(ctx, steps...), errMadeUp)
	}
	return errors.Join(f.store.Write(ctx, f.torn(steps, where)...), errMadeUp)
}

// torn is what is made of steps in so many pieces: of an Each that isn't made whole, any operations.
func (f *Faulty) torn(steps []kv.Step, pieces int) (made []kv.Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range steps {
		switch {
		case s.All && pieces > 0:
			made, pieces = append(made, s), pieces-1
		case !s.All && pieces >= len(s.Ops):
			made, pieces = append(made, s), pieces-len(s.Ops)
		case !s.All:
			some := slices.Clone(s.Ops)
			f.random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			return append(made, kv.Each(some[:pieces]...))
		default:
			return made
		}
	}
	return made
}

// pieces cuts steps into those between which a process may end.
func pieces(steps []kv.Step) (all []kv.Step) {
	for _, s := range steps {
		if s.All {
			all = append(all, s)
			continue
		}
		for _, op := range s.Ops {
			all = append(all, kv.Each(op))
		}
	}
	return all
}

// Faults checks what an adapter says and does while calls fail beneath it: what it calls made is made, once and whole, and
// what it doesn't is a part that the port allows. open returns the adapter and another way to what is stored, in which
// nothing fails.
func Faults(t *testing.T, open func(t *testing.T, now func() time.Time) (faulty, sound kv.Store)) {
	for _, one := range []struct {
		name string
		run  func(t *testing.T, faulty kv.Store, f *fixture)
	}{
		{"Model", modelUnderFaults},
		{"LostUpdates", lostUpdatesUnderFaults},
		{"Again", againUnderFaults},
		{"Reads", readsUnderFaults},
	} {
		t.Run(one.name, func(t *testing.T) {
			f := &fixture{ctx: t.Context(), clock: NewClock(noon)}
			faulty, sound := open(t, f.clock.Now)
			f.Store = sound
			one.run(t, faulty, f)
		})
	}
}

// modelUnderFaults makes made-up writes and looks what has become of them.
func modelUnderFaults(t *testing.T, faulty kv.Store, f *fixture) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &world{f: f, partition: newKey(""), items: map[string]kv.Item{}}
		for range rapid.IntRange(1, 8).Draw(rt, "writes") {
			steps := m.drawSteps(rt)
			before := m.clone()
			err := faulty.Write(f.ctx, steps...)
			if err == nil {
				if wrong := m.expect(steps, nil); wrong != nil {
					rt.Fatalf("write %s succeeded, but %v", describe(steps), wrong)
				}
			} else if wrong := m.adoptPrefix(steps); wrong != nil {
				rt.Fatalf("write %s on %v: %v, but %v", describe(steps), before.items, err, wrong)
			}
			m.compare(rt)
		}
	})
}

// lostUpdatesUnderFaults has several add to a number, who count what they know to be made, and what may be.
func lostUpdatesUnderFaults(t *testing.T, faulty kv.Store, f *fixture) {
	k := newKey("a")
	var made, perhaps atomic.Int64
	atOnce(t, 6, func(int) error {
		for range 15 {
			read, err := f.GetMany(f.ctx, []kv.Key{k})
			if err != nil {
				return err
			}
			it := kv.Item{Key: k, Fields: map[string]int64{"n": 1}}
			if read[0] != nil {
				it.Fields["n"] += read[0].Fields["n"]
			}
			switch err := faulty.Write(f.ctx, kv.Each(kv.Put(it, kv.As(read[0])))); {
			case err == nil:
				made.Add(1)
			case errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrConflict):
				perhaps.Add(1)
			default:
				return err
			}
		}
		return nil
	})
	n := int64(0)
	if it := f.stored(t, k); it != nil {
		n = it.Fields["n"]
	}
	if n < made.Load() || n > made.Load()+perhaps.Load() {
		t.Errorf("%d, of which %d are made and %d may be", n, made.Load(), perhaps.Load())
	}
}

// againUnderFaults makes changes until they are known to be made, as the port's callers do: they are then stored, and once.
func againUnderFaults(t *testing.T, faulty kv.Store, f *fixture) {
	k := newKey("")
	for i := range 40 {
		at := func(name string) kv.Key { return beside(k, fmt.Sprint(name, i)) }
		steps := []kv.Step{
			kv.Together(kv.Put(item(at("id"), "1"), kv.Absent()), put(at("by"), "2")),
			kv.Each(put(at("a"), "3"), put(at("b"), "4"), kv.Delete(at("id"), kv.Always(), 0)),
			kv.Each(kv.Put(item(at("c"), "5"), kv.Absent())),
		}
		again(t, func() error {
			err := faulty.Write(f.ctx, steps...)
			if errors.Is(err, kv.ErrConflict) { // it was deleted by the write that is made again
				steps = steps[1:]
			}
			return err
		})
		f.wantNone(t, at("id"))
		for name, data := range map[string]string{"by": "2", "a": "3", "b": "4", "c": "5"} {
			f.want(t, at(name), data)
		}
	}
}

// again makes a call until it succeeds.
func again(t *testing.T, call func() error) {
	t.Helper()
	for range 1000 {
		err := call()
		if err == nil {
			return
		}
		if !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrConflict) {
			t.Fatal(err)
		}
	}
	t.Fatal("it never succeeds")
}

// readsUnderFaults sees to it that a read tells all of what is stored, or an error.
func readsUnderFaults(t *testing.T, faulty kv.Store, f *fixture) {
	k := newKey("")
	var ops []kv.Op
	var keys []kv.Key
	for i := range 60 {
		keys = append(keys, beside(k, fmt.Sprintf("%02d", i)))
		ops = append(ops, put(keys[i], keys[i].Sort))
	}
	f.write(t, kv.Each(ops...))
	keys = append(keys, beside(k, "none"))
	for range 30 {
		again(t, func() error {
			it, err := faulty.Get(f.ctx, keys[7], kv.Strong)
			if err == nil && string(it.Data) != keys[7].Sort {
				t.Errorf("got %s", show(&it))
			}
			if _, err := faulty.Get(f.ctx, keys[60], kv.Eventual); err == nil {
				t.Error("got what isn't there")
			}
			return err
		})
		again(t, func() error {
			items, err := faulty.GetMany(f.ctx, keys)
			for i := range items {
				if err == nil && (items[i] == nil) != (i == 60) {
					t.Errorf("item %d is %s", i, show(items[i]))
				}
			}
			return err
		})
		again(t, func() error {
			q := all(k)
			q.Expect = 7
			n := 0
			for it, err := range faulty.Query(f.ctx, q) {
				if err != nil {
					return err
				}
				if it.Key != keys[n] {
					t.Fatalf("item %d is %s", n, it.Key)
				}
				n++
			}
			if n != 60 {
				t.Errorf("a query that didn't fail found %d", n)
			}
			return nil
		})
	}
}
