// Package usage counts what accounts use, and says which of their keys have used up a month's calls.
//
// Counting writes nothing: what a process has counted stays in its memory, and is stored now and then, as the process's own total
// of the day. So nothing is counted twice, whatever is repeated; a process that is killed loses what it counted since it stored
// last.
package usage

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"pesan/internal/chat"
)

// Writer stores what was counted.
type Writer interface {
	// PutUsage stores what a source has counted of an account on a day so far, by key.
	PutUsage(ctx context.Context, account, day, source string, byKey map[string]chat.Usage) error
}

// Meter counts. It is safe for concurrent use.
type Meter struct {
	store  Writer
	source string // names this process
	now    func() time.Time

	flushing sync.Mutex // held by who stores

	mu      sync.Mutex
	days    map[day]*counted
	flushed time.Time
}

type day struct{ account, date string }

type counted struct {
	byKey map[string]chat.Usage
	dirty bool // not stored yet
}

// New makes a meter of a process; source is a name that no other has.
func New(store Writer, source string, now func() time.Time) *Meter {
	return &Meter{store: store, source: source, now: now, days: make(map[day]*counted), flushed: now()}
}

// Count adds to what a key of an account has used today.
func (m *Meter) Count(account, key string, u chat.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := day{account, m.now().UTC().Format(time.DateOnly)}
	c := m.days[d]
	if c == nil {
		c = &counted{byKey: make(map[string]chat.Usage)}
		m.days[d] = c
	}
	sum := c.byKey[key]
	sum.Add(u)
	c.byKey[key], c.dirty = sum, true
}

// News counts messages of an account, which no key asks for.
func (m *Meter) News(account string, messages int) {
	m.Count(account, "", chat.Usage{Messages: int64(messages)})
}

// Delivered counts an event that a webhook took.
func (m *Meter) Delivered(account string) { m.Count(account, "", chat.Usage{Deliveries: 1}) }

// Due tells whether nothing was stored for as long as every.
func (m *Meter) Due(every time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now().Sub(m.flushed) >= every
}

// Flush stores what has been counted since it was stored last. What can't be stored is kept for the next time.
func (m *Meter) Flush(ctx context.Context) (err error) {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	for d, byKey := range m.take() {
		if e := m.store.PutUsage(ctx, d.account, d.date, m.source, byKey); e != nil {
			err = e
			m.mu.Lock()
			if c := m.days[d]; c != nil {
				c.dirty = true
			}
			m.mu.Unlock()
		}
	}
	return err
}

// take is what isn't stored yet. Days that are over and stored are forgotten.
func (m *Meter) take() map[day]map[string]chat.Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flushed = m.now()
	today := m.flushed.UTC().Format(time.DateOnly)
	taken := make(map[day]map[string]chat.Usage)
	for d, c := range m.days {
		switch {
		case c.dirty:
			byKey := make(map[string]chat.Usage, len(c.byKey))
			for key, u := range c.byKey {
				byKey[key] = u
			}
			taken[d], c.dirty = byKey, false
		case d.date != today:
			delete(m.days, d)
		}
	}
	return taken
}

// lastFlush bounds what is stored as the process ends.
const lastFlush = 3 * time.Second

// Run stores what was counted every so often, until ctx ends and then once more.
func (m *Meter) Run(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if err := m.Flush(ctx); err != nil && ctx.Err() == nil {
				log.Warn("store usage", "error", err)
			}
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	if err := m.Flush(last); err != nil {
		log.Warn("store usage", "error", err)
	}
}

// Accounts are whose keys are watched.
type Accounts interface {
	// AccountsOf returns those of shards.
	AccountsOf(ctx context.Context, shards []int) ([]chat.Account, error)
	// UpdateAccount changes one.
	UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error
}

// Watch marks keys of the shards' accounts that have used up a month's calls, every so often, until ctx ends.
func Watch(ctx context.Context, accounts Accounts, shards []int, usage chat.UsageReader, every time.Duration,
	now func() time.Time, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := Mark(ctx, accounts, shards, usage, now()); err != nil && ctx.Err() == nil {
			log.Warn("watch limits", "error", err)
		}
	}
}

// Mark marks the keys of the shards' accounts that have used up their calls of the month of a moment.
func Mark(ctx context.Context, accounts Accounts, shards []int, usage chat.UsageReader, now time.Time) error {
	all, err := accounts.AccountsOf(ctx, shards)
	if err != nil {
		return err
	}
	month := chat.MonthOf(now)
	for _, a := range all {
		if !limited(a, month) {
			continue
		}
		days, err := usage.Usage(ctx, a.ID, month+"-01", month+"-31")
		if err != nil {
			return err
		}
		calls := make(map[string]int64)
		for _, d := range days {
			calls[d.Key] += d.Calls
		}
		err = accounts.UpdateAccount(ctx, a.ID, func(a *chat.Account) error {
			mark(&a.Limits, calls[chat.MainKey], month)
			for i := range a.Keys {
				mark(&a.Keys[i].Limits, calls[a.Keys[i].ID], month)
			}
			return nil
		})
		if err != nil && chat.CodeOf(err) != chat.DeviceNotFound {
			return err
		}
	}
	return nil
}

// limited tells whether an account has a key that may use up its month and hasn't yet.
func limited(a chat.Account, month string) bool {
	open := func(l chat.Limits) bool { return l.PerMonth > 0 && l.Spent != month }
	if open(a.Limits) {
		return true
	}
	for _, k := range a.Keys {
		if open(k.Limits) {
			return true
		}
	}
	return false
}

func mark(l *chat.Limits, calls int64, month string) {
	if l.PerMonth > 0 && calls >= l.PerMonth {
		l.Spent = month
	}
}
