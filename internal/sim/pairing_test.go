package sim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/sim"
)

func TestPairByQR(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{BusinessName: "Toko Sari"})
	c := w.linked()
	equal(t, "JID", *c.Store.ID, c.device.JID())
	equal(t, "LID", c.Store.LID, c.device.LID())
	equal(t, "business", c.Store.BusinessName, "Toko Sari")
	equal(t, "logins", c.device.Logins(), 1)
	wait[*events.OfflineSyncCompleted](c, nil)
	id, err := c.Store.AppStateKeys.GetLatestAppStateSyncKeyID(soon(t))
	check(t, err)
	if id == nil {
		t.Error("no app state key")
	}
	found := w.server.Connections()
	equal(t, "connections", len(found), 2)
	if found[0].Closed.IsZero() || found[0].Device != (types.JID{}) || found[1].Device != c.device.JID() {
		t.Errorf("connections: %+v", found)
	}
}

func TestPairByCode(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.newClient()
	check(t, c.Connect())
	wait[*events.QR](c, nil)
	must(c.PairPhone(soon(t), w.phone.PN().User, true, whatsmeow.PairClientChrome, "Chrome (Linux)"))(t)
	if _, err := w.phone.EnterCode(soon(t), "ZZZZ-ZZZZ"); !errors.Is(err, sim.ErrWrongCode) {
		t.Fatalf("wrong code: %v", err)
	}
	// The client's secret is spoiled by the wrong code, so it shows another.
	code := must(c.PairPhone(soon(t), w.phone.PN().User, true, whatsmeow.PairClientChrome, "Chrome (Linux)"))(t)
	c.device = must(w.phone.EnterCode(soon(t), strings.ToLower(code)))(t)
	wait[*events.PairSuccess](c, nil)
	c.quiet(w.phone)
	equal(t, "JID", *c.Store.ID, c.device.JID())
	equal(t, "online", c.device.Online(), true)
}

func TestQRThatNobodyShows(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	for _, text := range []string{"", "x", "a,b,c,d", "2@abc,AAAA,AAAA,AAAA,1"} {
		if _, err := w.phone.ScanQR(soon(t), text); !errors.Is(err, sim.ErrQR) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPairingRefusedByClient(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.newClient(func(c *whatsmeow.Client) {
		c.PrePairCallback = func(types.JID, string, string) bool { return false }
	})
	check(t, c.Connect())
	qr := wait[*events.QR](c, nil)
	if _, err := w.phone.ScanQR(soon(t), qr.Codes[0]); !errors.Is(err, sim.ErrLinking) {
		t.Errorf("refused link: %v", err)
	}
	wait[*events.PairError](c, nil)
	equal(t, "devices", len(w.phone.Devices()), 0)
}

func TestPairingTimeout(t *testing.T) {
	w := newWorld(t, sim.Options{PairingTimeout: 50 * time.Millisecond}, sim.PhoneOptions{})
	c := w.newClient()
	check(t, c.Connect())
	qr := wait[*events.QR](c, nil)
	poll(t, "end of the connection", func() bool { return !w.server.Connections()[0].Closed.IsZero() })
	if _, err := w.phone.ScanQR(soon(t), qr.Codes[0]); !errors.Is(err, sim.ErrQR) {
		t.Errorf("late scan: %v", err)
	}
}

// A QR code whose secret was changed on the way makes a link that the client can't verify.
func TestPairingWithForgedSecret(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.newClient()
	check(t, c.Connect())
	parts := strings.Split(wait[*events.QR](c, nil).Codes[0], ",")
	parts[3] = strings.Repeat("A", 43) + "="
	_, err := w.phone.ScanQR(soon(t), strings.Join(parts, ","))
	if !errors.Is(err, sim.ErrLinking) || !strings.Contains(err.Error(), "hmac-mismatch") {
		t.Errorf("forged secret: %v", err)
	}
}

func TestTwoDevices(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	a, b := w.linked(), w.linked()
	equal(t, "number", b.device.JID().Device, 2)
	id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t)
	waitMessage(a, id)
	waitMessage(b, id)
	check(t, b.Logout(soon(t)))
	equal(t, "linked", b.device.Linked(), false)
	equal(t, "devices", len(w.phone.Devices()), 1)
	id = must(budi.Send(soon(t), w.phone, sim.Text("lagi"), sim.SendOptions{}))(t)
	waitMessage(a, id)
}

func TestLatestVersion(t *testing.T) {
	w := newWorld(t, sim.Options{Version: 1234567890}, sim.PhoneOptions{})
	v := must(whatsmeow.GetLatestVersion(soon(t), w.server.HTTPClient()))(t)
	equal(t, "version", *v, store.WAVersionContainer{2, 3000, 1234567890})
}

func TestFullPreKeyUpload(t *testing.T) {
	w := newWorld(t, sim.Options{FullPreKeyUpload: true}, sim.PhoneOptions{})
	c := w.linked()
	n, err := c.preKeys(soon(t))
	check(t, err)
	equal(t, "pre keys", n, 812)
}
