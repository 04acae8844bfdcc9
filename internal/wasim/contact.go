package wasim

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Contact is a person on WhatsApp.
type Contact struct{}

// Member is who can be in a group: a [Contact] or a [Phone].
type Member interface{ contact() *Contact }

// SendOptions say how a message is sent. The zero value is good.
type SendOptions struct {
	// ID is the message id; random if empty.
	ID string
	// Time is the server's time of the message, in seconds; now if zero.
	Time time.Time
	// ByLID addresses by LID instead of phone number.
	ByLID bool
	// HideAlt leaves out the other address (sender_lid, sender_pn, …), so that the client can't learn the mapping.
	HideAlt bool
	// Spoil breaks the ciphertext, so that the client asks for a retry.
	Spoil bool
}

// Message is what somebody received.
type Message struct {
	ID      string
	Time    time.Time
	Chat    types.JID // the other person, by the address used, or the group
	From    types.JID // the sending device, by the address used
	Message *waE2E.Message
}

// Receipt says that messages were delivered to, read or played by somebody.
type Receipt struct {
	Type types.ReceiptType // delivered is ""
	IDs  []string
	Time time.Time // now if zero
	// Group is set for messages of a group.
	Group *Group
	// ByLID addresses by LID instead of phone number.
	ByLID bool
}

// ReceivedReceipt is a receipt that a device gave.
type ReceivedReceipt struct {
	Type types.ReceiptType
	IDs  []string
	Time time.Time
	From types.JID // the device
	Chat types.JID
}

// PN is the person's address by phone number; empty if they hide it.
func (c *Contact) PN() types.JID { return types.JID{} }

// LID is the person's hidden address.
func (c *Contact) LID() types.JID { return types.JID{} }

// PushName is the name that the person gives themself.
func (c *Contact) PushName() string { return "" }

// SetPushName changes it; later messages carry it.
func (c *Contact) SetPushName(name string) {}

// Send sends a message to a person with a phone: to every device of the account. It returns as soon as the message is
// in the devices' queues.
func (c *Contact) Send(ctx context.Context, to *Phone, m *waE2E.Message, o SendOptions) (id string, err error) {
	return "", errMissing
}

// SendGroup sends a message to a group with the sender's key, which it first distributes to the devices that lack it.
func (c *Contact) SendGroup(ctx context.Context, g *Group, m *waE2E.Message, o SendOptions) (id string, err error) {
	return "", errMissing
}

// SendReceipt tells a person's devices what became of their messages.
func (c *Contact) SendReceipt(ctx context.Context, to *Phone, r Receipt) error { return errMissing }

// Received is what the person received so far, in order; the sender's device has encrypted it for them.
func (c *Contact) Received() []Message { return nil }

// WaitReceived waits for a message that match accepts, those already received included.
func (c *Contact) WaitReceived(ctx context.Context, match func(Message) bool) (Message, error) {
	return Message{}, errMissing
}

// Receipts are the receipts that the person's messages got so far, in order; retry receipts are not among them.
func (c *Contact) Receipts() []ReceivedReceipt { return nil }
