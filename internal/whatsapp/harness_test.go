package whatsapp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"

	"pesan/internal/chat"
	"pesan/internal/devicedb"
	"pesan/internal/host"
	"pesan/internal/kv/sqlite"
	"pesan/internal/sim"
	"pesan/internal/store"
	"pesan/internal/testkit/check"
	"pesan/internal/testkit/dynamolocal"
)

// root is trusted by all devices of this process, since whatsmeow keeps the trusted key in a global.
var root = keys.NewKeyPair()

func TestMain(m *testing.M) {
	if _, err := (Globals{Logger: testLogger()}).Set(); err != nil {
		panic(err)
	}
	whatsmeow.WACertPubKey = *root.Pub
	whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = 400*time.Millisecond, 600*time.Millisecond
	whatsmeow.KeepAliveResponseDeadline = time.Second
	os.Exit(check.Leaks(dynamolocal.Main(m)))
}

func testLogger() *slog.Logger {
	if os.Getenv("PESAN_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

const account = "01JXAMPZ0000000000000000AB"

// stores are the account's stores. They tell of every write, and fail when they are told to.
type stores struct {
	*store.Store
	mu      sync.Mutex
	changed chan struct{}
	fail    func(what string) error
	asking  sync.Mutex

	poisoned chat.JID      // can't be written
	held     chan struct{} // changes of chats wait until it is closed; nil: they don't
}

func (s *stores) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// breaks has writes fail as f says; nil mends them.
func (s *stores) breaks(f func(what string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *stores) try(what string, do func() error) error {
	if err := s.fault(what); err != nil {
		return err
	}
	err := do()
	s.tell()
	return err
}

// fault asks what breaks gave, one write at a time.
func (s *stores) fault(what string) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(what)
}

func (s *stores) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	return s.try("account", func() error { return s.Store.UpdateAccount(ctx, id, change) })
}

// poison makes one chat unwritable.
func (s *stores) poison(jid chat.JID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poisoned = jid
}

// hold has changes of chats wait for what it returns.
func (s *stores) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = make(chan struct{})
	return sync.OnceFunc(func() { close(s.held) })
}

func (s *stores) Update(ctx context.Context, account string, jid chat.JID, ids []string, change func(*chat.Thread) error) error {
	s.mu.Lock()
	poisoned, held := jid == s.poisoned, s.held
	s.mu.Unlock()
	if poisoned {
		return errBroken
	}
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.try("chat", func() error { return s.Store.Update(ctx, account, jid, ids, change) })
}

func (s *stores) Alias(ctx context.Context, account string, from, to chat.JID) error {
	return s.try("alias", func() error { return s.Store.Alias(ctx, account, from, to) })
}

func (s *stores) DeleteChats(ctx context.Context, account string) error {
	return s.try("delete chats", func() error { return s.Store.DeleteChats(ctx, account) })
}

func (s *stores) DeleteCommands(ctx context.Context, account string) error {
	return s.try("delete commands", func() error { return s.Store.DeleteCommands(ctx, account) })
}

func (s *stores) ClearReports(ctx context.Context, account string, all bool, now time.Time) error {
	return s.try("clear reports", func() error { return s.Store.ClearReports(ctx, account, all, now) })
}

func (s *stores) AddReport(ctx context.Context, r chat.Report) error {
	return s.try("add report", func() error { return s.Store.AddReport(ctx, r) })
}

func (s *stores) PutBacklog(ctx context.Context, account, id string, data []byte) error {
	return s.try("backlog", func() error { return s.Store.PutBacklog(ctx, account, id, data) })
}

func (s *stores) DeleteBacklog(ctx context.Context, account, id string) error {
	return s.try("backlog", func() error { return s.Store.DeleteBacklog(ctx, account, id) })
}

// world is a WhatsApp server with a phone, and an account whose device links to it. Violations fail the test.
type world struct {
	t       testing.TB
	server  *sim.Server
	phone   *sim.Phone
	linked  *sim.Device // once linked
	folder  string
	power   *power // nil: nobody cuts it
	store   *stores
	keysDB  *sql.DB
	keys    *sqlstore.Container
	devices *Devices
	device  testDevice
	logger  *slog.Logger
	failing atomic.Bool // a store fails
	faults  *keyFaults  // of the keys; nil: they have none

	mu       sync.Mutex
	expected map[sim.ViolationKind]bool
	stop     func() error // of the running device; nil when none runs
}

const ownNumber = "6281200000001"

func newWorld(t testing.TB, o sim.Options, p sim.PhoneOptions) *world {
	t.Helper()
	return newWorldWith(t, o, p, func(*world) {})
}

