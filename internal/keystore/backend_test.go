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

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	_ "modernc.org/sqlite"

	"pesan/internal/keystore"
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
	reopen func(tester) *store.Device // as a host does that stopped in good order; nothing is cached
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

func newDynamo(t tester, db *dynamodb.Client, o keystore.Options) *backend {
	t.Helper()
	name := newAccount()
	a := open(t, db, name, 1, o)
	b := &backend{device: a.NewDevice()}
	link(t, b.device)
	b.reopen = func(t tester) *store.Device {
		if err := a.Flush(t.Context()); err != nil {
			t.Fatalf("flush: %v", err)
		}
		a = open(t, db, name, 1, o)
		return linked(t, a)
	}
	return b
}

func open(t tester, db *dynamodb.Client, account string, epoch int64, o keystore.Options) *keystore.Account {
	t.Helper()
	a, err := keystore.New(db, tableName, o).Open(t.Context(), account, epoch)
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

// table makes the table of a test.
func table(t *testing.T, options ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	db := dynamolocal.Client(t, options...)
	dynamolocal.CreateTable(t, keystore.Table(tableName))
	return db
}

func forEachBackend(t *testing.T, run func(t *testing.T, b *backend)) {
	t.Run("sqlstore", func(t *testing.T) { run(t, newSQL(t, t.TempDir())) })
	t.Run("keystore", func(t *testing.T) { run(t, newDynamo(t, table(t), keystore.Options{})) })
	t.Run("keystore, shaky", func(t *testing.T) {
		var w wire
		db := table(t, w.attach)
		w.set(shaky)
		t.Cleanup(func() { w.set(nil) })
		run(t, newDynamo(t, db, keystore.Options{CacheBytes: 1}))
	})
}
