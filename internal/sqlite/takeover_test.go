package sqlite_test

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/sqlite"
)

// TestTakeOver leaves a database as a killed process does, and opens it again.
func TestTakeOver(t *testing.T) {
	path := t.TempDir() + "/pesan.db"
	open := func() *sqlite.DB {
		t.Helper()
		db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db := open()
	now := time.Now()
	first, err := db.AcquireLease(t.Context(), 0, "killed", now, time.Hour)
	must(err)
	must(db.AnnounceHost(t.Context(), "killed", now, time.Hour))
	sent := chat.Command{Version: 1, ID: "1", Account: ulid.Make().String(), Kind: chat.ConnectCommand, RequestedAt: now}
	must(db.Send(t.Context(), 0, sent))
	_, err = db.Receive(t.Context(), 0, 1)
	must(err)
	must(db.Close())

	db = open()
	must(db.TakeOver(t.Context()))
	second, err := db.AcquireLease(t.Context(), 0, "next", now, time.Hour)
	must(err)
	if second.Epoch <= first.Epoch {
		t.Errorf("epoch %d after %d", second.Epoch, first.Epoch)
	}
	hosts, err := db.Hosts(t.Context(), now)
	must(err)
	if len(hosts) != 0 {
		t.Errorf("hosts %v", hosts)
	}
	deliveries, err := db.Receive(t.Context(), 0, 1)
	must(err)
	if got, err := deliveries[0].Command(); err != nil || got.ID != sent.ID || deliveries[0].Attempt() != 2 {
		t.Errorf("received %+v, attempt %d, %v", got, deliveries[0].Attempt(), err)
	}
	must(db.Close())
}
