package whatsapp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// A store that fails is like a crash of the device. whatsmeow takes most errors of its stores for faults of what it was
// working on: it logs them and acknowledges, asks the sender for the message again, or goes on with half of an app state
// patch. So from the moment that a store, ours or whatsmeow's, returns an error nothing is sent on the connection any more,
// the event under way and those behind it are refused, and all that was kept in memory is dropped. The device starts anew
// from what is stored, and WhatsApp delivers again what wasn't acknowledged. What holds for a process that is killed at any
// moment holds for every fault of a store then.

// crash is what happens when a store has failed.
type crash struct {
	mu   sync.Mutex
	err  error         // the first
	over chan struct{} // closed once there is one
}

func newCrash() *crash { return &crash{over: make(chan struct{})} }

// now is called with every error; it keeps the first, for which it is true.
func (c *crash) now(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.err = err
	close(c.over)
	return true
}

// cause is the first error, nil while there was none.
func (c *crash) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// storeError is what whatsmeow gets of a store that failed. It acknowledges nothing for a cancelled context.
type storeError struct{ error }

func (e storeError) Unwrap() error        { return e.error }
func (e storeError) Is(target error) bool { return target == context.Canceled }

// guard stands before all stores of a device. It tells of each error once, before whatsmeow sees it.
type guard struct {
	store.ChatSettingsStore // nil, see stand

	behind store.Device    // the fields that are stores
	ctx    context.Context // of the run
	failed func(error)     // nothing is sent any more when it returns
	broken func() bool     // after failed
	mark   func(ctx context.Context) error
	wanted func(...appstate.WAPatchName)
	writes sync.Mutex  // held for a transaction: SQLite would poll for its lock
	over   atomic.Bool // the device is deleted, or about to be
	order  sync.Mutex  // of calls and the deletion of the device; guards what follows
	spent  [][32]byte  // hashes of messages whose handlers have succeeded, and whose plaintext is still there
}

var (
	_ store.AllStores       = (*guard)(nil)
	_ store.DeviceContainer = (*guard)(nil)
)

// install puts the guard before the stores that the device has by now: one that isn't linked has but its container.
func (g *guard) install(d *store.Device) {
	if d.Container != g {
		g.behind.Container = d.Container
		d.Container = g
	}
	if d.EventBuffer == nil || d.EventBuffer == g {
		return
	}
	g.behind.Identities, g.behind.Sessions, g.behind.PreKeys, g.behind.SenderKeys = d.Identities, d.Sessions, d.PreKeys, d.SenderKeys
	g.behind.AppStateKeys, g.behind.AppState, g.behind.Contacts = d.AppStateKeys, d.AppState, d.Contacts
	g.behind.MsgSecrets, g.behind.PrivacyTokens = d.MsgSecrets, d.PrivacyTokens
	g.behind.NCTSalt, g.behind.EventBuffer, g.behind.LIDs = d.NCTSalt, d.EventBuffer, d.LIDs
	g.stand(d)
}

// stand puts the guard in place of the stores. There is none for what a chat is set to, as that is kept with the chat.
func (g *guard) stand(d *store.Device) {
	d.SetAllStores(g)
	d.LIDs, d.ChatSettings = g, nil
}

// device has the stores alone. What works beside whatsmeow takes them from here: whatsmeow takes those of its own device away
// when the link ends.
func (g *guard) device() *store.Device {
	d := new(store.Device)
	g.stand(d)
	return d
}

// look tells of an error. What is still to be stored of a device that is deleted has no place any more.
func (g *guard) look(err error) error {
	switch {
	case err == nil || errors.Is(err, store.ErrDeviceDeleted):
		return err
	case g.over.Load():
		return store.ErrDeviceDeleted
	}
	g.failed(err)
	return storeError{err}
}

// whole is a context in which a store finishes what it has begun though the connection ends, or a caller gives up: half of
// an app state patch is as bad as a failed write, and whatsmeow's own store takes for stored what it has begun to store.
//
// Every call begins with it. whatsmeow deletes a device by taking the stores from it, while goroutines of its own may have just
// called one: the lock puts their look at the device before its deletion.
func (g *guard) whole(ctx context.Context) context.Context {
	g.order.Lock()
	defer g.order.Unlock()
	return wholeContext{g.ctx, ctx}
}

