package sim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Contact is a person on WhatsApp.
type Contact struct {
	s       *Server
	pn, lid types.JID
	phone   *Phone // nil if no device can be linked
	changed notifier

	mu       sync.Mutex // guards what follows; it is held while messages are encrypted and queued, so that they keep order
	pushName string
	signal   *signalStore
	peers    map[*Device]*peer
	outbox   outbox
	received []Message
	receipts []ReceivedReceipt
}

// SendOptions say how a message is sent. The zero value is good.
type SendOptions struct {
	// ID is the message id; random if empty.
	ID string
	// Time is the server's time of the message, in seconds; now if zero.
	Time time.Time
	// ByLID addresses a private message by LID instead of phone number.
	ByLID bool
	// HideAlt leaves out the other address (sender_lid, sender_pn, …), so that the client can't learn the mapping.
	HideAlt bool
	// Spoil breaks the ciphertext, so that the client asks for another copy, which it gets unbroken.
	Spoil bool
	// Absent leaves the ciphertext out: the client is told that only the phone has the message.
	Absent bool
	// Why says why it is absent, such as "view_once", which the phone doesn't hand out either.
	Why string
}

// Message is what somebody received.
type Message struct {
	ID      string
	Time    time.Time
	Chat    types.JID // the other person, by the address used, or the group
	From    types.JID // the sending device, by the address used
	FromMe  bool      // written by the receiver, on another device
	Listed  bool      // to a broadcast list, of which this is the copy in a recipient's chat
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
	Chat types.JID // as the device addressed it
}

// NewContact makes a person. pn is a phone number in digits and may be empty for somebody who hides it; lid is the number
// of a LID and is made up if empty.
func (s *Server) NewContact(pn, lid, pushName string) (*Contact, error) {
	if lid == "" {
		lid = "1" + randomDigits(13)
	}
	c := &Contact{
		s: s, lid: types.NewJID(lid, types.HiddenUserServer), pushName: pushName,
		signal: newSignalStore(), peers: map[*Device]*peer{},
	}
	if pn != "" {
		c.pn = types.NewJID(pn, types.DefaultUserServer)
	}
	for _, digits := range []string{pn, lid} {
		if strings.Trim(digits, "0123456789") != "" {
			return nil, fmt.Errorf("%q isn't a number", digits)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.contacts[c.pn] != nil || s.contacts[c.lid] != nil {
		return nil, fmt.Errorf("somebody has the number %q or the LID %q", pn, lid)
	}
	if pn != "" {
		s.contacts[c.pn] = c
	}
	s.contacts[c.lid] = c
	return c, nil
}

// find is the person with an address; nil if there is none.
func (s *Server) find(jid types.JID) *Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.contacts[jid.ToNonAD()]
}

// PN is the person's address by phone number; empty if they hide it.
func (c *Contact) PN() types.JID { return c.pn }

// LID is the person's hidden address.
func (c *Contact) LID() types.JID { return c.lid }

// PushName is the name that the person gives themself.
func (c *Contact) PushName() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pushName
}

// SetPushName changes it; later messages carry it.
func (c *Contact) SetPushName(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushName = name
}

// Send sends a message to a person with a phone: to the phone and to every linked device. It returns as soon as the
// message is in the devices' queues.
func (c *Contact) Send(ctx context.Context, to *Phone, m *waE2E.Message, o SendOptions) (id string, err error) {
	mail := c.newMail(m, o)
	mail.chat = c.address(mail.o.ByLID)
	if err := c.sendTo(ctx, mail, to.Devices()); err != nil {
		return "", err
	}
	to.record(Message{ID: mail.id, Time: mail.time, Chat: mail.chat, From: mail.chat, Message: m})
	return mail.id, nil
}

// SendReceipt tells a person's devices what became of their messages.
func (c *Contact) SendReceipt(_ context.Context, to *Phone, r Receipt) error {
	if len(r.IDs) == 0 {
		return fmt.Errorf("receipt without message ids")
	}
	from, participant := c.address(r.ByLID), types.JID{}
	if r.Group != nil {
		from, participant = r.Group.jid, c.address(r.Group.byLID)
	}
	node := receiptNode(from, r.IDs, r.Type, r.Time)
	if !participant.IsEmpty() {
		node.Attrs["participant"] = participant
	}
	for _, d := range to.Devices() {
		d.pushNode(node, nil)
	}
	return nil
}

// Received is what the person received so far, in order.
func (c *Contact) Received() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.received)
}

// WaitReceived waits for a message that match accepts, those already received included.
func (c *Contact) WaitReceived(ctx context.Context, match func(Message) bool) (Message, error) {
	var found Message
	seen := 0
	err := c.changed.wait(ctx, func() bool {
		c.mu.Lock()
		news := c.received[seen:]
		c.mu.Unlock()
		seen += len(news)
		i := slices.IndexFunc(news, match)
		if i >= 0 {
			found = news[i]
		}
		return i >= 0
	})
	return found, err
}

// Receipts are the receipts that the person's messages got so far, in order; retry receipts are not among them. A phone
// also gets those of its own devices for key shares and history (peer_msg, hist_sync, server-error).
func (c *Contact) Receipts() []ReceivedReceipt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.receipts)
}

// WaitReceipt waits for a receipt that match accepts, those already received included.
func (c *Contact) WaitReceipt(ctx context.Context, match func(ReceivedReceipt) bool) error {
	return c.changed.wait(ctx, func() bool { return slices.ContainsFunc(c.Receipts(), match) })
}

// record keeps what the person received.
func (c *Contact) record(m Message) {
	c.mu.Lock()
	c.received = append(c.received, m)
	c.mu.Unlock()
	c.changed.tell()
}

func (c *Contact) recordReceipt(r ReceivedReceipt) {
	c.mu.Lock()
	c.receipts = append(c.receipts, r)
	c.mu.Unlock()
	c.changed.tell()
}

// address is the PN or the LID; the LID of somebody who hides the PN.
func (c *Contact) address(byLID bool) types.JID {
	if byLID || c.pn.IsEmpty() {
		return c.lid
	}
	return c.pn
}

// alt is the other of the two addresses; empty if there is none.
func (c *Contact) alt(byLID bool) types.JID {
	if byLID || c.pn.IsEmpty() {
		return c.pn
	}
	return c.lid
}

// bundleNodes is the person's own key bundle, with a new one-time key.
func (c *Contact) bundleNodes() []waBinary.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.signal.oneTime()
	signed := publicPreKey{id: c.signal.signed.KeyID, pub: *c.signal.signed.Pub, sig: *c.signal.signed.Signature}
	return bundleNodes(c.signal.regID, c.signal.identity.Pub[:], signed, &publicPreKey{id: one.KeyID, pub: *one.Pub})
}

func receiptNode(from types.JID, ids []string, kind types.ReceiptType, at time.Time) waBinary.Node {
	if at.IsZero() {
		at = time.Now()
	}
	node := waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{
		"from": from, "id": ids[0], "t": at.Unix(), "type": string(kind),
	}}
	if len(ids) > 1 {
		items := make([]waBinary.Node, len(ids)-1)
		for i, id := range ids[1:] {
			items[i] = waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"id": id}}
		}
		node.Content = []waBinary.Node{{Tag: "list", Content: items}}
	}
	return node
}

func randomDigits(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	var text strings.Builder
	for _, v := range b {
		text.WriteString(strconv.Itoa(int(v) % 10))
	}
	return text.String()
}

func randomID() string {
	b := make([]byte, 10)
	_, _ = rand.Read(b)
	return "3A" + strings.ToUpper(hex.EncodeToString(b))
}
