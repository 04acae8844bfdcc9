package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"

	"pesan/internal/kv"
)

// readers shares some connections that only read.
type readers struct {
	free chan *conn
	all  []*conn
}

func openReaders(ctx context.Context, dsn string, n int) (*readers, error) {
	r := &readers{free: make(chan *conn, n)}
	for range n {
		c, err := openConn(ctx, dsn)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.all = append(r.all, c)
		r.free <- c
	}
	return r, nil
}

func (r *readers) close() error {
	var errs []error
	for _, c := range r.all {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// use lends a connection to a call of read, which makes no other call meanwhile.
func (r *readers) use(ctx context.Context, read func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c := <-r.free:
		defer func() { r.free <- c }()
		return read(c)
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	partOf    = "(SELECT number FROM partitions WHERE collection = ? AND name = ?)"
	selectOne = "SELECT value FROM items WHERE part = " + partOf + " AND sort = ? AND (expires = 0 OR expires > ?)"
)

func get(c *conn, k kv.Key, now int64) (*kv.Item, error) {
	row, err := c.row(selectOne, 1, string(k.Collection), k.Partition, k.Sort, now)
	if err != nil || row == nil {
		return nil, err
	}
	it := &kv.Item{Key: k}
	value, _ := row[0].([]byte)
	return it, decodeValue(value, it)
}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, k kv.Key, _ kv.Consistency) (kv.Item, error) {
	if err := k.Validate(); err != nil {
		return kv.Item{}, err
	}
	var it *kv.Item
	err := s.readers.use(ctx, func(c *conn) (err error) {
		it, err = get(c, k, s.seconds())
		return err
	})
	if err != nil {
		return kv.Item{}, wrap("get "+k.String(), err)
	}
	if it == nil {
		return kv.Item{}, fmt.Errorf("get %s: %w", k, kv.ErrNotFound)
	}
	return *it, nil
}

// GetMany implements kv.Store.
func (s *Store) GetMany(ctx context.Context, keys []kv.Key) ([]*kv.Item, error) {
	for _, k := range keys {
		if err := k.Validate(); err != nil {
			return nil, err
		}
	}
	items := make([]*kv.Item, len(keys))
	const atOnce = 100 // others want to read, too
	for start := 0; start < len(keys); start += atOnce {
		part := keys[start:min(start+atOnce, len(keys))]
		err := s.readers.use(ctx, func(c *conn) error {
			return c.reading(len(part), func() (err error) {
				for i := 0; i < len(part) && err == nil; i++ {
					items[start+i], err = get(c, part[i], s.seconds())
				}
				return err
			})
		})
		if err != nil {
			return nil, wrap("get items", err)
		}
	}
	return items, nil
}

// Pages of queries are bounded in items and bytes: a query holds one in memory, and no connection between two.
const (
	firstPage = 100
	maxPage   = 1000
	pageBytes = 1 << 20
)

// beyond is greater than every sort key: it isn't UTF-8.
const beyond = "\xff"

// selectPage's limit has a sign, which SQLite doesn't look behind: a bare one becomes part of the plan, and from then on each
// query is compiled anew.
func selectPage(q *kv.Query) string {
	value, order := "value", "sort"
	if q.KeysOnly {
		value = fmt.Sprintf("substr(value, 1, %d)", headBytes)
	}
	if q.Reverse {
		order = "sort DESC"
	}
	return "SELECT sort, " + value + " FROM items WHERE part = " + partOf +
		" AND sort >= ? AND sort < ? AND (expires = 0 OR expires > ?) ORDER BY " + order + " LIMIT +?"
}

// Query implements kv.Store.
func (s *Store) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	return func(yield func(kv.Item, error) bool) {
		if err := q.Validate(); err != nil {
			yield(kv.Item{}, err)
			return
		}
		if q.To == "" {
			q.To = beyond
		}
		limit := firstPage
		if q.Expect > 0 {
			limit = min(q.Expect, maxPage)
		}
		query := selectPage(&q)
		for {
			var page []kv.Item
			end := false
			err := s.readers.use(ctx, func(c *conn) (err error) {
				page, end, err = readPage(c, &q, query, s.seconds(), limit)
				return err
			})
			if err != nil {
				yield(kv.Item{}, wrap("query", err))
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if end {
				return
			}
			if last := page[len(page)-1].Sort; q.Reverse {
				q.To = last
			} else {
				q.From = kv.After(last)
			}
			limit = min(limit*4, maxPage)
		}
	}
}

// readPage tells by end that there is no more.
func readPage(c *conn, q *kv.Query, query string, now int64, limit int) (page []kv.Item, end bool, err error) {
	page = make([]kv.Item, 0, limit)
	size, full := 0, false
	args := []driver.Value{string(q.Collection), q.Partition, q.From, q.To, now, int64(limit)}
	err = c.rows(query, args, 2, func(row []driver.Value) (bool, error) {
		sort, _ := row[0].(string)
		value, _ := row[1].([]byte)
		it := kv.Item{Key: kv.Key{Collection: q.Collection, Partition: q.Partition, Sort: sort}}
		decode := decodeValue
		if q.KeysOnly {
			decode = func(b []byte, it *kv.Item) error {
				_, err := decodeHead(b, it)
				return err
			}
		}
		if err := decode(value, &it); err != nil {
			return false, fmt.Errorf("%s: %w", it.Key, err)
		}
		page = append(page, it)
		size += len(value)
		full = len(page) == limit || size >= pageBytes
		return !full, nil
	})
	return page, !full, err
}