// wholeContext ends with one context and has the values of another, such as a transaction.
type wholeContext struct {
	context.Context
	values context.Context
}

// Value implements context.Context.
func (c wholeContext) Value(key any) any { return c.values.Value(key) }

// DoDecryptionTxn tells a store that failed from a message that can't be decrypted, which the stores may be the reason of:
// whatsmeow has gone on after an error.
func (g *guard) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	var undecryptable error
	g.writes.Lock()
	defer g.writes.Unlock()
	err := g.behind.EventBuffer.DoDecryptionTxn(g.whole(ctx), func(ctx context.Context) error {
		undecryptable = decrypt(context.WithValue(ctx, handlingKey{}, nil))
		return undecryptable
	})
	switch {
	case undecryptable == nil:
		return g.look(err)
	case g.broken():
		return storeError{undecryptable}
	}
	return err
}

// collector is a key store that writes at once what a function stores. SQL's way would be a transaction, which mustn't be held
// here: whoever has the lock of one of whatsmeow's caches waits for it, while the function waits for that lock.
type collector interface {
	Together(ctx context.Context, keep func(context.Context) error) error
}

// together has what a function stores be written at once, where that helps.
func (g *guard) together(ctx context.Context, keep func(context.Context)) error {
	all := func(ctx context.Context) error {
		if keep(ctx); g.broken() { // whatsmeow has gone on after an error
			return context.Canceled
		}
		return nil
	}
	if keys, ok := g.behind.AppState.(collector); ok {
		return g.look(keys.Together(g.whole(ctx), all))
	}
	return g.look(all(ctx))
}

// macReader is a key store that reads MACs of mutations at once rather than each when it is asked for. SQL has no need of it.
type macReader interface {
	ReadAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error
}

// readMACs has the key store read the MACs that a function asks for, whose answers come to nothing.
func (g *guard) readMACs(ctx context.Context, name appstate.WAPatchName, ask func(context.Context)) error {
	reader, ok := g.behind.AppState.(macReader)
	if !ok {
		return nil
	}
	var asked [][]byte
	ask(context.WithValue(ctx, askedKey{}, &asked))
	return g.look(reader.ReadAppStateMutationMACs(g.whole(ctx), string(name), asked))
}

type askedKey struct{}

// PutDevice implements store.DeviceContainer. A device that is linked gets its stores here.
func (g *guard) PutDevice(ctx context.Context, d *store.Device) error {
	err := g.behind.Container.PutDevice(g.whole(ctx), d)
	g.over.Store(false)
	g.install(d)
	return g.look(err)
}

// DeleteDevice implements store.DeviceContainer.
func (g *guard) DeleteDevice(ctx context.Context, d *store.Device) error {
	g.over.Store(true)
	err := g.behind.Container.DeleteDevice(g.whole(ctx), d)
	if err != nil {
		g.over.Store(false)
	}
	return g.look(err)
}

// PutAppStateVersion implements store.AppStateStore. It says first that the version's events aren't projected yet.
func (g *guard) PutAppStateVersion(ctx context.Context, name string, version uint64, hash [128]byte) error {
	if err := g.mark(g.whole(ctx)); err != nil {
		return g.look(err)
	}
	return g.look(g.behind.AppState.PutAppStateVersion(g.whole(ctx), name, version, hash))
}

// What follows passes on.

func (g *guard) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return g.look(g.behind.Identities.PutIdentity(g.whole(ctx), address, key))
}

func (g *guard) DeleteAllIdentities(ctx context.Context, phone string) error {
	return g.look(g.behind.Identities.DeleteAllIdentities(g.whole(ctx), phone))
}

func (g *guard) DeleteIdentity(ctx context.Context, address string) error {
	return g.look(g.behind.Identities.DeleteIdentity(g.whole(ctx), address))
}

func (g *guard) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	v, err := g.behind.Identities.IsTrustedIdentity(g.whole(ctx), address, key)
	return v, g.look(err)
}

func (g *guard) GetSession(ctx context.Context, address string) ([]byte, error) {
	v, err := g.behind.Sessions.GetSession(g.whole(ctx), address)
	return v, g.look(err)
}

