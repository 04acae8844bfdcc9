package keystore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"

	"pesan/internal/keystore"
	"pesan/internal/kv"
	"pesan/internal/sim"
	"pesan/internal/sim/plain"
	"pesan/internal/testkit/dynamolocal"
)

// An unmodified whatsmeow works with the store, against a simulated WhatsApp.

var root = plain.Trust() // of every simulated server

type world struct {
	t       *testing.T
	server  *sim.Server
	phone   *sim.Phone
	account string
	device  *sim.Device // once it is linked

	mu       sync.Mutex
	texts    map[string]string // by id, of the messages whose handler succeeded
	troubles []string
	changed  chan struct{}
	refuse   func() bool // tells whether the handler fails
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, account: newAccount(), texts: map[string]string{}, changed: make(chan struct{})}
	var err error
	w.server, err = sim.New(sim.Options{Root: root, FullPreKeyUpload: true})
	must(t, err)
	t.Cleanup(func() { w.server.Close() })
	w.phone, err = w.server.NewPhone("6281200000001", sim.PhoneOptions{PushName: "Sari"})
	must(t, err)
	return w
}

// host runs the account's device on a store of its own.
type host struct {
	w      *world
	wire   *wire
	client *whatsmeow.Client
	events chan any
}

func (w *world) host(db kv.Store, line *wire, epoch int64) *host {
	w.t.Helper()
	a := open(w.t, db, w.account, epoch, keystore.Options{})
	d, err := a.Device()
	must(w.t, err)
	if d == nil {
		d = a.NewDevice()
	}
	h := &host{w: w, wire: line, events: make(chan any, 10_000)}
	h.client = plain.Client(w.t, w.server, d, waLog.Noop, h.take)
	must(w.t, h.client.Connect())
	return h
}

func (h *host) take(evt any) bool {
	switch e := evt.(type) {
	case *events.Message:
		text := e.Message.GetConversation() + e.Message.GetExtendedTextMessage().GetText()
		if text != "" && !h.w.handle(e.Info.ID, text) {
			return false
		}
	case *events.UndecryptableMessage:
		h.w.trouble("undecryptable " + e.Info.ID)
	}
	h.events <- evt
	return true
}

func (w *world) handle(id, text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil && w.refuse() {
		return false
	}
	w.texts[id] = text
	close(w.changed)
	w.changed = make(chan struct{})
	return true
}

func (w *world) trouble(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles = append(w.troubles, text)
}

// link links the host's device by its QR code and waits until it has all that the phone gives it.
func (h *host) link() {
	t := h.w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	qr := next[*events.QR](h, ctx, nil)
	var err error
	h.w.device, err = h.w.phone.ScanQR(ctx, qr.Codes[0])
	must(t, err)
	complete := map[appstate.WAPatchName]bool{}
	next(h, ctx, func(e *events.AppStateSyncComplete) bool {
		complete[e.Name] = true
		return len(complete) == len(appstate.AllPatchNames)
	})
	must(t, h.w.device.WaitDrained(ctx))
}

func next[T any](h *host, ctx context.Context, match func(T) bool) T {
	h.w.t.Helper()
	for {
		select {
		case evt := <-h.events:
			if e, ok := evt.(T); ok && (match == nil || match(e)) {
				return e
			}
		case <-ctx.Done():
			var none T
			h.w.t.Fatalf("no %T", none)
			return none
		}
	}
}

// text is a message as phones send it today, with a secret.
func text(s string) *waE2E.Message {
	return &waE2E.Message{Conversation: proto.String(s), MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: fill(32, 5)}}
}

func (w *world) contact(pn string) *sim.Contact {
	w.t.Helper()
	c, err := w.server.NewContact(pn, "", "Budi")
	must(w.t, err)
	return c
}

func (w *world) acked(id string, err error) {
	w.t.Helper()
	must(w.t, err)
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	must(w.t, w.device.WaitAcked(ctx, id))
}

func (w *world) done() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, trouble := range w.troubles {
		w.t.Error(trouble)
	}
	for _, v := range w.server.Violations() {
		w.t.Error(v)
	}
}

