package sim

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// mail is a message on its way to devices, as its sender sees it. It doesn't change once it is sent.
type mail struct {
	id      string
	time    time.Time
	from    *Contact
	message *waE2E.Message
	o       SendOptions

	chat  types.JID  // the sender in a private chat; for own messages the other side
	group *Group     // nil in a private chat
	own   bool       // written on the phone, for its own devices
	list  []*Contact // the recipients of a broadcast list, which chat is then
	peer  bool       // from the phone to its own devices, not part of a chat
}

// peer is what a sender knows of a device that it sends to.
type peer struct {
	epoch     int                // counts the sessions
	confirmed bool               // the device has shown that it has the session
	byLID     bool               // the device knows the session under the sender's LID
	groups    map[types.JID]bool // whose sender key it has; by LID if true
}

// outbox keeps the newest mail, for devices that ask for another copy.
type outbox struct {
	mail map[outboxKey]*mail
	keys []outboxKey
}

// outboxKey tells a message to somebody else from the one to the own devices, which has the same id.
type outboxKey struct {
	id  string
	own bool
}

const outboxSize = 2000

func (o *outbox) add(m *mail) {
	if o.mail == nil {
		o.mail = map[outboxKey]*mail{}
	}
	key := outboxKey{m.id, m.own || m.peer}
	if o.mail[key] == nil {
		o.keys = append(o.keys, key)
	}
	o.mail[key] = m
	if len(o.keys) > outboxSize {
		delete(o.mail, o.keys[0])
		o.keys = o.keys[1:]
	}
}

func (c *Contact) newMail(m *waE2E.Message, o SendOptions) *mail {
	if o.ID == "" {
		o.ID = randomID()
	}
	if o.Time.IsZero() {
		o.Time = time.Now()
	}
	o.ByLID = o.ByLID || c.pn.IsEmpty()
	return &mail{id: o.ID, time: o.Time.Truncate(time.Second), from: c, message: m, o: o}
}

// sendTo encrypts mail for devices and queues it.
func (c *Contact) sendTo(ctx context.Context, m *mail, devices []*Device) error {
	plain, err := proto.Marshal(m.content())
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outbox.add(m)
	var sealed groupSealed
	if m.group != nil && !m.o.Absent {
		if sealed, err = c.groupSeal(ctx, m.group, plain); err != nil {
			return err
		}
	}
	for _, d := range devices {
		var encs []waBinary.Node
		var epoch int
		if m.o.Absent {
			encs, epoch = []waBinary.Node{m.absence()}, -1
		} else if m.group != nil {
			encs, epoch, err = c.groupEncs(ctx, d, m, sealed)
		} else {
			encs, epoch, err = c.directEnc(ctx, d, m, plain)
		}
		if err != nil {
			return fmt.Errorf("encrypt for device %d: %w", d.jid.Device, err)
		}
		d.pushNode(m.node(c.pushName, encs), &parcel{mail: m, epoch: epoch})
	}
	return nil
}

// resend gives a device another copy in a new session, which keys, if not nil, say how to build.
func (c *Contact) resend(ctx context.Context, d *Device, m *mail, r *retry) error {
	content := m.content()
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.group != nil {
		dist, err := c.distribution(ctx, m.group)
		if err != nil {
			return err
		}
		content = proto.Clone(content).(*waE2E.Message)
		content.SenderKeyDistributionMessage = dist
		c.peer(d).groups[m.group.jid] = m.group.byLID
	}
	plain, err := proto.Marshal(content)
	if err != nil {
		return err
	}
	if err := c.newSession(ctx, d, r.keys); err != nil {
		return err
	}
	again := *m
	again.o.Spoil = false
	encs, epoch, err := c.directEnc(ctx, d, &again, plain)
	if err != nil {
		return err
	}
	encs[0].Attrs["count"] = r.count
	d.pushNode(again.node(c.pushName, encs), &parcel{mail: &again, epoch: epoch})
	return nil
}

// content is what is encrypted: for the own devices of the sender, the message as sent.
func (m *mail) content() *waE2E.Message {
	if !m.own {
		return m.message
	}
	return &waE2E.Message{
		DeviceSentMessage: &waE2E.DeviceSentMessage{
			DestinationJID: proto.String(m.chat.String()), Message: m.message,
		},
		MessageContextInfo: m.message.GetMessageContextInfo(),
	}
}

