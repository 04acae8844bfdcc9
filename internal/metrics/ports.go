package metrics

import (
	"context"
	"time"

	"pesan/internal/chat"
	"pesan/internal/host"
)

// Leases counts the changes of a shard's holder that this host makes or finds, and notes that the host is alive.
func (m *Metrics) Leases(l chat.Leases) chat.Leases { return leases{l, m} }

type leases struct {
	chat.Leases
	m *Metrics
}

func (l leases) Hosts(ctx context.Context, now time.Time) ([]string, error) {
	l.m.mu.Lock()
	l.m.beat = l.m.now()
	l.m.mu.Unlock()
	return l.Leases.Hosts(ctx, now)
}

func (l leases) AcquireLease(ctx context.Context, shards []int, host string, now time.Time) (chat.Lease, error) {
	held, err := l.Leases.AcquireLease(ctx, shards, host, now)
	if err == nil {
		l.m.changed()
	}
	return held, err
}

func (l leases) Beat(ctx context.Context, b chat.Heartbeat, now time.Time, ttl time.Duration) (chat.Heartbeat, error) {
	beaten, err := l.Leases.Beat(ctx, b, now, ttl)
	if chat.CodeOf(err) == chat.LeaseHeld {
		l.m.changed()
	}
	return beaten, err
}

func (l leases) ReleaseLease(ctx context.Context, held chat.Lease) error {
	err := l.Leases.ReleaseLease(ctx, held)
	if err == nil {
		l.m.changed()
	}
	return err
}

func (m *Metrics) changed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
}

// Devices counts the devices that run, are connected, and end by themselves, by what they store of their accounts: they must
// store it through Accounts.
func (m *Metrics) Devices(d host.Devices) host.Devices { return devices{d, m} }

type devices struct {
	host.Devices
	m *Metrics
}

func (d devices) Open(ctx context.Context, account string, o chat.Ownership, active time.Time) (host.Device, error) {
	opened, err := d.Devices.Open(ctx, account, o, active)
	if err != nil {
		return nil, err
	}
	return device{opened, d.m, account}, nil
}

type device struct {
	host.Device
	m       *Metrics
	account string
}

func (d device) Run(ctx context.Context) error {
	d.m.mu.Lock()
	d.m.connected[d.account] = false
	d.m.mu.Unlock()
	defer func() {
		d.m.mu.Lock()
		defer d.m.mu.Unlock()
		delete(d.m.connected, d.account)
		if ctx.Err() == nil {
			d.m.lost++
		}
	}()
	return d.Device.Run(ctx)
}

// Accounts learns from what devices store whether they are connected.
func (m *Metrics) Accounts(a chat.Accounts) chat.Accounts { return accounts{a, m} }

// accountPort gives the embedded port a name that isn't one of its methods.
type accountPort interface{ chat.Accounts }

type accounts struct {
	accountPort
	m *Metrics
}

func (a accounts) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	var state chat.State
	err := a.accountPort.UpdateAccount(ctx, id, func(stored *chat.Account) error {
		err := change(stored)
		state = stored.State
		return err
	})
	if err != nil {
		return err
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if _, runs := a.m.connected[id]; runs {
		a.m.connected[id] = state == chat.Connected
	}
	return nil
}

// Chats counts events, one for each stored change of a chat, and how long after they were sent live messages are stored.
func (m *Metrics) Chats(s chat.ChatStore) chat.ChatStore { return chats{s, m} }

type chats struct {
	chat.ChatStore
	m *Metrics
}

// live is the age up to which a message counts as live: older ones are history, or waited for a device that was off.
const live = 10 * time.Minute

func (c chats) Update(ctx context.Context, account string, jid chat.JID, ids []string, change func(*chat.Thread) error) error {
	var newest int64 // seconds since 1970
	err := c.ChatStore.Update(ctx, account, jid, ids, func(t *chat.Thread) error {
		err := change(t)
		newest = 0
		for _, message := range t.Changed {
			newest = max(newest, message.Content.Time)
		}
		return err
	})
	if err != nil {
		return err
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.events++
	if lag := c.m.now().Sub(time.Unix(newest, 0)); lag < live {
		c.m.lag.add(lag)
		c.m.lags.add(lag)
	}
	return nil
}

// Commands measures how old commands are when they end.
func (m *Metrics) Commands(c chat.Commands) chat.Commands { return commands{c, m} }

type commands struct {
	chat.Commands
	m *Metrics
}

func (c commands) EndCommand(ctx context.Context, account, id string, o chat.Outcome) (chat.CommandRecord, error) {
	r, err := c.Commands.EndCommand(ctx, account, id, o)
	if err != nil {
		return r, err
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.age.add(r.EndedAt.Sub(r.RequestedAt))
	c.m.ages.add(r.EndedAt.Sub(r.RequestedAt))
	return r, nil
}
