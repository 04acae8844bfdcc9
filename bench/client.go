package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/devicedb"
)

// clientCommand makes this program the yardstick: whatsmeow alone, as an application must set it up to lose no message.
const clientCommand = "whatsmeow"

// durableClientCommand makes it one that waits for the disk at every commit.
const durableClientCommand = "durable-whatsmeow"

// runClients connects clients on one file of keys: those linked already or, when there are none, a new one for each of the
// phone numbers, for which it prints the pairing codes.
func runClients(ctx context.Context, args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: %s|%s <file> <phone>…", clientCommand, durableClientCommand)
	}
	open := devicedb.OpenUnflushed
	if args[0] == durableClientCommand {
		open = devicedb.OpenDurable
	}
	args = args[1:]
	root, err := hex.DecodeString(os.Getenv("WHATSAPP_ROOT_KEY"))
	if err != nil {
		return err
	}
	copy(whatsmeow.WACertPubKey[:], root)
	db, err := open(ctx, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	container := sqlstore.NewWithDB(db.DB, "sqlite3", nil)
	if err := container.Upgrade(ctx); err != nil {
		return err
	}
	devices, err := container.GetAllDevices(ctx)
	if err != nil {
		return err
	}
	var clients []*whatsmeow.Client
	for i, phone := range args[1:] {
		if len(devices) == i {
			devices = append(devices, container.NewDevice())
		}
		client, err := connectClient(ctx, devices[i], phone)
		if err != nil {
			return err
		}
		clients = append(clients, client)
	}
	fmt.Println("ready all")
	<-ctx.Done()
	for _, client := range clients {
		client.Disconnect()
	}
	return nil
}

// connectClient connects and waits until the client is logged in.
func connectClient(ctx context.Context, device *store.Device, phone string) (*whatsmeow.Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", os.Getenv("WHATSAPP_ADDRESS"))
	}
	transport := &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
	client := whatsmeow.NewClient(device, nil)
	client.SetPreLoginHTTPClient(transport)
	client.SetWebsocketHTTPClient(transport)
	client.SetMediaHTTPClient(transport)
	client.SynchronousAck = true
	client.EnableDecryptedEventBuffer = true
	client.ManualHistorySyncDownload = true
	var once sync.Once
	connected := make(chan struct{})
	codes := make(chan struct{}, 16)
	client.AddEventHandlerWithSuccessStatus(func(event any) bool {
		switch event.(type) {
		case *events.Connected:
			once.Do(func() { close(connected) })
		case *events.QR:
			codes <- struct{}{}
		}
		return true
	})
	if err := client.ConnectContext(ctx); err != nil {
		return nil, err
	}
	if device.ID == nil {
		<-codes
		code, err := client.PairPhone(ctx, phone, false, whatsmeow.PairClientChrome, "Chrome (Linux)")
		if err != nil {
			return nil, err
		}
		fmt.Println("code", code)
	}
	select {
	case <-connected:
		return client, nil
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("no login within a minute")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
