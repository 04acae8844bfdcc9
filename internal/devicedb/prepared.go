package devicedb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync/atomic"
)

// prepared makes connections that keep statements prepared. whatsmeow's sqlstore hands every query over as text, and
// preparing it takes SQLite longer than running it.
type prepared struct {
	driver.Connector
	written *atomic.Int64 // counts what was written, after it was
}

// sqliteConn is what a connection of the driver can do.
type sqliteConn interface {
	driver.Conn
	driver.Pinger
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is what its statements can do.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// Connect implements driver.Connector.
func (p prepared) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &preparedConn{c.(sqliteConn), p.written, make(map[string]sqliteStmt)}, nil
}

// preparedConn is a connection; database/sql has one goroutine use it at a time.
type preparedConn struct {
	sqliteConn
	written *atomic.Int64
	idle    map[string]sqliteStmt // by their text; one that runs or is read from isn't here
}

// maxPrepared bounds their memory, some 10 KiB each. whatsmeow uses some 40 again and again; it makes up others.
const maxPrepared = 64

// Close implements driver.Conn.
func (c *preparedConn) Close() error {
	var errs []error
	for _, s := range c.idle {
		errs = append(errs, s.Close())
	}
	return errors.Join(errors.Join(errs...), c.sqliteConn.Close())
}

// reads tells that a statement writes nothing.
func reads(query string) bool {
	query = strings.TrimSpace(query)
	return strings.EqualFold(query[:min(6, len(query))], "SELECT")
}

// PrepareContext implements driver.ConnPrepareContext. Nobody needs it: what is prepared here counts for nobody as written.
func (c *preparedConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errors.New("statements are prepared by themselves: use Exec and Query")
}

// keeps tells whether a statement may be prepared once and run often; a PRAGMA may do its work while it is prepared.
func keeps(query string) bool {
	query = strings.TrimSpace(query)
	switch strings.ToUpper(query[:min(6, len(query))]) {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
		return true
	}
	return false
}

// take hands out a statement that nobody else uses.
func (c *preparedConn) take(ctx context.Context, query string) (sqliteStmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	s, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.(sqliteStmt), nil
}

// put takes a statement back. One that failed, and one of which there is another, isn't kept.
func (c *preparedConn) put(query string, s sqliteStmt, failed error) error {
	if _, ok := c.idle[query]; ok || failed != nil {
		return s.Close()
	}
	var err error
	for other, old := range c.idle {
		if len(c.idle) < maxPrepared {
			break
		}
		delete(c.idle, other)
		err = errors.Join(err, old.Close())
	}
	c.idle[query] = s
	return err
}

// BeginTx implements driver.ConnBeginTx.
func (c *preparedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return countedTx{tx, c.written}, nil
}

// countedTx counts its commit, with or without an error.
type countedTx struct {
	driver.Tx
	written *atomic.Int64
}

// Commit implements driver.Tx.
func (tx countedTx) Commit() error {
	defer tx.written.Add(1)
	return tx.Tx.Commit()
}

// ExecContext implements driver.ExecerContext.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.written.Add(1)
	if !keeps(query) {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	return result, errors.Join(err, c.put(query, s, err))
}

// QueryContext implements driver.QueryerContext.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !keeps(query) {
		defer c.written.Add(1)
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, c.put(query, s, err))
	}
	return &preparedRows{Rows: rows, conn: c, query: query, stmt: s}, nil
}

// preparedRows gives its statement back when it is closed.
type preparedRows struct {
	driver.Rows
	conn   *preparedConn
	query  string
	stmt   sqliteStmt // nil once it was given back
	failed error
}

// Next implements driver.Rows.
func (r *preparedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return err
}

// Close implements driver.Rows.
func (r *preparedRows) Close() error {
	if r.stmt == nil {
		return nil
	}
	err := r.Rows.Close()
	if !reads(r.query) {
		r.conn.written.Add(1) // what returns rows can write, too
	}
	err = errors.Join(err, r.conn.put(r.query, r.stmt, errors.Join(r.failed, err)))
	r.stmt = nil
	return err
}
