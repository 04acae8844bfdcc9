package keystore_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/keystore"
)

var (
	pnA   = types.NewJID("6281200000011", types.DefaultUserServer)
	pnB   = types.NewJID("6281200000012", types.DefaultUserServer)
	lidA  = types.NewJID("900000011", types.HiddenUserServer)
	lidB  = types.NewJID("900000012", types.HiddenUserServer)
	group = types.NewJID("120363000000000001", types.GroupServer)
)

// must stops the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get[V any](t *testing.T) func(V, error) V {
	return func(v V, err error) V {
		t.Helper()
		must(t, err)
		return v
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// again runs the check on the open device and on one that was opened anew.
func (b *backend) again(t *testing.T, check func(d *store.Device)) {
	t.Helper()
	check(b.device)
	b.device = b.reopen(t)
	check(b.device)
}

func TestDevice(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		first := b.device
		first.PushName, first.BusinessName, first.LIDMigrationTimestamp = "Sari Dewi", "Toko", 12
		must(t, first.Save(t.Context()))
		second := b.reopen(t)
		for _, d := range []*store.Device{first, second} {
			d.Log, d.Container, d.LIDs = nil, nil, nil
			d.SetAllStores(nil)
		}
		equal(t, "device", second, first)
	})
}

func TestDeviceDeleted(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		d, stores := b.device, b.device.Sessions
		must(t, d.Delete(t.Context()))
		if err := d.Save(t.Context()); !errors.Is(err, store.ErrDeviceDeleted) {
			t.Errorf("save: %v", err)
		}
		if err := stores.PutSession(t.Context(), "1:0", []byte("s")); err == nil {
			t.Error("a deleted device takes a session")
		}
	})
}

func TestIdentities(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, ids := t.Context(), b.device.Identities
		one, two := [32]byte(fill(32, 1)), [32]byte(fill(32, 2))
		equal(t, "unknown is trusted", get[bool](t)(ids.IsTrustedIdentity(ctx, "11:0", one)), true)
		for _, a := range []string{"11:0", "11:3", "112:0"} {
			must(t, ids.PutIdentity(ctx, a, one))
		}
		must(t, ids.PutIdentity(ctx, "11:3", two))
		b.again(t, func(d *store.Device) {
			equal(t, "same", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, "11:0", one)), true)
			equal(t, "other", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, "11:0", two)), false)
			equal(t, "replaced", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, "11:3", two)), true)
		})
		must(t, b.device.Identities.DeleteIdentity(ctx, "11:3"))
		b.again(t, func(d *store.Device) {
			equal(t, "deleted", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, "11:3", one)), true)
		})
		must(t, b.device.Identities.DeleteAllIdentities(ctx, "11"))
		b.again(t, func(d *store.Device) {
			equal(t, "all deleted", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, "11:0", two)), true)
			equal(t, "another user's", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, "112:0", two)), false)
		})
	})
}

func TestSessions(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, key := t.Context(), [32]byte(fill(32, 9))
		must(t, b.device.Sessions.PutSession(ctx, "11:0", []byte("one")))
		must(t, b.device.Identities.PutIdentity(ctx, "11:0", key))
		must(t, b.device.Sessions.PutManySessions(ctx, map[string][]byte{"11:1": []byte("two"), "112:0": []byte("three")}))
		b.again(t, func(d *store.Device) {
			equal(t, "session", get[[]byte](t)(d.Sessions.GetSession(ctx, "11:0")), []byte("one"))
			equal(t, "no session", get[[]byte](t)(d.Sessions.GetSession(ctx, "5:0")), []byte(nil))
			equal(t, "has", get[bool](t)(d.Sessions.HasSession(ctx, "11:1")), true)
			equal(t, "hasn't", get[bool](t)(d.Sessions.HasSession(ctx, "5:0")), false)
			equal(t, "many", get[map[string][]byte](t)(d.Sessions.GetManySessions(ctx, []string{"11:1", "5:0", "112:0"})),
				map[string][]byte{"11:1": []byte("two"), "5:0": nil, "112:0": []byte("three")})
			equal(t, "none", get[map[string][]byte](t)(d.Sessions.GetManySessions(ctx, nil)), map[string][]byte(nil))
		})
		must(t, b.device.Sessions.DeleteSession(ctx, "112:0"))
		must(t, b.device.Sessions.DeleteAllSessions(ctx, "11"))
		b.again(t, func(d *store.Device) {
			for _, a := range []string{"11:0", "11:1", "112:0"} {
				equal(t, "deleted", get[bool](t)(d.Sessions.HasSession(ctx, a)), false)
			}
			equal(t, "identity stays", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, "11:0", [32]byte{})), false)
		})
	})
}

