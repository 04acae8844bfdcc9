package keystore_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	_ "modernc.org/sqlite"

	"pesan/internal/keystore"
	"pesan/internal/kv"
	kvdynamodb "pesan/internal/kv/dynamodb"
	kvsqlite "pesan/internal/kv/sqlite"
	"pesan/internal/testkit/dynamolocal"
)

func TestMain(m *testing.M) {
	flag.Set("rapid.checks", "25") // the command line may ask for more
	os.Exit(dynamolocal.Main(m))
}

const tableName = "devices"

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

// backend keeps one linked device.
type backend struct {
	device *store.Device
	reopen func(tester) *store.Device // as another host does: nothing is cached
}

var deviceJID = types.NewADJID("6281200000001", 0, 7)

// link makes a new device a linked one.
func link(t tester, d *store.Device) {
	t.Helper()
	jid := deviceJID
	d.ID, d.LID = &jid, types.JID{User: "900000001", Device: 7, Server: types.HiddenUserServer}
	d.Account = account()
	d.Platform, d.PushName = "android", "Sari"
	if err := d.Save(t.Context()); err != nil {
		t.Fatalf("save the device: %v", err)
	}
}

func account() *waAdv.ADVSignedDeviceIdentity {
	return &waAdv.ADVSignedDeviceIdentity{
		Details: []byte("details"), AccountSignature: fill(64, 1), AccountSignatureKey: fill(32, 2), DeviceSignature: fill(64, 3),
	}
}

func fill(n int, b byte) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = b
	}
	return s
}

func newSQL(t tester, folder string) *backend {
	t.Helper()
	address := "file:" + filepath.Join(folder, "keys.db") + "?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate"
	db, err := sql.Open("sqlite", address)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	c := sqlstore.NewWithDB(db, "sqlite3", nil)
	if err := c.Upgrade(t.Context()); err != nil {
		t.Fatalf("upgrade: %v", err)
	}
	if cleaner, ok := t.(interface{ Cleanup(func()) }); ok {
		cleaner.Cleanup(func() { db.Close() })
	}
	b := &backend{device: c.NewDevice()}
	link(t, b.device)
	b.reopen = func(t tester) *store.Device {
		d, err := sqlstore.NewWithDB(db, "sqlite3", nil).GetDevice(t.Context(), deviceJID)
		if err != nil || d == nil {
			t.Fatalf("reopen: %v", err)
		}
		return d
	}
	return b
}

var accounts atomic.Int64

// newAccount names an account that no other test has.
func newAccount() string { return fmt.Sprintf("account-%d", accounts.Add(1)) }

func newKeys(t tester, db kv.Store, o keystore.Options) *backend {
	t.Helper()
	name := newAccount()
	a := open(t, db, name, 1, o)
	b := &backend{device: a.NewDevice()}
	link(t, b.device)
	b.reopen = func(t tester) *store.Device { return linked(t, open(t, db, name, 1, o)) }
	return b
}

// lease is the ownership of an epoch that never ends.
type lease int64

func (l lease) Token() int64 { return int64(l) }
func (l lease) Check() error { return nil }

func open(t tester, db kv.Store, account string, epoch int64, o keystore.Options) *keystore.Account {
	t.Helper()
	a, err := keystore.New(db, o).Open(t.Context(), account, lease(epoch))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return a
}

func linked(t tester, a *keystore.Account) *store.Device {
	t.Helper()
	d, err := a.Device()
	if err != nil || d == nil {
		t.Fatalf("no linked device: %v", err)
	}
	return d
}

var tables = kvdynamodb.Tables{kv.Devices: tableName}

// table makes the table of a test.
func table(t testing.TB, options ...func(*dynamodb.Options)) kv.Store {
	t.Helper()
	client := onTable(t, options...)
	for _, definition := range dynamolocal.Definitions(tables) {
		dynamolocal.CreateTable(t, definition)
	}
	return client
}

// onTable reaches the table that the test has made.
func onTable(t testing.TB, options ...func(*dynamodb.Options)) kv.Store {
	t.Helper()
	options = append([]func(*dynamodb.Options){kvdynamodb.Tuned}, options...)
	return kvdynamodb.New(dynamolocal.Client(t, options...), tables, time.Now)
}

// file makes a database in a file.
func file(t testing.TB) kv.Store {
	t.Helper()
	db, err := kvsqlite.Open(t.Context(), filepath.Join(t.TempDir(), "keys.db"), kvsqlite.Options{})
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

// forEachStore runs a test over each form of the storage port.
func forEachStore(t *testing.T, run func(t *testing.T, db kv.Store)) {
	t.Run("dynamodb", func(t *testing.T) { run(t, table(t)) })
	t.Run("sqlite", func(t *testing.T) { run(t, file(t)) })
}

func forEachBackend(t *testing.T, run func(t *testing.T, b *backend)) {
	t.Run("sqlstore", func(t *testing.T) { run(t, newSQL(t, t.TempDir())) })
	forEachStore(t, func(t *testing.T, db kv.Store) { run(t, newKeys(t, db, keystore.Options{})) })
	t.Run("dynamodb, shaky", func(t *testing.T) {
		var w wire
		db := table(t, w.attach)
		w.set(shaky)
		t.Cleanup(func() { w.set(nil) })
		run(t, newKeys(t, db, keystore.Options{CacheBytes: 1}))
	})
}
