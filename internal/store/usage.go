package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

var _ chat.UsageStore = (*Store)(nil)

// usagePartition stands beside the reports, since whoever counts may write those.
func usagePartition(account string) string { return "usage/" + account }

// PutUsage implements chat.UsageStore. A source writes its own item alone, so that counting needs no reading and no condition.
func (s *Store) PutUsage(ctx context.Context, account, day, source string, byKey map[string]chat.Usage) error {
	return s.putUsage(ctx, kv.Reports, account, day, source, byKey)
}

// HookUsage keeps what is counted by who may write the state of webhooks and nothing else.
func (s *Store) HookUsage() HookUsage { return HookUsage{s} }

// HookUsage is a part of a Store.
type HookUsage struct{ store *Store }

// PutUsage is that of chat.UsageStore.
func (h HookUsage) PutUsage(ctx context.Context, account, day, source string, byKey map[string]chat.Usage) error {
	return h.store.putUsage(ctx, kv.Hooks, account, day, source, byKey)
}

// AllUsage finds usage wherever it was counted.
func (s *Store) AllUsage() chat.UsageReader { return allUsage{s} }

type allUsage struct{ store *Store }

func (a allUsage) Usage(ctx context.Context, account, from, through string) ([]chat.DayUsage, error) {
	return a.store.usage(ctx, account, from, through, kv.Reports, kv.Hooks)
}

func (s *Store) putUsage(ctx context.Context, c kv.Collection, account, day, source string, byKey map[string]chat.Usage) error {
	data, err := marshal(byKey)
	if err == nil {
		err = s.kv.Write(ctx, kv.Each(kv.Put(kv.Item{
			Key:  kv.Key{Collection: c, Partition: usagePartition(account), Sort: day + "/" + source},
			Data: data, Expires: s.now().Add(chat.UsageAge).Unix(),
		}, kv.Always())))
	}
	return failed("put usage", err)
}

// Usage implements chat.UsageReader.
func (s *Store) Usage(ctx context.Context, account, from, through string) ([]chat.DayUsage, error) {
	return s.usage(ctx, account, from, through, kv.Reports)
}

func (s *Store) usage(ctx context.Context, account, from, through string, in ...kv.Collection) ([]chat.DayUsage, error) {
	type name struct{ day, key string }
	sums := make(map[name]chat.Usage)
	for _, c := range in {
		q := kv.Query{Collection: c, Partition: usagePartition(account), From: from, To: through + "0"} // "/" is before "0"
		for it, err := range s.kv.Query(ctx, q) {
			if err != nil {
				return nil, failed("read usage", err)
			}
			byKey, err := jsonOf[map[string]chat.Usage](&it)
			if err != nil {
				return nil, failed("read usage", err)
			}
			day, _, _ := strings.Cut(it.Sort, "/")
			for key, u := range byKey {
				sum := sums[name{day, key}]
				sum.Add(u)
				sums[name{day, key}] = sum
			}
		}
	}
	days := make([]chat.DayUsage, 0, len(sums))
	for n, u := range sums {
		days = append(days, chat.DayUsage{Day: n.day, Key: n.key, Usage: u})
	}
	slices.SortFunc(days, func(a, b chat.DayUsage) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Key, b.Key)) })
	return days, nil
}
