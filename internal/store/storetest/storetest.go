// Package storetest holds the contract of every port of package chat as a suite of tests, but for the queue's. It is run with
// package store over each adapter of kv. What is opened may be shared among tests and hold other data, since every test works
// on accounts and shards of its own; its kv.Store must have the clock Now.
package storetest

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/testkit/check"
)

// noon is the moment at which the tests take place.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// madeUpCursors are no cursors of any port.
var madeUpCursors = []string{"x", "0", "!!!", "-1", "e30", "bnVsbA", "WzEsMl0", "null", "\x00", "ÿ", " ", "'; --",
	strings.Repeat("A", 5000)}

func newAccount() string { return ulid.Make().String() }

// Now is the clock of the database: before all that expires in the tests.
func Now() time.Time { return noon.Add(-48 * time.Hour) }

// newTenant makes an account, without which nothing of it can be stored.
func newTenant(t testing.TB, store any) string {
	t.Helper()
	account, err := createTenant(t.Context(), store)
	ok(t, "create account", err)
	return account
}

func createTenant(ctx context.Context, store any) (string, error) {
	a := chat.Account{ID: newAccount(), CreatedAt: noon, State: chat.Connected}
	return a.ID, store.(chat.Accounts).CreateAccount(ctx, a)
}

// newShard picks a shard that no other test uses.
func newShard() int { return 1 + rand.IntN(1<<30) }

// walk reads all pages of a port and returns what page gives, checking that each page but the last is full.
func walk[T any](t *testing.T, limit int, page func(chat.Page) ([]T, string, error)) []T {
	t.Helper()
	var all []T
	cursor := ""
	for range 10_000 {
		items, next, err := page(chat.Page{Limit: limit, Cursor: cursor})
		ok(t, "page", err)
		if len(items) > limit || next != "" && len(items) < limit {
			t.Fatalf("a page of %d items with limit %d, next %q", len(items), limit, next)
		}
		all = append(all, items...)
		if next == "" {
			return all
		}
		if len(items) == 0 {
			t.Fatal("an empty page has a next one")
		}
		cursor = next
	}
	t.Fatal("the pages never end")
	return nil
}

// test is one test of a suite of ports of type P.
type test[P any] struct {
	name string
	run  func(*testing.T, context.Context, P)
}

func runAll[P any](t *testing.T, open func(*testing.T) P, tests []test[P]) {
	for _, one := range tests {
		t.Run(one.name, func(t *testing.T) { one.run(t, t.Context(), open(t)) })
	}
}

// Store is every port that is stored, but for the queue's.
type Store interface {
	chat.Accounts
	chat.ChatStore
	chat.Commands
	chat.Reports
	chat.Batches
	chat.Leases
	chat.Backlog
	Webhooks
	chat.Feed
	chat.FeedAppender
	chat.FeedWatcher
}

// Contracts runs the suites of all ports.
func Contracts(t *testing.T, open func(*testing.T) Store) {
	t.Run("Accounts", func(t *testing.T) { Accounts(t, func(t *testing.T) chat.Accounts { return open(t) }) })
	t.Run("ChatStore", func(t *testing.T) { ChatStore(t, func(t *testing.T) chat.ChatStore { return open(t) }) })
	t.Run("Commands", func(t *testing.T) { Commands(t, func(t *testing.T) chat.Commands { return open(t) }) })
	t.Run("Reports", func(t *testing.T) { Reports(t, func(t *testing.T) ReportsAndCommands { return open(t) }) })
	t.Run("Batches", func(t *testing.T) { Batches(t, func(t *testing.T) BatchStore { return open(t) }) })
	t.Run("Leases", func(t *testing.T) { Leases(t, func(t *testing.T) chat.Leases { return open(t) }) })
	t.Run("Usage", func(t *testing.T) { Usage(t, func(t *testing.T) chat.UsageStore { return open(t).(chat.UsageStore) }) })
	t.Run("Backlog", func(t *testing.T) { Backlog(t, func(t *testing.T) chat.Backlog { return open(t) }) })
	t.Run("Hooks", func(t *testing.T) { Hooks(t, func(t *testing.T) Webhooks { return open(t) }) })
	t.Run("Feed", func(t *testing.T) { Feed(t, func(t *testing.T) FeedStore { return open(t) }) })
}

var ok, wantCode, wantSame, text, together = check.OK, check.Code, check.Same, check.Text, check.Together
