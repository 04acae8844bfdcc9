package wasim

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Device is one linked device of a [Phone].
type Device struct{}

// Ack is one acknowledgement by a device.
type Ack struct {
	Time   time.Time
	Device types.JID
	Class  string // message, receipt or notification
	ID     string
	From   types.JID // whom the stanza came from
	// Kind is how it was acknowledged: "inactive", "delivered", "sender", "ack", or "nack <code>".
	Kind string
}

// Connection is one connection of a client, from its opening.
type Connection struct {
	Opened   time.Time
	LoggedIn time.Time // zero if it never was
	Closed   time.Time // zero while it lives
	Device   types.JID // zero before pairing
	Remote   string    // address
	Stanzas  int       // received from the client after login
	// AfterReplaced counts stanzas received after a newer connection of the same device had logged in and after this one
	// could have known it. More than zero means that two clients drove one device.
	AfterReplaced int
}

// JID is the device's address by phone number, the device number included.
func (d *Device) JID() types.JID { return types.JID{} }

// LID is the device's hidden address, the device number included.
func (d *Device) LID() types.JID { return types.JID{} }

// Online says whether the device is logged in and active, so that it gets its stanzas at once.
func (d *Device) Online() bool { return false }

// WaitOnline waits until the device is online.
func (d *Device) WaitOnline(ctx context.Context) error { return errMissing }

// WaitOffline waits until the device has no connection.
func (d *Device) WaitOffline(ctx context.Context) error { return errMissing }

// Linked says whether the device is still linked to its account.
func (d *Device) Linked() bool { return false }

// Logins is how often the device has logged in.
func (d *Device) Logins() int { return 0 }

// Acked says whether a stanza with this id was acknowledged.
func (d *Device) Acked(id string) bool { return false }

// WaitAcked waits until stanzas with all these ids are acknowledged.
func (d *Device) WaitAcked(ctx context.Context, ids ...string) error { return errMissing }

// Acks are the acknowledgements of this device, in order.
func (d *Device) Acks() []Ack { return nil }

// Pending is the number of stanzas kept for the device since it hasn't acknowledged them.
func (d *Device) Pending() int { return 0 }

// WaitDrained waits until nothing is pending.
func (d *Device) WaitDrained(ctx context.Context) error { return errMissing }

// Connections are the connections of this device, in the order of their opening.
func (d *Device) Connections() []Connection { return nil }

// Inject puts a fault into the device's connections.
func (d *Device) Inject(f Fault) *Injected { return nil }

// Drop breaks the connection abruptly (TCP reset). Like all that ends a connection, it does nothing when there is none.
func (d *Device) Drop() {}

// Hangup ends the connection cleanly.
func (d *Device) Hangup() {}

// Replace ends the connection as WhatsApp does when the device connects from elsewhere.
func (d *Device) Replace() {}

// Restart ends the connection with stream error 503.
func (d *Device) Restart() {}

// Unlink removes the device from the account, as the user can on the phone: stream error 401 device_removed, and every
// later login fails with 401.
func (d *Device) Unlink() {}
