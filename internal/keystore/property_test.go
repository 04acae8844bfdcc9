package keystore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"pgregory.net/rapid"

	"pesan/internal/keystore"
	"pesan/internal/kv"
)

// TestSameAnswers drives whatsmeow's own store and ours with the same random calls, opened anew now and then, and compares every answer.
func TestSameAnswers(t *testing.T) {
	forEachStore(t, func(t *testing.T, db kv.Store) {
		rapid.Check(t, func(rt *rapid.T) { sameAnswers(t, rt, db) })
	})
}

func sameAnswers(t *testing.T, rt *rapid.T, db kv.Store) {
	folder, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		rt.Fatalf("%v", err)
	}
	cache := rapid.SampledFrom([]int{1, 5_000, 1 << 20}).Draw(rt, "cache")
	m := &pair{
		t: rt, theirs: newSQL(rt, folder), ours: newKeys(rt, db, keystore.Options{CacheBytes: cache}),
		versions: map[string]uint64{}, stamps: map[int64]bool{},
	}
	rt.Repeat(map[string]func(*rapid.T){
		"reopen": m.reopen, "sessions": m.sessions, "users": m.users, "decrypt": m.decrypt, "clear": m.clear, "pre keys": m.preKeys,
		"app state keys": m.appStateKeys, "app state": m.appState, "contacts": m.contacts, "lids": m.lids,
		"tokens": m.tokens, "secrets": m.secrets, "salt": m.salt, "": m.compareAll,
	})
}

// pair is one device kept twice.
type pair struct {
	t            *rapid.T
	theirs, ours *backend

	versions map[string]uint64 // of collections, ever growing
	stamps   map[int64]bool    // of privacy tokens
}

var (
	addresses = rapid.SampledFrom([]string{"111:0", "111:5", "222:0", "333_1:0", "333_1:5", "444_1:0"})
	users     = rapid.SampledFrom([]string{"111", "222", "333_1", "444_1"})
	pns       = rapid.SampledFrom([]types.JID{types.NewJID("111", types.DefaultUserServer), types.NewJID("222", types.DefaultUserServer)})
	lids      = rapid.SampledFrom([]types.JID{types.NewJID("333", types.HiddenUserServer), types.NewJID("444", types.HiddenUserServer)})
	jids      = rapid.OneOf(pns, lids, rapid.Just(group))
	values    = rapid.SliceOfN(rapid.Byte(), 1, 40)
	names     = rapid.SampledFrom([]string{"", "Sari", "Budi", "Toko Éka"})
	ids       = rapid.SampledFrom([]string{"A", "B", "C"})
	small     = rapid.IntRange(0, 5)
)

func key32(n int) [32]byte { return [32]byte(fill(32, byte(n))) }

// both calls f on both devices and compares what it returns; errors only by whether there is one.
func (m *pair) both(what string, f func(ctx context.Context, d *store.Device) (any, error)) {
	m.t.Helper()
	theirs, theirErr := f(m.t.Context(), m.theirs.device)
	ours, ourErr := f(m.t.Context(), m.ours.device)
	if (theirErr == nil) != (ourErr == nil) {
		m.t.Fatalf("%s: theirs %v, ours %v", what, theirErr, ourErr)
	}
	if theirErr == nil && !reflect.DeepEqual(theirs, ours) {
		m.t.Fatalf("%s: theirs %v, ours %v", what, theirs, ours)
	}
}

func (m *pair) do(what string, f func(ctx context.Context, d *store.Device) error) {
	m.t.Helper()
	m.both(what, func(ctx context.Context, d *store.Device) (any, error) { return nil, f(ctx, d) })
}

func (m *pair) reopen(*rapid.T) {
	m.theirs.device, m.ours.device = m.theirs.reopen(m.t), m.ours.reopen(m.t)
}

