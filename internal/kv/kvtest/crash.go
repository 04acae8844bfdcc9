package kvtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"pesan/internal/kv"
)

// ErrCrashed is what every call of a store returns whose process has ended.
var ErrCrashed = errors.New("the process has ended")

// Crash is a store whose process ends amid its writes. It cuts them where any adapter may: between steps, and between the
// operations of an Each, whatever the store beneath does at once.
type Crash struct {
	store kv.Store
	late  bool

	mu   sync.Mutex
	left int // pieces that are written before the end
	over bool
}

// NewCrash ends the process at a piece of its writes, counted from 0: before it is made, or, late, after it.
func NewCrash(s kv.Store, piece int, late bool) *Crash {
	return &Crash{store: s, left: piece, late: late}
}

// Crashed tells whether the process has ended.
func (c *Crash) Crashed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// Crashes ends the process of change at each piece of its writes, before and after it. It calls change with what is to be told of
// a failure and with what wraps the store of the process that is to end; change makes the change again with a store that isn't
// wrapped, and checks what is stored. It ends when a change comes to its end in peace.
func Crashes(t *testing.T, change func(when string, wrap func(kv.Store) kv.Store)) {
	t.Helper()
	for piece := range 1000 {
		crashed := false
		for _, late := range []bool{false, true} {
			var all []*Crash
			change(fmt.Sprintf("crashed at piece %d, late %v", piece, late), func(s kv.Store) kv.Store {
				c := NewCrash(s, piece, late)
				all = append(all, c)
				return c
			})
			for _, c := range all {
				crashed = crashed || c.Crashed()
			}
		}
		if !crashed {
			if piece == 0 {
				t.Error("the change writes nothing")
			}
			return
		}
	}
	t.Error("the change never ends")
}

// Get implements kv.Store.
func (c *Crash) Get(ctx context.Context, k kv.Key, consistency kv.Consistency) (kv.Item, error) {
	if c.Crashed() {
		return kv.Item{}, ErrCrashed
	}
	return c.store.Get(ctx, k, consistency)
}

// GetMany implements kv.Store.
func (c *Crash) GetMany(ctx context.Context, keys []kv.Key) ([]*kv.Item, error) {
	if c.Crashed() {
		return nil, ErrCrashed
	}
	return c.store.GetMany(ctx, keys)
}

// Query implements kv.Store.
func (c *Crash) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	return func(yield func(kv.Item, error) bool) {
		for it, err := range c.store.Query(ctx, q) {
			if c.Crashed() {
				yield(kv.Item{}, ErrCrashed)
				return
			}
			if !yield(it, err) {
				return
			}
		}
		if c.Crashed() {
			yield(kv.Item{}, ErrCrashed)
		}
	}
}

// Write implements kv.Store.
func (c *Crash) Write(ctx context.Context, steps ...kv.Step) error {
	if err := kv.Validate(steps); err != nil {
		return err
	}
	for _, s := range pieces(steps) {
		c.mu.Lock()
		before := c.over
		if !before {
			c.left--
			c.over = c.left < 0
		}
		now := c.over && !before
		c.mu.Unlock()
		if before || now && !c.late {
			return ErrCrashed
		}
		err := c.store.Write(ctx, s)
		if now {
			return errors.Join(err, ErrCrashed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
