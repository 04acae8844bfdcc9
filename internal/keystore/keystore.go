// Package keystore keeps the keys of linked devices behind whatsmeow's store interfaces, over the storage port of package kv.
//
// # Promise
//
// An account's device has one owner: who holds its lease. Every write carries the lease's epoch as its fencing token, on the
// condition that the item is as this owner knows it; ratchets that come into being and the device itself depend on the
// account's item, which the latest owner has marked with his. So a former owner can change nothing that a later one relies on,
// nor can a request of one's own that arrives late.
//
// Nothing that WhatsApp was told we have is lost, wherever the host stops. What a decryption changes is collected and written
// at its end, in an order that may be broken off anywhere: the plaintext, the ratchets, the pre keys that are used up. When its
// handler has succeeded the plaintext goes, and the hash of the message stays for as long as WhatsApp may deliver it again.
//
// An error makes whatsmeow leave the message unacknowledged, see refusal. Nothing is kept in memory but what is stored.
//
// # Keys
//
// All stands in the collection Devices. Each device that an account ever had has a partition of its own, so that the next one
// starts with nothing of it.
//
//	partition     sort key                  item
//	<account>     "device"                  the device that is linked, JSON
//	<account>#<n> "r/<address>"             a peer's Signal session and identity key
//	              "r/<address>#<group>"     a member's sender key
//	              "b/<hash>"                a decrypted message that waits for its handler, or that it was handled
//	              "p/<n>"                   24 pre keys; "u": up to which they are uploaded
//	              "k/<id>"                  an app state key
//	              "v/<name>"                version of an app state collection; "m/<name>/<index>": a MAC in it
//	              "c/<JID>"                 contact
//	              "t/<JID>" "z"             privacy token; NCT salt
//	              "l/<LID>" "n/<number>"    the other address of a person
//	              "x/<chat>#<id>#<sender>"  a message's secret
package keystore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Options of a Container. What is zero takes its default.
type Options struct {
	Log        *slog.Logger
	DeviceLog  waLog.Logger     // of whatsmeow's devices; default: none
	Now        func() time.Time // default time.Now
	CacheBytes int              // of all devices together; default 64 MiB
}

// Container holds the devices of all accounts.
type Container struct {
	kv    kv.Store
	opts  Options
	cache *cache
}

// New makes a container over a database.
func New(db kv.Store, o Options) *Container {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.DeviceLog == nil {
		o.DeviceLog = waLog.Noop
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	return &Container{kv: db, opts: o, cache: newCache(o.CacheBytes)}
}

// Device opens the account's linked device for its owner. It returns DEVICE_NOT_FOUND when it has none under this
// address, and LEASE_HELD when the account has a later owner. It knows nothing but what is stored.
func (c *Container) Device(ctx context.Context, account string, o chat.Ownership, jid types.JID) (*store.Device, error) {
	a, err := c.Open(ctx, account, o)
	if err != nil {
		return nil, err
	}
	d, err := a.Device()
	if err != nil {
		return nil, err
	}
	if d == nil || d.ID.String() != jid.String() {
		return nil, &chat.Error{Code: chat.DeviceNotFound}
	}
	return d, nil
}

// NewDevice makes keys for a device that isn't linked yet. It is stored when it is.
func (c *Container) NewDevice(account string, o chat.Ownership) *store.Device {
	return newDevice(c, unlinked{c, account, o})
}

// unlinked is the container of a device that isn't stored yet.
type unlinked struct {
	c       *Container
	account string
	owner   chat.Ownership
}

func (u unlinked) PutDevice(ctx context.Context, d *store.Device) error {
	a, err := u.c.Open(ctx, u.account, u.owner)
	if err != nil {
		return err
	}
	return a.PutDevice(ctx, d)
}

func (u unlinked) DeleteDevice(context.Context, *store.Device) error { return errNoDevice }

// refusal is an error for which whatsmeow must not acknowledge what it was working on: it takes a cancelled context for that.
type refusal struct{ error }

func (e refusal) Unwrap() error        { return e.error }
func (e refusal) Is(target error) bool { return target == context.Canceled }

// refused says what was being done, in the errors that package chat knows.
func refused(doing string, err error) error {
	var code error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kv.ErrFenced):
		code = &chat.Error{Code: chat.LeaseHeld}
	case errors.Is(err, kv.ErrUnavailable):
		code = &chat.Error{Code: chat.Unavailable}
	default:
		return refusal{fmt.Errorf("key store: %s: %w", doing, err)}
	}
	return refusal{fmt.Errorf("key store: %s: %w: %w", doing, code, err)}
}

// errFenced is what a former owner gets.
var errFenced = refused("the device has another owner", kv.ErrFenced)

var errCorrupt = refused("read a stored item", errors.New("it is corrupt"))

// errNoDevice is what a device gets that was never saved.
var errNoDevice = errors.New("key store: the device must have its JID before it is saved")

// decodeJSON is zero for no item.
func decodeJSON[V any](b []byte) (v V, err error) {
	if len(b) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return v, nil
}
