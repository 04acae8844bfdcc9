package storetest

import (
	"context"
	"testing"

	"pesan/internal/chat"
)

// Usage checks an adapter of what is used.
func Usage(t *testing.T, open func(*testing.T) chat.UsageStore) { runAll(t, open, usageTests) }

var usageTests = []test[chat.UsageStore]{
	{"Sums", usageSums},
}

func usageSums(t *testing.T, ctx context.Context, store chat.UsageStore) {
	account, foreign := newAccount(), newAccount()
	put := func(account, day, source string, byKey map[string]chat.Usage) {
		t.Helper()
		ok(t, "put usage", store.PutUsage(ctx, account, day, source, byKey))
	}
	put(account, "2026-02-28", "a", map[string]chat.Usage{"main": {Calls: 1}})
	put(account, "2026-03-01", "a", map[string]chat.Usage{"main": {Calls: 2}})
	for range 2 { // of a source the last counts, however often it is told
		put(account, "2026-03-01", "a", map[string]chat.Usage{"main": {Calls: 5, Failed: 1}, "": {Messages: 7}})
	}
	put(account, "2026-03-01", "b", map[string]chat.Usage{"main": {Calls: 10, Commands: 3, Operations: 4, Deliveries: 6},
		"other": {Calls: 1}})
	put(account, "2026-03-31", "a", map[string]chat.Usage{"main": {Calls: 100}})
	put(account, "2026-04-01", "a", map[string]chat.Usage{"main": {Calls: 1000}})
	put(foreign, "2026-03-01", "a", map[string]chat.Usage{"main": {Calls: 10000}})
	got, err := store.Usage(ctx, account, "2026-03-01", "2026-03-31")
	ok(t, "usage", err)
	wantSame(t, "a month's usage", got, []chat.DayUsage{
		{Day: "2026-03-01", Key: "", Usage: chat.Usage{Messages: 7}},
		{Day: "2026-03-01", Key: "main", Usage: chat.Usage{Calls: 15, Failed: 1, Commands: 3, Operations: 4, Deliveries: 6}},
		{Day: "2026-03-01", Key: "other", Usage: chat.Usage{Calls: 1}},
		{Day: "2026-03-31", Key: "main", Usage: chat.Usage{Calls: 100}},
	})
	got, err = store.Usage(ctx, account, "2026-03-01", "2026-03-01")
	ok(t, "usage", err)
	wantSame(t, "days of one day", len(got), 3)
}