func TestMigratePNToLID(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, d := t.Context(), b.device
		pn, lid := pnA.SignalAddressUser(), lidA.SignalAddressUser()
		must(t, d.Sessions.PutSession(ctx, pn+":0", []byte("old 0")))
		must(t, d.Sessions.PutSession(ctx, pn+":2", []byte("old 2")))
		must(t, d.Identities.PutIdentity(ctx, pn+":2", [32]byte(fill(32, 2))))
		must(t, d.SenderKeys.PutSenderKey(ctx, group.String(), pn+":2", []byte("sender")))
		must(t, d.Sessions.PutSession(ctx, lid+":0", []byte("new 0")))
		must(t, d.Identities.PutIdentity(ctx, lid+":0", [32]byte(fill(32, 7))))
		must(t, d.Sessions.MigratePNToLID(ctx, pnA, lidA))
		b.again(t, func(d *store.Device) {
			equal(t, "0", get[[]byte](t)(d.Sessions.GetSession(ctx, lid+":0")), []byte("old 0"))
			equal(t, "0's identity stays", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, lid+":0", [32]byte(fill(32, 7)))), true)
			equal(t, "2", get[[]byte](t)(d.Sessions.GetSession(ctx, lid+":2")), []byte("old 2"))
			equal(t, "2's identity", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, lid+":2", [32]byte{})), false)
			equal(t, "sender key", get[[]byte](t)(d.SenderKeys.GetSenderKey(ctx, group.String(), lid+":2")), []byte("sender"))
			equal(t, "old session", get[bool](t)(d.Sessions.HasSession(ctx, pn+":0")), false)
			equal(t, "old identity", get[bool](t)(d.Identities.IsTrustedIdentity(ctx, pn+":2", [32]byte{})), true)
			equal(t, "old sender key", get[[]byte](t)(d.SenderKeys.GetSenderKey(ctx, group.String(), pn+":2")), []byte(nil))
		})
	})
}

func TestPreKeys(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx := t.Context()
		made, err := b.device.PreKeys.GetOrGenPreKeys(ctx, 60)
		must(t, err)
		for i, k := range made {
			equal(t, "id", k.KeyID, uint32(i+1))
		}
		b.again(t, func(d *store.Device) {
			same, err := d.PreKeys.GetOrGenPreKeys(ctx, 60)
			must(t, err)
			for i := range same {
				equal(t, "the same key", *same[i].Pub, *made[i].Pub)
			}
			equal(t, "uploaded", get[int](t)(d.PreKeys.UploadedPreKeyCount(ctx)), 0)
		})
		d := b.device
		must(t, d.PreKeys.MarkPreKeysAsUploaded(ctx, 50))
		one, err := d.PreKeys.GenOnePreKey(ctx)
		must(t, err)
		equal(t, "one more", one.KeyID, uint32(61))
		must(t, d.PreKeys.RemovePreKey(ctx, 25))
		must(t, d.PreKeys.RemovePreKey(ctx, 999))
		b.again(t, func(d *store.Device) {
			equal(t, "uploaded", get[int](t)(d.PreKeys.UploadedPreKeyCount(ctx)), 50)
			if k, err := d.PreKeys.GetPreKey(ctx, 25); err != nil && !errors.Is(err, sql.ErrNoRows) || k != nil {
				t.Errorf("removed key: %v, %v", k, err)
			}
			k, err := d.PreKeys.GetPreKey(ctx, 61)
			must(t, err)
			equal(t, "one's private key", *k.Priv, *one.Priv)
			more, err := d.PreKeys.GetOrGenPreKeys(ctx, 12)
			must(t, err)
			equal(t, "first that isn't uploaded", more[0].KeyID, uint32(51))
			equal(t, "generated", more[11].KeyID, uint32(63))
		})
	})
}