func (m *pair) sessions(t *rapid.T) {
	step := steps.Draw(t, "step")
	m.do("step", func(ctx context.Context, d *store.Device) error { return step.do(ctx, d) })
	many := rapid.MapOfN(addresses, values, 0, 3).Draw(t, "many")
	m.do("put many", func(ctx context.Context, d *store.Device) error { return d.Sessions.PutManySessions(ctx, many) })
}

func (m *pair) users(t *rapid.T) {
	user := users.Draw(t, "user")
	pn, lid := pns.Draw(t, "pn"), lids.Draw(t, "lid")
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		m.do("delete sessions", func(ctx context.Context, d *store.Device) error { return d.Sessions.DeleteAllSessions(ctx, user) })
	case 1:
		m.do("delete identities", func(ctx context.Context, d *store.Device) error { return d.Identities.DeleteAllIdentities(ctx, user) })
	default:
		m.do("migrate", func(ctx context.Context, d *store.Device) error { return d.Sessions.MigratePNToLID(ctx, pn, lid) })
	}
}

// step is a change that may be part of a decryption.
type step struct {
	kind     int
	address  string
	value    []byte
	identity int
	preKey   uint32
}

var steps = rapid.Custom(func(t *rapid.T) step {
	return step{
		rapid.IntRange(0, 5).Draw(t, "kind"), addresses.Draw(t, "address"), values.Draw(t, "value"), small.Draw(t, "identity"),
		uint32(rapid.IntRange(1, 30).Draw(t, "pre key")),
	}
})

func (s step) do(ctx context.Context, d *store.Device) error {
	switch s.kind {
	case 0:
		return d.Sessions.PutSession(ctx, s.address, s.value)
	case 1:
		return d.Sessions.DeleteSession(ctx, s.address)
	case 2:
		return d.Identities.PutIdentity(ctx, s.address, key32(s.identity))
	case 3:
		return d.Identities.DeleteIdentity(ctx, s.address)
	case 4:
		return d.SenderKeys.PutSenderKey(ctx, group.String(), s.address, s.value)
	default:
		return d.PreKeys.RemovePreKey(ctx, s.preKey)
	}
}

var errAborted = errors.New("aborted")

func (m *pair) decrypt(t *rapid.T) {
	list := rapid.SliceOfN(steps, 0, 4).Draw(t, "steps")
	hash, plaintext, abort := key32(small.Draw(t, "hash")), values.Draw(t, "plaintext"), rapid.IntRange(0, 3).Draw(t, "abort") == 0
	m.do("decrypt", func(ctx context.Context, d *store.Device) error {
		return d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
			for _, s := range list {
				if err := s.do(ctx, d); err != nil {
					return err
				}
				if _, err := d.Sessions.GetSession(ctx, s.address); err != nil {
					return err
				}
			}
			if err := d.EventBuffer.PutBufferedEvent(ctx, hash, plaintext, time.Unix(1700000000, 0)); err != nil || !abort {
				return err
			}
			return errAborted
		})
	})
}

func (m *pair) clear(t *rapid.T) {
	hash := key32(small.Draw(t, "hash"))
	m.do("clear", func(ctx context.Context, d *store.Device) error {
		return d.EventBuffer.ClearBufferedEventPlaintext(ctx, hash)
	})
}

func (m *pair) preKeys(t *rapid.T) {
	n, upTo := uint32(rapid.IntRange(0, 30).Draw(t, "count")), uint32(rapid.IntRange(0, 40).Draw(t, "up to"))
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		m.both("get or generate", func(ctx context.Context, d *store.Device) (any, error) {
			ks, err := d.PreKeys.GetOrGenPreKeys(ctx, n)
			var ids []uint32
			for _, k := range ks {
				ids = append(ids, k.KeyID)
			}
			return ids, err
		})
	case 1:
		m.both("generate one", func(ctx context.Context, d *store.Device) (any, error) {
			k, err := d.PreKeys.GenOnePreKey(ctx)
			return k.KeyID, err
		})
	default:
		m.do("mark", func(ctx context.Context, d *store.Device) error { return d.PreKeys.MarkPreKeysAsUploaded(ctx, upTo) })
	}
}

