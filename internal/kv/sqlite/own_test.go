package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sqlite "modernc.org/sqlite"

	"pesan/internal/kv"
)

func key(partition, sort string) kv.Key {
	return kv.Key{Collection: kv.Chats, Partition: partition, Sort: sort}
}

func put(t *testing.T, s *Store, it kv.Item) {
	t.Helper()
	if err := s.Write(t.Context(), kv.Each(kv.Put(it, kv.Always()))); err != nil {
		t.Fatal(err)
	}
}

// TestReopen closes and opens a file of an odd name; each time it holds what was written.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder?with#odd%characters", "pesan.db")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		s, err := Open(t.Context(), path, Options{Sync: i%2 == 1})
		if err != nil {
			t.Fatal(err)
		}
		for j := range i {
			it, err := s.Get(t.Context(), key("p", fmt.Sprint(j)), kv.Strong)
			if err != nil || it.Token != int64(j) {
				t.Errorf("item %d is %+v, %v", j, it, err)
			}
		}
		put(t, s, kv.Item{Key: key("p", fmt.Sprint(i)), Token: int64(i)})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSync asks SQLite what it does for a power cut.
func TestSync(t *testing.T) {
	for sync, want := range map[bool]int64{false: 1, true: 2} { // NORMAL, FULL
		s := open(t, Options{Sync: sync})
		for pragma, want := range map[string]int64{"synchronous": want, "busy_timeout": 250, "page_size": 8192} {
			if got, err := s.writer.conn.number("PRAGMA " + pragma); err != nil || got != want {
				t.Errorf("with Sync %v, %s is %d, want %d: %v", sync, pragma, got, want, err)
			}
		}
	}
}

// TestOpenFails opens what isn't a file of this program, or of a newer one; what is refused stays as it is.
func TestOpenFails(t *testing.T) {
	folder := t.TempDir()
	made := func(name string, statements ...string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range statements {
			if err := s.writer.conn.script(q); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		text: "damaged",
		made("newer", fmt.Sprintf("PRAGMA user_version = %d", tablesVersion+1)):                       "made by a newer program",
		made("another", "PRAGMA application_id = 7"):                                                  "another program's",
		made("older", "PRAGMA application_id = 0; PRAGMA user_version = 3; CREATE TABLE chats (jid)"): "older form",
		filepath.Join(text, "below"):                                                                  "",
		folder:                                                                                        "",
		filepath.Join(folder, "a/b/c"):                                                                "",
	} {
		before, _ := os.ReadFile(path)
		s, err := Open(t.Context(), path, Options{})
		if err == nil {
			t.Errorf("%s was opened", path)
			s.Close()
			continue
		}
		if !strings.Contains(err.Error(), want) || errors.Is(err, ErrDamaged) != (path == text) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s was changed", path)
		}
	}
}

// TestUnavailable has SQLite fail as it does when the disk is full, the file may not be written, or another process writes.
func TestUnavailable(t *testing.T) {
	for name, one := range map[string]struct{ fail, mend string }{
		"full":      {"PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"}, // as many as there are
		"read only": {"PRAGMA query_only = on", "PRAGMA query_only = off"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			put(t, s, kv.Item{Key: key("p", "before")})
			if err := s.writer.conn.script(one.fail); err != nil {
				t.Fatal(err)
			}
			large := kv.Item{Key: key("new partition", "a"), Data: make([]byte, kv.MaxData)}
			for range 2 {
				err := s.Write(t.Context(), kv.Each(kv.Put(large, kv.Always())),
					kv.Together(kv.Put(kv.Item{Key: key("p", "b")}, kv.Absent())))
				if !errors.Is(err, kv.ErrUnavailable) || code(err) == 0 {
					t.Errorf("error %v", err)
				}
			}
			if _, err := s.Get(t.Context(), key("p", "before"), kv.Strong); err != nil {
				t.Error(err)
			}
			if err := s.writer.conn.script(one.mend); err != nil {
				t.Fatal(err)
			}
			put(t, s, large)
			put(t, s, kv.Item{Key: key("p", "c")})
			for _, sort := range []string{"b", "c"} {
				_, err := s.Get(t.Context(), key("p", sort), kv.Strong)
				if want := map[string]error{"b": kv.ErrNotFound}[sort]; !errors.Is(err, want) {
					t.Errorf("%s: %v", sort, err)
				}
			}
		})
	}
}

