package sim_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"pesan/internal/sim"
	"pesan/internal/sim/plain"
)

// root is of every server of this process.
var root = plain.Trust()

// world is a server with one account and its clients. It fails the test for any violation that isn't expected.
type world struct {
	t      testing.TB
	server *sim.Server
	phone  *sim.Phone

	mu       sync.Mutex
	expected map[sim.ViolationKind]bool
}

func newWorld(t testing.TB, o sim.Options, p sim.PhoneOptions) *world {
	t.Helper()
	w := &world{t: t, expected: map[sim.ViolationKind]bool{}}
	o.Root = root
	o.OnViolation = func(v sim.Violation) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.expected[v.Kind] {
			t.Errorf("violation: %v", v)
		}
	}
	var err error
	if w.server, err = sim.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.server.Close() })
	if p.PushName == "" {
		p.PushName = "Sari"
	}
	if w.phone, err = w.server.NewPhone("6281200000001", p); err != nil {
		t.Fatal(err)
	}
	return w
}

// expect lets a test provoke violations of a kind.
func (w *world) expect(kinds ...sim.ViolationKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range kinds {
		w.expected[k] = true
	}
}

// reported waits for a violation.
func (w *world) reported(kind sim.ViolationKind) {
	w.t.Helper()
	poll(w.t, string(kind)+" reported", func() bool {
		for _, v := range w.server.Violations() {
			if v.Kind == kind {
				return true
			}
		}
		return false
	})
}

func (w *world) contact(pn, name string) *sim.Contact {
	w.t.Helper()
	c, err := w.server.NewContact(pn, "", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// client is an unmodified whatsmeow with what it has told so far.
type client struct {
	*whatsmeow.Client
	t         testing.TB
	w         *world
	container *sqlstore.Container
	device    *sim.Device

	mu      sync.Mutex
	events  []any
	changed chan struct{}
	handle  func(evt any) bool // if set, says whether an event was taken
}

// newClient makes a client that isn't linked.
func (w *world) newClient(options ...func(*whatsmeow.Client)) *client {
	w.t.Helper()
	container := plain.Store(w.t)
	return w.clientOf(container, container.NewDevice(), options...)
}

// clientOf makes a client of a device in a store.
func (w *world) clientOf(container *sqlstore.Container, device *store.Device, options ...func(*whatsmeow.Client)) *client {
	w.t.Helper()
	var log waLog.Logger = waLog.Noop
	if os.Getenv("WASIM_LOG") != "" {
		log = waLog.Stdout("client", "DEBUG", false)
	}
	c := &client{t: w.t, w: w, container: container, changed: make(chan struct{})}
	c.Client = plain.Client(w.t, w.server, device, log, c.take)
	for _, o := range options {
		o(c.Client)
	}
	return c
}

// twin is another client of the same linked device, as after a restart or on a second host.
func (c *client) twin() *client {
	c.t.Helper()
	device, err := c.container.GetDevice(soon(c.t), *c.Store.ID)
	if err != nil || device == nil {
		c.t.Fatalf("device in the store: %v", err)
	}
	t := c.w.clientOf(c.container, device)
	t.device = c.device
	return t
}

// linked makes a client and links it by QR code.
func (w *world) linked(options ...func(*whatsmeow.Client)) *client {
	w.t.Helper()
	c := w.newClient(options...)
	c.link(w.phone)
	return c
}

func (c *client) link(phone *sim.Phone) {
	c.t.Helper()
	if err := c.Connect(); err != nil {
		c.t.Fatal(err)
	}
	qr := wait[*events.QR](c, nil)
	d, err := phone.ScanQR(soon(c.t), qr.Codes[0])
	if err != nil {
		c.t.Fatal(err)
	}
	c.device = d
	c.quiet(phone)
}

// quiet waits until a new client has all that its phone gave it, and told so. whatsmeow does it in goroutines that race
// with a later logout.
func (c *client) quiet(phone *sim.Phone) {
	c.t.Helper()
	wait[*events.Connected](c, nil)
	wait[*events.OfflineSyncCompleted](c, nil)
	for _, name := range appstate.AllPatchNames {
		wait(c, func(e *events.AppStateSyncComplete) bool { return e.Name == name })
	}
	check(c.t, phone.WaitReceipt(soon(c.t), func(r sim.ReceivedReceipt) bool {
		return r.Type == types.ReceiptTypePeerMsg && r.From == c.device.JID()
	}))
	check(c.t, c.device.WaitDrained(soon(c.t)))
}

func (c *client) take(evt any) bool {
	c.mu.Lock()
	c.events = append(c.events, evt)
	close(c.changed)
	c.changed = make(chan struct{})
	handle := c.handle
	c.mu.Unlock()
	return handle == nil || handle(evt)
}

// dropAndReturn breaks the connection and waits until the client is back. One that is dropped again before it is races
// with itself.
func (c *client) dropAndReturn() {
	c.t.Helper()
	c.mu.Lock()
	c.events = slices.DeleteFunc(c.events, func(e any) bool { _, ok := e.(*events.Connected); return ok })
	c.mu.Unlock()
	c.device.Drop()
	wait[*events.Connected](c, nil)
}

// forget drops the events so far.
func (c *client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = nil
}

func (c *client) setHandle(h func(evt any) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handle = h
}

// wait returns the first event of a type that match accepts.
func wait[T any](c *client, match func(T) bool) T {
	c.t.Helper()
	ctx := soon(c.t)
	for seen := 0; ; {
		c.mu.Lock()
		news, changed := c.events[min(seen, len(c.events)):], c.changed
		c.mu.Unlock()
		seen += len(news)
		for _, evt := range news {
			if e, ok := evt.(T); ok && (match == nil || match(e)) {
				return e
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			var none T
			c.t.Fatalf("no %T", none)
		}
	}
}

// count counts the events of a type that match accepts.
func count[T any](c *client, match func(T) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, evt := range c.events {
		if e, ok := evt.(T); ok && (match == nil || match(e)) {
			n++
		}
	}
	return n
}

func waitMessage(c *client, id string) *events.Message {
	c.t.Helper()
	return wait(c, func(m *events.Message) bool {
		return m.Info.ID == id && m.Message.GetSenderKeyDistributionMessage() == nil
	})
}

// soon is a context for what is done in a moment, but on a machine that is busy with other things.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// poll waits for something that nobody announces.
func poll(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx := soon(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func pn(format string, args ...any) types.JID {
	return types.NewJID(fmt.Sprintf(format, args...), types.DefaultUserServer)
}

// send sends a stanza that whatsmeow itself would not.
func (c *client) send(n waBinary.Node) {
	c.t.Helper()
	check(c.t, c.DangerousInternals().SendNode(soon(c.t), n)) //lint:ignore SA1019 there is no other way to send a wrong stanza
}

// preKeys asks the server how many one-time keys it has; any request would do to see whether it answers.
func (c *client) preKeys(ctx context.Context) (int, error) {
	return c.DangerousInternals().GetServerPreKeyCount(ctx) //lint:ignore SA1019 it is only a test
}
