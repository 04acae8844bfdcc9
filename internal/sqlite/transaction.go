package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
)

// writer is the one connection that writes. Transactions take turns in Go, where waiting costs nothing and keeps the
// order; SQLite's own lock would be polled for.
type writer struct {
	db   *sql.DB
	conn *sql.Conn
	turn chan struct{}        // holds one while somebody writes
	stmt map[string]*sql.Stmt // prepared, by their text

	recent recentRows
}

const pageCache = "cache_size(-8192)" // KiB

func openWriter(ctx context.Context, path string, sync bool) (*writer, error) {
	db, err := sql.Open("sqlite", dsn(path, sync, url.Values{"_pragma": {pageCache, "wal_autocheckpoint(2000)"}}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	w := &writer{db: db, conn: conn, turn: make(chan struct{}, 1), stmt: make(map[string]*sql.Stmt), recent: make(recentRows)}
	if err := migrate(ctx, conn); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.stmt {
		errs = append(errs, s.Close())
	}
	return errors.Join(errors.Join(errs...), w.conn.Close(), w.db.Close())
}

// transaction is a write transaction. Its statements are prepared once and can't be cancelled: they are short.
type transaction struct {
	w         *writer
	ctx       context.Context
	committed func() // runs after the commit, still in turn
}

// write runs a transaction: all that work does is stored, or nothing where it returns an error.
func (w *writer) write(ctx context.Context, work func(*transaction) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	tx := &transaction{w: w, ctx: context.WithoutCancel(ctx)}
	if err := tx.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // after a panic of work too
			err = errors.Join(err, tx.exec("ROLLBACK"))
		}
	}()
	if err := work(tx); err != nil {
		return err
	}
	if err := tx.exec("COMMIT"); err != nil {
		return err
	}
	committed = true
	if tx.committed != nil {
		tx.committed()
	}
	return nil
}

func (tx *transaction) prepare(query string) (*sql.Stmt, error) {
	if s := tx.w.stmt[query]; s != nil {
		return s, nil
	}
	s, err := tx.w.conn.PrepareContext(tx.ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	tx.w.stmt[query] = s
	return s, nil
}

func (tx *transaction) exec(query string, args ...any) error {
	_, err := tx.change(query, args...)
	return err
}

// change returns how many rows were changed.
func (tx *transaction) change(query string, args ...any) (int64, error) {
	s, err := tx.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// get reads one row; found is false where there is none.
func (tx *transaction) get(query string, args []any, into ...any) (found bool, err error) {
	s, err := tx.prepare(query)
	if err != nil {
		return false, err
	}
	return scanned(s.QueryRowContext(tx.ctx, args...).Scan(into...))
}

func (tx *transaction) query(query string, args ...any) (*sql.Rows, error) {
	s, err := tx.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(tx.ctx, args...)
}

func scanned(err error) (found bool, _ error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// reader shares some connections that only read.
type reader struct {
	db   *sql.DB
	stmt *sync.Map // *sql.Stmt by text
}

func openReader(path string, connections int) (reader, error) {
	db, err := sql.Open("sqlite", dsn(path, false, url.Values{"_pragma": {pageCache}, "_query_only": {"on"}}))
	if err != nil {
		return reader{}, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return reader{db, new(sync.Map)}, nil
}

func (r reader) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := r.stmt.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	if other, loaded := r.stmt.LoadOrStore(query, s); loaded {
		return other.(*sql.Stmt), s.Close()
	}
	return s, nil
}

// get reads one row; found is false where there is none.
func (r reader) get(ctx context.Context, query string, args []any, into ...any) (found bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx = context.WithoutCancel(ctx) // watching it costs more than the query
	s, err := r.prepare(ctx, query)
	if err != nil {
		return false, err
	}
	return scanned(s.QueryRowContext(ctx, args...).Scan(into...))
}

// each reads rows and calls scan for each.
func (r reader) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	s, err := r.prepare(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

func eachRow(rows *sql.Rows, scan func(*sql.Rows) error) error {
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