func TestAppStateKeys(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, keys := t.Context(), b.device.AppStateKeys
		equal(t, "none", get[[]byte](t)(keys.GetLatestAppStateSyncKeyID(ctx)), []byte(nil))
		k1 := store.AppStateSyncKey{Data: []byte("data 1"), Fingerprint: []byte("print 1"), Timestamp: 100}
		k2 := store.AppStateSyncKey{Data: []byte("data 2"), Fingerprint: []byte("print 2"), Timestamp: 200}
		must(t, keys.PutAppStateSyncKey(ctx, []byte{0, 1}, k1))
		must(t, keys.PutAppStateSyncKey(ctx, []byte{0, 2}, k2))
		older := k2
		older.Data, older.Timestamp = []byte("older"), 150
		must(t, keys.PutAppStateSyncKey(ctx, []byte{0, 2}, older))
		b.again(t, func(d *store.Device) {
			keys := d.AppStateKeys
			equal(t, "latest", get[[]byte](t)(keys.GetLatestAppStateSyncKeyID(ctx)), []byte{0, 2})
			equal(t, "key", get[*store.AppStateSyncKey](t)(keys.GetAppStateSyncKey(ctx, []byte{0, 2})), &k2)
			equal(t, "no key", get[*store.AppStateSyncKey](t)(keys.GetAppStateSyncKey(ctx, []byte{9})), (*store.AppStateSyncKey)(nil))
			equal(t, "all", get[[]*store.AppStateSyncKey](t)(keys.GetAllAppStateSyncKeys(ctx)), []*store.AppStateSyncKey{&k2, &k1})
		})
	})
}

func TestAppState(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, s := t.Context(), b.device.AppState
		mac := func(i, v byte) store.AppStateMutationMAC {
			return store.AppStateMutationMAC{IndexMAC: fill(32, i), ValueMAC: fill(32, v)}
		}
		if err := s.PutAppStateMutationMACs(ctx, "regular", 1, []store.AppStateMutationMAC{mac(1, 1)}); err == nil {
			t.Error("MACs without a version are taken")
		}
		hash := [128]byte(fill(128, 5))
		must(t, s.PutAppStateVersion(ctx, "regular", 3, hash))
		var many []store.AppStateMutationMAC
		for i := range 200 {
			many = append(many, mac(byte(i), byte(i)))
		}
		must(t, s.PutAppStateMutationMACs(ctx, "regular", 3, many))
		must(t, s.PutAppStateVersion(ctx, "regular", 4, hash))
		must(t, s.DeleteAppStateMutationMACs(ctx, "regular", [][]byte{fill(32, 7), fill(32, 8)}))
		equal(t, "deleted at once", get[[]byte](t)(s.GetAppStateMutationMAC(ctx, "regular", fill(32, 7))), []byte(nil))
		must(t, s.PutAppStateMutationMACs(ctx, "regular", 4, []store.AppStateMutationMAC{mac(7, 77), mac(9, 99)}))
		b.again(t, func(d *store.Device) {
			s := d.AppState
			version, h, err := s.GetAppStateVersion(ctx, "regular")
			must(t, err)
			equal(t, "version", version, uint64(4))
			equal(t, "hash", h, hash)
			for i, want := range map[byte][]byte{6: fill(32, 6), 7: fill(32, 77), 8: nil, 9: fill(32, 99), 250: nil} {
				equal(t, "MAC", get[[]byte](t)(s.GetAppStateMutationMAC(ctx, "regular", fill(32, i))), want)
			}
			equal(t, "other name", get[[]byte](t)(s.GetAppStateMutationMAC(ctx, "regular_low", fill(32, 6))), []byte(nil))
		})
		must(t, b.device.AppState.DeleteAppStateVersion(ctx, "regular"))
		b.again(t, func(d *store.Device) {
			version, h, err := d.AppState.GetAppStateVersion(ctx, "regular")
			must(t, err)
			equal(t, "version", version, uint64(0))
			equal(t, "hash", h, [128]byte{})
		})
		must(t, b.device.AppState.PutAppStateVersion(ctx, "regular", 1, hash))
		b.again(t, func(d *store.Device) {
			equal(t, "MACs went with the version", get[[]byte](t)(d.AppState.GetAppStateMutationMAC(ctx, "regular", fill(32, 6))), []byte(nil))
		})
	})
}

