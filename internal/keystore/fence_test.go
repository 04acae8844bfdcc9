package keystore_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
	"pesan/internal/keystore"
)

// late proves the ownership so seldom that a test sees what the conditions of the writes alone refuse.
var late = keystore.Options{FenceInterval: time.Hour}

// takenOver returns a device whose account has another owner, and that one's.
func takenOver(t *testing.T, o keystore.Options) (stale, owner *store.Device, lost <-chan struct{}) {
	t.Helper()
	db, name := table(t), newAccount()
	a := open(t, db, name, 1, o)
	stale = a.NewDevice()
	link(t, stale)
	must(t, stale.Sessions.PutSession(t.Context(), "11:0", []byte("of the first")))
	return stale, linked(t, open(t, db, name, 2, o)), a.Fenced()
}

func wantFenced(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, keystore.ErrFenced) {
		t.Errorf("%s: %v, want ErrFenced", what, err)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s: whatsmeow would acknowledge what it was working on", what)
	}
}

func TestOlderEpochMayNotOpen(t *testing.T) {
	db, name := table(t), newAccount()
	open(t, db, name, 5, late)
	open(t, db, name, 5, late) // the same host may, in the same lease
	_, err := keystore.New(db, tableName, late).Open(t.Context(), name, 4)
	wantFenced(t, "open", err)
}

func TestStaleOwnerMayNotOverwrite(t *testing.T) {
	ctx := t.Context()
	for what, write := range map[string]func(d *store.Device) error{
		"session":  func(d *store.Device) error { return d.Sessions.PutSession(ctx, "11:0", []byte("stale")) },
		"deletion": func(d *store.Device) error { return d.Sessions.DeleteSession(ctx, "11:0") },
		"many": func(d *store.Device) error {
			return d.Sessions.PutManySessions(ctx, map[string][]byte{"11:0": []byte("stale")})
		},
		"device":     func(d *store.Device) error { return d.Save(ctx) },
		"logout":     func(d *store.Device) error { return d.Delete(ctx) },
		"migration":  func(d *store.Device) error { return d.Sessions.MigratePNToLID(ctx, pnA, lidA) },
		"decryption": func(d *store.Device) error { return decryptOnce(ctx, d, "11:0", 1, "stale") },
	} {
		t.Run(what, func(t *testing.T) {
			stale, owner, lost := takenOver(t, late)
			must(t, stale.Sessions.PutSession(ctx, pnA.SignalAddressUser()+":0", []byte("to be migrated")))
			must(t, owner.Sessions.PutSession(ctx, "11:0", []byte("of the second")))
			wantFenced(t, what, write(stale))
			select {
			case <-lost:
			default:
				t.Error("nobody is told")
			}
			_, err := stale.Sessions.GetSession(ctx, "11:0")
			wantFenced(t, "reading afterwards", err)
			equal(t, "session", get[[]byte](t)(owner.Sessions.GetSession(ctx, "11:0")), []byte("of the second"))
			must(t, owner.Save(ctx))
		})
	}
}

// decryptOnce steps a session to a value with the event of a number, and handles the event.
func decryptOnce(ctx context.Context, d *store.Device, address string, n byte, value string) error {
	hash := [32]byte{n}
	err := d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		if err := d.Sessions.PutSession(ctx, address, []byte(value)); err != nil {
			return err
		}
		return d.EventBuffer.PutBufferedEvent(ctx, hash, []byte("text"), time.Now())
	})
	if err != nil {
		return err
	}
	return d.EventBuffer.ClearBufferedEventPlaintext(ctx, hash)
}

func TestPausedOwnerWritesNothingMore(t *testing.T) {
	ctx := t.Context()
	var now atomic.Int64
	o := keystore.Options{Now: func() time.Time { return time.Unix(1700000000+now.Load(), 0) }, FenceInterval: 5 * time.Second}
	stale, owner, _ := takenOver(t, o)
	must(t, stale.Sessions.PutSession(ctx, "12:0", []byte("in time"))) // nothing of it has been seen by the owner
	now.Add(6)
	wantFenced(t, "a new item", stale.Sessions.PutSession(ctx, "13:0", []byte("too late")))
	equal(t, "nothing written", get[bool](t)(owner.Sessions.HasSession(ctx, "13:0")), false)
	now.Add(6)
	must(t, owner.Sessions.PutSession(ctx, "13:0", []byte("owner's")))
}

