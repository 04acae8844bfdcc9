package keystore_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"

	"pesan/internal/chat"
	"pesan/internal/keystore"
	"pesan/internal/kv"
)

// takenOver returns a device whose account has another owner, and that one's.
func takenOver(t *testing.T, db kv.Store) (stale, owner *store.Device) {
	t.Helper()
	name := newAccount()
	stale = open(t, db, name, 1, keystore.Options{}).NewDevice()
	link(t, stale)
	must(t, stale.Sessions.PutSession(t.Context(), "11:0", []byte("of the first")))
	must(t, stale.Sessions.PutSession(t.Context(), pnA.SignalAddressUser()+":0", []byte("to be migrated")))
	return stale, linked(t, open(t, db, name, 2, keystore.Options{}))
}

func wantFenced(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, kv.ErrFenced) || chat.CodeOf(err) != chat.LeaseHeld {
		t.Errorf("%s: %v, want LEASE_HELD", what, err)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s: whatsmeow would acknowledge what it was working on", what)
	}
}

func TestOlderEpochMayNotOpen(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		name := newAccount()
		open(t, db, name, 5, keystore.Options{})
		open(t, db, name, 5, keystore.Options{}) // the same host may, in the same lease
		_, err := keystore.New(db, keystore.Options{}).Open(t.Context(), name, lease(4))
		wantFenced(t, "open", err)
	})
}

// staleWrites are what a former owner may try. An item of what they write belongs to the later one, or there is none.
var staleWrites = map[string]func(ctx context.Context, d *store.Device) error{
	"session": func(ctx context.Context, d *store.Device) error {
		return d.Sessions.PutSession(ctx, "11:0", []byte("stale"))
	},
	"new session": func(ctx context.Context, d *store.Device) error {
		return d.Sessions.PutSession(ctx, "13:0", []byte("stale"))
	},
	"new sender key": func(ctx context.Context, d *store.Device) error {
		return d.SenderKeys.PutSenderKey(ctx, group.String(), "11:0", []byte("stale"))
	},
	"new identity": func(ctx context.Context, d *store.Device) error {
		return d.Identities.PutIdentity(ctx, "13:0", [32]byte{1})
	},
	"deletion": func(ctx context.Context, d *store.Device) error { return d.Sessions.DeleteSession(ctx, "11:0") },
	"deletions": func(ctx context.Context, d *store.Device) error {
		return d.Sessions.DeleteAllSessions(ctx, "11")
	},
	"many": func(ctx context.Context, d *store.Device) error {
		return d.Sessions.PutManySessions(ctx, map[string][]byte{"11:0": []byte("stale"), "13:0": []byte("stale")})
	},
	"device":    func(ctx context.Context, d *store.Device) error { return d.Save(ctx) },
	"logout":    func(ctx context.Context, d *store.Device) error { return d.Delete(ctx) },
	"migration": func(ctx context.Context, d *store.Device) error { return d.Sessions.MigratePNToLID(ctx, pnA, lidA) },
	"decryption": func(ctx context.Context, d *store.Device) error {
		return decryptOnce(ctx, d, "11:0", 1, "stale")
	},
	"first decryption": func(ctx context.Context, d *store.Device) error {
		return decryptOnce(ctx, d, "13:0", 1, "stale")
	},
	"app state": func(ctx context.Context, d *store.Device) error {
		return d.AppState.PutAppStateVersion(ctx, "regular", 3, [128]byte{3})
	},
	"pre key": func(ctx context.Context, d *store.Device) error { return d.PreKeys.RemovePreKey(ctx, 1) },
}

func TestStaleOwnerMayNotOverwrite(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		for what, write := range staleWrites {
			t.Run(what, func(t *testing.T) {
				ctx := t.Context()
				stale, owner := takenOver(t, db)
				must(t, owner.Sessions.PutSession(ctx, "11:0", []byte("of the second")))
				must(t, owner.AppState.PutAppStateVersion(ctx, "regular", 2, [128]byte{2}))
				made := get[[]*keys.PreKey](t)(owner.PreKeys.GetOrGenPreKeys(ctx, 1))
				wantFenced(t, what, write(ctx, stale))
				_, err := stale.Sessions.GetSession(ctx, "11:0")
				if what != "device" && what != "logout" || err != nil {
					wantFenced(t, "reading afterwards", err)
				}
				equal(t, "session", get[[]byte](t)(owner.Sessions.GetSession(ctx, "11:0")), []byte("of the second"))
				equal(t, "no session", get[bool](t)(owner.Sessions.HasSession(ctx, "13:0")), false)
				equal(t, "migrated", get[bool](t)(owner.Sessions.HasSession(ctx, lidA.SignalAddressUser()+":0")), false)
				equal(t, "pre key", get[*keys.PreKey](t)(owner.PreKeys.GetPreKey(ctx, 1)).KeyID, made[0].KeyID)
				must(t, owner.Save(ctx))
				must(t, owner.Sessions.PutSession(ctx, "13:0", []byte("owner's")))
				must(t, owner.AppState.PutAppStateVersion(ctx, "regular", 4, [128]byte{4}))
			})
		}
	})
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

