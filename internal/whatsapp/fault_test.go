package whatsapp

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	modernc "modernc.org/sqlite"

	"pesan/internal/chat"
	"pesan/internal/devicedb"
	"pesan/internal/sim"
	"pesan/internal/sleep"
)

// keyFaults makes the database of the device's keys fail at one step: a statement, the beginning of a transaction, or its
// end.
type keyFaults struct {
	mu    sync.Mutex
	in    int  // steps until the fault; 0: none
	done  bool // the step is done and fails all the same
	fired string
	first string // what a new connection runs first
}

var errDisk = errors.New("disk I/O error")

// arm has the n-th step from now fail.
func (f *keyFaults) arm(n int, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in, f.done, f.fired = n, done, ""
}

// disarm tells which step has failed, "" if none has.
func (f *keyFaults) disarm() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in = 0
	return f.fired
}

func (f *keyFaults) step(what string, do func() error) error {
	f.mu.Lock()
	fails := f.in == 1
	if f.in > 0 {
		f.in--
	}
	if fails {
		f.fired = strings.Join(strings.Fields(what), " ")
	}
	done := f.done
	f.mu.Unlock()
	if fails && !done {
		return errDisk
	}
	if err := do(); err != nil || !fails {
		return err
	}
	return errDisk
}

// faultyConn is a connection to it.
type faultyConn struct {
	plainConn
	faults *keyFaults
}

type plainConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

type faultyConnector struct {
	driver.Connector
	faults *keyFaults
}

func (c faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c.faults.mu.Lock()
	first := c.faults.first
	c.faults.mu.Unlock()
	if _, err := conn.(plainConn).ExecContext(ctx, first, nil); err != nil {
		return nil, err
	}
	return &faultyConn{conn.(plainConn), c.faults}, nil
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Result, err error) {
	err = c.faults.step(query, func() error { r, err = c.plainConn.ExecContext(ctx, query, args); return err })
	return r, err
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Rows, err error) {
	err = c.faults.step(query, func() error { r, err = c.plainConn.QueryContext(ctx, query, args); return err })
	if err != nil && r != nil {
		_ = r.Close()
	}
	return r, err
}

func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (tx driver.Tx, err error) {
	tx, err = c.plainConn.BeginTx(ctx, o)
	return faultyTx{tx, c.faults}, err
}

type faultyTx struct {
	driver.Tx
	faults *keyFaults
}

// Commit fails without an effect as SQLite does: the transaction is rolled back.
func (t faultyTx) Commit() error {
	committed := false
	err := t.faults.step("COMMIT", func() error { committed = true; return t.Tx.Commit() })
	if err != nil && !committed {
		_ = t.Rollback()
	}
	return err
}

// faultyKeys opens the keys of a new world anew, with faults.
func (w *world) faultyKeys() *keyFaults {
	w.t.Helper()
	connector, err := modernc.NewConnector(devicedb.DSN(filepath.Join(w.folder, "devices.db")))
	w.ok(err)
	f := &keyFaults{}
	w.faults = f
	w.keysDB = sql.OpenDB(faultyConnector{connector, f})
	w.keysDB.SetMaxOpenConns(devicedb.Conns)
	db := w.keysDB
	w.t.Cleanup(func() { _ = db.Close() })
	w.devices.Keys = SQLKeys(w.keysDB)
	return f
}

// stream is what comes in while stores fail: direct messages, messages of a group, and changes of the app state.
type stream struct {
	*world
	budi, citra *sim.Contact
	group       *sim.Group
	guests      []*sim.Contact // who write for the first time
	sent        int
}

func newStream(w *world) *stream {
	w.t.Helper()
	s := &stream{world: w, budi: w.contact("6281200000002", "Budi"), citra: w.contact("6281200000003", "Citra")}
	var err error
	s.group, err = w.server.NewGroup("Keluarga", s.citra, sim.GroupOptions{ByLID: true}, s.budi, w.phone.Contact)
	w.ok(err)
	return s
}