func TestCosts(t *testing.T) {
	ctx := t.Context()
	var meter dynamolocal.Meter
	db := table(t, meter.Attach)
	w := newWorld(t)
	h := w.host(db, nil, 1)
	measure := func(what string, times int, budget float64, do func(i int)) {
		t.Helper()
		meter.Take()
		for i := range times {
			do(i)
		}
		u := meter.Take()
		n := float64(times)
		t.Logf("%-46s %6.2f WRU %6.2f RRU %6.2f requests", what, u.Write/n, u.Read/n, float64(u.Requests)/n)
		if u.Write/n > budget {
			t.Errorf("%s: %.2f WRU, at most %.2f", what, u.Write/n, budget)
		}
	}
	measure("link, 812 pre keys, app state", 1, 160, func(int) { h.link() })
	budi := w.contact("6281200000011")
	measure("first message of a person", 1, 12.5, func(int) { w.acked(budi.Send(ctx, w.phone, text("halo"), sim.SendOptions{})) })
	measure("message", 30, 4.5, func(i int) {
		w.acked(budi.Send(ctx, w.phone, text(fmt.Sprint("apa kabar ", i)), sim.SendOptions{}))
	})
	measure("message without a secret", 10, 3.5, func(int) { w.acked(budi.Send(ctx, w.phone, sim.Text("tanpa"), sim.SendOptions{})) })
	measure("message of 3 KB", 10, 4.5, func(int) {
		w.acked(budi.Send(ctx, w.phone, text(string(fill(3000, 'a'))), sim.SendOptions{}))
	})
	g, err := w.server.NewGroup("Keluarga", budi, sim.GroupOptions{}, w.phone.Contact)
	must(t, err)
	measure("first message of a member", 1, 11.5, func(int) { w.acked(budi.SendGroup(ctx, g, text("halo semua"), sim.SendOptions{})) })
	measure("group message", 20, 4.5, func(int) { w.acked(budi.SendGroup(ctx, g, text("lagi"), sim.SendOptions{})) })
	mute := func(on bool) {
		must(t, h.client.SendAppState(ctx, appstate.BuildMuteAbs(budi.PN(), on, proto.Int64(1900000000000))))
	}
	measure("first mute", 1, 4, func(int) { mute(true) })
	measure("mute, unmute", 6, 3.5, func(i int) { mute(i%2 == 0) })
	measure("delivery receipt of another's message", 10, 0.1, func(int) {
		must(t, budi.SendReceipt(ctx, w.phone, sim.Receipt{IDs: []string{"X"}}))
	})

	h.client.Disconnect()
	var again *host
	measure("open again and log in", 1, 10, func(int) {
		again = w.host(db, nil, 2)
		next[*events.Connected](again, ctx, nil)
	})
	measure("first message of a person after that", 1, 4.5, func(int) { w.acked(budi.Send(ctx, w.phone, text("lagi"), sim.SendOptions{})) })
	w.done()
}

// TestKilledHosts streams messages while hosts die, handlers fail and DynamoDB is shaky: every message is handled.
func TestKilledHosts(t *testing.T) {
	ctx := t.Context()
	lines := func() (kv.Store, *wire) {
		line := &wire{}
		line.set(shaky)
		return onTable(t, line.attach), line
	}
	table(t)
	w := newWorld(t)
	db, line := lines()
	h := w.host(db, line, 1)
	h.link()
	people := []*sim.Contact{w.contact("6281200000011"), w.contact("6281200000012"), w.contact("6281200000013")}
	g, err := w.server.NewGroup("Keluarga", people[0], sim.GroupOptions{}, w.phone.Contact, people[1])
	must(t, err)
	w.refuse = func() bool { return rand.IntN(10) == 0 }

	sent := map[string]string{}
	const kills = 8
	for life := range kills + 1 {
		for i := range 25 {
			s := fmt.Sprintf("message %d of life %d", i, life)
			var id string
			if i%4 == 3 {
				id, err = people[i/4%2].SendGroup(ctx, g, text(s), sim.SendOptions{})
			} else {
				id, err = people[i%3].Send(ctx, w.phone, text(s), sim.SendOptions{ByLID: i%2 == 0})
			}
			must(t, err)
			sent[id] = s
		}
		if life == kills {
			break
		}
		w.handledSome(len(sent) - 15 - rand.IntN(10))
		h.kill()
		db, line = lines()
		h = w.host(db, line, int64(life)+2)
		ready, cancel := context.WithTimeout(ctx, 30*time.Second)
		next[*events.Connected](h, ready, nil)
		cancel()
	}
	w.mu.Lock()
	w.refuse = nil
	w.mu.Unlock()
	h.reconnectUntil(len(sent))
	w.done()
	for id, s := range sent {
		if w.texts[id] != s {
			t.Errorf("%q came as %q", s, w.texts[id])
		}
	}
}

// kill ends a host as SIGKILL does: nothing that it still tries reaches DynamoDB.
func (h *host) kill() {
	h.wire.set(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		return refused(r, http.StatusBadRequest, "AccessDeniedException"), nil
	})
	h.client.Disconnect()
}

// handledSome waits until so many messages are handled, or for the failed ones among them.
func (w *world) handledSome(n int) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
	defer cancel()
	w.handled(ctx, n)
}

func (w *world) handled(ctx context.Context, n int) bool {
	for {
		w.mu.Lock()
		have, changed := len(w.texts), w.changed
		w.mu.Unlock()
		if have >= n {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// reconnectUntil so many messages are handled: WhatsApp delivers again what wasn't acknowledged.
func (h *host) reconnectUntil(n int) {
	h.w.t.Helper()
	for range 30 {
		ctx, cancel := context.WithTimeout(h.w.t.Context(), 5*time.Second)
		ok := h.w.handled(ctx, n)
		cancel()
		if ok {
			return
		}
		h.client.Disconnect()
		must(h.w.t, h.client.Connect())
	}
	h.w.t.Errorf("%d of %d messages were handled", len(h.w.texts), n)
}
