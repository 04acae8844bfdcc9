package whatsapp

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// leftBy makes the phone's number leave all kinds of things behind, and unlinks it.
func (w *world) leftBy(p *sim.Phone, from *sim.Contact) {
	w.t.Helper()
	_, err := from.Send(w.soon(), p, sim.Text("rahasia"), sim.SendOptions{})
	w.ok(err)
	w.eventually("the message", func() bool { return len(w.messages(jid(from))) > 0 })
	a, err := w.store.Account(w.soon(), account)
	w.ok(err)
	now := time.Now()
	_, _, err = w.store.PutCommand(w.soon(), chat.Command{
		Version: chat.CommandVersion, ID: "kunci", Account: account, Kind: chat.MuteCommand, Chat: jid(from), Number: a.Owner, RequestedAt: now,
	})
	w.ok(err)
	w.ok(w.store.AddReport(w.soon(), chat.Report{ID: emptiedID("x", now), Account: account, At: now, Target: jid(from).Echo(), Endpoint: "muteChat"}))
	w.ok(w.device.Logout(w.soon()))
	w.ok(w.halt())
	w.ok(w.store.PutBacklog(w.soon(), account, "left", nil)) // by a crash
}

// nothingOf fails when something is left that a number left behind.
func (w *world) nothingOf(c *sim.Contact) {
	w.t.Helper()
	for _, j := range []chat.JID{jid(c), lid(c)} {
		if v, ok := w.shown(j); ok {
			w.t.Errorf("chat %s is left", v.JID)
		}
		if _, _, _, err := w.store.Export(w.soon(), account, j, chat.Page{Limit: 1}); chat.CodeOf(err) != chat.ChatNotFound {
			w.t.Errorf("export %s: %v", j, err)
		}
	}
	if _, err := w.store.Command(w.soon(), account, "kunci"); chat.CodeOf(err) != chat.CommandNotFound {
		w.t.Errorf("command: %v", err)
	}
	items, err := w.store.ListBacklog(w.soon(), account)
	w.ok(err)
	for _, i := range items {
		if i.ID == "left" {
			w.t.Error("backlog is left")
		}
	}
	reports, _, err := w.store.ListReports(w.soon(), account, chat.Page{Limit: 10})
	w.ok(err)
	if len(reports) != 1 || reports[0].Endpoint != emptied {
		w.t.Errorf("reports %+v", reports)
	}
}

// TestAnotherNumber links the device by one number, then by another, with a crash at each write in between.
func TestAnotherNumber(t *testing.T) {
	for _, fault := range []string{"", "account", "delete chats", "delete commands", "clear reports", "add report", "backlog"} {
		for _, times := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s %d", fault, times), func(t *testing.T) { testAnotherNumber(t, fault, times) })
			if fault == "" {
				break
			}
		}
	}
}

func testAnotherNumber(t *testing.T, fault string, times int) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.leftBy(w.phone, budi)
	if _, ok := w.shown(jid(budi)); !ok {
		t.Fatal("an unlinked number's chats are its own still")
	}
	mine := w.phone
	other, err := w.server.NewPhone("6281200000099", sim.PhoneOptions{PushName: "Orang lain"})
	w.ok(err)
	w.phone = other
	w.run()
	a := w.until("a QR code", func(a chat.Account) bool { return a.QR != "" })
	crashed := make(chan struct{})
	n := 0
	w.store.breaks(func(what string) error {
		a, err := w.store.Account(context.Background(), account)
		if err != nil || a.Device == "" {
			return nil // not bound yet
		}
		if _, ok := w.shown(jid(budi)); ok && !a.Foreign() {
			t.Errorf("the other number can read what isn't its own, before the write of %s", what)
		}
		if what != fault {
			return nil
		}
		if n++; n == times {
			close(crashed)
		}
		if n >= times {
			return errBroken
		}
		return nil
	})
	w.linked, err = w.phone.ScanQR(w.soon(), a.QR)
	w.ok(err)
	if fault != "" {
		w.until("the crash, or the end where there are fewer such writes", func(a chat.Account) bool {
			select {
			case <-crashed:
				return true
			default:
				return a.State == chat.Connected
			}
		})
		w.ok(w.halt())
		w.store.breaks(nil)
		if a, err := w.store.Account(w.soon(), account); err != nil || !a.Foreign() && a.Owner != "6281200000099@s.whatsapp.net" {
			t.Fatalf("after the crash %+v, %v", a, err)
		}
		w.open()
		w.run()
	}
	w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected })
	w.quiet()
	w.nothingOf(budi)
	a, err = w.store.Account(w.soon(), account)
	w.ok(err)
	if a.Foreign() || a.EmptiedAt.IsZero() || a.Owner != "6281200000099@s.whatsapp.net" || a.OwnerLID == "" {
		t.Errorf("account %+v", a)
	}
	// What the first number left is gone for good, also for itself.
	citra := w.contact("6281200000003", "Citra")
	w.leftBy(w.phone, citra)
	w.phone = mine
	w.link()
	w.nothingOf(citra)
	w.nothingOf(budi)
}

// TestTheSameNumberAgain keeps what it had.
func TestTheSameNumberAgain(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.leftBy(w.phone, budi)
	w.link()
	if all := w.messages(jid(budi)); len(all) != 1 {
		t.Errorf("%d messages are left", len(all))
	}
	if _, err := w.store.Command(w.soon(), account, "kunci"); err != nil {
		t.Errorf("command: %v", err)
	}
	a, err := w.store.Account(w.soon(), account)
	w.ok(err)
	if a.Epoch != 2 || !a.EmptiedAt.IsZero() {
		t.Errorf("account %+v", a)
	}
}

// TestALinkThatDidNotComeAbout leaves what the number before had.
func TestALinkThatDidNotComeAbout(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.leftBy(w.phone, budi)
	w.ok(w.store.UpdateAccount(w.soon(), account, func(a *chat.Account) error { // a crash before the keys were stored
		a.Device = "6281200000099:3@s.whatsapp.net"
		return nil
	}))
	if a, _ := w.store.Account(w.soon(), account); !a.Foreign() {
		t.Error("it can be read while the other link may come about")
	}
	w.link()
	if all := w.messages(jid(budi)); len(all) != 1 {
		t.Errorf("%d messages are left", len(all))
	}
}
