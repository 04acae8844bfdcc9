package sim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim/appstate"
	"pesan/internal/sim/media"
)

// Phone is the primary device of an account, and the person who holds it.
type Phone struct {
	*Contact
	o     PhoneOptions
	rawID uint32
	state *appstate.State

	devMu      sync.Mutex // guards what follows
	devices    []*Device
	lastDevice uint16
	channels   map[types.JID]*Newsletter // that the user follows
	passkey    *Passkey                  // that WhatsApp asks for when a device is linked; nil: none
	read       map[string]bool           // ids of messages that the user has read here
}

// PhoneOptions describe an account. The zero value is good.
type PhoneOptions struct {
	// LID is the number of the LID; made up if empty.
	LID string
	// PushName is the user's own name.
	PushName string
	// BusinessName is set for a business account.
	BusinessName string
	// Platform is what pairing reports; "android" if empty.
	Platform string
	// Inbox goes to every newly linked device as a real phone sends it: each chat with its latest Latest messages, the
	// rest after them, in parts.
	Inbox    *media.Inbox
	Latest   int
	Chunking media.Chunking
	// History goes to every newly linked device after that, in this order.
	History []History
	// Archive is what the phone can still give on demand, besides what it received and sent itself.
	Archive []*waHistorySync.Conversation
	// AppState configures the account's app state.
	AppState appstate.Options
}

// NewPhone makes a person with a WhatsApp account of their own, to which devices can be linked. pn is a phone number in
// digits.
func (s *Server) NewPhone(pn string, o PhoneOptions) (*Phone, error) {
	if o.Platform == "" {
		o.Platform = "android"
	}
	if pn == "" {
		return nil, fmt.Errorf("an account needs a phone number")
	}
	o.AppState.Media = s.media
	state, err := appstate.New(o.AppState)
	if err != nil {
		return nil, fmt.Errorf("make app state: %w", err)
	}
	if o.PushName != "" {
		if _, err := state.Apply(appstate.PushName(o.PushName)); err != nil {
			return nil, fmt.Errorf("set push name: %w", err)
		}
	}
	c, err := s.NewContact(pn, o.LID, o.PushName)
	if err != nil {
		return nil, err
	}
	p := &Phone{Contact: c, o: o, rawID: c.signal.regID, state: state, read: make(map[string]bool)}
	s.mu.Lock()
	c.phone = p
	s.mu.Unlock()
	return p, nil
}

// Devices are the linked devices, the oldest first.
func (p *Phone) Devices() []*Device {
	p.devMu.Lock()
	defer p.devMu.Unlock()
	return slices.Clone(p.devices)
}

// device is the linked device with a number; nil if there is none.
func (p *Phone) device(number uint16) *Device {
	p.devMu.Lock()
	defer p.devMu.Unlock()
	if i := slices.IndexFunc(p.devices, func(d *Device) bool { return d.jid.Device == number }); i >= 0 {
		return p.devices[i]
	}
	return nil
}

// newDevice numbers a device that isn't linked yet. A number has one byte; those of devices that are gone come again.
func (p *Phone) newDevice(keys deviceKeys) *Device {
	p.devMu.Lock()
	defer p.devMu.Unlock()
	taken := func(d *Device) bool { return d.jid.Device == p.lastDevice }
	for p.lastDevice = p.lastDevice%255 + 1; slices.ContainsFunc(p.devices, taken); {
		p.lastDevice = p.lastDevice%255 + 1
	}
	d := &Device{s: p.s, phone: p, jid: p.pn, lid: p.lid, keys: keys}
	d.jid.Device, d.lid.Device = p.lastDevice, p.lastDevice
	return d
}

// adopt links a device and queues what a phone gives to a new one: the app state keys and the history.
func (p *Phone) adopt(ctx context.Context, d *Device) error {
	p.devMu.Lock()
	p.devices = append(p.devices, d)
	p.devMu.Unlock()
	p.s.log.Info("linked", "device", d.jid.Device)
	p.tellDevices(d)
	if err := p.shareKeys(ctx, p.state.Share(), d); err != nil {
		return err
	}
	p.s.work(func() { // a large one takes seconds
		if err := p.shareHistory(p.s.ctx, d); err != nil && p.s.ctx.Err() == nil {
			p.s.log.Error("share history", "device", d.jid.Device, "error", err)
		}
	})
	return nil
}

// forget takes a device off the account.
func (p *Phone) forget(d *Device) {
	p.devMu.Lock()
	p.devices = slices.DeleteFunc(p.devices, func(o *Device) bool { return o == d })
	p.devMu.Unlock()
	p.tellDevices(nil)
}

