package devicedb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTest(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "devices.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestSettings(t *testing.T) {
	db := openTest(t)
	for pragma, want := range map[string]string{"foreign_keys": "1", "journal_mode": "wal", "synchronous": "1",
		"busy_timeout": "20000"} {
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
		}
	}
}

// TestMutationsAreFound: the MAC of a mutation is found without going through all of its collection, also in a file from before.
func TestMutationsAreFound(t *testing.T) {
	db := openTest(t)
	for range 2 {
		if err := db.Upgrade(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, query := range []string{
		"SELECT value_mac FROM whatsmeow_app_state_mutation_macs WHERE jid=$1 AND name=$2 AND index_mac=$3 ORDER BY version DESC LIMIT 1",
		"DELETE FROM whatsmeow_app_state_mutation_macs WHERE jid=$1 AND name=$2 AND index_mac IN ($3, $4)",
	} {
		var id, parent, unused int
		var plan string
		err := db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+query, "jid", "name", []byte{1}, []byte{2}).Scan(&id, &parent, &unused, &plan)
		if err != nil || !strings.Contains(plan, "(jid=? AND name=? AND index_mac=?)") {
			t.Errorf("%s: %q, %v", query, plan, err)
		}
	}
}

// TestFlush writes in every way that there is: a flush waits for the disk after it, and only then.
func TestFlush(t *testing.T) {
	db := openTest(t)
	waits := 0
	db.SyncFile = func(file string) error {
		waits++
		return syncFile(file)
	}
	flush := func(what string, want int) {
		t.Helper()
		before := waits
		if err := db.Flush(); err != nil || waits-before != want {
			t.Errorf("after %s a flush waited %d times, %v; want %d", what, waits-before, err, want)
		}
	}
	exec := func(query string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
	flush("a table was made", 1)
	flush("nothing", 0)
	exec("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
	exec("UPDATE t SET b = 'x'")
	flush("two statements", 1)
	var b string
	if err := db.QueryRowContext(t.Context(), "SELECT b FROM t").Scan(&b); err != nil {
		t.Fatal(err)
	}
	flush("a query", 0)
	for _, query := range []string{"INSERT INTO t VALUES (3, 'three') RETURNING b",
		"WITH n AS (SELECT 4) INSERT INTO t SELECT *, 'four' FROM n RETURNING b"} {
		if err := db.QueryRowContext(t.Context(), query).Scan(&b); err != nil {
			t.Fatal(err)
		}
		flush(query, 1)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "DELETE FROM t"); err != nil {
		t.Fatal(err)
	}
	flush("a statement in a transaction", 1) // needless, and harmless
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	flush("a commit", 1)
	flush("nothing", 0)
	if _, err := db.PrepareContext(t.Context(), "DELETE FROM t"); err == nil {
		t.Error("a statement was prepared that nobody counts")
	}
}

// TestFlushTogether has many flush at once, while they write: what each wrote before is on the disk when its flush returns.
func TestFlushTogether(t *testing.T) {
	db := openTest(t)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a TEXT)"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	durable, waits := map[string]bool{}, 0
	db.SyncFile = func(string) error { // what is stored by now
		rows, err := db.QueryContext(context.Background(), "SELECT a FROM t")
		if err != nil {
			return err
		}
		defer rows.Close()
		mu.Lock()
		defer mu.Unlock()
		waits++
		for rows.Next() {
			var key string
			if err := rows.Scan(&key); err != nil {
				return err
			}
			durable[key] = true
		}
		return rows.Err()
	}
	var group sync.WaitGroup
	const callers, times = 8, 20
	for i := range callers {
		group.Go(func() {
			for j := range times {
				key := fmt.Sprint(i, "-", j)
				if _, err := db.ExecContext(context.Background(), "INSERT INTO t VALUES (?)", key); err != nil {
					t.Error(err)
				}
				if err := db.Flush(); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if !durable[key] {
					t.Errorf("%s isn't on the disk", key)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if waits > callers*times {
		t.Errorf("%d flushes waited %d times", callers*times, waits)
	}
}

// TestFlushFails has the disk fail once: nobody may believe a later success, since the system forgets what it couldn't write.
func TestFlushFails(t *testing.T) {
	db := openTest(t)
	fault := errors.New("a fault of the disk")
	db.SyncFile = func(string) error {
		db.SyncFile = func(string) error { return nil }
		return fault
	}
	if err := db.Flush(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS t (a TEXT)"); err != nil {
			t.Fatal(err)
		}
		if err := db.Flush(); !errors.Is(err, fault) {
			t.Errorf("flush: %v", err)
		}
	}
}