// HasSession has whatsmeow's own requests to the phone be made here: while it handles a message, it looks for a session outside
// of a decryption only to send one.
func (g *guard) HasSession(ctx context.Context, address string) (bool, error) {
	if h := handlingOf(ctx); h != nil {
		h.ask()
		return false, errAskedHere
	}
	v, err := g.behind.Sessions.HasSession(g.whole(ctx), address)
	return v, g.look(err)
}

func (g *guard) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	v, err := g.behind.Sessions.GetManySessions(g.whole(ctx), addresses)
	return v, g.look(err)
}

func (g *guard) PutSession(ctx context.Context, address string, session []byte) error {
	return g.look(g.behind.Sessions.PutSession(g.whole(ctx), address, session))
}

func (g *guard) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	return g.look(g.behind.Sessions.PutManySessions(g.whole(ctx), sessions))
}

func (g *guard) DeleteAllSessions(ctx context.Context, phone string) error {
	return g.look(g.behind.Sessions.DeleteAllSessions(g.whole(ctx), phone))
}

func (g *guard) DeleteSession(ctx context.Context, address string) error {
	return g.look(g.behind.Sessions.DeleteSession(g.whole(ctx), address))
}

func (g *guard) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	return g.look(g.behind.Sessions.MigratePNToLID(g.whole(ctx), pn, lid))
}

func (g *guard) GetOrGenPreKeys(ctx context.Context, count uint32) ([]*keys.PreKey, error) {
	v, err := g.behind.PreKeys.GetOrGenPreKeys(g.whole(ctx), count)
	return v, g.look(err)
}

func (g *guard) GenOnePreKey(ctx context.Context) (*keys.PreKey, error) {
	v, err := g.behind.PreKeys.GenOnePreKey(g.whole(ctx))
	return v, g.look(err)
}

func (g *guard) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	v, err := g.behind.PreKeys.GetPreKey(g.whole(ctx), id)
	return v, g.look(err)
}

func (g *guard) RemovePreKey(ctx context.Context, id uint32) error {
	return g.look(g.behind.PreKeys.RemovePreKey(g.whole(ctx), id))
}

func (g *guard) MarkPreKeysAsUploaded(ctx context.Context, upToID uint32) error {
	return g.look(g.behind.PreKeys.MarkPreKeysAsUploaded(g.whole(ctx), upToID))
}

func (g *guard) UploadedPreKeyCount(ctx context.Context) (int, error) {
	v, err := g.behind.PreKeys.UploadedPreKeyCount(g.whole(ctx))
	return v, g.look(err)
}

func (g *guard) PutSenderKey(ctx context.Context, group, user string, session []byte) error {
	return g.look(g.behind.SenderKeys.PutSenderKey(g.whole(ctx), group, user, session))
}

func (g *guard) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	v, err := g.behind.SenderKeys.GetSenderKey(g.whole(ctx), group, user)
	return v, g.look(err)
}

// PutAppStateSyncKey passes over a key without data, as which a phone names one that it doesn't have. No other part may be NULL.
func (g *guard) PutAppStateSyncKey(ctx context.Context, id []byte, key store.AppStateSyncKey) error {
	if len(key.Data) == 0 {
		return nil
	}
	if key.Fingerprint == nil {
		key.Fingerprint = []byte{}
	}
	return g.look(g.behind.AppStateKeys.PutAppStateSyncKey(g.whole(ctx), id, key))
}

func (g *guard) GetAppStateSyncKey(ctx context.Context, id []byte) (*store.AppStateSyncKey, error) {
	v, err := g.behind.AppStateKeys.GetAppStateSyncKey(g.whole(ctx), id)
	return v, g.look(err)
}

func (g *guard) GetLatestAppStateSyncKeyID(ctx context.Context) ([]byte, error) {
	v, err := g.behind.AppStateKeys.GetLatestAppStateSyncKeyID(g.whole(ctx))
	return v, g.look(err)
}

func (g *guard) GetAllAppStateSyncKeys(ctx context.Context) ([]*store.AppStateSyncKey, error) {
	v, err := g.behind.AppStateKeys.GetAllAppStateSyncKeys(g.whole(ctx))
	return v, g.look(err)
}

// GetAppStateVersion has whatsmeow's own fetches be done here.
func (g *guard) GetAppStateVersion(ctx context.Context, name string) (uint64, [128]byte, error) {
	if ctx.Value(ownKey{}) == nil {
		g.wanted(appstate.WAPatchName(name))
		return 0, [128]byte{}, errFetchedHere
	}
	version, hash, err := g.behind.AppState.GetAppStateVersion(g.whole(ctx), name)
	return version, hash, g.look(err)
}

