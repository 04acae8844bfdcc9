package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// inbound is a message from a linked device.
type inbound struct {
	c    *conn
	d    *Device
	node *waBinary.Node
	to   types.JID
	id   string
	time time.Time
}

// handleMessage takes a message from a device, delivers it to those it is encrypted for, and answers with an ack.
func (c *conn) handleMessage(n *waBinary.Node) {
	ag := n.AttrGetter()
	in := &inbound{c: c, d: c.device, node: n, to: ag.JID("to"), id: ag.String("id"), time: time.Now().Truncate(time.Second)}
	if !ag.OK() || in.id == "" || ag.OptionalString("type") == "" {
		c.s.violate(c.device, BadStanza, "message: %v", ag.Error())
		in.ack(400, "")
		return
	}
	if _, on := c.fault(LoseRequest, "message"); on {
		return
	}
	if f, on := c.fault(RefuseMessage, ""); on {
		in.ack(f.Code, "")
		return
	}
	if err := c.verifyIdentity(n); err != nil {
		c.s.violate(c.device, BadSignature, "message %s: %v", in.id, err)
		in.ack(400, "")
		return
	}
	direct := len(n.GetChildrenByTag("enc")) > 0 && in.to.Server != types.GroupServer
	switch {
	case ag.OptionalString("category") == "peer":
		in.ack(in.peer(), "")
	case direct || ag.OptionalJID("participant") != nil:
		in.ack(in.again(), "")
	case in.to.Server == types.GroupServer:
		in.ack(in.toGroup())
	default:
		in.ack(in.toPerson())
	}
}

// ack answers the message; code 0 is success.
func (in *inbound) ack(code int, phash string) {
	attrs := waBinary.Attrs{"class": "message", "id": in.id, "from": in.to, "t": in.time.Unix(), "phash": phash}
	if code != 0 {
		attrs["error"] = code
	}
	in.c.answer(in.node, waBinary.Node{Tag: "ack", Attrs: attrs})
}

// verifyIdentity checks the device identity, which must come with every pre key message.
func (c *conn) verifyIdentity(n *waBinary.Node) error {
	data := childBytes(*n, "device-identity")
	if data == nil {
		if slices.ContainsFunc(encsOf(n), func(e waBinary.Node) bool { return e.Attrs["type"] == "pkmsg" }) {
			return errors.New("pkmsg without device-identity")
		}
		return nil
	}
	var id waAdv.ADVSignedDeviceIdentity
	if err := proto.Unmarshal(data, &id); err != nil {
		return err
	}
	d, account := c.device, c.device.phone.signal.identity.Pub[:]
	switch {
	case string(id.Details) != string(d.keys.adv) || string(id.AccountSignatureKey) != string(account):
		return errors.New("device identity of another link")
	case !verify(account, id.AccountSignature, []byte(advAccount), id.Details, d.keys.identity):
		return errors.New("account signature")
	case !verify(d.keys.identity, id.DeviceSignature, []byte(advDevice), id.Details, d.keys.identity, account):
		return errors.New("device signature")
	}
	return nil
}

// encsOf are all encrypted parts of a message.
func encsOf(n *waBinary.Node) []waBinary.Node {
	encs := n.GetChildrenByTag("enc")
	list := child(*n, "participants")
	for _, to := range list.GetChildrenByTag("to") {
		encs = append(encs, to.GetChildrenByTag("enc")...)
	}
	return encs
}

// toPerson delivers a private message: to the person, their linked devices, and the sender's other devices.
func (in *inbound) toPerson() (code int, phash string) {
	who := in.c.s.find(in.to)
	if who == nil {
		in.c.s.violate(in.d, BadRecipients, "message %s to nobody", in.id)
		return 404, ""
	}
	expected := in.c.s.devicesOf(in.to)
	if who != in.d.phone.Contact {
		expected = append(expected, in.c.s.devicesOf(in.d.phone.address(in.to.Server == types.HiddenUserServer))...)
	}
	return in.fanOut(expected, in.to, nil), participantHash(expected)
}

// toGroup delivers a group message: first the sender key, then the message under it.
func (in *inbound) toGroup() (code int, phash string) {
	g := in.c.s.group(in.to)
	if g == nil || !g.has(in.d.phone.Contact) {
		in.c.s.violate(in.d, BadRecipients, "message %s to a group without the sender", in.id)
		return 403, ""
	}
	var expected []types.JID
	for _, m := range g.Members() {
		expected = append(expected, in.c.s.devicesOf(m.address(g.byLID))...)
	}
	sk := slices.IndexFunc(in.node.GetChildren(), func(n waBinary.Node) bool {
		return n.Tag == "enc" && n.Attrs["type"] == "skmsg"
	})
	if sk < 0 {
		in.c.s.violate(in.d, BadStanza, "group message %s without skmsg", in.id)
		return 400, ""
	}
	skmsg := in.node.GetChildren()[sk]
	return in.fanOut(expected, in.to, &skmsg), participantHash(expected)
}

