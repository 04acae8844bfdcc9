package devicedb

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// preparedDB has one connection, on which everything happens.
func preparedDB(t *testing.T) *sql.DB {
	t.Helper()
	opened, err := Open(t.Context(), filepath.Join(t.TempDir(), "devices.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := opened.DB
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')"); err != nil {
		t.Fatal(err)
	}
	return db
}

// kept are the statements that a connection keeps.
func kept(t *testing.T, db *sql.DB) (queries []string) {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Raw(func(c any) error {
		for query := range c.(*preparedConn).idle {
			queries = append(queries, query)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return queries
}

// TestPreparedNested runs a query while the rows of the same query are read.
func TestPreparedNested(t *testing.T) {
	db := preparedDB(t)
	const query = "SELECT b FROM t WHERE a > ? ORDER BY a"
	for range 2 {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		outer, err := tx.Query(query, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for outer.Next() {
			var b, last string
			if err := outer.Scan(&b); err != nil {
				t.Fatal(err)
			}
			if err := tx.QueryRow(query, 2).Scan(&last); err != nil || last != "three" {
				t.Fatalf("%q, %v", last, err)
			}
			got = append(got, b)
		}
		if want := []string{"one", "two", "three"}; outer.Err() != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v; want %q", got, outer.Err(), want)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	if got := kept(t, db); !slices.Equal(got, []string{query}) {
		t.Errorf("kept are %q", got)
	}
}

// TestPreparedFails uses statements again that have failed, were cancelled, or whose table has changed.
func TestPreparedFails(t *testing.T) {
	db := preparedDB(t)
	const insert, all = "INSERT INTO t (a) VALUES (?)", "SELECT * FROM t WHERE a = ?"
	for i := range 3 {
		if _, err := db.Exec(insert, 1); err == nil {
			t.Fatal("a key is there twice")
		}
		if _, err := db.Exec(insert, 10+i); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		rows, err := db.QueryContext(ctx, all, 1)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = rows.Close()
		if rows, err = db.Query(all, 1); err != nil {
			t.Fatal(err)
		}
		if columns, err := rows.Columns(); err != nil || len(columns) != 2+i || !rows.Next() {
			t.Errorf("after %d new columns: %q, %v", i, columns, err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(fmt.Sprintf("ALTER TABLE t ADD COLUMN c%d TEXT", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPreparedBound(t *testing.T) {
	db := preparedDB(t)
	for i := range 3 * maxPrepared {
		var got int
		if err := db.QueryRow(fmt.Sprintf("SELECT %d", i)).Scan(&got); err != nil || got != i {
			t.Fatal(got, err)
		}
		if _, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(kept(t, db)); n != maxPrepared {
		t.Errorf("%d statements are kept, want %d", n, maxPrepared)
	}
}