// TestTakingTurns: what a former owner still could write of his own the later one finds, and goes on from there, though he knew
// another state.
func TestTakingTurns(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		ctx := t.Context()
		stale, owner := takenOver(t, db)
		equal(t, "known", get[[]byte](t)(owner.Sessions.GetSession(ctx, "11:0")), []byte("of the first"))
		must(t, stale.Sessions.PutSession(ctx, "11:0", []byte("late"))) // the owner has written nothing of it
		must(t, owner.Sessions.PutSession(ctx, "11:0", []byte("of the second")))
		wantFenced(t, "afterwards", stale.Sessions.PutSession(ctx, "11:0", []byte("stale")))
		equal(t, "session", get[[]byte](t)(owner.Sessions.GetSession(ctx, "11:0")), []byte("of the second"))
	})
}

// TestDecryptedByFormerOwner: the plaintext that a former owner has stored is handled by the later one, once.
func TestDecryptedByFormerOwner(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		ctx, hash := t.Context(), [32]byte{1}
		stale, owner := takenOver(t, db)
		must(t, owner.Sessions.PutSession(ctx, "11:0", []byte("of the second")))
		err := stale.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			must(t, stale.Sessions.PutSession(ctx, "11:0", []byte("stale")))
			return stale.EventBuffer.PutBufferedEvent(ctx, hash, []byte("text"), time.Now())
		})
		wantFenced(t, "decryption", err)
		e := get[*store.BufferedEvent](t)(owner.EventBuffer.GetBufferedEvent(ctx, hash))
		if e == nil || string(e.Plaintext) != "text" {
			t.Fatalf("the event is %v", e)
		}
		must(t, owner.EventBuffer.ClearBufferedEventPlaintext(ctx, hash))
		wantFenced(t, "handling", stale.EventBuffer.ClearBufferedEventPlaintext(ctx, hash))
		e = get[*store.BufferedEvent](t)(owner.EventBuffer.GetBufferedEvent(ctx, hash))
		if e == nil || e.Plaintext != nil {
			t.Errorf("the event is %v", e)
		}
	})
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
			b := newKeys(t, table(t, w.attach), keystore.Options{})
			var writes []replay
			w.set(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if isWrite(r) {
					write, err := record(r)
					if err != nil {
						return nil, err
					}
					writes = append(writes, write)
				}
				return send()
			})
			must(t, b.device.Sessions.PutSession(ctx, "11:0", []byte("new")))
			must(t, b.device.Sessions.PutSession(ctx, "11:0", []byte("first")))
			w.set(nil)
			must(t, then.change(b.device))
			equal(t, "writes", len(writes), 2)
			for i, write := range writes { // as ones that hung in the network
				status, body, err := write.send()
				must(t, err)
				// A transaction that was made is told so for ten minutes, and isn't made again.
				if again := i == 0 && status == http.StatusOK; !again && !strings.Contains(body, "ConditionalCheckFailed") {
					t.Errorf("answer: %d %s", status, body)
				}
				b.again(t, func(d *store.Device) {
					equal(t, "session", get[[]byte](t)(d.Sessions.GetSession(ctx, "11:0")), then.want)
				})
			}
		})
	}
}

func TestContainer(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		ctx, name, c := t.Context(), newAccount(), keystore.New(db, keystore.Options{})
		notFound := func(what string, epoch int64, jid types.JID) {
			t.Helper()
			if _, err := c.Device(ctx, name, lease(epoch), jid); chat.CodeOf(err) != chat.DeviceNotFound {
				t.Errorf("%s: %v", what, err)
			}
		}
		notFound("before it is linked", 3, deviceJID)
		d := c.NewDevice(name, lease(3))
		link(t, d)
		must(t, d.Sessions.PutSession(ctx, "11:0", []byte("s")))
		again := get[*store.Device](t)(c.Device(ctx, name, lease(3), deviceJID))
		equal(t, "session", get[[]byte](t)(again.Sessions.GetSession(ctx, "11:0")), []byte("s"))
		notFound("another address", 3, pnA)
		anew := get[*store.Device](t)(c.Device(ctx, name, lease(4), deviceJID))
		must(t, anew.Sessions.PutSession(ctx, "11:0", []byte("new lease")))
		wantFenced(t, "under the lease before", d.Sessions.PutSession(ctx, "11:0", []byte("old lease")))
		_, err := c.Device(ctx, name, lease(3), deviceJID)
		wantFenced(t, "open under the lease before", err)
		late := c.NewDevice(name, lease(3))
		jid := deviceJID
		late.ID, late.Account = &jid, account()
		wantFenced(t, "link under the lease before", late.Save(ctx))
		must(t, anew.Delete(ctx))
		notFound("after its deletion", 4, deviceJID)
	})
}