// fanOut delivers the parts of a message to the devices they are for. A part for a device that isn't there is a
// violation; a device that is left out gets nothing, as with a client whose list is old.
func (in *inbound) fanOut(expected []types.JID, chat types.JID, skmsg *waBinary.Node) (code int) {
	if !in.d.firstTime(in.id) {
		return 0
	}
	list := child(*in.node, "participants")
	parts := map[types.JID]*waBinary.Node{}
	for _, to := range list.GetChildrenByTag("to") {
		jid := to.AttrGetter().OptionalJIDOrEmpty("jid")
		enc, ok := to.GetOptionalChildByTag("enc")
		if !ok || !slices.Contains(expected, jid) || jid == in.d.jid || jid == in.d.lid {
			in.c.s.violate(in.d, BadRecipients, "message %s for device %d that it can't be for", in.id, jid.Device)
			code = 400
			continue
		}
		parts[jid] = &enc
	}
	for _, jid := range expected {
		if jid == in.d.jid || jid == in.d.lid || parts[jid] == nil && skmsg == nil {
			continue
		}
		in.deliver(jid, chat, parts[jid], skmsg)
	}
	return code
}

// deliver gives one device its part: a linked device by its queue, a primary one at once.
func (in *inbound) deliver(jid, chat types.JID, direct, skmsg *waBinary.Node) {
	who := in.c.s.find(jid.ToNonAD())
	if jid.Device != 0 {
		if d := in.c.s.device(jid.ToNonAD(), jid.Device); d != nil {
			in.forward(d, chat, direct, skmsg)
		}
		return
	}
	own := who == in.d.phone.Contact
	if direct != nil {
		if err := in.open(who, chat, direct, own); err != nil {
			in.undecryptable(who, chat, err)
			return
		}
	}
	if skmsg != nil {
		if err := in.openGroup(who, chat, skmsg, own); err != nil {
			in.undecryptable(who, chat, err)
		}
	}
}

// open decrypts a direct part for a person and records what it says.
func (in *inbound) open(who *Contact, chat types.JID, enc *waBinary.Node, own bool) error {
	plain, err := who.decrypt(in.c.s.ctx, in.d, *enc)
	if err != nil {
		return err
	}
	var m waE2E.Message
	if err := proto.Unmarshal(plain, &m); err != nil {
		return err
	}
	if dist := m.GetSenderKeyDistributionMessage(); dist != nil {
		if err := who.learnSenderKey(in.c.s.ctx, in.d, dist); err != nil {
			return err
		}
		m.SenderKeyDistributionMessage = nil
		if proto.Size(&m) == 0 {
			return nil
		}
	}
	if sent := m.GetDeviceSentMessage(); sent != nil {
		if !own {
			return errors.New("deviceSentMessage to somebody else")
		}
		if sent.GetDestinationJID() != chat.String() {
			return errors.New("deviceSentMessage for another chat")
		}
		if err := checkTimer(sent.GetMessage(), in.time); err != nil {
			return err
		}
		who.record(in.message(chat, sent.GetMessage(), own))
		return nil
	}
	if own && chat.Server != types.GroupServer && chat.User != who.pn.User && chat.User != who.lid.User {
		return errors.New("message to the own phone without deviceSentMessage")
	}
	if err := checkTimer(&m, in.time); err != nil {
		return err
	}
	who.record(in.message(chat, &m, own))
	return nil
}

func (in *inbound) openGroup(who *Contact, chat types.JID, enc *waBinary.Node, own bool) error {
	data, _ := enc.Content.([]byte)
	plain, err := who.groupDecrypt(in.c.s.ctx, in.d, chat, data)
	if err != nil {
		return err
	}
	var m waE2E.Message
	if err := proto.Unmarshal(plain, &m); err != nil {
		return err
	}
	who.record(in.message(chat, &m, own))
	return nil
}

// message is what a person records; in a private chat the chat is the other one.
func (in *inbound) message(chat types.JID, m *waE2E.Message, own bool) Message {
	from := in.d.jid
	if chat.Server == types.HiddenUserServer {
		from = in.d.lid
	}
	if !own && chat.Server != types.GroupServer {
		chat = from.ToNonAD()
	}
	return Message{ID: in.id, Time: in.time, Chat: chat, From: from, FromMe: own, Message: m}
}