// send sends one of each; a guest's begins with a pre key.
func (s *stream) send() {
	s.t.Helper()
	text := sim.Text(fmt.Sprint("pesan ", s.sent))
	_, err := s.budi.Send(s.soon(), s.phone, text, sim.SendOptions{})
	s.ok(err)
	_, err = s.citra.SendGroup(s.soon(), s.group, sim.Text(fmt.Sprint("pesan ", s.sent)), sim.SendOptions{})
	s.ok(err)
	guest := s.contact(fmt.Sprint(6281300000000+s.sent), "Tamu")
	s.guests = append(s.guests, guest)
	_, err = guest.Send(s.soon(), s.phone, sim.Text("permisi"), sim.SendOptions{ByLID: s.sent%3 == 0})
	s.ok(err)
	if s.sent%2 == 0 {
		s.ok(s.phone.Mute(s.soon(), s.budi.PN(), time.Now().Add(time.Hour)))
	} else {
		s.ok(s.phone.Unmute(s.soon(), s.budi.PN()))
	}
	s.sent++
}

// whole fails unless everything is there once, in order, and the app state goes on.
func (s *stream) whole() {
	s.t.Helper()
	s.ok(s.linked.WaitOnline(s.soon()))
	s.ok(s.linked.WaitDrained(s.soon()))
	for _, c := range []chat.JID{jid(s.budi), jidOf(s.group.JID())} {
		all := s.messages(c)
		if len(all) != s.sent {
			s.t.Errorf("%s has %d messages, want %d", c, len(all), s.sent)
		}
		for n, m := range all[:min(len(all), s.sent)] {
			if !strings.Contains(m, fmt.Sprintf(`"body":"pesan %d"`, n)) {
				s.t.Errorf("message %d of %s is %s", n, c, m)
			}
		}
		v, _ := s.shown(c)
		says(s.t, string(v.Document), field("unreadCount", s.sent))
	}
	for _, g := range s.guests {
		s.says1(jid(g), `"body":"permisi"`)
	}
	s.until("connected", func(a chat.Account) bool { return a.State == chat.Connected && a.Reason == "" })
	s.muted(s.budi, s.sent%2 == 1)
	// What is changed here goes on from the same hash.
	err := s.device.Mute(s.soon(), jid(s.citra), time.Now().Add(time.Hour).UnixMilli())
	for chat.CodeOf(err) == chat.DeviceNotConnected { // a device that was started anew is about to be
		s.ok(sleep.For(s.soon(), 5*time.Millisecond))
		err = s.device.Mute(s.soon(), jid(s.citra), time.Now().Add(time.Hour).UnixMilli())
	}
	s.ok(err)
}

// muted waits until a chat is muted, or not.
func (s *stream) muted(c *sim.Contact, want bool) {
	s.t.Helper()
	s.eventually("mute", func() bool {
		v, ok := s.shown(jid(c))
		return ok && (v.MuteEnd != 0) == want
	})
}

// TestEveryStepOfTheKeys has each step fail once that the store of the keys takes for a stream, in both forms.
func TestEveryStepOfTheKeys(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { everyStepOfTheKeys(t, (*world).faultyKeys, 10) })
	t.Run("key store", func(t *testing.T) { everyStepOfTheKeys(t, (*world).faultyKeyStore, 5) })
}

func everyStepOfTheKeys(t *testing.T, keys func(*world) *keyFaults, kinds int) {
	for _, done := range []bool{false, true} {
		t.Run(fmt.Sprintf("done=%t", done), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			faults := keys(w)
			w.link()
			w.fetched()
			s := newStream(w)
			s.send()
			s.whole()
			failed := map[string]int{}
			for n, quiet := 1, 0; quiet < 3; n++ {
				faults.arm(n, done)
				s.send()
				w.ok(w.linked.WaitDrained(w.soon()))
				s.muted(s.budi, s.sent%2 == 1)
				what := faults.disarm()
				if what == "" {
					quiet++
				} else {
					failed[what]++
				}
			}
			s.whole()
			for what, n := range failed {
				t.Logf("%3d %s", n, what)
			}
			if len(failed) < kinds {
				t.Errorf("only %d kinds of steps failed", len(failed))
			}
		})
	}
}