func TestContacts(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, c := t.Context(), b.device.Contacts
		changed, previous, err := c.PutPushName(ctx, pnA, "")
		must(t, err)
		equal(t, "nothing changed", []any{changed, previous}, []any{false, ""})
		equal(t, "not found", get[types.ContactInfo](t)(c.GetContact(ctx, pnA)), types.ContactInfo{})
		changed, previous, err = c.PutPushName(ctx, pnA, "Budi")
		must(t, err)
		equal(t, "new", []any{changed, previous}, []any{true, ""})
		changed, previous, err = c.PutPushName(ctx, pnA, "Budi S")
		must(t, err)
		equal(t, "changed", []any{changed, previous}, []any{true, "Budi"})
		_, _, err = c.PutBusinessName(ctx, pnA, "Toko Budi")
		must(t, err)
		must(t, c.PutContactName(ctx, pnA, "Budi", "Budi Santoso"))
		must(t, c.PutAllContactNames(ctx, []store.ContactEntry{{JID: pnB}, {JID: lidA, FirstName: "A", FullName: "A B"}}))
		must(t, c.PutManyRedactedPhones(ctx, []store.RedactedPhoneEntry{{JID: lidA, RedactedPhone: "+62∙∙∙11"}}))
		want := map[types.JID]types.ContactInfo{
			pnA:  {Found: true, FirstName: "Budi", FullName: "Budi Santoso", PushName: "Budi S", BusinessName: "Toko Budi"},
			pnB:  {Found: true},
			lidA: {Found: true, FirstName: "A", FullName: "A B", RedactedPhone: "+62∙∙∙11"},
		}
		b.again(t, func(d *store.Device) {
			for jid, info := range want {
				equal(t, "contact", get[types.ContactInfo](t)(d.Contacts.GetContact(ctx, jid)), info)
			}
			equal(t, "all", get[map[types.JID]types.ContactInfo](t)(d.Contacts.GetAllContacts(ctx)), want)
		})
	})
}

func TestMessageSecrets(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, s := t.Context(), b.device.MsgSecrets
		sender := types.JID{User: pnA.User, Device: 3, Server: types.DefaultUserServer}
		must(t, s.PutMessageSecret(ctx, pnA, sender, "ONE", []byte("first")))
		must(t, s.PutMessageSecret(ctx, pnA, sender, "ONE", []byte("second")))
		must(t, s.PutMessageSecrets(ctx, []store.MessageSecretInsert{
			{Chat: group, Sender: lidB, ID: "TWO", Secret: []byte("two")}, {Chat: group, Sender: lidB, ID: "TWO", Secret: []byte("again")},
			{Chat: group, Sender: lidB, ID: "THREE", Secret: []byte("three")},
		}))
		must(t, b.device.LIDs.PutLIDMapping(ctx, lidA, pnA))
		must(t, b.device.LIDs.PutLIDMapping(ctx, lidB, pnB))
		b.again(t, func(d *store.Device) {
			for _, c := range []struct {
				chat, sender types.JID
				id           string
				secret       []byte
				real         types.JID
			}{
				{pnA, pnA, "ONE", []byte("first"), pnA},
				{lidA, lidA, "ONE", []byte("first"), pnA},
				{lidA, pnA, "ONE", []byte("first"), pnA},
				{group, pnB, "TWO", []byte("two"), lidB},
				{group, lidB, "THREE", []byte("three"), lidB},
				{group, pnA, "THREE", nil, types.JID{}},
				{pnB, pnA, "ONE", nil, types.JID{}},
			} {
				secret, real, err := d.MsgSecrets.GetMessageSecret(ctx, c.chat, c.sender, c.id)
				must(t, err)
				equal(t, c.id, []any{secret, real}, []any{c.secret, c.real})
			}
		})
	})
}

