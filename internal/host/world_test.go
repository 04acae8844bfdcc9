package host_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"pesan/internal/chat"
	"pesan/internal/host"
	"pesan/internal/kv/sqlite"
	"pesan/internal/queue/local"
	"pesan/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store with a queue, and the devices that hosts find there. It runs in virtual time.
type world struct {
	t     *testing.T
	store *store.Store
	queue *local.Queue
	logs  slog.Handler

	mu      sync.Mutex
	devices map[string]*device
	opened  []string
}

// inWorld runs a test in virtual time. All goroutines must have ended when it returns.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlite.Open(t.Context(), t.TempDir()+"/pesan.db", sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, queue: local.New(db, 8, 0), devices: make(map[string]*device)}
		w.store = store.New(db, store.Options{Compression: store.S2, SoleWriter: true})
		w.logs = slog.NewTextHandler(t.Output(), nil)
		test(w)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// account stores an account that is linked and on; change may make it otherwise.
func (w *world) account(change ...func(*chat.Account)) string {
	w.t.Helper()
	id := ulid.Make().String()
	a := chat.Account{ID: id, Name: "test", On: true, CreatedAt: time.Now(), JID: "6281200000001@s.whatsapp.net", State: chat.Connected}
	for _, c := range change {
		c(&a)
	}
	if err := w.store.CreateAccount(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
	return id
}

func off(a *chat.Account)      { a.On, a.State = false, chat.ServiceOff }
func unlinked(a *chat.Account) { a.JID = "" }
func inShard(shard int) func(*chat.Account) {
	return func(a *chat.Account) { a.Shard = shard }
}

// device is the account's; before a host opens it, a test may replace its functions.
func (w *world) device(account string) *device {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.devices[account]
	if d == nil {
		d = &device{}
		w.devices[account] = d
	}
	return d
}

// Open implements host.Devices.
func (w *world) Open(_ context.Context, account string, o chat.Ownership, active time.Time) (host.Device, error) {
	d := w.device(account)
	w.mu.Lock()
	defer w.mu.Unlock()
	d.owner, d.active = o, active
	w.opened = append(w.opened, account)
	return d, nil
}

// config is of a host with this name; tests change it before they start it.
func (w *world) config(name string) host.Config {
	return host.Config{
		Name: name, Queues: 1, Leases: w.store, Stores: w.stores, Queue: w.queue, Sender: w.queue, Batches: w.queue, Devices: w, Now: time.Now,
		Logger: slog.New(w.logs).With("host", name),
	}
}

// stores are those of an owner.
func (w *world) stores(o chat.Ownership) host.Stores {
	owned := w.store.Owned(o)
	return host.Stores{Accounts: owned, Chats: owned, Commands: owned, Reports: owned, Backlog: owned, Batches: owned}
}

// start runs a host and returns what ends it; that waits, and tells how long it took.
func (w *world) start(c host.Config) (stop func() time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- host.New(c).Run(ctx) }()
	synctest.Wait()
	return sync.OnceValue(func() time.Duration {
		began := time.Now()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("host ends with %v", err)
		}
		return time.Since(began)
	})
}

// command makes a command as the API does: with a record and a report entry.
func (w *world) command(account string, kind chat.CommandKind, change ...func(*chat.Command)) chat.Command {
	w.t.Helper()
	c := w.outside(account, kind, change...)
	c.Report = ulid.Make().String()
	w.ok(w.store.AddReport(w.t.Context(), chat.Report{
		ID: c.Report, Account: account, At: time.Now(), Endpoint: "test", Status: 202, CommandID: c.ID, Command: chat.CommandPending,
	}))
	_, _, err := w.store.PutCommand(w.t.Context(), c)
	w.ok(err)
	return c
}

// outside makes a command that has no record.
func (w *world) outside(account string, kind chat.CommandKind, change ...func(*chat.Command)) chat.Command {
	c := chat.Command{Version: chat.CommandVersion, ID: ulid.Make().String(), Account: account, Kind: kind, RequestedAt: time.Now()}
	if row, ok := chat.ChatCommandOf(kind); ok {
		c.Chat = "6281234567890@s.whatsapp.net"
		if slices.Contains(row.Takes, chat.TakesID) {
			c.Message = "3EB0"
		}
	}
	for _, ch := range change {
		ch(&c)
	}
	return c
}

// send puts commands on the queue and lets the hosts work until nothing moves any more without time passing.
func (w *world) send(commands ...chat.Command) {
	w.t.Helper()
	for _, c := range commands {
		w.ok(w.queue.Send(w.t.Context(), 0, c))
	}
	synctest.Wait()
}

