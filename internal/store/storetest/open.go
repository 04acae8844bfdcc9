package storetest

import (
	"context"
	"testing"
	"time"

	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
)

// Open opens a store over a database file, as the one process has it, and closes it when the test ends.
func Open(t testing.TB, file string, now func() time.Time) *store.Store {
	t.Helper()
	db := OpenFile(t, file, now)
	return store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: now})
}

// OpenFile opens what is under such a store.
func OpenFile(t testing.TB, file string, now func() time.Time) *sqlite.Store {
	t.Helper()
	db, err := sqlite.Open(context.WithoutCancel(t.Context()), file, sqlite.Options{Now: now})
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
