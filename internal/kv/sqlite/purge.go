package sqlite

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

const (
	// purgeBatch bounds for how long a purge keeps others from writing.
	purgeBatch = 200
	// purgePause is how long others have between two batches.
	purgePause = 5 * time.Millisecond
)

const selectExpired = "SELECT part, sort FROM items WHERE expires > 0 AND expires <= ? LIMIT ?"

// Purge deletes what has expired and the names of partitions in which nothing is left. It is to be called now and then; it goes
// by small steps, so that others can write meanwhile.
func (s *Store) Purge(ctx context.Context) error {
	pace := rate.NewLimiter(rate.Every(purgePause), 1)
	now := s.seconds()
	for deleted := int64(purgeBatch); deleted == purgeBatch; {
		err := pace.Wait(ctx)
		if err == nil {
			err = s.writer.do(ctx, func(w *writer) (err error) {
				deleted, err = w.conn.exec("DELETE FROM items WHERE (part, sort) IN ("+selectExpired+")", now, int64(purgeBatch))
				return err
			})
		}
		if err != nil {
			return wrap("purge", err)
		}
	}
	for last, more := int64(0), true; more; {
		err := pace.Wait(ctx)
		if err == nil {
			err = s.writer.do(ctx, func(w *writer) (err error) {
				last, more, err = w.sweep(last)
				return err
			})
		}
		if err != nil {
			return wrap("purge", err)
		}
	}
	return nil
}

// sweep deletes the empty ones of some partitions behind the last one that was looked at.
func (w *writer) sweep(last int64) (next int64, more bool, err error) {
	row, err := w.conn.row("SELECT max(number), count(*) FROM"+
		" (SELECT number FROM partitions WHERE number > ? ORDER BY number LIMIT ?)", 2, last, int64(purgeBatch))
	if err != nil {
		return last, false, err
	}
	if count, _ := row[1].(int64); count == 0 {
		return last, false, nil
	}
	next, _ = row[0].(int64)
	deleted, err := w.conn.exec("DELETE FROM partitions WHERE number > ? AND number <= ?"+
		" AND NOT EXISTS (SELECT 1 FROM items WHERE part = number)", last, next)
	if deleted > 0 {
		clear(w.numbers)
	}
	return next, true, err
}
