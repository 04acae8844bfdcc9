package keystore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"golang.org/x/sync/errgroup"

	"pesan/internal/keystore"
	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/testkit/dynamolocal"
)

// A life of a device is broken off after every one of its writes in turn; the next host must be able to go on.

// life is what a device does, and what it promised so far.
type life struct {
	device  *store.Device
	linked  bool
	keyed   bool // its pre keys are uploaded
	deleted bool
	handled map[int]bool // messages whose handler succeeded
}

const lifeMessages = 6

// step of the session that message n leads to.
func stepTo(n int) []byte { return []byte(strconv.Itoa(n)) }

// live does it all, or stops at the first error.
func (l *life) live(ctx context.Context, a *keystore.Account) error {
	d, err := a.Device()
	if err != nil {
		return err
	}
	if l.device = d; d == nil {
		l.device = a.NewDevice()
		jid := deviceJID
		l.device.ID, l.device.Account = &jid, account()
		if err := l.device.Save(ctx); err != nil {
			return err
		}
	}
	l.linked = true
	if err := l.setUp(ctx); err != nil {
		return err
	}
	for n := range lifeMessages {
		if err := l.receive(ctx, n); err != nil {
			return err
		}
	}
	if err := l.device.Sessions.MigratePNToLID(ctx, pnA, lidA); err != nil {
		return err
	}
	if err := l.device.Delete(ctx); err != nil {
		return err
	}
	l.deleted = true
	return nil
}

func (l *life) setUp(ctx context.Context) error {
	if _, err := l.device.PreKeys.GetOrGenPreKeys(ctx, 30); err != nil {
		return err
	}
	l.keyed = true
	for _, pair := range []store.LIDMapping{{LID: lidA, PN: pnA}, {LID: lidB, PN: pnB}, {LID: lidB, PN: pnA}, {LID: lidA, PN: pnA}} {
		if err := l.device.LIDs.PutLIDMapping(ctx, pair.LID, pair.PN); err != nil {
			return err
		}
	}
	for v := range uint64(2) {
		if err := l.device.AppState.PutAppStateVersion(ctx, "regular", v+1, [128]byte{1}); err != nil {
			return err
		}
		macs := []store.AppStateMutationMAC{{IndexMAC: fill(32, 1), ValueMAC: fill(32, byte(v))}, {IndexMAC: fill(32, 2), ValueMAC: fill(32, byte(v))}}
		if err := l.device.AppState.PutAppStateMutationMACs(ctx, "regular", v+1, macs); err != nil {
			return err
		}
	}
	return nil
}

// receive takes message n of a peer, the first of which uses a pre key. The handler of the second and third fails.
func (l *life) receive(ctx context.Context, n int) error {
	hash := [32]byte{byte(n)}
	known, err := l.device.EventBuffer.GetBufferedEvent(ctx, hash)
	if err != nil {
		return err
	}
	if known == nil {
		err := l.device.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			if err := l.device.Sessions.PutSession(ctx, peer, stepTo(n)); err != nil {
				return err
			}
			if n == 0 {
				if err := l.device.PreKeys.RemovePreKey(ctx, 1); err != nil {
					return err
				}
			}
			return l.device.EventBuffer.PutBufferedEvent(ctx, hash, []byte(fmt.Sprint("text ", n)), time.Now())
		})
		if err != nil {
			return err
		}
	}
	if n == 1 || n == 2 {
		return nil
	}
	l.handled[n] = true
	return l.device.EventBuffer.ClearBufferedEventPlaintext(ctx, hash)
}

var peer = pnA.SignalAddressUser() + ":0"

func TestCrashAnywhere(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		kvtest.Crashes(t, func(when string, wrap func(kv.Store) kv.Store) {
			name, l := newAccount(), &life{handled: map[int]bool{}}
			a, err := keystore.New(wrap(db), keystore.Options{}).Open(t.Context(), name, lease(1))
			if err == nil {
				err = l.live(t.Context(), a)
			}
			if err != nil && !errors.Is(err, kvtest.ErrCrashed) {
				t.Fatalf("%s: %v", when, err)
			}
			l.check(t, open(t, db, name, 2, keystore.Options{}))
			if t.Failed() {
				t.Fatal(when)
			}
		})
	})
}

// check that what was promised holds, and that the life can be lived to its end.
func (l *life) check(t *testing.T, a *keystore.Account) {
	t.Helper()
	ctx := t.Context()
	d, err := a.Device()
	must(t, err)
	if d == nil && l.linked && !l.deleted && len(l.handled) < lifeMessages-2 {
		t.Error("the device is gone")
	}
	if d != nil {
		l.checkRatchet(t, d)
		if l.keyed {
			l.checkPreKeys(t, d)
		}
	}
	rest := &life{handled: map[int]bool{}}
	must(t, rest.live(ctx, a))
	fresh := a.NewDevice()
	link(t, fresh)
	equal(t, "a new device's sessions", get[bool](t)(fresh.Sessions.HasSession(ctx, lidA.SignalAddressUser()+":0")), false)
	equal(t, "a new device's pre keys", get[int](t)(fresh.PreKeys.UploadedPreKeyCount(ctx)), 0)
}