// node is the stanza around the encrypted parts.
func (m *mail) node(pushName string, encs []waBinary.Node) waBinary.Node {
	attrs := waBinary.Attrs{"id": m.id, "t": m.time.Unix(), "type": stanzaType(m.message), "edit": editAttr(m.message)}
	switch {
	case m.peer:
		attrs["from"], attrs["category"], attrs["type"] = m.from.pn, "peer", "text"
	case m.list != nil:
		attrs["from"], attrs["participant"], attrs["notify"] = m.chat, m.from.pn, pushName
		return waBinary.Node{Tag: "message", Attrs: attrs, Content: append([]waBinary.Node{m.recipients()}, encs...)}
	case m.own:
		attrs["from"], attrs["recipient"], attrs["notify"] = m.from.pn, m.chat, pushName
		if other := m.from.s.find(m.chat); other != nil && !m.o.HideAlt {
			byLID := m.chat.Server == types.HiddenUserServer
			setJID(attrs, altAttr("peer_recipient", byLID), other.alt(byLID))
		}
	case m.group != nil:
		attrs["from"], attrs["participant"], attrs["notify"] = m.group.jid, m.from.address(m.group.byLID), pushName
		attrs["addressing_mode"] = addressingMode(m.group.byLID)
		if !m.o.HideAlt {
			setJID(attrs, altAttr("participant", m.group.byLID), m.from.alt(m.group.byLID))
		}
	default:
		attrs["from"], attrs["notify"] = m.from.address(m.o.ByLID), pushName
		attrs["addressing_mode"] = addressingMode(m.o.ByLID)
		if !m.o.HideAlt {
			setJID(attrs, altAttr("sender", m.o.ByLID), m.from.alt(m.o.ByLID))
		}
	}
	return waBinary.Node{Tag: "message", Attrs: attrs, Content: encs}
}

// absence stands for what the client doesn't get.
func (m *mail) absence() waBinary.Node {
	attrs := waBinary.Attrs{}
	if m.o.Why != "" {
		attrs["type"] = m.o.Why
	}
	return waBinary.Node{Tag: "unavailable", Attrs: attrs}
}

// withheld tells whether a phone doesn't hand a message out.
func (c *Contact) withheld(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.outbox.mail[outboxKey{id, false}]
	return m != nil && m.o.Why != ""
}

// recipients names those of a broadcast list, by number, with the LID beside.
func (m *mail) recipients() waBinary.Node {
	var to []waBinary.Node
	for _, c := range m.list {
		attrs := waBinary.Attrs{"jid": c.address(c.pn.IsEmpty())}
		if !m.o.HideAlt && !c.pn.IsEmpty() {
			attrs["peer_recipient_lid"] = c.lid
		}
		to = append(to, waBinary.Node{Tag: "to", Attrs: attrs})
	}
	return waBinary.Node{Tag: "participants", Content: to}
}

// altAttr names the attribute of the other address: sender_pn beside a LID, sender_lid beside a PN.
func altAttr(prefix string, byLID bool) string {
	if byLID {
		return prefix + "_pn"
	}
	return prefix + "_lid"
}

func addressingMode(byLID bool) string {
	if byLID {
		return string(types.AddressingModeLID)
	}
	return string(types.AddressingModePN)
}

func setJID(attrs waBinary.Attrs, name string, jid types.JID) {
	if !jid.IsEmpty() {
		attrs[name] = jid
	}
}

// peer is what c knows of a device. c.mu is held, as in all that follows.
func (c *Contact) peer(d *Device) *peer {
	p := c.peers[d]
	if p == nil {
		p = &peer{groups: map[types.JID]bool{}}
		c.peers[d] = p
	}
	return p
}

// directEnc encrypts in the Signal session with a device.
func (c *Contact) directEnc(ctx context.Context, d *Device, m *mail, plain []byte) ([]waBinary.Node, int, error) {
	enc, err := c.encrypt(ctx, d, m, plain)
	if err != nil {
		return nil, 0, err
	}
	if kind := mediaType(m.message); kind != "" {
		enc.Attrs["mediatype"] = kind
	}
	return []waBinary.Node{enc}, c.peer(d).epoch, nil
}