func (g *guard) DeleteAppStateVersion(ctx context.Context, name string) error {
	return g.look(g.behind.AppState.DeleteAppStateVersion(g.whole(ctx), name))
}

func (g *guard) PutAppStateMutationMACs(
	ctx context.Context, name string, version uint64, mutations []store.AppStateMutationMAC,
) error {
	return g.look(g.behind.AppState.PutAppStateMutationMACs(g.whole(ctx), name, version, mutations))
}

func (g *guard) DeleteAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error {
	return g.look(g.behind.AppState.DeleteAppStateMutationMACs(g.whole(ctx), name, indexMACs))
}

// GetAppStateMutationMAC only notes what readMACs is to read.
func (g *guard) GetAppStateMutationMAC(ctx context.Context, name string, indexMAC []byte) ([]byte, error) {
	if asked, ok := ctx.Value(askedKey{}).(*[][]byte); ok {
		*asked = append(*asked, indexMAC)
		return nil, nil
	}
	v, err := g.behind.AppState.GetAppStateMutationMAC(g.whole(ctx), name, indexMAC)
	return v, g.look(err)
}

func (g *guard) PutPushName(ctx context.Context, user types.JID, pushName string) (bool, string, error) {
	changed, old, err := g.behind.Contacts.PutPushName(g.whole(ctx), user, pushName)
	return changed, old, g.look(err)
}

func (g *guard) PutBusinessName(ctx context.Context, user types.JID, businessName string) (bool, string, error) {
	changed, old, err := g.behind.Contacts.PutBusinessName(g.whole(ctx), user, businessName)
	return changed, old, g.look(err)
}

func (g *guard) PutContactName(ctx context.Context, user types.JID, fullName, firstName string) error {
	return g.look(g.behind.Contacts.PutContactName(g.whole(ctx), user, fullName, firstName))
}

func (g *guard) PutAllContactNames(ctx context.Context, contacts []store.ContactEntry) error {
	return g.look(g.behind.Contacts.PutAllContactNames(g.whole(ctx), contacts))
}

func (g *guard) PutManyRedactedPhones(ctx context.Context, entries []store.RedactedPhoneEntry) error {
	return g.look(g.behind.Contacts.PutManyRedactedPhones(g.whole(ctx), entries))
}

func (g *guard) GetContact(ctx context.Context, user types.JID) (types.ContactInfo, error) {
	v, err := g.behind.Contacts.GetContact(g.whole(ctx), user)
	return v, g.look(err)
}

func (g *guard) GetAllContacts(ctx context.Context) (map[types.JID]types.ContactInfo, error) {
	v, err := g.behind.Contacts.GetAllContacts(g.whole(ctx))
	return v, g.look(err)
}

func (g *guard) PutMessageSecrets(ctx context.Context, inserts []store.MessageSecretInsert) error {
	return g.look(g.behind.MsgSecrets.PutMessageSecrets(g.whole(ctx), inserts))
}

func (g *guard) PutMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	return g.look(g.behind.MsgSecrets.PutMessageSecret(g.whole(ctx), chat, sender, id, secret))
}

func (g *guard) GetMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	v, owner, err := g.behind.MsgSecrets.GetMessageSecret(g.whole(ctx), chat, sender, id)
	return v, owner, g.look(err)
}

func (g *guard) PutPrivacyTokens(ctx context.Context, tokens ...store.PrivacyToken) error {
	return g.look(g.behind.PrivacyTokens.PutPrivacyTokens(g.whole(ctx), tokens...))
}

func (g *guard) GetPrivacyToken(ctx context.Context, user types.JID) (*store.PrivacyToken, error) {
	v, err := g.behind.PrivacyTokens.GetPrivacyToken(g.whole(ctx), user)
	return v, g.look(err)
}

func (g *guard) DeleteExpiredPrivacyTokens(ctx context.Context, cutoff time.Time) (int64, error) {
	v, err := g.behind.PrivacyTokens.DeleteExpiredPrivacyTokens(g.whole(ctx), cutoff)
	return v, g.look(err)
}