func (m *pair) appStateKeys(t *rapid.T) {
	// One timestamp for each key: which of two keys of a moment is the latest isn't said.
	n, newer := small.Draw(t, "key"), rapid.IntRange(0, 2).Draw(t, "newer")
	key := store.AppStateSyncKey{Data: values.Draw(t, "data"), Fingerprint: values.Draw(t, "fingerprint"), Timestamp: int64(newer*10 + n + 1)}
	m.do("put key", func(ctx context.Context, d *store.Device) error {
		return d.AppStateKeys.PutAppStateSyncKey(ctx, []byte{0, byte(n)}, key)
	})
}

var collections = rapid.SampledFrom([]string{"regular", "regular_high"})

func (m *pair) appState(t *rapid.T) {
	name := collections.Draw(t, "name")
	if rapid.IntRange(0, 5).Draw(t, "forget") == 0 {
		m.do("delete version", func(ctx context.Context, d *store.Device) error { return d.AppState.DeleteAppStateVersion(ctx, name) })
		return
	}
	hash := [128]byte(fill(128, byte(small.Draw(t, "hash"))))
	indexes := rapid.SliceOfDistinct(small, rapid.ID)
	var removed [][]byte
	for _, i := range indexes.Draw(t, "removed") {
		removed = append(removed, fill(32, byte(i)))
	}
	var added []store.AppStateMutationMAC
	for _, i := range indexes.Draw(t, "added") {
		added = append(added, store.AppStateMutationMAC{IndexMAC: fill(32, byte(i)), ValueMAC: fill(32, rapid.Byte().Draw(t, "mac"))})
	}
	m.versions[name]++
	version := m.versions[name]
	m.do("put version", func(ctx context.Context, d *store.Device) error {
		return d.AppState.PutAppStateVersion(ctx, name, version, hash)
	})
	m.do("delete MACs", func(ctx context.Context, d *store.Device) error {
		return d.AppState.DeleteAppStateMutationMACs(ctx, name, removed)
	})
	m.compareAppState(name)
	if rapid.Bool().Draw(t, "add") {
		m.do("put MACs", func(ctx context.Context, d *store.Device) error {
			return d.AppState.PutAppStateMutationMACs(ctx, name, version, added)
		})
	}
}

func (m *pair) compareAppState(name string) {
	for i := range 6 {
		m.both("get MAC", func(ctx context.Context, d *store.Device) (any, error) {
			return d.AppState.GetAppStateMutationMAC(ctx, name, fill(32, byte(i)))
		})
	}
	m.both("get version", func(ctx context.Context, d *store.Device) (any, error) {
		version, hash, err := d.AppState.GetAppStateVersion(ctx, name)
		return fmt.Sprint(version, hash), err
	})
}

func (m *pair) contacts(t *rapid.T) {
	jid, name, full := jids.Draw(t, "jid"), names.Draw(t, "name"), names.Draw(t, "full")
	put := func(what string, f func(context.Context, types.JID, string) (bool, string, error)) (any, error) {
		changed, previous, err := f(m.t.Context(), jid, name)
		return fmt.Sprint(what, changed, previous), err
	}
	others := rapid.SliceOfNDistinct(jids, 0, 4, rapid.ID).Draw(t, "others")
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 0:
		m.both("push name", func(_ context.Context, d *store.Device) (any, error) { return put("push", d.Contacts.PutPushName) })
	case 1:
		m.both("business name", func(_ context.Context, d *store.Device) (any, error) {
			return put("business", d.Contacts.PutBusinessName)
		})
	case 2:
		m.do("contact name", func(ctx context.Context, d *store.Device) error {
			return d.Contacts.PutContactName(ctx, jid, name, full)
		})
	case 3:
		var all []store.ContactEntry
		for _, o := range others {
			all = append(all, store.ContactEntry{JID: o, FirstName: name, FullName: full})
		}
		m.do("all names", func(ctx context.Context, d *store.Device) error {
			return d.Contacts.PutAllContactNames(ctx, slices.Clone(all))
		})
	default:
		var all []store.RedactedPhoneEntry
		for _, o := range others { // never empty: for that theirs goes on saying that there is no such contact
			all = append(all, store.RedactedPhoneEntry{JID: o, RedactedPhone: "+62∙∙" + name})
		}
		m.do("redacted phones", func(ctx context.Context, d *store.Device) error {
			return d.Contacts.PutManyRedactedPhones(ctx, slices.Clone(all))
		})
	}
}