// pass lets virtual time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// record is the command's, and its report's.
func (w *world) record(c chat.Command) (chat.CommandRecord, chat.Report) {
	w.t.Helper()
	r, err := w.store.Command(w.t.Context(), c.Account, c.ID)
	w.ok(err)
	for _, report := range w.reports(c.Account) {
		if report.ID == r.Report {
			return r, report
		}
	}
	w.t.Fatalf("command %s has no report %q", c.ID, r.Report)
	return chat.CommandRecord{}, chat.Report{}
}

func (w *world) reports(account string) []chat.Report {
	w.t.Helper()
	reports, _, err := w.store.ListReports(w.t.Context(), account, chat.Page{Limit: 100})
	w.ok(err)
	return reports
}

// ended fails the test unless the command ended like this, and its report too.
func (w *world) ended(c chat.Command, code chat.Code, attempts int) {
	w.t.Helper()
	r, report := w.record(c)
	state := chat.CommandDone
	if code != "" {
		state = chat.CommandFailed
	}
	var failure chat.Code
	if r.Failure != nil {
		failure = r.Failure.Code
	}
	if r.State != state || failure != code || r.Attempts != attempts {
		w.t.Errorf("%s command is %s %q after %d attempts, want %s %q after %d", c.Kind, r.State, failure, r.Attempts, state, code, attempts)
	}
	if report.Command != state || report.Error != code || !report.EndedAt.Equal(r.EndedAt) {
		w.t.Errorf("%s command's report is %+v, want %s %q", c.Kind, report, state, code)
	}
}

// device is a host.Device that notes what it is told. Its functions make it do more.
type device struct {
	run    func(ctx context.Context) error // nil: until ctx ends
	answer func(ctx context.Context, call string) error
	taking func(ctx context.Context, commands []chat.Command) error // before operations of a batch are noted
	away   atomic.Bool                                              // it isn't connected though it runs
	hurry  func()                                                   // nil: nothing
	owner  chat.Ownership                                           // by world's lock
	active time.Time                                                // likewise

	mu    sync.Mutex
	calls []string
	runs  int
	live  int
	place string // the host that ran it last
}

// Run implements host.Device.
func (d *device) Run(ctx context.Context) error {
	d.count(1)
	defer d.count(-1)
	if d.run != nil {
		return d.run(ctx)
	}
	<-ctx.Done()
	return nil
}

func (d *device) count(by int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live += by
	d.runs += max(0, by)
}

// state tells how often the device was run, and whether it runs.
func (d *device) state() (runs, live int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runs, d.live
}

func (d *device) said() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

func (d *device) note(ctx context.Context, format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	d.mu.Lock()
	d.calls = append(d.calls, call)
	d.mu.Unlock()
	if d.answer != nil {
		return d.answer(ctx, call)
	}
	return nil
}

func (d *device) Change(ctx context.Context, c chat.Command) error {
	if c.Kind == chat.MuteCommand {
		return d.note(ctx, "mute %s %d", c.Chat, c.MuteEnd())
	}
	if c.Through != nil {
		return d.note(ctx, "%s %s through %d %s", c.Kind, c.Chat, c.Through.Time, c.Through.ID)
	}
	return d.note(ctx, "%s %s", c.Kind, c.Chat)
}

// Connected implements host.Device.
func (d *device) Connected() bool {
	_, live := d.state()
	return live > 0 && !d.away.Load()
}

// Hurry implements host.Device.
func (d *device) Hurry() {
	if d.hurry != nil {
		d.hurry()
	}
}

// patch is how many operations of a batch the device takes at a time.
const patch = 3

// Together implements host.Device.
func (d *device) Together(ctx context.Context, commands []chat.Command) (map[int]error, error) {
	if !d.Connected() {
		return nil, &chat.Error{Code: chat.DeviceNotConnected}
	}
	if d.taking != nil {
		if err := d.taking(ctx, commands[:min(patch, len(commands))]); err != nil {
			return nil, err
		}
	}
	ended := make(map[int]error)
	for i, c := range commands[:min(patch, len(commands))] {
		ended[i] = d.Change(ctx, c)
	}
	return ended, nil
}

func (d *device) PairingCode(ctx context.Context, phone string) error {
	return d.note(ctx, "pair %s", phone)
}
func (d *device) Passkey(ctx context.Context, credential chat.JSON) error {
	return d.note(ctx, "passkey %s", credential)
}
func (d *device) ConfirmPasskey(ctx context.Context) error { return d.note(ctx, "confirm passkey") }
func (d *device) Logout(ctx context.Context) error         { return d.note(ctx, "logout") }

func (d *device) move(host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.place = host
}

// where tells which host runs the device.
func (d *device) where() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.place
}