func (g *guard) PutNCTSalt(ctx context.Context, salt []byte) error {
	return g.look(g.behind.NCTSalt.PutNCTSalt(g.whole(ctx), salt))
}

func (g *guard) GetNCTSalt(ctx context.Context) ([]byte, error) {
	v, err := g.behind.NCTSalt.GetNCTSalt(g.whole(ctx))
	return v, g.look(err)
}

func (g *guard) DeleteNCTSalt(ctx context.Context) error {
	return g.look(g.behind.NCTSalt.DeleteNCTSalt(g.whole(ctx)))
}

func (g *guard) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	v, err := g.behind.EventBuffer.GetBufferedEvent(g.whole(ctx), hash)
	return v, g.look(err)
}

func (g *guard) PutBufferedEvent(ctx context.Context, hash [32]byte, plaintext []byte, serverTimestamp time.Time) error {
	return g.look(g.behind.EventBuffer.PutBufferedEvent(g.whole(ctx), hash, plaintext, serverTimestamp))
}

// ClearBufferedEventPlaintext has clear do it, once what the message says is stored.
func (g *guard) ClearBufferedEventPlaintext(_ context.Context, hash [32]byte) error {
	g.order.Lock()
	defer g.order.Unlock()
	g.spent = append(g.spent, hash)
	return nil
}

// takeSpent hands out the hashes of messages whose plaintext is to be cleared.
func (g *guard) takeSpent() (hashes [][32]byte) {
	g.order.Lock()
	defer g.order.Unlock()
	hashes, g.spent = g.spent, nil
	return hashes
}

// clear drops the plaintext of messages, and keeps that they were handled.
func (g *guard) clear(hashes [][32]byte) error {
	if len(hashes) == 0 {
		return nil
	}
	g.writes.Lock()
	defer g.writes.Unlock()
	return g.look(g.behind.EventBuffer.DoDecryptionTxn(g.whole(g.ctx), func(ctx context.Context) error {
		for _, hash := range hashes {
			if err := g.behind.EventBuffer.ClearBufferedEventPlaintext(ctx, hash); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (g *guard) DeleteOldBufferedHashes(ctx context.Context) error {
	return g.look(g.behind.EventBuffer.DeleteOldBufferedHashes(g.whole(ctx)))
}

// GetOutgoingEvent returns sql.ErrNoRows where there is none, and whatsmeow doesn't ask: nothing is sent but to the phone.
func (g *guard) GetOutgoingEvent(ctx context.Context, chat, alt types.JID, id types.MessageID) (string, []byte, error) {
	return g.behind.EventBuffer.GetOutgoingEvent(g.whole(ctx), chat, alt, id)
}

func (g *guard) AddOutgoingEvent(ctx context.Context, chat types.JID, id types.MessageID, format string, plaintext []byte) error {
	return g.look(g.behind.EventBuffer.AddOutgoingEvent(g.whole(ctx), chat, id, format, plaintext))
}

func (g *guard) DeleteOldOutgoingEvents(ctx context.Context) error {
	return g.look(g.behind.EventBuffer.DeleteOldOutgoingEvents(g.whole(ctx)))
}

func (g *guard) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	return g.look(g.behind.LIDs.PutManyLIDMappings(g.whole(ctx), mappings))
}

// PutLIDMapping passes over addresses of other kinds, which are refused for good.
func (g *guard) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	err := g.behind.LIDs.PutLIDMapping(g.whole(ctx), lid, pn)
	if lid.Server != types.HiddenUserServer || pn.Server != types.DefaultUserServer {
		return err
	}
	return g.look(err)
}

func (g *guard) GetPNForLID(ctx context.Context, lid types.JID) (types.JID, error) {
	v, err := g.behind.LIDs.GetPNForLID(g.whole(ctx), lid)
	if lid.Server != types.HiddenUserServer {
		return v, err
	}
	return v, g.look(err)
}

func (g *guard) GetLIDForPN(ctx context.Context, pn types.JID) (types.JID, error) {
	v, err := g.behind.LIDs.GetLIDForPN(g.whole(ctx), pn)
	if pn.Server != types.DefaultUserServer {
		return v, err
	}
	return v, g.look(err)
}

func (g *guard) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	v, err := g.behind.LIDs.GetManyLIDsForPNs(g.whole(ctx), pns)
	return v, g.look(err)
}