// checkRatchet: a message whose handler didn't succeed comes again, so it must be decryptable or buffered.
func (l *life) checkRatchet(t *testing.T, d *store.Device) {
	t.Helper()
	ctx, at := t.Context(), -1
	pn := get[[]byte](t)(d.Sessions.GetSession(ctx, peer))
	lid := get[[]byte](t)(d.Sessions.GetSession(ctx, lidA.SignalAddressUser()+":0"))
	if pn != nil && lid != nil {
		t.Error("a session is at both addresses")
	}
	if s := append(pn, lid...); len(s) > 0 {
		at, _ = strconv.Atoi(string(s))
	}
	for n := range lifeMessages {
		if l.handled[n] {
			continue
		}
		e := get[*store.BufferedEvent](t)(d.EventBuffer.GetBufferedEvent(ctx, [32]byte{byte(n)}))
		if at >= n && (e == nil || string(e.Plaintext) != fmt.Sprint("text ", n)) {
			t.Errorf("message %d is lost: the session is at %d, and it isn't buffered", n, at)
		}
	}
}

// checkPreKeys: as long as the first message can come again, its pre key must be there.
func (l *life) checkPreKeys(t *testing.T, d *store.Device) {
	t.Helper()
	ctx := t.Context()
	keys, err := d.PreKeys.GetOrGenPreKeys(ctx, 1)
	must(t, err)
	step, err := d.Sessions.GetSession(ctx, peer)
	must(t, err)
	moved, err := d.Sessions.GetSession(ctx, lidA.SignalAddressUser()+":0")
	must(t, err)
	if step == nil && moved == nil && keys[0].KeyID > 1 {
		t.Error("the pre key is gone, but there is no session")
	}
}

// TestWrittenBeforeAcknowledged: the next owner sees a decrypted message's step, and its plaintext until it is handled.
func TestWrittenBeforeAcknowledged(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		ctx, name := t.Context(), newAccount()
		d := open(t, db, name, 1, keystore.Options{}).NewDevice()
		link(t, d)
		must(t, decryptOnce(ctx, d, "11:0", 1, "step 1"))
		unhandled := [32]byte{2}
		must(t, d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			if err := d.Sessions.PutSession(ctx, "11:0", []byte("step 2")); err != nil {
				return err
			}
			return d.EventBuffer.PutBufferedEvent(ctx, unhandled, []byte("text"), time.Now())
		}))
		next := linked(t, open(t, db, name, 1, keystore.Options{}))
		equal(t, "session", get[[]byte](t)(next.Sessions.GetSession(ctx, "11:0")), []byte("step 2"))
		equal(t, "waits", get[*store.BufferedEvent](t)(next.EventBuffer.GetBufferedEvent(ctx, unhandled)).Plaintext, []byte("text"))
		equal(t, "handled", get[*store.BufferedEvent](t)(next.EventBuffer.GetBufferedEvent(ctx, [32]byte{1})).Plaintext, []byte(nil))
	})
}