// undecryptable reports a broken message, and asks for another copy as the receiver would.
func (in *inbound) undecryptable(who *Contact, chat types.JID, err error) {
	in.c.s.violate(in.d, BadCiphertext, "message %s: %v", in.id, err)
	node := receiptNode(who.address(chat.Server == types.HiddenUserServer), []string{in.id}, types.ReceiptTypeRetry, in.time)
	if chat.Server == types.GroupServer {
		node.Attrs["participant"], node.Attrs["from"] = node.Attrs["from"], chat
	}
	keys := who.bundleNodes()
	node.Content = []waBinary.Node{
		{Tag: "retry", Attrs: waBinary.Attrs{"count": 1, "id": in.id, "t": in.time.Unix(), "v": 1}},
		keys[0], {Tag: "keys", Content: keys[1:]},
	}
	in.d.pushNode(node, nil)
}

// again takes another copy of a message, for the one who asked for it.
func (in *inbound) again() (code int) {
	who, chat := in.to, in.to
	if p := in.node.AttrGetter().OptionalJID("participant"); p != nil {
		who = *p
	}
	c := in.c.s.find(who)
	if c == nil {
		in.c.s.violate(in.d, BadRecipients, "another copy of %s for nobody", in.id)
		return 404
	}
	enc := child(*in.node, "enc")
	if who.Device != 0 {
		if d := in.c.s.device(who.ToNonAD(), who.Device); d != nil {
			in.forward(d, chat, &enc, nil)
		}
		return 0
	}
	if err := in.open(c, chat, &enc, c == in.d.phone.Contact); err != nil {
		in.undecryptable(c, chat, err)
	}
	return 0
}

// forward passes a part on to another linked device, which alone can open it.
func (in *inbound) forward(d *Device, chat types.JID, parts ...*waBinary.Node) {
	from := in.d.jid
	byLID := chat.Server == types.HiddenUserServer
	if byLID {
		from = in.d.lid
	}
	attrs := waBinary.Attrs{
		"id": in.id, "t": in.time.Unix(), "type": in.node.Attrs["type"], "from": from,
		"notify": in.d.phone.PushName(), "edit": in.node.Attrs["edit"],
	}
	switch {
	case chat.Server == types.GroupServer:
		g := in.c.s.group(chat)
		attrs["participant"], attrs["from"] = from, chat
		if g != nil && g.byLID {
			attrs["participant"] = in.d.lid
			attrs["participant_pn"] = in.d.jid
		} else {
			attrs["participant_lid"] = in.d.lid
		}
		attrs["addressing_mode"] = addressingMode(g != nil && g.byLID)
	case d.phone == in.d.phone:
		attrs["recipient"] = chat
	default:
		attrs[altAttr("sender", byLID)] = in.d.phone.alt(byLID)
	}
	var encs []waBinary.Node
	for _, p := range parts {
		if p != nil {
			encs = append(encs, *p)
		}
	}
	if id, ok := in.node.GetOptionalChildByTag("device-identity"); ok {
		encs = append(encs, id)
	}
	d.pushNode(waBinary.Node{Tag: "message", Attrs: attrs, Content: encs}, nil)
}

// decrypt opens a direct part from a device.
func (c *Contact) decrypt(ctx context.Context, d *Device, enc waBinary.Node) ([]byte, error) {
	data, _ := enc.Content.([]byte)
	kind := enc.AttrGetter().OptionalString("type")
	if enc.AttrGetter().OptionalString("v") != "2" || kind != "msg" && kind != "pkmsg" {
		return nil, fmt.Errorf("encrypted part of type %q", kind)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	plain, err := c.signal.decrypt(ctx, d.jid.SignalAddress(), kind, data, d.keys.identity)
	if err != nil {
		return nil, err
	}
	p := c.peer(d)
	p.confirmed, p.byLID = true, true // the client encrypts for the LID
	if p.epoch == 0 || kind == "pkmsg" {
		p.epoch++
	}
	return plain, nil
}

func (c *Contact) learnSenderKey(ctx context.Context, d *Device, m *waE2E.SenderKeyDistributionMessage) error {
	z := store.SignalProtobufSerializer
	dist, err := protocol.NewSenderKeyDistributionMessageFromBytes(m.GetAxolotlSenderKeyDistributionMessage(),
		z.SenderKeyDistributionMessage)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := protocol.NewSenderKeyName(m.GetGroupID(), d.jid.SignalAddress())
	return groups.NewGroupSessionBuilder(c.signal, z).Process(ctx, name, dist)
}

func (c *Contact) groupDecrypt(ctx context.Context, d *Device, chat types.JID, data []byte) ([]byte, error) {
	z := store.SignalProtobufSerializer
	m, err := protocol.NewSenderKeyMessageFromBytes(data, z.SenderKeyMessage)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := protocol.NewSenderKeyName(chat.String(), d.jid.SignalAddress())
	plain, err := groups.NewGroupCipher(groups.NewGroupSessionBuilder(c.signal, z), name, c.signal).Decrypt(ctx, m)
	if err != nil {
		return nil, err
	}
	return unpad(plain)
}
