package keystore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"golang.org/x/sync/errgroup"

	"pesan/internal/keystore"
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
	var w wire
	db := table(t, w.attach)
	for crash := int64(1); ; crash++ {
		name, l := newAccount(), &life{handled: map[int]bool{}}
		var writes atomic.Int64
		w.set(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if isWrite(r) && writes.Add(1) > crash || writes.Load() > crash {
				return refused(r, http.StatusBadRequest, "AccessDeniedException"), nil
			}
			return send()
		})
		a, err := keystore.New(db, tableName, keystore.Options{}).Open(t.Context(), name, 1)
		must(t, err)
		err = l.live(t.Context(), a)
		w.set(nil)
		l.check(t, open(t, db, name, 2, keystore.Options{}), crash)
		if err == nil && writes.Load() <= crash {
			t.Logf("broken off at each of %d writes", crash)
			return
		}
		if t.Failed() {
			t.Fatalf("broken off after write %d", crash)
		}
	}
}

// check that what was promised holds, and that the life can be lived to its end.
func (l *life) check(t *testing.T, a *keystore.Account, crash int64) {
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

// TestWrittenBeforeAcknowledged: the next owner sees a handled message's step, and of one that isn't handled nothing or all.
func TestWrittenBeforeAcknowledged(t *testing.T) {
	ctx, db, name := t.Context(), table(t), newAccount()
	a := open(t, db, name, 1, keystore.Options{})
	d := a.NewDevice()
	link(t, d)
	must(t, decryptOnce(ctx, d, "11:0", 1, "step 1"))
	unhandled := [32]byte{2}
	must(t, d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		if err := d.Sessions.PutSession(ctx, "11:0", []byte("step 2")); err != nil {
			return err
		}
		return d.EventBuffer.PutBufferedEvent(ctx, unhandled, []byte("text"), time.Now())
	}))
	stored := func(epoch int64) (session, plaintext string) {
		d := linked(t, open(t, db, name, epoch, keystore.Options{}))
		if e := get[*store.BufferedEvent](t)(d.EventBuffer.GetBufferedEvent(ctx, unhandled)); e != nil {
			plaintext = string(e.Plaintext)
		}
		return string(get[[]byte](t)(d.Sessions.GetSession(ctx, "11:0"))), plaintext
	}
	session, plaintext := stored(1)
	equal(t, "while it isn't handled", []string{session, plaintext}, []string{"step 1", ""})

	d = linked(t, open(t, db, name, 1, keystore.Options{}))
	must(t, d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		if err := d.Sessions.PutSession(ctx, "11:0", []byte("step 2")); err != nil {
			return err
		}
		return d.EventBuffer.PutBufferedEvent(ctx, unhandled, []byte("text"), time.Now())
	}))
	must(t, d.Sessions.PutSession(ctx, "12:0", []byte("another's"))) // takes along what waits
	session, plaintext = stored(1)
	equal(t, "written with another's", []string{session, plaintext}, []string{"step 2", "text"})
}

// TestConcurrentUse: what happens in one place is not undone from another.
func TestConcurrentUse(t *testing.T) {
	ctx, b := t.Context(), newDynamo(t, table(t), keystore.Options{CacheBytes: 2000})
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
	left, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String(tableName)})
	must(t, err)
	if len(left.Items) != 1 || left.Items[0]["d"] != nil || left.Items[0]["x"] != nil {
		t.Errorf("left: %v", left.Items)
	}
}

func TestGivesUp(t *testing.T) {
	var w wire
	db := table(t, w.attach)
	b := newDynamo(t, db, keystore.Options{Patience: 3 * time.Second})
	var tries atomic.Int64
	w.set(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		tries.Add(1)
		return refused(r, http.StatusBadRequest, "ThrottlingException"), nil
	})
	_, err := b.device.Sessions.GetSession(t.Context(), "11:0")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("whatsmeow would acknowledge: %v", err)
	}
	if tries.Load() < 3 {
		t.Errorf("%d tries", tries.Load())
	}
	w.set(nil)
	equal(t, "afterwards", get[[]byte](t)(b.device.Sessions.GetSession(t.Context(), "11:0")), []byte(nil))
}

// TestUnsureOfSession: a message whose sender's LID couldn't be looked up isn't decrypted with the wrong session.
func TestUnsureOfSession(t *testing.T) {
	var w wire
	db := table(t, w.attach)
	ctx, b := t.Context(), newDynamo(t, db, keystore.Options{})
	broken := func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		return refused(r, http.StatusBadRequest, "AccessDeniedException"), nil // for which nothing is tried again
	}
	for what, ask := range map[string]func() error{
		"LID":       func() error { _, err := b.device.LIDs.GetLIDForPN(ctx, pnA); return err },
		"migration": func() error { return b.device.Sessions.MigratePNToLID(ctx, pnB, lidB) },
	} {
		w.set(broken)
		if ask() == nil {
			t.Fatalf("%s: no error", what)
		}
		w.set(nil)
		if err := decryptOnce(ctx, b.device, "11:0", 1, "step"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v; whatsmeow would go on", what, err)
		}
	}
	must(t, decryptOnce(ctx, b.device, "11:0", 1, "step"))
}
