package demo

import (
	"bytes"
	"context"
	"image/jpeg"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"pesan/internal/sim"
	"pesan/internal/sim/plain"
)

// root is of every server of this process.
var root = plain.Trust()

// device is an unmodified whatsmeow with the events that it has shown.
type device struct {
	*whatsmeow.Client
	t *testing.T

	mu      sync.Mutex
	events  []any
	changed chan struct{}
}

func newDevice(t *testing.T, server *sim.Server) *device {
	t.Helper()
	d := &device{t: t, changed: make(chan struct{})}
	d.Client = plain.Client(t, server, plain.Store(t).NewDevice(), waLog.Noop, func(evt any) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.events = append(d.events, evt)
		close(d.changed)
		d.changed = make(chan struct{})
		return true
	})
	d.EmitAppStateEventsOnFullSync = true
	return d
}

// each calls f with every event, those to come too, until f returns true.
func (d *device) each(what string, f func(any) bool) {
	d.t.Helper()
	deadline := time.NewTimer(5 * time.Minute)
	defer deadline.Stop()
	for seen := 0; ; {
		d.mu.Lock()
		news, changed := d.events[seen:], d.changed
		d.mu.Unlock()
		seen += len(news)
		for _, evt := range news {
			if f(evt) {
				return
			}
		}
		select {
		case <-changed:
		case <-deadline.C:
			d.t.Fatalf("no %s", what)
		}
	}
}

// whatsmeow pairs with the account's phone and gets all of it: the history, the settings, and what people say meanwhile.
func TestWhatsmeow(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, err := sim.New(sim.Options{Root: root, OnViolation: func(v sim.Violation) { t.Errorf("violation: %v", v) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	a := inbox(t, 1)
	w, err := NewWorld(ctx, server, a)
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(t, server)
	if err := d.Connect(); err != nil {
		t.Fatal(err)
	}
	var code string
	d.each("QR code", func(evt any) bool {
		if qr, ok := evt.(*events.QR); ok {
			code = qr.Codes[0]
		}
		return code != ""
	})
	linked, err := w.Phone.ScanQR(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("history", func(t *testing.T) { checkHistory(ctx, t, d, a) })
	t.Run("settings", func(t *testing.T) { checkSettings(t, d, a) })
	t.Run("traffic", func(t *testing.T) { checkTraffic(t, d, w, linked) })
}

func checkHistory(ctx context.Context, t *testing.T, d *device, a *Account) {
	got, names := map[string]int{}, 0
	d.each("end of the history", func(evt any) bool {
		m, ok := evt.(*events.Message)
		if !ok {
			return false
		}
		n := m.Message.GetProtocolMessage().GetHistorySyncNotification()
		if n == nil {
			return false
		}
		part, err := d.DownloadHistorySync(ctx, n, true)
		if err != nil {
			t.Error(err)
			return true
		}
		names += len(part.Pushnames)
		for _, c := range part.Conversations {
			got[c.GetID()] += len(c.Messages)
		}
		return n.GetSyncType() == waE2E.HistorySyncType_RECENT && n.GetProgress() == 100
	})
	if len(got) != len(a.Conversations) {
		t.Errorf("%d chats, not %d", len(got), len(a.Conversations))
	}
	for _, c := range a.Conversations {
		if got[c.GetID()] != len(c.Messages) {
			t.Errorf("%d messages in %s, not %d", got[c.GetID()], c.GetID(), len(c.Messages))
		}
	}
	if names < 150 {
		t.Errorf("%d push names", names)
	}
	for _, c := range a.Conversations { // every message is one that whatsmeow can read
		jid, _ := types.ParseJID(c.GetID())
		for _, m := range c.Messages {
			if m.GetMessage().Message == nil {
				continue
			}
			if _, err := d.ParseWebMessage(jid, m.GetMessage()); err != nil {
				t.Errorf("%s: %v", c.GetID(), err)
			}
		}
	}
}

func checkSettings(t *testing.T, d *device, a *Account) {
	left := map[appstate.WAPatchName]bool{}
	for _, n := range appstate.AllPatchNames {
		left[n] = true
	}
	muted, contacts := 0, 0
	d.each("end of the settings", func(evt any) bool {
		switch e := evt.(type) {
		case *events.Mute:
			muted++
		case *events.Contact:
			contacts++
		case *events.AppStateSyncComplete:
			delete(left, e.Name)
		}
		return len(left) == 0
	})
	want := map[string]int{}
	for _, m := range a.Settings {
		want[m.Index[0]]++
	}
	if muted != want["mute"] || contacts != want["contact"] {
		t.Errorf("%d mutes, %d contacts, not %v", muted, contacts, want)
	}
}

func checkTraffic(t *testing.T, d *device, w *World, linked *sim.Device) {
	const most = 800
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	happened := map[EventKind]int{}
	count := 0
	before := d.messages()
	err := w.Traffic(ctx, TrafficOptions{Seed: 2, Pace: time.Microsecond, OnEvent: func(e Event) {
		happened[e.Kind]++
		if count++; count == most {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []EventKind{Incoming, Outgoing, Edited, Revoked, Reacted, Read, Delivered, Seen, Changed} {
		if happened[k] == 0 {
			t.Errorf("nothing %s among %d events", k, most)
		}
	}
	t.Logf("%v", happened)
	drained, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	if err := linked.WaitDrained(drained); err != nil {
		t.Fatalf("%d stanzas aren't acknowledged: %v", linked.Pending(), err)
	}
	said := happened[Incoming] + happened[Outgoing] + happened[Edited] + happened[Revoked] + happened[Reacted]
	if got := d.messages() - before; got != said {
		t.Errorf("%d messages arrived, not %d", got, said)
	}
	var photo *waE2E.ImageMessage
	d.each("photo", func(evt any) bool {
		if m, ok := evt.(*events.Message); ok {
			photo = m.Message.GetImageMessage()
		}
		return photo != nil
	})
	file, err := d.Download(drained, photo)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(file)); err != nil {
		t.Errorf("photo: %v", err)
	}
}

// messages is how many messages arrived that a person would see.
func (d *device) messages() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, evt := range d.events {
		switch m := evt.(type) {
		case *events.Message:
			if m.Message.GetSenderKeyDistributionMessage() == nil && m.Info.Category != "peer" {
				n++
			}
		case *events.UndecryptableMessage:
			d.t.Errorf("can't decrypt %s", m.Info.ID)
		}
	}
	return n
}

// Traffic ends with its context although the next event is far away.
func TestTrafficEnds(t *testing.T) {
	server, err := sim.New(sim.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	a := inbox(t, 1)
	w, err := NewWorld(context.Background(), server, a)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := w.Traffic(ctx, TrafficOptions{Pace: time.Hour, OnEvent: func(Event) { cancel() }}); err != nil {
		t.Error(err)
	}
}