func TestPrivacyTokens(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, s := t.Context(), b.device.PrivacyTokens
		at := func(n int64) time.Time { return time.Unix(n, 0) }
		must(t, s.PutPrivacyTokens(ctx,
			store.PrivacyToken{User: pnA, Token: []byte("a"), Timestamp: at(100), SenderTimestamp: at(90)},
			store.PrivacyToken{User: lidA, Token: []byte("l"), Timestamp: at(200)},
			store.PrivacyToken{User: pnB, Token: []byte("b"), Timestamp: at(150)}))
		must(t, s.PutPrivacyTokens(ctx, store.PrivacyToken{User: pnA, Token: []byte("older"), Timestamp: at(50)}))
		must(t, s.PutPrivacyTokens(ctx, store.PrivacyToken{User: pnA, Token: []byte("a2"), Timestamp: at(110)}))
		b.again(t, func(d *store.Device) {
			equal(t, "token", get[*store.PrivacyToken](t)(d.PrivacyTokens.GetPrivacyToken(ctx, pnA)),
				&store.PrivacyToken{User: pnA, Token: []byte("a2"), Timestamp: at(110), SenderTimestamp: at(90)})
			equal(t, "none", get[*store.PrivacyToken](t)(d.PrivacyTokens.GetPrivacyToken(ctx, lidB)), (*store.PrivacyToken)(nil))
		})
		must(t, b.device.LIDs.PutLIDMapping(ctx, lidA, pnA))
		b.again(t, func(d *store.Device) {
			equal(t, "youngest of both", get[*store.PrivacyToken](t)(d.PrivacyTokens.GetPrivacyToken(ctx, pnA)),
				&store.PrivacyToken{User: pnA, Token: []byte("l"), Timestamp: at(200)})
		})
		equal(t, "expired", get[int64](t)(b.device.PrivacyTokens.DeleteExpiredPrivacyTokens(ctx, at(151))), int64(2))
		b.again(t, func(d *store.Device) {
			equal(t, "gone", get[*store.PrivacyToken](t)(d.PrivacyTokens.GetPrivacyToken(ctx, pnB)), (*store.PrivacyToken)(nil))
		})
	})
}

func TestNCTSalt(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx := t.Context()
		equal(t, "none", get[[]byte](t)(b.device.NCTSalt.GetNCTSalt(ctx)), []byte(nil))
		must(t, b.device.NCTSalt.PutNCTSalt(ctx, []byte("a")))
		must(t, b.device.NCTSalt.PutNCTSalt(ctx, []byte("b")))
		b.again(t, func(d *store.Device) { equal(t, "salt", get[[]byte](t)(d.NCTSalt.GetNCTSalt(ctx)), []byte("b")) })
		must(t, b.device.NCTSalt.DeleteNCTSalt(ctx))
		b.again(t, func(d *store.Device) { equal(t, "deleted", get[[]byte](t)(d.NCTSalt.GetNCTSalt(ctx)), []byte(nil)) })
	})
}

func TestDecryption(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, at := t.Context(), time.Unix(1700000000, 0)
		hash := [32]byte(fill(32, 1))
		_, err := b.device.PreKeys.GetOrGenPreKeys(ctx, 3)
		must(t, err)
		decrypt := func(d *store.Device, fail error) error {
			return d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
				must(t, d.Sessions.PutSession(ctx, "11:0", []byte("stepped")))
				must(t, d.Identities.PutIdentity(ctx, "11:0", [32]byte{1}))
				must(t, d.SenderKeys.PutSenderKey(ctx, group.String(), "11:0", []byte("sender")))
				must(t, d.PreKeys.RemovePreKey(ctx, 2))
				must(t, d.EventBuffer.PutBufferedEvent(ctx, hash, []byte("halo"), at))
				equal(t, "seen inside", get[[]byte](t)(d.Sessions.GetSession(ctx, "11:0")), []byte("stepped"))
				return fail
			})
		}
		state := func(d *store.Device) (has, preKey bool, plaintext []byte) {
			k, err := d.PreKeys.GetPreKey(ctx, 2)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				t.Fatal(err)
			}
			e := get[*store.BufferedEvent](t)(d.EventBuffer.GetBufferedEvent(ctx, hash))
			if e != nil {
				plaintext = e.Plaintext
				equal(t, "server's time", e.ServerTime, at)
			}
			return get[bool](t)(d.Sessions.HasSession(ctx, "11:0")), k != nil, plaintext
		}
		broken := errors.New("broken")
		if err := decrypt(b.device, broken); !errors.Is(err, broken) {
			t.Fatalf("failed decryption: %v", err)
		}
		b.again(t, func(d *store.Device) {
			has, preKey, plaintext := state(d)
			equal(t, "after a failure", []any{has, preKey, plaintext}, []any{false, true, []byte(nil)})
		})
		must(t, decrypt(b.device, nil))
		b.again(t, func(d *store.Device) {
			has, preKey, plaintext := state(d)
			equal(t, "after success", []any{has, preKey, plaintext}, []any{true, false, []byte("halo")})
			equal(t, "sender key", get[[]byte](t)(d.SenderKeys.GetSenderKey(ctx, group.String(), "11:0")), []byte("sender"))
		})
		must(t, b.device.EventBuffer.ClearBufferedEventPlaintext(ctx, hash))
		if e := get[*store.BufferedEvent](t)(b.device.EventBuffer.GetBufferedEvent(ctx, hash)); e == nil || e.Plaintext != nil {
			t.Errorf("after it is handled: %v", e)
		}
		must(t, b.device.EventBuffer.DeleteOldBufferedHashes(ctx))
		b.again(t, func(d *store.Device) {
			_, _, plaintext := state(d)
			equal(t, "plaintext", plaintext, []byte(nil))
		})
	})
}

