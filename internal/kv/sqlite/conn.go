package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	sqlite "modernc.org/sqlite"
)

// conn is a connection with the statements that were prepared on it; one goroutine uses it at a time. It stands on the driver
// alone: what database/sql does for each statement costs as much as running it.
type conn struct {
	driver.Conn
	prepared map[string]driver.Stmt // by their text
	args     []driver.NamedValue
}

func openConn(ctx context.Context, dsn string) (*conn, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return nil, wrap("connect", err)
	}
	return &conn{Conn: c, prepared: make(map[string]driver.Stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(errors.Join(errs...), c.Close())
}

func (c *conn) stmt(query string) (driver.Stmt, error) {
	if s := c.prepared[query]; s != nil {
		return s, nil
	}
	s, err := c.Prepare(query)
	if err != nil {
		return nil, err
	}
	c.prepared[query] = s
	return s, nil
}

func (c *conn) named(args []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// exec returns how many rows were changed.
func (c *conn) exec(query string, args ...driver.Value) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.named(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// script runs several statements that are used once.
func (c *conn) script(query string) error {
	_, err := c.Conn.(driver.ExecerContext).ExecContext(context.Background(), query, nil)
	return err
}

// rows calls each with every row, of as many columns, until it says that it has enough. What it is given is its own.
func (c *conn) rows(
	query string, args []driver.Value, columns int, each func([]driver.Value) (more bool, err error),
) (err error) {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, columns)
	for {
		if err := rows.Next(row); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if more, err := each(row); err != nil || !more {
			return err
		}
	}
}

// reading has read make n queries; several share a transaction, which locks the file once.
func (c *conn) reading(n int, read func() error) error {
	if n < 3 {
		return read()
	}
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	err := read()
	_, ended := c.exec("COMMIT")
	return errors.Join(err, ended)
}

// row returns the columns of the first row, nil where there is none.
func (c *conn) row(query string, columns int, args ...driver.Value) (found []driver.Value, err error) {
	err = c.rows(query, args, columns, func(row []driver.Value) (bool, error) {
		found = row
		return false, nil
	})
	return found, err
}

// number returns the only number of the only row.
func (c *conn) number(query string, args ...driver.Value) (int64, error) {
	row, err := c.row(query, 1, args...)
	if err != nil {
		return 0, err
	}
	n, _ := row[0].(int64)
	return n, nil
}
