package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pesan/internal/chat"
	"pesan/internal/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *DB {
	t.Helper()
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "pesan.db"), o)
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

func opens[P any](port func(*DB) P) func(*testing.T) P {
	return func(t *testing.T) P { return port(open(t, Options{})) }
}

func TestAccounts(t *testing.T) {
	porttest.Accounts(t, opens(func(db *DB) chat.Accounts { return db }))
}

func TestChatStore(t *testing.T) {
	porttest.ChatStore(t, opens(func(db *DB) chat.ChatStore { return db }))
}

func TestCommands(t *testing.T) {
	porttest.Commands(t, opens(func(db *DB) chat.Commands { return db }))
}

func TestReports(t *testing.T) {
	porttest.Reports(t, opens(func(db *DB) chat.Reports { return db }))
}

func TestLeases(t *testing.T) {
	porttest.Leases(t, opens(func(db *DB) chat.Leases { return db }))
}

func TestBacklog(t *testing.T) {
	porttest.Backlog(t, opens(func(db *DB) chat.Backlog { return db }))
}

func TestQueue(t *testing.T) {
	porttest.Queue(t, true, func(t *testing.T) porttest.QueueFixture {
		db := open(t, Options{Visibility: 2 * time.Second})
		return porttest.QueueFixture{
			CommandSender: db, CommandQueue: db, Shards: [2]int{1, 2}, Visibility: 2 * time.Second,
			Put: func(ctx context.Context, shard int, account, id, body string) error {
				return db.enqueue(ctx, shard, account, id, []byte(body))
			},
			DeadLetters: func(ctx context.Context, shard int) (n int, err error) {
				_, err = db.reader.get(ctx, "SELECT count(*) FROM dead_letters WHERE shard = ?", []any{shard}, &n)
				return n, err
			},
		}
	})
}

func TestProjection(t *testing.T) {
	porttest.Projection(t, opens(func(db *DB) chat.ChatStore { return db }))
}