func TestLateRequestIsRefused(t *testing.T) {
	ctx := t.Context()
	for what, then := range map[string]struct {
		change func(d *store.Device) error
		want   []byte
	}{
		"overwritten": {func(d *store.Device) error { return d.Sessions.PutSession(ctx, "11:0", []byte("second")) }, []byte("second")},
		"deleted":     {func(d *store.Device) error { return d.Sessions.DeleteSession(ctx, "11:0") }, nil},
		"moved": {func(d *store.Device) error {
			return d.Sessions.MigratePNToLID(ctx, types.NewJID("11", types.DefaultUserServer), lidA)
		}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			var w wire
			b := newDynamo(t, table(t, w.attach), keystore.Options{})
			var first replay
			w.set(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if operation(r) == "PutItem" && first.body == nil {
					var err error
					if first, err = record(r); err != nil {
						return nil, err
					}
				}
				return send()
			})
			must(t, b.device.Sessions.PutSession(ctx, "11:0", []byte("first")))
			w.set(nil)
			must(t, then.change(b.device))
			status, body, err := first.send() // as one that hung in the network
			must(t, err)
			if status != http.StatusBadRequest || !strings.Contains(body, "ConditionalCheckFailed") {
				t.Errorf("answer: %d %s", status, body)
			}
			b.again(t, func(d *store.Device) {
				equal(t, "session", get[[]byte](t)(d.Sessions.GetSession(ctx, "11:0")), then.want)
			})
		})
	}
}

func TestAccounts(t *testing.T) {
	ctx, db, name := t.Context(), table(t), newAccount()
	epochs := map[string]int64{name: 3}
	errNoLease := errors.New("no lease")
	accounts := keystore.New(db, tableName, keystore.Options{}).Accounts(func(account string) (int64, error) {
		if e := epochs[account]; e > 0 {
			return e, nil
		}
		return 0, errNoLease
	})
	if _, err := accounts.Device(ctx, name, deviceJID); chat.CodeOf(err) != chat.DeviceNotFound {
		t.Errorf("before it is linked: %v", err)
	}
	d := accounts.NewDevice(name)
	link(t, d)
	must(t, d.Sessions.PutSession(ctx, "11:0", []byte("s")))
	again, err := accounts.Device(ctx, name, deviceJID)
	must(t, err)
	equal(t, "session", get[[]byte](t)(again.Sessions.GetSession(ctx, "11:0")), []byte("s"))
	if _, err := accounts.Device(ctx, name, pnA); chat.CodeOf(err) != chat.DeviceNotFound {
		t.Errorf("another address: %v", err)
	}

	delete(epochs, name)
	err = d.Sessions.PutSession(ctx, "11:0", []byte("without a lease"))
	if !errors.Is(err, errNoLease) || !errors.Is(err, context.Canceled) {
		t.Errorf("without a lease: %v", err)
	}
	if _, err := accounts.Device(ctx, name, deviceJID); !errors.Is(err, errNoLease) {
		t.Errorf("open without a lease: %v", err)
	}
	epochs[name] = 4
	wantFenced(t, "under the lease before", d.Sessions.PutSession(ctx, "11:0", []byte("old lease")))
	anew, err := accounts.Device(ctx, name, deviceJID)
	must(t, err)
	must(t, anew.Sessions.PutSession(ctx, "11:0", []byte("new lease")))
	must(t, anew.Delete(ctx))
	if _, err := accounts.Device(ctx, name, deviceJID); chat.CodeOf(err) != chat.DeviceNotFound {
		t.Errorf("after its deletion: %v", err)
	}
}
