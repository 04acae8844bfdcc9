package whatsapp

import (
	"context"
	"testing"
	"time"

	"pesan/internal/sim"
)

// free tells whether a turn can be had at once.
func free(ds *Devices) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if len(ds.turns) == cap(ds.turns) {
		_, err := ds.takeTurn(ctx)
		return err == nil
	}
	return true
}

func TestTurnsEndOnce(t *testing.T) {
	ds := &Devices{turns: make(chan struct{}, 1)}
	first, err := ds.takeTurn(t.Context())
	if err != nil || free(ds) {
		t.Fatalf("the only turn is free after it was taken; error %v", err)
	}
	first()
	second, err := ds.takeTurn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first(); free(ds) {
		t.Error("a turn that ends twice ends that of another")
	}
	if second(); !free(ds) {
		t.Error("a turn that has ended isn't free")
	}
}

// TestTurnToConnect: a device connects in a turn, which it gives back when it has caught up, or shows a code.
func TestTurnToConnect(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.devices.turns = make(chan struct{}, 1)
	take := func() (end func()) {
		t.Helper()
		end, err := w.devices.takeTurn(w.soon())
		w.ok(err)
		return end
	}
	w.link()
	w.ok(w.halt())
	end := take()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // a login takes some milliseconds
	defer cancel()
	before := w.linked.Logins()
	w.ok(w.device.Run(ctx))
	if got := w.linked.Logins(); got != before {
		t.Errorf("%d logins out of turn", got-before)
	}
	end()

	w.run()
	w.ok(w.linked.WaitLogins(w.soon(), before+1))
	w.settled()
	take()() // it has caught up
	w.linked.Drop()
	w.ok(w.linked.WaitLogins(w.soon(), before+2))
	take()()
}

func TestNoTurnWhileACodeIsShown(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.devices.turns = make(chan struct{}, 1)
	w.run()
	w.eventually("a QR code", func() bool {
		a, err := w.store.Account(context.Background(), account)
		return err == nil && a.QR != ""
	})
	end, err := w.devices.takeTurn(w.soon())
	w.ok(err)
	end()
}