var mappings = rapid.Custom(func(t *rapid.T) store.LIDMapping {
	return store.LIDMapping{LID: rapid.OneOf(lids, jids).Draw(t, "lid"), PN: rapid.OneOf(pns, jids).Draw(t, "pn")}
})

func (m *pair) lids(t *rapid.T) {
	// Each address once in a call: of mappings that exclude each other theirs passes over one that it has in its cache, and takes another for the last one.
	used := map[types.JID]bool{}
	many := slices.DeleteFunc(rapid.SliceOfN(mappings, 1, 3).Draw(t, "mappings"), func(p store.LIDMapping) bool {
		seen := used[p.LID] || used[p.PN]
		used[p.LID], used[p.PN] = true, true
		return seen
	})
	m.do("map", func(ctx context.Context, d *store.Device) error {
		return d.LIDs.PutLIDMapping(ctx, many[0].LID, many[0].PN)
	})
	m.do("map many", func(ctx context.Context, d *store.Device) error {
		return d.LIDs.PutManyLIDMappings(ctx, slices.Clone(many))
	})
}

func (m *pair) tokens(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "expire") == 0 {
		cutoff := time.Unix(int64(rapid.IntRange(1, 1000).Draw(t, "cutoff")), 0)
		m.both("expire", func(ctx context.Context, d *store.Device) (any, error) {
			return d.PrivacyTokens.DeleteExpiredPrivacyTokens(ctx, cutoff)
		})
		return
	}
	var many []store.PrivacyToken
	for range rapid.IntRange(1, 3).Draw(t, "n") {
		// Which of two tokens of a moment is the youngest isn't said.
		stamp := rapid.Int64Range(1, 1000).Filter(func(s int64) bool { return !m.stamps[s] }).Draw(t, "stamp")
		m.stamps[stamp] = true
		token := store.PrivacyToken{User: jids.Draw(t, "user"), Token: values.Draw(t, "token"), Timestamp: time.Unix(stamp, 0)}
		if rapid.Bool().Draw(t, "sender's") {
			token.SenderTimestamp = time.Unix(stamp+5, 0)
		}
		many = append(many, token)
	}
	m.do("tokens", func(ctx context.Context, d *store.Device) error {
		return d.PrivacyTokens.PutPrivacyTokens(ctx, many...)
	})
}

func (m *pair) secrets(t *rapid.T) {
	var many []store.MessageSecretInsert
	for range rapid.IntRange(1, 3).Draw(t, "n") {
		id := ids.Draw(t, "id")
		// One secret for an id: which of the secrets under a person's two addresses is found isn't said.
		many = append(many, store.MessageSecretInsert{Chat: jids.Draw(t, "chat"), Sender: jids.Draw(t, "sender"), ID: id, Secret: []byte("secret " + id)})
	}
	m.do("secrets", func(ctx context.Context, d *store.Device) error {
		first := many[0]
		if err := d.MsgSecrets.PutMessageSecret(ctx, first.Chat, first.Sender, first.ID, first.Secret); err != nil {
			return err
		}
		return d.MsgSecrets.PutMessageSecrets(ctx, many)
	})
	chat, sender, id := jids.Draw(t, "chat"), jids.Draw(t, "sender"), ids.Draw(t, "id")
	m.both("secret", func(ctx context.Context, d *store.Device) (any, error) {
		secret, _, err := d.MsgSecrets.GetMessageSecret(ctx, chat, sender, id)
		return secret, err
	})
}