// TestLockedByAnother has another process write: calls wait for it as long as their contexts let them, and readers don't wait.
func TestLockedByAnother(t *testing.T) {
	s := open(t, Options{})
	put(t, s, kv.Item{Key: key("p", "before")})
	other, err := openConn(t.Context(), dsn(s.path, false, false))
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	if err := other.script("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = s.Write(ctx, kv.Each(kv.Put(kv.Item{Key: key("p", "given up")}, kv.Always())))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write whose time has passed: %v", err)
	}
	if _, err := s.Get(t.Context(), key("p", "before"), kv.Strong); err != nil {
		t.Error(err)
	}
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			if err := s.Write(t.Context(), kv.Each(kv.Put(kv.Item{Key: key("p", fmt.Sprint(i))}, kv.Always()))); err != nil {
				t.Error(err)
			}
		})
	}
	if err := other.script("COMMIT"); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if _, err := s.Get(t.Context(), key("p", "given up"), kv.Strong); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("what was given up: %v", err)
	}
}

// hold has the lead taken until the function that it returns is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	leads, free := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := s.writer.do(t.Context(), func(*writer) error {
			close(leads)
			<-free
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-leads
	return func() {
		close(free)
		group.Wait()
	}
}

// waits returns when n calls wait for the lead.
func waits(t *testing.T, s *Store, n int) {
	t.Helper()
	for range 1000 {
		s.writer.mu.Lock()
		waiting := len(s.writer.waiting)
		s.writer.mu.Unlock()
		if waiting == n {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Fatalf("there are never %d calls that wait", n)
}

// TestGroupCommit has calls wait: they share a transaction, in which each has its own answer, and one that is given up
// isn't in it.
func TestGroupCommit(t *testing.T) {
	s := open(t, Options{})
	put(t, s, kv.Item{Key: key("p", "there"), Token: 5})
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	const calls = 40
	for i := range calls {
		group.Go(func() {
			at, ctx, want := key(fmt.Sprint("p", i), "a"), t.Context(), error(nil)
			ops := []kv.Op{kv.Put(kv.Item{Key: at}, kv.Absent())}
			switch i % 4 {
			case 1:
				ops, want = append(ops, kv.Put(kv.Item{Key: key("p", "there")}, kv.Absent())), kv.ErrConflict
			case 2:
				ops, want = append(ops, kv.Check(key("p", "there"), kv.Present(), 4)), kv.ErrFenced
			}
			if err := s.Write(ctx, kv.Together(ops...)); !errors.Is(err, want) {
				t.Errorf("call %d: %v, want %v", i, err, want)
			}
		})
	}
	waits(t, s, calls)
	group.Go(func() {
		if err := s.Write(ctx, kv.Each(kv.Put(kv.Item{Key: key("p", "given up")}, kv.Always()))); !errors.Is(err,
			context.Canceled) {
			t.Errorf("a call that is given up: %v", err)
		}
	})
	waits(t, s, calls+1)
	cancel()
	waits(t, s, calls)
	commits := 0
	s.writer.conn.Conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
		commits++
		return 0
	})
	release()
	group.Wait()
	if commits != 2 { // that of hold is one
		t.Errorf("%d calls made %d commits", calls, commits-1)
	}
	for i := range calls {
		_, err := s.Get(t.Context(), key(fmt.Sprint("p", i), "a"), kv.Strong)
		if there := err == nil; there != (i%4 != 1 && i%4 != 2) {
			t.Errorf("call %d: %v", i, err)
		}
		put(t, s, kv.Item{Key: key(fmt.Sprint("p", i), "later")}) // in a partition that may have been undone
		if _, err := s.Get(t.Context(), key(fmt.Sprint("p", i), "later"), kv.Strong); err != nil {
			t.Errorf("after call %d: %v", i, err)
		}
	}
	if _, err := s.Get(t.Context(), key("p", "given up"), kv.Strong); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("what was given up: %v", err)
	}
}

// TestWithdraw gives up calls: one that is to lead, or is written already, can't be taken back.
func TestWithdraw(t *testing.T) {
	waiting, chosen, taken := &call{}, &call{chosen: true}, &call{}
	w := &writer{waiting: []*call{chosen, waiting}}
	if w.withdraw(chosen) || w.withdraw(taken) || !w.withdraw(waiting) || w.withdraw(waiting) {
		t.Error("the wrong calls were withdrawn")
	}
	if len(w.waiting) != 1 || w.waiting[0] != chosen {
		t.Errorf("%d calls wait", len(w.waiting))
	}
}

