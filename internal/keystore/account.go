package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/keys"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Account is the ownership of one account's device. It is safe for concurrent use.
type Account struct {
	c     *Container
	kv    kv.Store // under the owner's lease
	id    string
	epoch int64 // of it

	mu     sync.Mutex
	item   *kv.Item      // as it is stored
	record accountRecord // in it
	keys   *deviceKeys   // of the linked device
}

// accountRecord is the account's item.
type accountRecord struct {
	Device     *deviceRecord `json:"device,omitempty"` // nil when none is linked
	Generation int64         `json:"generation"`       // of the latest device
	Gone       []int64       `json:"gone,omitempty"`   // generations whose items are still to be deleted
}

var _ store.DeviceContainer = (*Account)(nil)

const deviceSort = "device"

func accountKey(id string) kv.Key {
	return kv.Key{Collection: kv.Devices, Partition: id, Sort: deviceSort}
}

func partition(account string, generation int64) string {
	return account + "#" + strconv.FormatInt(generation, 36)
}

// Open makes this the owner of the account's device, and fences those before. It returns LEASE_HELD if there is a later one.
func (c *Container) Open(ctx context.Context, account string, o chat.Ownership) (*Account, error) {
	a := &Account{c: c, kv: kv.Under(c.kv, o.Check), id: account, epoch: o.Token()}
	if err := a.update(ctx, "open an account", false, func(*accountRecord) {}); err != nil {
		return nil, err
	}
	if a.record.Device != nil {
		a.keys = newDeviceKeys(a, a.record.Generation)
	}
	a.purge(ctx)
	return a, nil
}

// Device returns the linked device, or nil when there is none.
func (a *Account) Device() (*store.Device, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.record.Device == nil {
		return nil, nil
	}
	d, err := a.record.Device.device()
	if err != nil {
		return nil, err
	}
	d.Log = a.c.opts.DeviceLog
	a.equip(d)
	return d, nil
}

// NewDevice makes the keys of a device that isn't linked yet. whatsmeow saves it when it is.
func (a *Account) NewDevice() *store.Device { return newDevice(a.c, a) }

func newDevice(c *Container, container store.DeviceContainer) *store.Device {
	var registration [4]byte
	secret := make([]byte, 32)
	rand.Read(registration[:])
	rand.Read(secret)
	d := &store.Device{
		Log: c.opts.DeviceLog, Container: container, NoiseKey: keys.NewKeyPair(), IdentityKey: keys.NewKeyPair(),
		RegistrationID: binary.BigEndian.Uint32(registration[:]), AdvSecretKey: secret,
	}
	d.SignedPreKey = d.IdentityKey.CreateSignedPreKey(1)
	return d
}

// PutDevice implements store.DeviceContainer. A device that wasn't stored before starts with nothing of another's.
func (a *Account) PutDevice(ctx context.Context, d *store.Device) error {
	record, err := recordOf(d)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	err = a.update(ctx, "save the device", true, func(r *accountRecord) {
		if r.Device == nil || r.Device.JID != record.JID || !bytes.Equal(r.Device.IdentityKey, record.IdentityKey) {
			if r.Device != nil {
				r.Gone = append(r.Gone, r.Generation)
			}
			r.Generation++
		}
		r.Device = record
	})
	if err != nil {
		return err
	}
	fresh := a.keys == nil || a.keys.partition != partition(a.id, a.record.Generation)
	if fresh {
		a.abandon()
		a.keys = newDeviceKeys(a, a.record.Generation)
	}
	if !d.Initialized || fresh {
		a.equip(d)
	}
	return nil
}