// tellDevices tells the linked devices but one that the account's list of devices has changed.
func (p *Phone) tellDevices(except *Device) {
	jids := p.s.devicesOf(p.pn)
	list := make([]waBinary.Node, len(jids))
	for i, jid := range jids {
		list[i] = waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"jid": jid}}
	}
	for _, d := range p.Devices() {
		if d != except {
			d.notify("account_sync", p.pn, nil, waBinary.Node{
				Tag: "devices", Attrs: waBinary.Attrs{"dhash": participantHash(jids)}, Content: list,
			})
		}
	}
}

// Send sends a message to another person with a phone, as the user writes it on this phone.
func (p *Phone) Send(ctx context.Context, to *Phone, m *waE2E.Message, o SendOptions) (id string, err error) {
	return p.SendFromPhone(ctx, to.address(o.ByLID), m, o)
}

// SendFromPhone sends a message that the user wrote on the phone: to the other side, and to the linked devices as sent.
// chat is a person's PN or LID, or a group. The other side needs not be in the simulator.
func (p *Phone) SendFromPhone(ctx context.Context, chat types.JID, m *waE2E.Message, o SendOptions) (id string, err error) {
	if chat.Server == types.GroupServer {
		g := p.s.group(chat)
		if g == nil {
			return "", fmt.Errorf("no group %s", chat)
		}
		return p.SendGroup(ctx, g, m, o)
	}
	mail := p.newMail(m, o)
	mail.own, mail.chat, mail.o.ByLID = true, chat, false
	if err := p.sendTo(ctx, mail, p.Devices()); err != nil {
		return "", err
	}
	p.record(Message{ID: mail.id, Time: mail.time, Chat: chat, From: p.pn, FromMe: true, Message: m})
	other := p.s.find(chat)
	switch {
	case other == nil || other == p.Contact:
		return mail.id, nil
	case other.phone != nil:
		o.ID, o.Time, o.ByLID = mail.id, mail.time, chat.Server == types.HiddenUserServer
		return p.Contact.Send(ctx, other.phone, m, o)
	}
	from := p.address(chat.Server == types.HiddenUserServer)
	other.record(Message{ID: mail.id, Time: mail.time, Chat: from, From: from, Message: m})
	return mail.id, nil
}

// Broadcast sends a message to a list of the phone's own: to each of them, and to the linked devices as sent to the list.
func (p *Phone) Broadcast(
	ctx context.Context, list string, to []*Contact, m *waE2E.Message, o SendOptions,
) (id string, err error) {
	mail := p.newMail(m, o)
	mail.own, mail.chat, mail.list = true, types.NewJID(list, types.BroadcastServer), to
	if err := p.sendTo(ctx, mail, p.Devices()); err != nil {
		return "", err
	}
	for _, c := range to {
		p.record(Message{
			ID: mail.id, Time: mail.time, Chat: c.address(false), From: p.pn, FromMe: true, Listed: true, Message: m,
		})
	}
	return mail.id, nil
}

// ReadOnPhone tells the linked devices that the user read messages of a chat on the phone.
func (p *Phone) ReadOnPhone(_ context.Context, chat types.JID, ids ...string) error {
	if len(ids) == 0 {
		return fmt.Errorf("read receipt without message ids")
	}
	p.devMu.Lock()
	for _, id := range ids {
		p.read[id] = true
	}
	p.devMu.Unlock()
	for _, d := range p.Devices() {
		d.pushNode(p.ownReceipt(chat, types.ReceiptTypeRead, ids), nil)
	}
	return nil
}

// ownReceipt is a receipt that the user gave on another of their devices.
func (p *Phone) ownReceipt(chat types.JID, kind types.ReceiptType, ids []string) waBinary.Node {
	if chat.Server == types.GroupServer {
		node := receiptNode(chat, ids, kind, time.Now())
		node.Attrs["participant"] = p.pn
		return node
	}
	node := receiptNode(p.pn, ids, kind, time.Now())
	node.Attrs["recipient"] = chat
	return node
}

// Renumber tells the devices that somebody has another number now, and perhaps another LID.
func (p *Phone) Renumber(from, to, fromLID, toLID types.JID) {
	modify := waBinary.Node{Tag: "modify", Attrs: waBinary.Attrs{"old": from, "new": to}}
	if !fromLID.IsEmpty() {
		modify.Attrs["old_lid"], modify.Attrs["new_lid"] = fromLID, toLID
	}
	for _, d := range p.Devices() {
		d.notify("contacts", from, waBinary.Attrs{"t": time.Now().Unix()}, modify)
	}
}
