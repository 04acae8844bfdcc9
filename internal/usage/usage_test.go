package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"pesan/internal/chat"
)

// store keeps what is stored, as the real one does: each source its own of the day.
type store struct {
	mu     sync.Mutex
	fails  bool
	writes int
	rows   map[string]map[string]chat.Usage
}

func (s *store) PutUsage(_ context.Context, account, day, source string, byKey map[string]chat.Usage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return errors.New("no")
	}
	s.writes++
	if s.rows == nil {
		s.rows = make(map[string]map[string]chat.Usage)
	}
	s.rows[account+" "+day+" "+source] = maps.Clone(byKey)
	return nil
}

func (s *store) sum() (all chat.Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, byKey := range s.rows {
		for _, u := range byKey {
			all.Add(u)
		}
	}
	return all
}

// TestNothingIsLostOrCountedTwice: many count while others store, which fails now and then.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	s := new(store)
	now := time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC)
	var mu sync.Mutex
	m := New(s, "a", func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Millisecond) // over midnight
		return now
	})
	const workers, each = 8, 500
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for j := range each {
				m.Count(fmt.Sprint("account", j%3), fmt.Sprint("key", i), chat.Usage{Calls: 1, Messages: 2})
				if j%50 == 0 {
					s.mu.Lock()
					s.fails = j%100 == 0
					s.mu.Unlock()
					_ = m.Flush(t.Context())
				}
			}
		})
	}
	wg.Wait()
	s.fails = false
	for range 2 {
		if err := m.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.sum(); got != (chat.Usage{Calls: workers * each, Messages: 2 * workers * each}) {
		t.Errorf("stored %+v", got)
	}
	before := s.writes
	if err := m.Flush(t.Context()); err != nil || s.writes != before {
		t.Errorf("%d writes of nothing new, %v", s.writes-before, err)
	}
	if len(m.days) > 3 {
		t.Errorf("%d days are remembered", len(m.days))
	}
}

// TestTheEndIsStored: what is counted until the context ends is stored.
func TestTheEndIsStored(t *testing.T) {
	s := new(store)
	m := New(s, "a", time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	m.Count("account", "main", chat.Usage{Calls: 1})
	cancel()
	m.Run(ctx, time.Hour, slog.New(slog.DiscardHandler))
	if s.sum().Calls != 1 {
		t.Error("the last calls are lost")
	}
}

type accounts struct {
	all     []chat.Account
	updates int
}

func (a *accounts) AccountsOf(context.Context, []int) ([]chat.Account, error) { return a.all, nil }

func (a *accounts) UpdateAccount(_ context.Context, id string, change func(*chat.Account) error) error {
	a.updates++
	for i := range a.all {
		if a.all[i].ID == id {
			return change(&a.all[i])
		}
	}
	return &chat.Error{Code: chat.DeviceNotFound}
}

type rows []chat.DayUsage

func (r rows) Usage(_ context.Context, _, from, through string) (found []chat.DayUsage, err error) {
	for _, d := range r {
		if d.Day >= from && d.Day <= through {
			found = append(found, d)
		}
	}
	return found, nil
}

func TestMark(t *testing.T) {
	a := &accounts{all: []chat.Account{
		{ID: "free", Keys: []chat.APIKey{{ID: "k"}}},
		{ID: "bound", Limits: chat.Limits{PerMonth: 10}, Keys: []chat.APIKey{{ID: "k", Limits: chat.Limits{PerMonth: 5}}, {ID: "other"}}},
	}}
	used := rows{
		{Day: "2026-02-28", Key: "main", Usage: chat.Usage{Calls: 100}}, {Day: "2026-03-01", Key: "main", Usage: chat.Usage{Calls: 9}},
		{Day: "2026-03-01", Key: "k", Usage: chat.Usage{Calls: 3}}, {Day: "2026-03-31", Key: "k", Usage: chat.Usage{Calls: 2}},
		{Day: "2026-03-31", Key: "other", Usage: chat.Usage{Calls: 200}},
	}
	march := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	if err := Mark(t.Context(), a, chat.ShardsOf(0, 1), used, march); err != nil {
		t.Fatal(err)
	}
	bound := a.all[1]
	if bound.Limits.Spent != "" || bound.Keys[0].Limits.Spent != "2026-03" || bound.Keys[1].Limits.Spent != "" || a.updates != 1 {
		t.Errorf("%+v after %d updates", bound, a.updates)
	}
	used = append(used, chat.DayUsage{Day: "2026-03-31", Key: "main", Usage: chat.Usage{Calls: 1}})
	for range 3 {
		if err := Mark(t.Context(), a, chat.ShardsOf(0, 1), used, march); err != nil {
			t.Fatal(err)
		}
	}
	if a.all[1].Limits.Spent != "2026-03" || a.updates != 2 {
		t.Errorf("%+v after %d updates", a.all[1], a.updates)
	}
}