func (c *Contact) encrypt(ctx context.Context, d *Device, m *mail, plain []byte) (waBinary.Node, error) {
	p, byLID := c.peer(d), m.o.ByLID
	if m.group != nil {
		byLID = m.group.byLID
	}
	// The client keeps the session under the LID as soon as it knows it. One that it has under the PN can't be used for
	// a message by LID.
	if p.epoch == 0 || byLID && !p.byLID {
		if err := c.newSession(ctx, d, nil); err != nil {
			return waBinary.Node{}, err
		}
	}
	if byLID || !m.o.HideAlt {
		p.byLID = true
	}
	kind, data, err := c.signal.encrypt(ctx, d.jid.SignalAddress(), plain)
	if err != nil {
		return waBinary.Node{}, err
	}
	if m.o.Spoil && m.group == nil {
		data[len(data)-10] ^= 1 // in the ciphertext or its MAC, also where a pre key message ends with key ids
	}
	return encNode(kind, data), nil
}

// newSession starts a session from keys, or from the server's if nil.
func (c *Contact) newSession(ctx context.Context, d *Device, keys *deviceKeys) error {
	var one *publicPreKey
	if keys != nil {
		if len(keys.preKeys) > 0 {
			one = &keys.preKeys[0]
		}
	} else {
		var low bool
		keys = &d.keys
		if one, low = d.takePreKey(); low {
			d.askForPreKeys(lowPreKeys - 1)
		}
	}
	d.mu.Lock()
	bundle := keys.bundle(uint32(d.jid.Device), one)
	d.mu.Unlock()
	p := c.peer(d)
	p.epoch++
	p.confirmed = false
	return c.signal.startSession(ctx, d.jid.SignalAddress(), bundle)
}

// confirm notes that a device has the session of an epoch: pre key messages end.
func (c *Contact) confirm(ctx context.Context, d *Device, epoch int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peer(d)
	if p.confirmed || p.epoch != epoch {
		return nil
	}
	p.confirmed = true
	return c.signal.confirm(ctx, d.jid.SignalAddress())
}

// groupEncs is the sender key's distribution, if the device lacks it, and the message under the sender key.
func (c *Contact) groupEncs(ctx context.Context, d *Device, m *mail, sealed groupSealed) ([]waBinary.Node, int, error) {
	var encs []waBinary.Node
	p, skmsg := c.peer(d), sealed.skmsg
	if byLID, has := p.groups[m.group.jid]; !has || byLID != m.group.byLID {
		plain, err := proto.Marshal(&waE2E.Message{SenderKeyDistributionMessage: sealed.key})
		if err != nil {
			return nil, 0, err
		}
		enc, err := c.encrypt(ctx, d, m, plain)
		if err != nil {
			return nil, 0, err
		}
		encs = append(encs, enc)
		p.groups[m.group.jid] = m.group.byLID
	}
	if m.o.Spoil {
		skmsg = append([]byte(nil), skmsg...)
		skmsg[len(skmsg)-1] ^= 1
	}
	enc := encNode("skmsg", skmsg)
	if kind := mediaType(m.message); kind != "" {
		enc.Attrs["mediatype"] = kind
	}
	return append(encs, enc), p.epoch, nil
}

func encNode(kind string, data []byte) waBinary.Node {
	return waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": kind}, Content: data}
}

func (c *Contact) senderKeyName(g *Group) *protocol.SenderKeyName {
	return protocol.NewSenderKeyName(g.jid.String(), c.lid.SignalAddress())
}

// distribution is the sender key of a group as it is now; it is made if there is none.
func (c *Contact) distribution(ctx context.Context, g *Group) (*waE2E.SenderKeyDistributionMessage, error) {
	b := groups.NewGroupSessionBuilder(c.signal, store.SignalProtobufSerializer)
	dist, err := b.Create(ctx, c.senderKeyName(g))
	if err != nil {
		return nil, err
	}
	return &waE2E.SenderKeyDistributionMessage{
		GroupID: proto.String(g.jid.String()), AxolotlSenderKeyDistributionMessage: dist.Serialize(),
	}, nil
}

// groupSealed is a message under a sender key, and the key as it was before, which opens it.
type groupSealed struct {
	skmsg []byte
	key   *waE2E.SenderKeyDistributionMessage
}

func (c *Contact) groupSeal(ctx context.Context, g *Group, plain []byte) (groupSealed, error) {
	key, err := c.distribution(ctx, g)
	if err != nil {
		return groupSealed{}, err
	}
	b := groups.NewGroupSessionBuilder(c.signal, store.SignalProtobufSerializer)
	m, err := groups.NewGroupCipher(b, c.senderKeyName(g), c.signal).Encrypt(ctx, pad(plain))
	if err != nil {
		return groupSealed{}, err
	}
	return groupSealed{skmsg: m.SignedSerialize(), key: key}, nil
}