// newWorldWith changes a world before anything is opened.
func newWorldWith(t testing.TB, o sim.Options, p sim.PhoneOptions, change func(*world)) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir(), expected: make(map[sim.ViolationKind]bool)}
	o.Root = root
	o.OnViolation = w.violation
	var err error
	w.server, err = sim.New(o)
	w.ok(err)
	t.Cleanup(func() { _ = w.server.Close() })
	if p.PushName == "" {
		p.PushName = "Sari"
	}
	w.phone, err = w.server.NewPhone(ownNumber, p)
	w.ok(err)
	change(w)
	w.open()
	w.ok(w.store.CreateAccount(w.soon(), chat.Account{ID: account, Name: "toko", On: true, State: chat.ServiceOff}))
	return w
}

// open opens the stores, as a process does that starts.
func (w *world) open() {
	w.t.Helper()
	db, err := sqlite.Open(w.soon(), filepath.Join(w.folder, "pesan.db"), sqlite.Options{Sync: w.power != nil})
	w.ok(err)
	w.store = &stores{Store: store.New(db, store.Options{Compression: store.S2, SoleWriter: true}), changed: make(chan struct{})}
	open := devicedb.OpenUnflushed
	if w.power != nil {
		open = devicedb.Open
	}
	keysDB, err := open(w.soon(), filepath.Join(w.folder, "devices.db"))
	w.ok(err)
	w.keysDB = keysDB.DB
	w.keys = sqlstore.NewWithDB(w.keysDB, "sqlite3", waLog.Noop)
	w.ok(keysDB.Upgrade(w.soon()))
	keys := w.keys
	w.t.Cleanup(func() {
		_ = keys.Close()
		_ = db.Close()
	})
	client := Redirect(w.server.Address())
	w.t.Cleanup(client.CloseIdleConnections)
	if w.logger == nil {
		w.logger = testLogger()
	}
	w.devices = New(Config{
		Keys: SQLKeys(w.keysDB), Stores: w.stores, HTTP: client, Now: time.Now, Logger: w.logger, Flush: w.power.flush(keysDB),
		Behind: 16,
		Failing: func(_ string, failing bool) {
			w.failing.Store(failing)
			w.store.tell()
		},
	})
	w.devices.backoff = func(n int) time.Duration { return time.Duration(min(n, 10)) * 5 * time.Millisecond }
	w.devices.retryAfter = w.devices.backoff
	w.devices.settled = time.Second
	w.device = nil
}

func (w *world) violation(v sim.Violation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.expected[v.Kind] {
		w.t.Errorf("violation: %v", v)
	}
}

func (w *world) expect(kinds ...sim.ViolationKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range kinds {
		w.expected[k] = true
	}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// soon is a context for what is done in a moment, but on a machine that is busy with other things.
func (w *world) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

// testDevice is a device with short forms of commands.
type testDevice interface {
	host.Device
	Mute(ctx context.Context, jid chat.JID, end int64) error
	Unmute(ctx context.Context, jid chat.JID) error
	Clear(ctx context.Context, jid chat.JID, starred chat.Starred, through *chat.Through) error
	Do(ctx context.Context, kind chat.CommandKind, jid chat.JID) error
}

func (d *device) Mute(ctx context.Context, jid chat.JID, end int64) error {
	c := chat.Command{Kind: chat.MuteCommand, Chat: jid}
	if end != chat.MutedForEver {
		c.Seconds, c.RequestedAt = 1, time.UnixMilli(end-1000)
	}
	return d.Change(ctx, c)
}

func (d *device) Unmute(ctx context.Context, jid chat.JID) error {
	return d.Do(ctx, chat.UnmuteCommand, jid)
}

func (d *device) Clear(ctx context.Context, jid chat.JID, starred chat.Starred, through *chat.Through) error {
	return d.Change(ctx, chat.Command{Kind: chat.ClearCommand, Chat: jid, Starred: starred, Through: through})
}

func (d *device) Do(ctx context.Context, kind chat.CommandKind, jid chat.JID) error {
	return d.Change(ctx, chat.Command{Kind: kind, Chat: jid})
}

// run runs the device until the test ends or halt is called.
func (w *world) run() {
	w.t.Helper()
	if w.device == nil {
		device, err := w.devices.Open(w.soon(), account, lease{}, time.Time{})
		w.ok(err)
		w.device = device.(testDevice)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	device := w.device
	go func() { ended <- device.Run(ctx) }()
	var once sync.Once
	var result error
	w.stop = func() error {
		once.Do(func() {
			cancel()
			result = <-ended
		})
		return result
	}
	w.t.Cleanup(func() { _ = w.halt() })
}

// halt stops the device and waits until it has drained.
func (w *world) halt() error {
	if w.stop == nil {
		return nil
	}
	err := w.stop()
	w.stop = nil
	return err
}

// link runs the device and links it by QR code.
func (w *world) link() {
	w.t.Helper()
	w.run()
	w.scan()
}

// scan links the running device, and returns the text of the QR code.
func (w *world) scan() (text string) {
	w.t.Helper()
	err := sim.ErrQR
	for errors.Is(err, sim.ErrQR) { // it has changed meanwhile
		a := w.until("a QR code", func(a chat.Account) bool { return a.QR != "" && a.QR != text })
		text = a.QR
		w.linked, err = w.phone.ScanQR(w.soon(), text)
	}
	w.ok(err)
	w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected })
	w.quiet()
	return text
}

