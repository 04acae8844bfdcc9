package whatsapp

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
	"pesan/internal/host"
	"pesan/internal/whatsapp/translate"
)

// Config is what devices work with.
type Config struct {
	Keys   Keys
	Stores func(chat.Ownership) host.Stores
	Flush  func() error // makes the keys durable, before anything is sent by which WhatsApp may learn of them; nil: they are
	HTTP   *http.Client // reaches WhatsApp; what Globals.Set returned
	Now    func() time.Time
	Logger *slog.Logger
	// Failing is told when an account's stores begin to fail, also with its device off since the process has lost the account, and,
	// each time that it is connected, that they work. It is for what must be shown though it can't be stored; it may be nil.
	Failing func(account string, failing bool)
	// Media keeps the files that are asked for, each of MaxMedia bytes at most; nil: none are.
	Media    chat.MediaStore
	MaxMedia int64
	// Behind is how many stanzas of a device may be being stored while whatsmeow goes on with the next; 0: it goes on when one is
	// stored.
	Behind int
	// News is told how many messages came that are no history; it may be nil.
	News func(account string, messages int)
}

// Keys keeps the keys of linked devices, under the addresses that WhatsApp gave them.
type Keys interface {
	// Device returns DEVICE_NOT_FOUND when the account has no keys under this address, LEASE_HELD when it has a later owner.
	// After a write has failed the device that is returned next knows nothing but what is stored.
	Device(ctx context.Context, account string, o chat.Ownership, jid types.JID) (*store.Device, error)
	// NewDevice makes keys for a device that isn't linked yet. It stores them when it is.
	NewDevice(account string, o chat.Ownership) *store.Device
}

// SQLKeys keeps the keys in whatsmeow's own tables, which have been made, with SQLite.
func SQLKeys(db *sql.DB) Keys { return sqlKeys{db} }

type sqlKeys struct{ db *sql.DB }

// container has no memory of what was stored, or wasn't, through another: whatsmeow's takes for stored what it has tried to
// store.
func (k sqlKeys) container() *sqlstore.Container { return sqlstore.NewWithDB(k.db, "sqlite3", nil) }

func (k sqlKeys) Device(ctx context.Context, _ string, _ chat.Ownership, jid types.JID) (*store.Device, error) {
	d, err := k.container().GetDevice(ctx, jid)
	if err == nil && d == nil {
		return nil, &chat.Error{Code: chat.DeviceNotFound}
	}
	return d, err
}

func (k sqlKeys) NewDevice(string, chat.Ownership) *store.Device { return k.container().NewDevice() }

// Devices opens devices. Make one with New, for all accounts of the process.
type Devices struct {
	Config
	version *version
	media   *http.Client // without a proxy
	codes   codes
	turns   *turns

	backoff    func(failures int) time.Duration // how long to wait before connecting again
	retryAfter func(failures int) time.Duration // the same after WhatsApp has refused something
	settled    time.Duration                    // without a change of the app state: all events of the last have come
}

var _ host.Devices = (*Devices)(nil)

// New makes the devices of a process.
func New(c Config) *Devices {
	media := c.HTTP
	if media == nil {
		media = &http.Client{Transport: http.DefaultTransport}
	}
	if c.Flush == nil {
		c.Flush = func() error { return nil }
	}
	return &Devices{
		Config:     c,
		version:    newVersion(media, c.Now, c.Logger),
		media:      media,
		backoff:    backoff,
		retryAfter: retryAfter,
		settled:    10 * time.Second,
		codes:      codes{first: 60 * time.Second, other: 20 * time.Second},
		turns:      newTurns(fewestTurns, mostTurns),
	}
}

// client reaches WhatsApp by the account's proxy, if it has one.
func (ds *Devices) client(proxy string) (*http.Client, error) {
	if proxy == "" {
		return ds.media, nil
	}
	address, err := url.Parse(proxy)
	if err != nil {
		return nil, &chat.Error{Code: chat.InvalidParameter, Message: "proxy"} // the URL may hold a password
	}
	transport, ok := ds.media.Transport.(*http.Transport)
	if !ok {
		transport = http.DefaultTransport.(*http.Transport)
	}
	transport = transport.Clone()
	transport.Proxy = http.ProxyURL(address)
	return &http.Client{Transport: transport}, nil
}

// Open implements host.Devices.
func (ds *Devices) Open(_ context.Context, account string, o chat.Ownership, active time.Time) (host.Device, error) {
	stores := ds.Stores(o)
	backlog := newOnlyBacklog(stores.Backlog)
	stores.Backlog = backlog
	projector := chat.NewProjector(stores.Chats, ds.Now)
	projector.News = ds.News
	return &device{
		Devices: ds, Stores: stores, backlog: backlog, projector: projector, owner: o,
		account: account, log: ds.Logger.With("account", account), ticket: ds.turns.ticket(active), hurry: make(chan struct{}),
	}, nil
}

