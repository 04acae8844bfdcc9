package whatsapp

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/store"
)

// Globals are what whatsmeow keeps for the whole process.
type Globals struct {
	// Address is the host:port of a WhatsApp server that is dialled without TLS instead of the real one, and RootKey the
	// key that its certificates are signed with: 32 bytes in hex. Both empty: the real WhatsApp.
	Address, RootKey string
	// Name is how phones list the device; "Pesan" if empty.
	Name   string
	Logger *slog.Logger
}

// Set sets them. main calls it once, before the first device is opened. It returns the HTTP client for Config, nil for
// whatsmeow's own.
func (g Globals) Set() (*http.Client, error) {
	var signal logger.Loggable = signalLogger{g.Logger}
	logger.Setup(&signal)
	if g.Name == "" {
		g.Name = "Pesan"
	}
	store.DeviceProps.Os = &g.Name
	store.DeviceProps.PlatformType = waCompanionReg.DeviceProps_CHROME.Enum()
	if g.Address == "" && g.RootKey == "" {
		return nil, nil
	}
	if _, _, err := net.SplitHostPort(g.Address); err != nil {
		return nil, fmt.Errorf("address of the WhatsApp server: %w", err)
	}
	key, err := hex.DecodeString(g.RootKey)
	if err != nil || len(key) != len(whatsmeow.WACertPubKey) {
		return nil, fmt.Errorf("root key of the WhatsApp server: want %d bytes in hex", len(whatsmeow.WACertPubKey))
	}
	copy(whatsmeow.WACertPubKey[:], key)
	return Redirect(g.Address), nil
}

// dialTimeout bounds how long a server may take to accept a connection.
const dialTimeout = 10 * time.Second

// Redirect makes a client whose connections all go to one address, without TLS whatever the URL says.
func Redirect(address string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		return d.DialContext(ctx, "tcp", address)
	}
	return &http.Client{Transport: &http.Transport{
		DialContext:         dial,
		DialTLSContext:      dial,
		MaxIdleConnsPerHost: 2,
		IdleConnTimeout:     30 * time.Second,
	}}
}
