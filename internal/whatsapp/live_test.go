package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/testkit/syncbuf"
)

var errBroken = errors.New("store is broken")

func TestPairingByCode(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.run()
	w.until("a QR code", func(a chat.Account) bool { return a.QR != "" && a.State == chat.ServiceScan })
	wantCode(t, w.device.PairingCode(w.soon(), "0812"), chat.InvalidPhone)
	w.ok(w.device.PairingCode(w.soon(), ownNumber))
	a, err := w.store.Account(w.soon(), account)
	w.ok(err)
	if left := time.Until(a.CodeExpires); a.PairingCode == "" || left < 100*time.Second || left > 170*time.Second {
		t.Fatalf("code %q for %v", a.PairingCode, left)
	}
	w.linked, err = w.phone.EnterCode(w.soon(), a.PairingCode)
	w.ok(err)
	a = w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected })
	if a.PairingCode != "" || a.QR != "" || !a.CodeExpires.IsZero() || string(a.JID) != ownNumber+"@s.whatsapp.net" || !a.LID.IsLID() {
		t.Errorf("account %+v", a)
	}
	w.quiet()
	w.ok(w.device.PairingCode(w.soon(), ownNumber)) // a linked device needs none
}

// TestCrashAfterPairing: the keys are stored, the account doesn't say yet that it is linked.
func TestCrashAfterPairing(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.run()
	a := w.until("a QR code", func(a chat.Account) bool { return a.QR != "" })
	w.store.breaks(func(what string) error {
		a, _ := w.store.Account(context.Background(), account)
		if what == "account" && a.Device != "" {
			return errBroken
		}
		return nil
	})
	var err error
	w.linked, err = w.phone.ScanQR(w.soon(), a.QR)
	w.ok(err)
	w.eventually("the keys", func() bool {
		all, err := w.keys.GetAllDevices(w.soon())
		return err == nil && len(all) == 1
	})
	w.ok(w.halt())
	a, err = w.store.Account(w.soon(), account)
	w.ok(err)
	if a.Linked() || a.Device == "" {
		t.Fatalf("account %+v", a)
	}
	w.store.breaks(nil)
	w.open()
	w.run()
	w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected && a.Linked() })
}

func TestNobodyScans(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.devices.codes = codes{first: 20 * time.Millisecond, other: 10 * time.Millisecond}
	w.run()
	a := w.until("the end", func(a chat.Account) bool { return a.State == chat.ServiceOff && a.Reason == QRTimeout })
	if a.QR != "" || !a.CodeExpires.IsZero() || len(w.server.Connections()) != maxScans {
		t.Errorf("%d connections; account %+v", len(w.server.Connections()), a)
	}
	w.ok(w.stop())
	w.devices.codes = codes{first: time.Minute, other: time.Minute}
	w.link()
}

func TestServerThatFallsSilent(t *testing.T) {
	w := linkedWorld(t)
	logins := w.linked.Logins()
	silence := w.linked.Inject(sim.Fault{Kind: sim.Silent})
	w.until("reconnecting", func(a chat.Account) bool { return a.State == chat.Pairing })
	silence.Remove()
	w.ok(w.linked.WaitLogins(w.soon(), logins+1))
	w.ok(w.linked.WaitOnline(w.soon()))
}

// TestLogs: no text, name, number or code is in a log.
func TestLogs(t *testing.T) {
	var log syncbuf.Buffer
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{PushName: "Sari Rahasia"})
	w.logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.open()
	w.run()
	qr := w.scan()
	budi := w.contact("6281200000002", "Budi Rahasia")
	w.from(budi, sim.Text("sangat rahasia"), sim.SendOptions{})
	_, err := budi.Send(w.soon(), w.phone, sim.Text("sangat rahasia"), sim.SendOptions{Spoil: true})
	w.ok(err)
	w.eventually("the second", func() bool { all := w.messages(jid(budi)); return len(all) == 2 && strings.Contains(all[1], "rahasia") })
	w.store.breaks(func(string) error { return fmt.Errorf("%w at %s", errBroken, jid(budi)) })
	_, err = budi.Send(w.soon(), w.phone, sim.Text("sangat rahasia"), sim.SendOptions{})
	w.ok(err)
	w.eventually("a store that fails", w.failing.Load)
	w.store.breaks(nil)
	w.eventually("the third", func() bool { return len(w.messages(jid(budi))) == 3 })
	w.linked.Unlink()
	w.until("the end", func(a chat.Account) bool { return a.State == chat.ServiceOff })
	text := log.String()
	if !strings.Contains(text, "connected") {
		t.Fatalf("nothing is logged: %s", text)
	}
	for _, secret := range []string{"ahasia", "6281200000", budi.LID().User, qr, qr[40:80]} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("the log tells %q: %s", secret, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

func TestEndOfConnection(t *testing.T) {
	for name, end := range map[string]func(*sim.Device){
		"dropped":   (*sim.Device).Drop,
		"hung up":   (*sim.Device).Hangup,
		"restarted": (*sim.Device).Restart,
	} {
		t.Run(name, func(t *testing.T) {
			w := linkedWorld(t)
			budi := w.contact("6281200000002", "Budi")
			logins := w.linked.Logins()
			end(w.linked)
			w.ok(w.linked.WaitLogins(w.soon(), logins+1))
			w.from(budi, sim.Text("halo"), sim.SendOptions{})
			w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected && a.Reason == "" })
		})
	}
}

