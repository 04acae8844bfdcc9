package whatsapp

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"pesan/internal/keystore"
	"pesan/internal/kv"
	"pesan/internal/kv/sqlite"
)

// faultyKV is a store of keys whose calls fail as DynamoDB's do: before they are made, or made with the answer lost, at each step of
// a write.
type faultyKV struct {
	kv.Store
	faults *keyFaults
}

func (s faultyKV) Get(ctx context.Context, k kv.Key, c kv.Consistency) (item kv.Item, err error) {
	fault := s.step("get "+kinds(k), func() error { item, err = s.Store.Get(ctx, k, c); return nil })
	return item, either(fault, err)
}

func (s faultyKV) GetMany(ctx context.Context, keys []kv.Key) (items []*kv.Item, err error) {
	fault := s.step("get "+kinds(keys...), func() error { items, err = s.Store.GetMany(ctx, keys); return nil })
	return items, either(fault, err)
}

func (s faultyKV) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	return func(yield func(kv.Item, error) bool) {
		if err := s.step("query", func() error { return nil }); err != nil {
			yield(kv.Item{}, err)
			return
		}
		s.Store.Query(ctx, q)(yield)
	}
}

// Write fails at each of its steps.
func (s faultyKV) Write(ctx context.Context, steps ...kv.Step) (err error) {
	for i := range steps {
		var refused error
		var keys []kv.Key
		for _, op := range steps[i].Ops {
			keys = append(keys, op.Item.Key)
		}
		fault := s.step("write "+kinds(keys...), func() error { refused = s.Store.Write(ctx, steps[i]); return nil })
		if err := either(fault, refused); err != nil {
			return err
		}
	}
	return nil
}

// kinds are what stands under keys.
func kinds(keys ...kv.Key) string {
	all := make(map[string]bool)
	for _, k := range keys {
		kind, _, _ := strings.Cut(k.Sort, "/")
		all[kind] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}

// step is what a service that doesn't answer does to one call.
func (s faultyKV) step(what string, do func() error) error {
	if err := s.faults.step(what, do); err != nil {
		return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
	return nil
}

// either is the fault, or else what the call came to.
func either(fault, err error) error {
	if fault != nil {
		return fault
	}
	return err
}

// faultyKeyStore keeps the keys of a new world as hosts on AWS do, with faults.
func (w *world) faultyKeyStore() *keyFaults {
	w.t.Helper()
	db, err := sqlite.Open(w.soon(), filepath.Join(w.folder, "keys.db"), sqlite.Options{})
	w.ok(err)
	w.t.Cleanup(func() { _ = db.Close() })
	f := &keyFaults{}
	w.devices.Keys = keystore.New(faultyKV{db, f}, keystore.Options{Log: w.logger})
	return f
}
