package devicedb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pesan/internal/testkit/powercut"
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
	real := db.Disk
	db.Disk = madeUp{sync: func(file string) error {
		waits++
		return real.Sync(file)
	}}
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
	db.Disk = madeUp{sync: func(string) error { // what is stored by now
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
	}}
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

// madeUp is a disk of functions.
type madeUp struct{ sync, rewrite func(name string) error }

func (d madeUp) Sync(name string) error    { return d.sync(name) }
func (d madeUp) Rewrite(name string) error { return d.rewrite(name) }

// TestFlushFails has the disk fail: nobody may believe a later success before the log was written again, since the system forgets
// what it couldn't write. Nobody writes while it is.
func TestFlushFails(t *testing.T) {
	db := openTest(t)
	fault := errors.New("a fault of the disk")
	var syncs, rewrites error
	calls := ""
	db.Disk = madeUp{
		sync: func(string) error { calls += "sync "; return syncs },
		rewrite: func(string) error {
			calls += "rewrite "
			if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 1; INSERT INTO t VALUES ('amid it')"); err == nil {
				t.Error("somebody has written while the log was")
			}
			return rewrites
		},
	}
	if err := db.Flush(); err != nil || calls != "" {
		t.Error(err, calls)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a TEXT)"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		syncs, rewrites error
		calls           string
		want            error
	}{
		{fault, nil, "sync ", fault}, {nil, fault, "rewrite ", fault}, {nil, fault, "rewrite ", fault}, {nil, nil, "rewrite ", nil},
		{nil, nil, "sync ", nil}, // what was tried amid it counts
		{nil, nil, "", nil},
	} {
		syncs, rewrites, calls = step.syncs, step.rewrites, ""
		if err := db.Flush(); !errors.Is(err, step.want) || (err == nil) != (step.want == nil) || calls != step.calls {
			t.Errorf("flush did %q and says %v, want %+v", calls, err, step)
		}
	}
}

// TestFailedSync cuts the power of a disk that has failed once, for a Flush or for SQLite's waits in a checkpoint, right then and
// later: what a Flush has returned for is there, and the database is whole, though more was written since.
func TestFailedSync(t *testing.T) {
	for _, after := range []int64{1, 3, checkpointAfter} {
		for n := range 12 {
			disk, folder, kept := powercut.Use(t), t.TempDir(), t.TempDir()
			db, err := Open(t.Context(), filepath.Join(folder, "devices.db"))
			if err != nil {
				t.Fatal(err)
			}
			db.Disk, db.CheckpointAfter = disk, after
			exec := func(statement string) error {
				_, err := db.ExecContext(t.Context(), statement)
				return err
			}
			if err := errors.Join(exec("CREATE TABLE t (a INTEGER, b BLOB)"), db.Flush()); err != nil {
				t.Fatal(err)
			}
			waits := 0
			disk.Waits(func(string) (time.Duration, bool) { waits++; return 0, waits == n+1 })
			stored, flushed := 0, 0
			cut := func(name string) {
				at := filepath.Join(kept, name)
				if err := errors.Join(os.Mkdir(at, 0o700), disk.Cut(folder, at, 0, nil)); err != nil {
					t.Fatal(err)
				}
				at = filepath.Join(at, "devices.db")
				faults, err := Check(t.Context(), at)
				if err != nil || len(faults) > 0 {
					t.Errorf("checkpoints after %d, wait %d of %d failed: %v %q", after, n+1, waits, err, faults)
				}
				db, err := Open(t.Context(), at)
				if err != nil {
					t.Fatal(err)
				}
				var rows int
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&rows); err != nil || rows < flushed {
					t.Errorf("checkpoints after %d, wait %d of %d failed, %d rows were flushed, of which there are %d, %v",
						after, n+1, waits, flushed, rows, err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
			for i := range 6 {
				for range 1 + i%3 { // several stand in the log of which one Flush tells
					if exec("INSERT INTO t VALUES (1, randomblob(9000))") == nil {
						stored++
					}
				}
				cut(fmt.Sprint(i, "-written"))
				if err := db.Flush(); err == nil {
					flushed = stored
				} else if !errors.Is(err, powercut.ErrDisk) {
					t.Error(err)
				}
				cut(fmt.Sprint(i, "-flushed"))
			}
			disk.Waits(nil)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if flushed == 0 || n < 7 && waits <= n {
				t.Errorf("%d rows were flushed, the disk was waited for %d times", flushed, waits)
			}
		}
	}
}

// TestCheckpoints: however much is written, all of it stays in the log until a Flush, which moves it once that is worth it.
func TestCheckpoints(t *testing.T) {
	disk := powercut.Use(t)
	db := openTest(t)
	db.Disk = disk
	waits := map[string]int{}
	disk.Waits(func(name string) (time.Duration, bool) { waits[filepath.Base(name)]++; return 0, false })
	write := func(times int) {
		for range times {
			if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (randomblob(9000))"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a BLOB)"); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		for i, step := range []struct{ writes, log, database int }{
			{checkpointAfter / 2, 1, 0}, {checkpointAfter / 2, 2, 1}, {1, 1, 0},
		} {
			clear(waits)
			if write(step.writes); len(waits) > 0 && i != 2 { // the first write after a checkpoint begins the log anew
				t.Errorf("round %d: %d writes waited for the disk: %v", round, step.writes, waits)
			}
			clear(waits)
			if err := db.Flush(); err != nil || waits["devices.db-wal"] != step.log || waits["devices.db"] != step.database {
				t.Errorf("round %d: a flush after %d writes waited for %v, %v, want %+v", round, step.writes, waits, err, step)
			}
		}
	}
}

// TestUnflushed: where nobody calls Flush, SQLite keeps the log short by itself.
func TestUnflushed(t *testing.T) {
	for name, open := range map[string]func(context.Context, string) (*DB, error){
		"unflushed": OpenUnflushed, "durable": OpenDurable,
	} {
		disk := powercut.Use(t)
		db, err := open(t.Context(), filepath.Join(t.TempDir(), "devices.db"))
		if err != nil {
			t.Fatal(err)
		}
		moved := 0
		disk.Waits(func(file string) (time.Duration, bool) {
			if filepath.Base(file) == "devices.db" {
				moved++
			}
			return 0, false
		})
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a BLOB)"); err != nil {
			t.Fatal(err)
		}
		for range checkpointAfter {
			if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (randomblob(9000))"); err != nil {
				t.Fatal(err)
			}
		}
		if moved == 0 {
			t.Errorf("%s: the log wasn't moved", name)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRewrite: what is written again is what was there.
func TestRewrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	var d realDisk
	for _, size := range []int{-1, 0, 1, 1 << 20, 1<<20 + 1, 3<<20 - 1} {
		want := make([]byte, max(size, 0))
		for i := range want {
			want[i] = byte(i * i >> 8)
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if size >= 0 { // a new file under the same name
			if err := os.WriteFile(name, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(d.Sync(name), d.Rewrite(name), d.Sync(name)); err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(name); (err != nil) != (size < 0) || !bytes.Equal(got, want) {
			t.Errorf("%d bytes became %d, %v", size, len(got), err)
		}
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}
