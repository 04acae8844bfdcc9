package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"pesan/internal/kv"
)

// writer is the one connection that writes, and the queue of those who want it. Calls share transactions: whoever comes first
// leads, which is to write what all have brought who wait by then, to commit once, and to hand the lead to the first of those
// who have come since. No code of a caller's runs inside of a transaction, so none can keep it open.
type writer struct {
	mu      sync.Mutex
	leading bool // somebody leads; he is the first who waits, until he has taken what waits
	waiting []*call

	// What follows belongs to who leads.
	conn    *conn
	numbers map[partition]int64 // of partitions that were written to of late
	added   []partition         // by the transaction
	value   []byte
}

type partition struct {
	collection kv.Collection
	name       string
}

// call is one caller's part of a transaction.
type call struct {
	work   func(*writer) error
	err    error
	chosen bool      // the lead was handed to it
	lead   chan bool // true: lead; false: err is the answer
}

const (
	// maxShared bounds how many calls share a transaction, and so for how long the first waits for the last.
	maxShared = 256
	// maxNumbers bounds the memory of numbers.
	maxNumbers = 10_000
	// lockPatience is for how long another process may hold SQLite's lock.
	lockPatience = 20 * time.Second
)

func openWriter(ctx context.Context, dsn string) (*writer, error) {
	c, err := openConn(ctx, dsn)
	if err != nil {
		return nil, err
	}
	err = prepareTables(c)
	if err == nil {
		err = c.script("PRAGMA busy_timeout = 250") // begin polls, since a wait inside of SQLite doesn't end with a context
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return &writer{conn: c, numbers: make(map[partition]int64)}, nil
}

func (w *writer) close() error { return w.conn.close() }

// refused tells an error that is work's answer: what work has left in the transaction is stored. Any other undoes it all.
func refused(err error) bool { return errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrFenced) }

// do has work run in a transaction, and returns its error when that is on the disk.
func (w *writer) do(ctx context.Context, work func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{work: work, lead: make(chan bool, 1)}
	w.mu.Lock()
	w.waiting = append(w.waiting, c)
	lead := !w.leading
	w.leading = true
	w.mu.Unlock()
	if !lead {
		select {
		case lead = <-c.lead:
		case <-ctx.Done():
			if w.withdraw(c) {
				return ctx.Err()
			}
			lead = <-c.lead // it is being written, which takes no time, or has been chosen
		}
	}
	if lead {
		w.lead(ctx, c)
	}
	return c.err
}

// withdraw takes a call out of those that wait, unless it has been taken or chosen.
func (w *writer) withdraw(c *call) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.waiting, c)
	if i < 0 || c.chosen {
		return false
	}
	w.waiting = slices.Delete(w.waiting, i, i+1)
	return true
}

// lead writes what waits, own first, and hands on.
func (w *writer) lead(ctx context.Context, own *call) {
	err := w.begin(ctx)
	w.mu.Lock()
	n := min(len(w.waiting), maxShared)
	if err != nil {
		n = 1 // the others try for themselves
	}
	batch := slices.Clone(w.waiting[:n])
	w.waiting = slices.Delete(w.waiting, 0, n)
	w.mu.Unlock()
	if err != nil {
		own.err = err
	} else {
		w.write(batch)
	}
	for _, c := range batch[1:] {
		c.lead <- false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leading = len(w.waiting) > 0; w.leading {
		w.waiting[0].chosen = true
		w.waiting[0].lead <- true
	}
}

// begin waits for SQLite's lock, which only another process can hold.
func (w *writer) begin(ctx context.Context) error {
	for start := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := w.conn.exec("BEGIN IMMEDIATE")
		if err == nil {
			return nil
		}
		if c := code(err); c != codeBusy && c != codeLocked || time.Since(start) > lockPatience {
			w.rollback()
			return wrap("begin", err)
		}
	}
}

// write makes one transaction, which has begun, of all calls. When it fails, each gets one for itself, so that none suffers
// from another's fault.
func (w *writer) write(batch []*call) {
	failed := w.transaction(batch)
	if failed == nil {
		return
	}
	for _, c := range batch {
		c.err = failed
		if len(batch) == 1 {
			return
		}
		if c.err = w.begin(context.Background()); c.err != nil {
			continue
		}
		if err := w.transaction([]*call{c}); err != nil {
			c.err = err
		}
	}
}

// transaction sets the calls' errors, or stores nothing and returns one.
func (w *writer) transaction(batch []*call) error {
	for _, c := range batch {
		c.err = c.work(w)
		if c.err != nil && !refused(c.err) {
			w.rollback()
			return wrap("write", c.err)
		}
	}
	if _, err := w.conn.exec("COMMIT"); err != nil {
		w.rollback()
		return wrap("commit", err)
	}
	w.added = w.added[:0]
	return nil
}

// rollback ends the transaction, which SQLite may have done by itself when the disk failed.
func (w *writer) rollback() {
	_, _ = w.conn.exec("ROLLBACK") // an error says that there is none
	w.forget(0)
}

// forget drops the numbers of partitions that were added since, as they were undone.
func (w *writer) forget(since int) {
	for _, p := range w.added[since:] {
		delete(w.numbers, p)
	}
	w.added = w.added[:since]
}

// number finds a partition's number; 0: there is no such partition.
func (w *writer) number(p partition, add bool) (int64, error) {
	if n := w.numbers[p]; n != 0 {
		return n, nil
	}
	row, err := w.conn.row("SELECT number FROM partitions WHERE collection = ? AND name = ?", 1, string(p.collection), p.name)
	if err != nil {
		return 0, err
	}
	var n int64
	switch {
	case row != nil:
		n, _ = row[0].(int64)
	case !add:
		return 0, nil
	default:
		n, err = w.conn.number("INSERT INTO partitions (collection, name) VALUES (?, ?) RETURNING number",
			string(p.collection), p.name)
		if err != nil {
			return 0, err
		}
		w.added = append(w.added, p)
	}
	if len(w.numbers) >= maxNumbers {
		clear(w.numbers)
	}
	w.numbers[p] = n
	return n, nil
}