// TestFaultOfAnother has one of the calls that share a transaction fail: the others don't suffer from it.
func TestFaultOfAnother(t *testing.T) {
	s := open(t, Options{})
	release := hold(t, s)
	fault := errors.New("a fault")
	var group sync.WaitGroup
	for i := range 9 {
		group.Go(func() {
			at := kv.Item{Key: key(fmt.Sprint("p", i), "a")}
			if i%3 != 1 {
				if err := s.Write(t.Context(), kv.Each(kv.Put(at, kv.Absent()))); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
				return
			}
			err := s.writer.do(t.Context(), func(w *writer) error {
				put := kv.Put(at, kv.Always())
				if err := w.op(&put, 1); err != nil {
					return err
				}
				return fault
			})
			if !errors.Is(err, fault) {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	waits(t, s, 9)
	release()
	group.Wait()
	for i := range 9 {
		if _, err := s.Get(t.Context(), key(fmt.Sprint("p", i), "a"), kv.Strong); (err == nil) != (i%3 != 1) {
			t.Errorf("call %d: %v", i, err)
		}
		put(t, s, kv.Item{Key: key(fmt.Sprint("p", i), "b")})
	}
}

// TestPurge deletes more than a batch, and leaves what hasn't expired and the partitions that hold it.
func TestPurge(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := open(t, Options{Now: func() time.Time { return now }})
	rows := func(table string) int64 {
		t.Helper()
		n, err := s.writer.conn.number("SELECT count(*) FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range 2*purgeBatch + 10 {
		p := fmt.Sprint("p", i)
		soon := kv.Put(kv.Item{Key: key(p, "soon"), Expires: now.Unix() + 1}, kv.Always())
		ops := []kv.Op{soon}
		switch i % 4 {
		case 1:
			ops = append(ops, kv.Put(kv.Item{Key: key(p, "later"), Expires: now.Unix() + 2}, kv.Always()))
		case 2:
			ops = append(ops, kv.Put(kv.Item{Key: key(p, "never")}, kv.Always()))
		case 3:
			if err := s.Write(t.Context(), kv.Each(soon), kv.Each(kv.Delete(soon.Item.Key, kv.Always(), 0))); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := s.Write(t.Context(), kv.Each(ops...)); err != nil {
			t.Fatal(err)
		}
	}
	all := int64(2*purgeBatch + 10)
	purge := func(items, partitions int64) {
		t.Helper()
		if err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i, p := rows("items"), rows("partitions"); i != items || p != partitions {
			t.Errorf("%d items in %d partitions are left, want %d in %d", i, p, items, partitions)
		}
	}
	quarter, third := (all+1)/4, (all+2)/4 // with a remainder of 1, and of 2
	purge(all-all/4+third+quarter, all-all/4)
	now = now.Add(time.Second)
	purge(third+quarter, third+quarter)
	now = now.Add(time.Second)
	purge(quarter, quarter)
	for _, p := range []string{"p0", "p2"} { // one whose number has gone, one whose number is known
		put(t, s, kv.Item{Key: key(p, "again")})
		if _, err := s.Get(t.Context(), key(p, "again"), kv.Strong); err != nil {
			t.Error(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Purge(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

// TestPlans makes sure that what is read often is found by an index, in its order.
func TestPlans(t *testing.T) {
	s := open(t, Options{})
	for query, want := range map[string]string{
		selectOne:                            "SEARCH items USING PRIMARY KEY (part=? AND sort=?)",
		selectPage(&kv.Query{}):              "SEARCH items USING PRIMARY KEY (part=? AND sort>? AND sort<?)",
		selectPage(&kv.Query{Reverse: true}): "SEARCH items USING PRIMARY KEY (part=? AND sort>? AND sort<?)",
		putUnchanged:                         "SEARCH items USING PRIMARY KEY (part=? AND sort=?)",
		deleteUnchanged:                      "SEARCH items USING PRIMARY KEY (part=? AND sort=?)",
		selectExpired:                        "SEARCH items USING COVERING INDEX items_expires",
	} {
		var plan []string
		args := make([]driver.Value, strings.Count(query, "?"))
		err := s.writer.conn.rows("EXPLAIN QUERY PLAN "+query, args, 4, func(row []driver.Value) (bool, error) {
			plan = append(plan, fmt.Sprint(row[3]))
			return true, nil
		})
		all := strings.Join(plan, "\n")
		if err != nil || !strings.Contains(all, want) || strings.Contains(all, "TEMP B-TREE") {
			t.Errorf("plan of %s:\n%s\n%v", query, all, err)
		}
	}
}