// TestConcurrentUse: what happens in one place is not undone from another.
func TestConcurrentUse(t *testing.T) {
	ctx, b := t.Context(), newKeys(t, table(t), keystore.Options{CacheBytes: 2000})
	const workers, steps = 12, 8
	var group errgroup.Group
	for g := range workers {
		group.Go(func() error {
			d, address := b.device, fmt.Sprintf("%d:0", g+1)
			for i := range steps {
				if err := decryptOnce(ctx, d, address, byte(g*steps+i), fmt.Sprint("step ", i)); err != nil {
					return err
				}
				jid := types.NewJID(fmt.Sprint(g*steps+i), types.DefaultUserServer)
				if _, _, err := d.Contacts.PutPushName(ctx, jid, address); err != nil {
					return err
				}
				if err := d.LIDs.PutLIDMapping(ctx, types.NewJID("9"+jid.User, types.HiddenUserServer), jid); err != nil {
					return err
				}
				if s, err := d.Sessions.GetSession(ctx, address); err != nil || string(s) != fmt.Sprint("step ", i) {
					return fmt.Errorf("%s: %q, %w", address, s, err)
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	b.again(t, func(d *store.Device) {
		for g := range workers {
			equal(t, "session", string(get[[]byte](t)(d.Sessions.GetSession(ctx, fmt.Sprintf("%d:0", g+1)))), fmt.Sprint("step ", steps-1))
		}
		equal(t, "contacts", len(get[map[types.JID]types.ContactInfo](t)(d.Contacts.GetAllContacts(ctx))), workers*steps)
		for n := range workers * steps {
			jid := types.NewJID(fmt.Sprint(n), types.DefaultUserServer)
			equal(t, "LID", get[types.JID](t)(d.LIDs.GetLIDForPN(ctx, jid)).User, "9"+jid.User)
		}
	})
}

func TestDeletedDeviceLeavesNothing(t *testing.T) {
	ctx, db, name := t.Context(), table(t), newAccount()
	a := open(t, db, name, 1, keystore.Options{})
	d := a.NewDevice()
	link(t, d)
	var secrets []store.MessageSecretInsert
	for i := range 60 {
		secrets = append(secrets, store.MessageSecretInsert{Chat: pnA, Sender: pnA, ID: fmt.Sprint(i), Secret: fill(32, 1)})
	}
	must(t, d.MsgSecrets.PutMessageSecrets(ctx, secrets))
	must(t, d.Sessions.PutSession(ctx, "11:0", []byte("s")))
	must(t, d.Delete(ctx))
	left, err := dynamolocal.Client(t).Scan(ctx, &dynamodb.ScanInput{TableName: aws.String(tableName)})
	must(t, err)
	if len(left.Items) != 1 || string(left.Items[0]["d"].(*ddbtypes.AttributeValueMemberB).Value) != `{"generation":1}` {
		t.Errorf("left: %v", left.Items)
	}
}

// TestGivesUp: whatsmeow must not acknowledge what it was working on when the store fails, and nothing that may not be stored is
// taken for stored.
func TestGivesUp(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		ctx, name := t.Context(), newAccount()
		device := open(t, db, name, 1, keystore.Options{}).NewDevice()
		link(t, device)
		must(t, decryptOnce(ctx, device, "11:0", 1, "step"))
		failing := kvtest.NewFaulty(db, 0.5, 1)
		var d *store.Device
		for d == nil {
			if a, err := keystore.New(failing, keystore.Options{}).Open(ctx, name, lease(1)); err == nil {
				d = linked(t, a)
			}
		}
		stored := 0
		for n := range 60 {
			value := fmt.Sprint("step ", n)
			if err := decryptOnce(ctx, d, "11:0", byte(n+2), value); err == nil {
				stored++
			} else if !errors.Is(err, context.Canceled) || !errors.Is(err, kv.ErrUnavailable) {
				t.Fatalf("whatsmeow would acknowledge: %v", err)
			}
			session, err := d.Sessions.GetSession(ctx, "11:0")
			for err != nil {
				session, err = d.Sessions.GetSession(ctx, "11:0")
			}
			next := linked(t, open(t, db, name, 1, keystore.Options{}))
			equal(t, "seen by another", get[[]byte](t)(next.Sessions.GetSession(ctx, "11:0")), session)
		}
		if stored == 0 || stored == 60 {
			t.Errorf("%d of 60 were stored", stored)
		}
	})
}

// TestUnsureOfSession: a message whose sender's LID couldn't be looked up isn't decrypted with the wrong session.
func TestUnsureOfSession(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		ctx, name := t.Context(), newAccount()
		link(t, open(t, db, name, 1, keystore.Options{}).NewDevice())
		for what, ask := range map[string]func(d *store.Device) error{
			"LID":       func(d *store.Device) error { _, err := d.LIDs.GetLIDForPN(ctx, pnA); return err },
			"migration": func(d *store.Device) error { return d.Sessions.MigratePNToLID(ctx, pnB, lidB) },
		} {
			line := &cut{Store: db}
			d := linked(t, open(t, line, name, 1, keystore.Options{}))
			line.off.Store(true)
			if ask(d) == nil {
				t.Fatalf("%s: no error", what)
			}
			line.off.Store(false)
			if err := decryptOnce(ctx, d, "11:0", 1, "step"); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v; whatsmeow would go on", what, err)
			}
			must(t, decryptOnce(ctx, d, "11:0", byte(len(what)), "step"))
		}
	})
}

// cut is a store that doesn't answer while it is off.
type cut struct {
	kv.Store
	off atomic.Bool
}

func (c *cut) GetMany(ctx context.Context, keys []kv.Key) ([]*kv.Item, error) {
	if c.off.Load() {
		return nil, kv.ErrUnavailable
	}
	return c.Store.GetMany(ctx, keys)
}

func (c *cut) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	if c.off.Load() {
		return func(yield func(kv.Item, error) bool) { yield(kv.Item{}, kv.ErrUnavailable) }
	}
	return c.Store.Query(ctx, q)
}