func TestLIDs(t *testing.T) {
	forEachBackend(t, func(t *testing.T, b *backend) {
		ctx, l := t.Context(), b.device.LIDs
		must(t, l.PutLIDMapping(ctx, lidA, pnA))
		must(t, l.PutManyLIDMappings(ctx, []store.LIDMapping{{LID: lidB, PN: pnB}, {LID: pnA, PN: lidA}}))
		withDevice := func(j types.JID) types.JID { j.Device = 4; return j }
		b.again(t, func(d *store.Device) {
			equal(t, "LID", get[types.JID](t)(d.LIDs.GetLIDForPN(ctx, withDevice(pnA))), withDevice(lidA))
			equal(t, "PN", get[types.JID](t)(d.LIDs.GetPNForLID(ctx, withDevice(lidB))), withDevice(pnB))
			equal(t, "many", get[map[types.JID]types.JID](t)(d.LIDs.GetManyLIDsForPNs(ctx, []types.JID{withDevice(pnA), pnB, group, types.NewJID("1", types.DefaultUserServer)})),
				map[types.JID]types.JID{withDevice(pnA): withDevice(lidA), pnB: lidB})
		})
		for _, err := range []error{l.PutLIDMapping(ctx, pnA, lidA), second(l.GetLIDForPN(ctx, lidA)), second(l.GetPNForLID(ctx, pnA))} {
			if err == nil {
				t.Error("a wrong server is taken")
			}
		}
		must(t, b.device.LIDs.PutLIDMapping(ctx, lidA, pnB)) // both had another before
		b.again(t, func(d *store.Device) {
			equal(t, "new LID", get[types.JID](t)(d.LIDs.GetLIDForPN(ctx, pnB)), lidA)
			equal(t, "new PN", get[types.JID](t)(d.LIDs.GetPNForLID(ctx, lidA)), pnB)
			equal(t, "left PN", get[types.JID](t)(d.LIDs.GetLIDForPN(ctx, pnA)), types.JID{})
			equal(t, "left LID", get[types.JID](t)(d.LIDs.GetPNForLID(ctx, lidB)), types.JID{})
		})
	})
}

func TestLastMappingCounts(t *testing.T) {
	ctx, b := t.Context(), newKeys(t, table(t), keystore.Options{})
	must(t, b.device.LIDs.PutLIDMapping(ctx, lidA, pnA))
	must(t, b.device.LIDs.PutManyLIDMappings(ctx, []store.LIDMapping{{LID: lidB, PN: pnA}, {LID: lidA, PN: pnB}, {LID: lidA, PN: pnA}}))
	b.again(t, func(d *store.Device) {
		equal(t, "LID", get[types.JID](t)(d.LIDs.GetLIDForPN(ctx, pnA)), lidA)
		equal(t, "PN", get[types.JID](t)(d.LIDs.GetPNForLID(ctx, lidA)), pnA)
		equal(t, "left PN", get[types.JID](t)(d.LIDs.GetLIDForPN(ctx, pnB)), types.JID{})
		equal(t, "left LID", get[types.JID](t)(d.LIDs.GetPNForLID(ctx, lidB)), types.JID{})
	})
}

func second(_ types.JID, err error) error { return err }