func (m *pair) salt(t *rapid.T) {
	salt := values.Draw(t, "salt")
	m.do("salt", func(ctx context.Context, d *store.Device) error {
		if salt[0]%4 == 0 {
			return d.NCTSalt.DeleteNCTSalt(ctx)
		}
		return d.NCTSalt.PutNCTSalt(ctx, salt)
	})
	m.both("salt", func(ctx context.Context, d *store.Device) (any, error) { return d.NCTSalt.GetNCTSalt(ctx) })
}

// compareAll asks what a message's way asks, after every step.
func (m *pair) compareAll(t *rapid.T) {
	address := addresses.Draw(t, "address")
	m.both("session", func(ctx context.Context, d *store.Device) (any, error) { return d.Sessions.GetSession(ctx, address) })
	m.both("sessions", func(ctx context.Context, d *store.Device) (any, error) {
		return d.Sessions.GetManySessions(ctx, []string{"111:0", "222:0", address})
	})
	m.both("has", func(ctx context.Context, d *store.Device) (any, error) { return d.Sessions.HasSession(ctx, address) })
	identity := key32(small.Draw(t, "identity"))
	m.both("trusted", func(ctx context.Context, d *store.Device) (any, error) {
		return d.Identities.IsTrustedIdentity(ctx, address, identity)
	})
	m.both("sender key", func(ctx context.Context, d *store.Device) (any, error) {
		return d.SenderKeys.GetSenderKey(ctx, group.String(), address)
	})
	hash := key32(small.Draw(t, "hash"))
	m.both("event", func(ctx context.Context, d *store.Device) (any, error) {
		e, err := d.EventBuffer.GetBufferedEvent(ctx, hash)
		if e == nil {
			return nil, err
		}
		return fmt.Sprint(e.Plaintext == nil, e.Plaintext, e.ServerTime), err
	})
	id := uint32(rapid.IntRange(1, 40).Draw(t, "pre key"))
	m.both("pre key", func(ctx context.Context, d *store.Device) (any, error) {
		k, err := d.PreKeys.GetPreKey(ctx, id)
		return k != nil && k.KeyID == id, err
	})
	m.both("uploaded", func(ctx context.Context, d *store.Device) (any, error) { return d.PreKeys.UploadedPreKeyCount(ctx) })
	m.compareAppState(collections.Draw(t, "name"))
	m.both("latest key", func(ctx context.Context, d *store.Device) (any, error) {
		return d.AppStateKeys.GetLatestAppStateSyncKeyID(ctx)
	})
	m.both("keys", func(ctx context.Context, d *store.Device) (any, error) {
		return d.AppStateKeys.GetAllAppStateSyncKeys(ctx)
	})
	jid, pn, lid := jids.Draw(t, "jid"), pns.Draw(t, "pn"), lids.Draw(t, "lid")
	m.both("contact", func(ctx context.Context, d *store.Device) (any, error) { return d.Contacts.GetContact(ctx, jid) })
	m.both("contacts", func(ctx context.Context, d *store.Device) (any, error) { return d.Contacts.GetAllContacts(ctx) })
	m.both("token", func(ctx context.Context, d *store.Device) (any, error) {
		return d.PrivacyTokens.GetPrivacyToken(ctx, jid)
	})
	m.both("LID", func(ctx context.Context, d *store.Device) (any, error) { return d.LIDs.GetLIDForPN(ctx, pn) })
	m.both("PN", func(ctx context.Context, d *store.Device) (any, error) { return d.LIDs.GetPNForLID(ctx, lid) })
	m.both("LIDs", func(ctx context.Context, d *store.Device) (any, error) {
		return d.LIDs.GetManyLIDsForPNs(ctx, []types.JID{pn, jid})
	})
}