// everyConn runs a statement on all connections to the keys; with faultyKeys, also on those that are new from now on, as a device
// that starts anew makes some.
func (w *world) everyConn(statement string) {
	w.t.Helper()
	if w.faults != nil {
		w.faults.mu.Lock()
		w.faults.first = statement
		w.faults.mu.Unlock()
	}
	for range devicedb.Conns {
		c, err := w.keysDB.Conn(w.soon())
		w.ok(err)
		defer c.Close()
		_, err = c.ExecContext(w.soon(), statement)
		w.ok(err)
	}
}

// lock has another program hold the keys' database until unlock is called.
func (w *world) lock() (unlock func()) {
	w.t.Helper()
	w.everyConn("PRAGMA busy_timeout = 50")
	other, err := sql.Open("sqlite", devicedb.DSN(filepath.Join(w.folder, "devices.db")))
	w.ok(err)
	tx, err := other.BeginTx(context.Background(), nil)
	w.ok(err)
	return func() {
		_ = tx.Rollback()
		_ = other.Close()
		w.everyConn("PRAGMA busy_timeout = 20000")
	}
}

// TestStoreFaults: whatever store can't be written, and why, nothing is lost and nothing comes twice.
func TestStoreFaults(t *testing.T) {
	pragma := func(bad, good string) func(w *world) func() {
		return func(w *world) func() {
			w.everyConn("PRAGMA " + bad)
			return func() { w.everyConn("PRAGMA " + good) }
		}
	}
	breaks := func(fail func(n int, what string) error) func(w *world) func() {
		return func(w *world) func() {
			n := 0
			w.store.breaks(func(what string) error {
				n++
				return fail(n, what)
			})
			return func() { w.store.breaks(nil) }
		}
	}
	for name, fault := range map[string]func(w *world) func(){
		"keys: disk full":  pragma("max_page_count = 1", "max_page_count = 1073741823"),
		"keys: read-only":  pragma("query_only = 1", "query_only = 0"),
		"keys: locked":     (*world).lock,
		"chats: disk full": breaks(func(int, string) error { return errDisk }),
		"chats: now and then": breaks(func(n int, _ string) error {
			if n%31 == 3 { // so seldom that no message meets it four times, which would let those behind it pass
				return errDisk
			}
			return nil
		}),
		"chats: only messages": breaks(func(_ int, what string) error {
			if what == "chat" {
				return errDisk
			}
			return nil
		}),
		"backlog": breaks(func(_ int, what string) error {
			if what == "backlog" {
				return errDisk
			}
			return nil
		}),
		"both": func(w *world) func() {
			keys := pragma("query_only = 1", "query_only = 0")(w)
			w.store.breaks(func(string) error { return errDisk })
			return func() { keys(); w.store.breaks(nil) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			w.faultyKeys()
			w.link()
			s := newStream(w)
			s.send()
			s.whole()
			w.fetched()
			mend := fault(w)
			for range 40 { // more than what a database has room for in the pages that it has
				s.send()
			}
			w.eventually("a store that fails", w.failing.Load)
			mend()
			s.send()
			s.whole()
			if w.failing.Load() {
				t.Error("a store fails still")
			}
		})
	}
}

// TestStoresOfADeletedDevice: what whatsmeow still stores of it is no fault of a store.
func TestStoresOfADeletedDevice(t *testing.T) {
	w := linkedWorld(t)
	r, err := w.device.(*device).current()
	w.ok(err)
	w.ok(r.guard.DeleteDevice(w.soon(), r.wa.Store))
	if _, _, err := r.guard.PutPushName(w.soon(), w.phone.PN(), "Sari"); !errors.Is(err, store.ErrDeviceDeleted) {
		t.Errorf("storing a name fails with %v", err)
	}
	if err := r.crash.cause(); err != nil {
		t.Errorf("the device starts anew after %v", err)
	}
}
