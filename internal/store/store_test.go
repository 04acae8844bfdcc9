package store_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
	"pesan/internal/testkit/dynamolocal"
)

func TestMain(m *testing.M) {
	// A check takes some hundred calls; -rapid.checks asks for more of them.
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	os.Exit(dynamolocal.Main(m))
}

// openFile opens a new database file.
func openFile(t testing.TB, o sqlite.Options) *sqlite.Store {
	t.Helper()
	db, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "pesan.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestContractsOverSQLite(t *testing.T) {
	for _, sole := range []bool{true, false} {
		t.Run(fmt.Sprint("sole writer ", sole), func(t *testing.T) {
			db := openFile(t, sqlite.Options{Now: storetest.Now})
			s := store.New(db, store.Options{Compression: store.S2, SoleWriter: sole, Now: storetest.Now})
			storetest.Contracts(t, func(*testing.T) storetest.Store { return s })
		})
	}
}

func TestProjectionOverSQLite(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
	storetest.Projection(t, func(*testing.T) chat.ChatStore { return s })
}

// newAccount makes an account, without which nothing of it can be stored.
func newAccount(t testing.TB, s *store.Store) string {
	t.Helper()
	a := chat.Account{ID: ulid.Make().String(), KeyHash: make([]byte, 32), CreatedAt: noon, State: chat.Connected}
	if err := s.CreateAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a.ID
}

// apply makes a change as a projector does, but for linking addresses.
func apply(ctx context.Context, s *store.Store, account string, c chat.Change) error {
	var ids []string
	for _, m := range c.Messages {
		ids = append(ids, m.ID)
	}
	return s.Update(ctx, account, c.Chat, ids, func(th *chat.Thread) error { return th.Apply(c, noon) })
}

func project(t testing.TB, s *store.Store, account string, c chat.Change) {
	t.Helper()
	if err := apply(t.Context(), s, account, c); err != nil {
		t.Fatal(err)
	}
}
