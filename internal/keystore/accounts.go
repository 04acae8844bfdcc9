package keystore

import (
	"context"
	"sync"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
)

// Accounts opens the devices of the accounts that this process holds, each once for an epoch, and refuses writes for others.
type Accounts struct {
	c     *Container
	epoch func(account string) (int64, error)

	mu   sync.Mutex
	open map[string]*opening
}

type opening struct {
	mu      sync.Mutex // held while it opens
	account *Account
}

// Accounts returns the accounts under the leases that epoch tells: the epoch of the lease under which this process holds the account at the
// moment, or an error.
func (c *Container) Accounts(epoch func(account string) (int64, error)) *Accounts {
	return &Accounts{c: c, epoch: epoch, open: map[string]*opening{}}
}

// Device returns the account's linked device, DEVICE_NOT_FOUND when it has none under this address.
func (as *Accounts) Device(ctx context.Context, account string, jid types.JID) (*store.Device, error) {
	a, err := as.account(ctx, account)
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
func (as *Accounts) NewDevice(account string) *store.Device {
	return newDevice(as.c, unlinked{as, account})
}

// account returns the ownership under the present lease.
func (as *Accounts) account(ctx context.Context, id string) (*Account, error) {
	epoch, err := as.epoch(id)
	if err != nil {
		return nil, err
	}
	as.mu.Lock()
	o := as.open[id]
	if o == nil {
		o = &opening{}
		as.open[id] = o
	}
	as.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if a := o.account; a != nil && a.epoch == epoch && a.fence.alive() == nil {
		return a, nil
	}
	a, err := as.c.Open(ctx, id, epoch)
	if err != nil {
		return nil, err
	}
	a.fence.lease = func() error {
		switch now, err := as.epoch(id); {
		case err != nil:
			return &refusal{doing: "write without a lease", cause: err}
		case now != epoch:
			return ErrFenced
		}
		return nil
	}
	o.account = a
	return a, nil
}

// unlinked is the container of a device that isn't stored yet.
type unlinked struct {
	accounts *Accounts
	id       string
}

func (u unlinked) PutDevice(ctx context.Context, d *store.Device) error {
	a, err := u.accounts.account(ctx, u.id)
	if err != nil {
		return err
	}
	return a.PutDevice(ctx, d)
}

func (u unlinked) DeleteDevice(context.Context, *store.Device) error { return errNoDevice }