// device is the linked device of one account. Its keys are read when it runs.
type device struct {
	*Devices
	host.Stores // under the owner's lease
	backlog     *onlyBacklog
	projector   *chat.Projector
	owner       chat.Ownership
	account     string
	log         *slog.Logger
	ticket      int           // for its first turn to connect
	hurry       chan struct{} // takes an element while it waits for a turn

	refusals refusals

	mu      sync.Mutex
	running *run          // nil unless Run is under way
	proxy   string        // as the account said when its keys were read
	seen    *chat.Account // as it was then, for the first claim of a run; nil where it has changed since
	storage error         // of a store that fails
}

var _ host.Device = (*device)(nil)

// Hurry implements host.Device.
func (d *device) Hurry() {
	select {
	case d.hurry <- struct{}{}:
	default: // it isn't waiting
	}
}

// current is the run under way. DEVICE_NOT_CONNECTED when there is none.
func (d *device) current() (*run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running == nil {
		return nil, &chat.Error{Code: chat.DeviceNotConnected}
	}
	return d.running, nil
}

// load reads the device's keys. An account gets the address of its device right before its keys are stored, so an
// address without keys is a link that didn't come about; keys whose account doesn't say that it is linked belong to a
// link that did.
func (d *device) load(ctx context.Context) (*store.Device, error) {
	a, err := d.Accounts.Account(ctx, d.account)
	if err != nil {
		return nil, fmt.Errorf("load device: %w", err)
	}
	d.mu.Lock()
	d.proxy, d.seen = a.Proxy, nil
	d.mu.Unlock()
	if a.Device == "" {
		return d.Keys.NewDevice(d.account, d.owner), nil
	}
	keys, err := d.stored(ctx, a)
	if chat.CodeOf(err) == chat.DeviceNotFound {
		if err := d.forget(ctx, nil); err != nil {
			return nil, fmt.Errorf("load device: %w", err)
		}
		return d.Keys.NewDevice(d.account, d.owner), nil
	}
	if err != nil {
		return nil, fmt.Errorf("load device: %w", err)
	}
	if !a.Linked() {
		err = d.Accounts.UpdateAccount(ctx, d.account, func(a *chat.Account) error { linked(a, keys); return nil })
		return keys, err
	}
	d.mu.Lock()
	d.seen = &a
	d.mu.Unlock()
	return keys, nil
}

// stored reads the keys under the account's device address.
func (d *device) stored(ctx context.Context, a chat.Account) (*store.Device, error) {
	jid, err := types.ParseJID(a.Device)
	if err != nil || jid.User == "" {
		return nil, &chat.Error{Code: chat.DeviceNotFound}
	}
	return d.Keys.Device(ctx, d.account, d.owner, jid)
}

// linked writes whose device it is.
func linked(a *chat.Account, keys *store.Device) {
	a.JID, _ = translate.Address(keys.GetJID())
	a.LID, _ = translate.Address(keys.GetLID())
}

// forget ends the link on this side: the keys are deleted, then the account says so, with what else it has to say.
func (d *device) forget(ctx context.Context, also func(*chat.Account)) error {
	a, err := d.Accounts.Account(ctx, d.account)
	if err != nil {
		return fmt.Errorf("forget device: %w", err)
	}
	if a.Device != "" {
		keys, err := d.stored(ctx, a)
		if err == nil {
			err = keys.Delete(ctx)
		}
		if err != nil && !errors.Is(err, &chat.Error{Code: chat.DeviceNotFound}) {
			return fmt.Errorf("forget device: %w", err)
		}
	}
	if err := d.clearBacklog(ctx, true); err != nil {
		return fmt.Errorf("forget device: %w", err)
	}
	err = d.Accounts.UpdateAccount(ctx, d.account, func(a *chat.Account) error {
		if a.Owner == "" {
			a.Owner, a.OwnerLID = a.JID, a.LID
		}
		a.Device, a.JID, a.LID, a.PushName, a.Sync, a.Imposed = "", "", "", "", nil, chat.Imposed{}
		if also != nil {
			also(a)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget device: %w", err)
	}
	return nil
}

// clearBacklog drops work that can't be done without the keys. What is still to be done with chats may stay as long as they do.
func (d *device) clearBacklog(ctx context.Context, chatsStay bool) error {
	items, err := d.backlog.listAnew(ctx, d.account)
	for _, item := range items {
		if err == nil && !(chatsStay && strings.HasPrefix(item.ID, namedPrefix)) {
			err = d.Backlog.DeleteBacklog(ctx, d.account, item.ID)
		}
	}
	return err
}