func TestEndOfLink(t *testing.T) {
	tests := []struct {
		name   string
		end    func(*world)
		reason string
		keys   int
	}{
		{"unlinked on the phone", func(w *world) { w.linked.Unlink() }, LoggedOut, 0},
		{"replaced", func(w *world) { w.linked.Replace() }, Replaced, 1},
		{"banned for good", func(w *world) {
			w.linked.Inject(sim.Fault{Kind: sim.FailLogin, Code: 406})
			w.linked.Drop()
		}, Banned, 0},
		{"locked", func(w *world) {
			w.linked.Inject(sim.Fault{Kind: sim.FailLogin, Code: 403})
			w.linked.Drop()
		}, Locked, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := linkedWorld(t)
			if test.keys == 0 {
				w.fetched() // whatsmeow deletes a device while its own fetch of the app state may still use it
			}
			test.end(w)
			a := w.until("the end", func(a chat.Account) bool { return a.State == chat.ServiceOff })
			if a.Reason != test.reason || a.Linked() != (test.keys > 0) {
				t.Errorf("reason %s, linked %t", a.Reason, a.Linked())
			}
			logins := w.linked.Logins()
			w.ok(w.stop()) // it ended by itself
			all, err := w.keys.GetAllDevices(w.soon())
			w.ok(err)
			if len(all) != test.keys {
				t.Errorf("keys of %d devices, want %d", len(all), test.keys)
			}
			if n := w.linked.Logins(); n != logins {
				t.Errorf("%d logins after the end", n-logins)
			}
		})
	}
}

// TestRefusedLogin: what WhatsApp doesn't call final is shown, and tried again.
func TestRefusedLogin(t *testing.T) {
	for code, reason := range map[int]string{
		400: ConnectRefused, 405: ClientOutdated, 408: ConnectRefused, 409: ConnectRefused, 415: ConnectRefused,
		418: ConnectRefused, 429: ConnectRefused, 499: ConnectRefused, 500: Reconnecting, 501: Reconnecting, 503: Reconnecting,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			var pauses atomic.Int32
			ctx, goOn := context.WithCancel(w.soon())
			t.Cleanup(goOn)
			w.devices.retryAfter = func(n int) time.Duration {
				if pauses.Store(int32(n)); n == 3 {
					w.store.tell()
					<-ctx.Done()
				}
				return 10 * time.Millisecond
			}
			w.link()
			logins := w.linked.Logins()
			fault := w.linked.Inject(sim.Fault{Kind: sim.FailLogin, Code: code})
			w.linked.Drop()
			w.until("a reason", func(a chat.Account) bool { return a.State == chat.Pairing && a.Reason == reason && fault.Hits() > 2 })
			fault.Remove()
			goOn()
			w.ok(w.linked.WaitLogins(w.soon(), logins+1))
			w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected && a.Reason == "" })
			if reason != Reconnecting && pauses.Load() < 2 {
				t.Errorf("the pauses don't grow: %d", pauses.Load())
			}
		})
	}
}

// TestTemporaryBan: the device waits for the end of a ban, also over a restart, shows it, and connects again by itself.
func TestTemporaryBan(t *testing.T) {
	w := linkedWorld(t)
	ban := w.linked.Inject(sim.Fault{Kind: sim.FailLogin, Code: 402, Expire: time.Hour, Times: 1})
	w.linked.Drop()
	banned := func(a chat.Account) bool { return a.State == chat.Pairing && a.Reason == Banned }
	a := w.until("the ban", banned)
	if left := time.Until(a.CodeExpires); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the ban ends in %v", left)
	}
	w.ok(w.halt())
	logins := w.linked.Logins()
	now := time.Now
	w.open()
	w.devices.Now = func() time.Time { return now().Add(time.Hour - time.Second) }
	w.run()
	if a := w.until("the ban", banned); a.CodeExpires.IsZero() || w.linked.Logins() != logins {
		t.Errorf("%d logins during the ban, until %v", w.linked.Logins()-logins, a.CodeExpires)
	}
	a = w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected })
	if !a.CodeExpires.IsZero() || a.Reason != "" || ban.Hits() != 1 {
		t.Errorf("after %d refused logins %s until %v", ban.Hits(), a.Reason, a.CodeExpires)
	}

	w.linked.Inject(sim.Fault{Kind: sim.FailLogin, Code: 402, Times: 3}) // without an end
	w.linked.Drop()
	w.until("the ban", banned)
	w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected })

	w.linked.Inject(sim.Fault{Kind: sim.FailLogin, Code: 402, Expire: time.Hour})
	w.linked.Drop()
	w.until("the ban", banned)
	started := time.Now()
	w.ok(w.device.Logout(w.soon()))
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("logging out took %v", took)
	}
	if a := w.until("the end", func(a chat.Account) bool { return a.State == chat.ServiceOff }); a.Reason != LoggedOut {
		t.Errorf("logged out: %s", a.Reason)
	}
}

