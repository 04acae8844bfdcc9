// Package plain is whatsmeow as it comes, without Pesan, for tests of what it talks to.
package plain

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"pesan/internal/sim"
)

// quiet keeps libsignal off standard output.
type quiet struct{}

func (quiet) Debug(string, string)   {}
func (quiet) Info(string, string)    {}
func (quiet) Warning(string, string) {}
func (quiet) Error(string, string)   {}
func (quiet) Configure(string)       {}

// Trust sets what whatsmeow and libsignal keep for the whole process, before the first client is made, and returns the key
// that every server of the process must have as its root.
func Trust() *keys.KeyPair {
	var l logger.Loggable = quiet{}
	logger.Setup(&l)
	root := keys.NewKeyPair()
	whatsmeow.WACertPubKey = *root.Pub
	return root
}

// Store opens a new store of whatsmeow's own.
func Store(t testing.TB) *sqlstore.Container {
	t.Helper()
	file := filepath.Join(t.TempDir(), "device.db")
	db, err := sql.Open("sqlite",
		"file:"+file+"?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	container := sqlstore.NewWithDB(db, "sqlite3", waLog.Noop)
	t.Cleanup(func() { _ = container.Close() })
	if err := container.Upgrade(context.Background()); err != nil {
		t.Fatal(err)
	}
	return container
}

// Client makes a client of a server, set up to lose no message: handle says whether it has taken an event. The client is
// disconnected when the test ends.
func Client(
	t testing.TB, server *sim.Server, device *store.Device, log waLog.Logger, handle func(evt any) bool,
) *whatsmeow.Client {
	c, http := whatsmeow.NewClient(device, log), server.HTTPClient()
	c.SetMediaHTTPClient(http)
	c.SetWebsocketHTTPClient(http)
	c.SetPreLoginHTTPClient(http)
	c.SynchronousAck, c.EnableDecryptedEventBuffer, c.ManualHistorySyncDownload = true, true, true
	c.DisableLoginAutoReconnect = true
	var logins sync.WaitGroup
	c.AddEventHandlerWithSuccessStatus(func(evt any) bool {
		if _, linked := evt.(*events.PairSuccess); linked {
			logins.Go(func() { login(t.Context(), c) })
		}
		return handle(evt)
	})
	t.Cleanup(func() {
		logins.Wait()
		c.Disconnect()
		http.CloseIdleConnections()
	})
	return c
}

// login has a client that was just linked log in once its connection has ended. By itself it does so at WhatsApp's word, which it
// drops if it notices the end before it has taken that: then it stays away.
func login(ctx context.Context, c *whatsmeow.Client) {
	gone, cancel := context.WithCancel(ctx)
	cancel() // so that nothing is sent
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	//lint:ignore SA1019 IsConnected is false before a new connection may be made
	for !errors.Is(c.DangerousInternals().SendNode(gone, waBinary.Node{Tag: "ack"}), whatsmeow.ErrNotConnected) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
	_ = c.Connect() // an error shows as a client that doesn't come
}