// quiet waits until the device has taken all that waited for it, and the app state is there.
func (w *world) quiet() {
	w.t.Helper()
	w.ok(w.linked.WaitOnline(w.soon()))
	w.ok(w.linked.WaitDrained(w.soon()))
	w.until("push name", func(a chat.Account) bool { return a.PushName != "" })
}

// fetched waits until the app state of a new device is there and projected.
func (w *world) fetched() {
	w.t.Helper()
	w.eventually("the mark to go", func() bool {
		items, err := w.store.ListBacklog(w.soon(), account)
		return err == nil && !slices.ContainsFunc(items, func(i chat.BacklogItem) bool { return i.ID == appStateMark })
	})
}

// until waits for a state of the account.
func (w *world) until(what string, is func(chat.Account) bool) chat.Account {
	w.t.Helper()
	var a chat.Account
	w.eventually(what, func() bool {
		var err error
		a, err = w.store.Account(context.Background(), account)
		return err == nil && is(a)
	})
	return a
}

// eventually waits for a condition, looking after every write.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	ctx := w.soon()
	for {
		w.store.mu.Lock()
		changed := w.store.changed
		w.store.mu.Unlock()
		if is() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			a, _ := w.store.Account(context.Background(), account)
			a.QR = ""
			w.t.Fatalf("waited in vain for %s; account %+v", what, a)
		}
	}
}

// acked waits until the device has acknowledged messages: then they are stored.
func (w *world) acked(ids ...string) {
	w.t.Helper()
	w.ok(w.linked.WaitAcked(w.soon(), ids...))
}

func (w *world) contact(number, name string) *sim.Contact {
	w.t.Helper()
	c, err := w.server.NewContact(number, "", name)
	w.ok(err)
	return c
}

// jid is a person's address by phone number.
func jid(c *sim.Contact) chat.JID { return chat.JID(c.PN().String()) }

func lid(c *sim.Contact) chat.JID { return chat.JID(c.LID().String()) }

func jidOf(j types.JID) chat.JID { return chat.JID(j.ToNonAD().String()) }

// shown is a chat as it is read; ok is false when it isn't there.
func (w *world) shown(jid chat.JID) (v chat.View, ok bool) {
	v, err := w.store.Chat(context.Background(), account, jid)
	return v, err == nil
}

// messages are the documents of a conversation, oldest first.
func (w *world) messages(jid chat.JID) []string {
	var all []string
	cursor := ""
	for {
		page, err := w.store.Messages(context.Background(), account, jid, chat.Page{Limit: 1000, Cursor: cursor}, time.Now())
		if err != nil {
			return all
		}
		var docs []string
		for _, m := range page.Messages {
			docs = append(docs, string(m.Document))
		}
		all = append(docs, all...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// says fails unless the text has all the pieces.
func says(t testing.TB, text string, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		if !strings.Contains(text, p) {
			t.Errorf("%s\nis missing in %s", p, text)
		}
	}
}

// says1 is says for the only message of a chat.
func (w *world) says1(jid chat.JID, pieces ...string) {
	w.t.Helper()
	all := w.messages(jid)
	if len(all) != 1 {
		w.t.Fatalf("%s has %d messages: %s", jid, len(all), strings.Join(all, "\n"))
	}
	says(w.t, all[0], pieces...)
}

func field(name string, value any) string { return fmt.Sprintf(`%q:%v`, name, value) }

func (w *world) stores(chat.Ownership) host.Stores {
	return host.Stores{Accounts: w.store, Chats: w.store, Commands: w.store, Reports: w.store, Backlog: w.store, Batches: w.store}
}

// lease is the ownership of a process that nobody follows.
type lease struct{}

func (lease) Token() int64 { return 1 }
func (lease) Check() error { return nil }