func TestOutdatedClientFetchesTheVersion(t *testing.T) {
	w := newWorld(t, sim.Options{Version: 2_000_000_000, MinVersion: 2_000_000_000}, sim.PhoneOptions{})
	// The version that the process started with is old by now.
	w.devices.version.asked = time.Now().Add(-time.Hour)
	w.link()
}

func TestBusyServer(t *testing.T) {
	w := linkedWorld(t)
	for _, code := range []int{503, 500} {
		w.linked.Inject(sim.Fault{Kind: sim.FailLogin, Code: code, Times: 2})
		logins := w.linked.Logins()
		w.linked.Drop()
		w.ok(w.linked.WaitLogins(w.soon(), logins+1))
		w.ok(w.linked.WaitOnline(w.soon()))
	}
}

func TestStopIsSwift(t *testing.T) {
	for name, hang := range map[string]func(*world){
		"silent server":     func(w *world) { w.linked.Inject(sim.Fault{Kind: sim.Silent}) },
		"stalled handshake": func(w *world) { w.server.Inject(sim.Fault{Kind: sim.Stall}); w.linked.Drop() },
		"silent login":      func(w *world) { w.linked.Inject(sim.Fault{Kind: sim.Silent}); w.linked.Drop() },
		"no server":         func(w *world) { _ = w.server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := linkedWorld(t)
			before := len(w.server.Connections())
			hang(w)
			if name == "stalled handshake" || name == "silent login" {
				w.until("reconnecting", func(a chat.Account) bool { return a.State == chat.Pairing })
				_ = before
			}
			started := time.Now()
			w.ok(w.halt())
			if took := time.Since(started); took > 6*time.Second {
				t.Errorf("stopping took %v", took)
			}
		})
	}
}

// TestStoreFailure: what can't be stored isn't acknowledged, and comes again.
func TestStoreFailure(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	var failures atomic.Int32
	w.store.breaks(func(what string) error {
		if what == "chat" && failures.Add(1) <= 5 {
			return errBroken
		}
		return nil
	})
	for i := range 3 {
		w.from(budi, sim.Text(fmt.Sprint("pesan ", i)), sim.SendOptions{})
		w.from(citra, sim.Text(fmt.Sprint("pesan ", i)), sim.SendOptions{})
	}
	if failures.Load() <= 5 {
		t.Error("the store never failed")
	}
	for _, c := range []*sim.Contact{budi, citra} {
		if n := len(w.messages(jid(c))); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
	}
}

// TestPoison: a message that can never be stored doesn't keep back those behind it.
func TestPoison(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	w.store.poison(jid(budi))
	_, err := budi.Send(w.soon(), w.phone, sim.Text("racun"), sim.SendOptions{})
	w.ok(err)
	logins := w.linked.Logins()
	for range 3 {
		w.from(citra, sim.Text("halo"), sim.SendOptions{})
		logins++
		w.ok(w.linked.WaitLogins(w.soon(), logins))
	}
	w.store.poison("")
	w.ok(w.linked.WaitDrained(w.soon()))
	w.says1(jid(budi), `"body":"racun"`)
	if n := len(w.messages(jid(citra))); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

// TestPanic: a message that nobody can handle doesn't keep the others back for ever.
func TestPanic(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.store.breaks(func(what string) error {
		if what == "chat" {
			panic("boom")
		}
		return nil
	})
	w.from(budi, sim.Text("buruk"), sim.SendOptions{})
	w.store.breaks(nil)
	w.from(budi, sim.Text("baik"), sim.SendOptions{})
	w.says1(jid(budi), `"body":"baik"`)
}

// TestNothingLost stops the device and opens everything anew while messages stream in.
func TestNothingLost(t *testing.T) {
	w := linkedWorld(t)
	const people, each, stops = 3, 60, 6
	var contacts []*sim.Contact
	for i := range people {
		contacts = append(contacts, w.contact(fmt.Sprintf("62812000002%02d", i), "Orang"))
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := range each {
			for _, c := range contacts {
				m := &waE2E.Message{Conversation: new(string)}
				*m.Conversation = fmt.Sprint("pesan ", n)
				if _, err := c.Send(context.Background(), w.phone, m, sim.SendOptions{}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for n := range stops {
		w.eventually("more messages", func() bool { return len(w.messages(jid(contacts[0]))) >= n*each/stops/2 })
		w.ok(w.halt())
		w.open()
		w.run()
	}
	<-sent
	w.ok(w.linked.WaitOnline(w.soon()))
	w.ok(w.linked.WaitDrained(w.soon()))
	for _, c := range contacts {
		all := w.messages(jid(c))
		if len(all) != each {
			t.Errorf("%d messages, want %d", len(all), each)
		}
		for n, m := range all {
			says(t, m, fmt.Sprintf(`"body":"pesan %d"`, n))
		}
		v, _ := w.shown(jid(c))
		says(t, string(v.Document), field("unreadCount", each))
	}
}