// DeleteDevice implements store.DeviceContainer. When it returns the device is gone; if it is broken off, its items are
// deleted when the account is opened next.
func (a *Account) DeleteDevice(ctx context.Context, d *store.Device) error {
	if d.ID == nil {
		return errNoDevice
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.record.Device == nil || a.record.Device.JID != d.ID.String() {
		return nil
	}
	err := a.update(ctx, "delete the device", true, func(r *accountRecord) {
		r.Device, r.Gone = nil, append(r.Gone, r.Generation)
	})
	if err != nil {
		return err
	}
	a.abandon()
	a.purge(ctx)
	return nil
}

// abandon the device's items.
func (a *Account) abandon() {
	if a.keys != nil {
		a.keys.end(store.ErrDeviceDeleted)
		a.keys = nil
	}
}

// conflicts bounds how often a change is made again on what somebody else has stored.
const conflicts = 5

// update changes the account's item if this is still the owner. Where nothing changes it is written only if it always is.
func (a *Account) update(ctx context.Context, doing string, always bool, change func(*accountRecord)) error {
	for range conflicts {
		if err := a.load(ctx); err != nil {
			return refused(doing, err)
		}
		record := a.record
		record.Gone = slices.Clone(a.record.Gone)
		change(&record)
		data, err := json.Marshal(record)
		if err != nil {
			return refused(doing, err)
		}
		if !always && a.item != nil && a.item.Token == a.epoch && bytes.Equal(data, a.item.Data) {
			return nil
		}
		put := kv.Put(kv.Item{Key: accountKey(a.id), Data: data, Token: a.epoch}, kv.As(a.item))
		if err = a.kv.Write(ctx, kv.Each(put)); err == nil {
			a.item, a.record = &put.Item, record
			return nil
		}
		a.item = nil // whether it was written isn't known
		if errors.Is(err, kv.ErrFenced) {
			a.lost()
		}
		if !errors.Is(err, kv.ErrConflict) {
			return refused(doing, err)
		}
	}
	return refused(doing, kv.ErrConflict)
}

// load reads the account's item, unless it is known.
func (a *Account) load(ctx context.Context) error {
	if a.item != nil {
		return nil
	}
	it, err := a.kv.Get(ctx, accountKey(a.id), kv.Strong)
	switch {
	case errors.Is(err, kv.ErrNotFound):
		a.record = accountRecord{}
		return nil
	case err != nil:
		return err
	case it.Token > a.epoch:
		a.lost()
		return kv.ErrFenced
	}
	a.record, err = decodeJSON[accountRecord](it.Data)
	a.item = &it
	return err
}

func (a *Account) lost() {
	if a.keys != nil {
		a.keys.end(errFenced)
	}
}

// owned is the condition that this is still the owner, for what is written together with it.
func (a *Account) owned() kv.Op { return kv.Check(accountKey(a.id), kv.Present(), a.epoch) }

// equip gives the device its stores; under mu.
func (a *Account) equip(d *store.Device) {
	d.SetAllStores(a.keys)
	d.LIDs, d.ChatSettings = a.keys, nil
	d.Container = a
	d.Initialized = true
}

// purge deletes the items of devices that are gone, which nobody uses any more. What it can't, the next owner does.
func (a *Account) purge(ctx context.Context) {
	for len(a.record.Gone) > 0 {
		gone := a.record.Gone[0]
		err := a.deleteAll(ctx, partition(a.id, gone))
		if err == nil {
			err = a.update(ctx, "forget a deleted device", false, func(r *accountRecord) {
				r.Gone = slices.DeleteFunc(r.Gone, func(g int64) bool { return g == gone })
			})
		}
		if err != nil {
			a.c.opts.Log.Warn("delete a device's keys", "account", a.id, "error", err)
			return
		}
	}
}

func (a *Account) deleteAll(ctx context.Context, partition string) error {
	var ops []kv.Op
	for it, err := range a.kv.Query(ctx, kv.Query{Collection: kv.Devices, Partition: partition, KeysOnly: true}) {
		if err != nil {
			return err
		}
		ops = append(ops, kv.Delete(it.Key, kv.Always(), 0))
	}
	return a.kv.Write(ctx, kv.Each(ops...))
}
