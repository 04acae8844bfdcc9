package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// retry is a device's wish for another copy of a message.
type retry struct {
	count int
	keys  *deviceKeys // for the new session; nil: those on the server
}

// handleReceipt takes a receipt from a device: it acknowledges a message, asks for another copy, or tells the sender
// something.
func (c *conn) handleReceipt(n *waBinary.Node) {
	ag := n.AttrGetter()
	key := stanzaKey{class: "message", id: ag.String("id"), from: ag.JID("to"), participant: ag.OptionalJIDOrEmpty("participant")}
	kind := types.ReceiptType(ag.OptionalString("type"))
	if !ag.OK() || key.id == "" {
		c.s.violate(c.device, BadStanza, "receipt: %v", ag.Error())
		return
	}
	switch kind {
	case types.ReceiptTypeDelivered, types.ReceiptTypeInactive, types.ReceiptTypeSender:
		name := string(kind)
		if kind == types.ReceiptTypeDelivered {
			name = "delivered"
		}
		c.acknowledge(key, name)
		if kind != types.ReceiptTypeSender {
			c.tellSender(n, key, types.ReceiptTypeDelivered)
		}
	case types.ReceiptTypeRetry:
		c.retry(n, key)
	case types.ReceiptTypePeerMsg, types.ReceiptTypeHistorySync, types.ReceiptTypeServerError:
		// They tell the phone something and acknowledge nothing: another receipt follows.
		c.device.phone.recordReceipt(ReceivedReceipt{
			Type: kind, IDs: receiptIDs(n), Time: time.Now(), From: c.device.jid, Chat: key.from,
		})
		if rmr, ok := n.GetOptionalChildByTag("rmr"); ok && kind == types.ReceiptTypeServerError {
			c.device.phone.uploadAgain(c, n, rmr, key.id)
		}
	case types.ReceiptTypeRead, types.ReceiptTypePlayed:
		c.tellSender(n, key, kind)
		c.tellOthers(n)
	case types.ReceiptTypeReadSelf, types.ReceiptTypePlayedSelf:
		c.tellOthers(n)
	default:
		c.s.violate(c.device, UnknownStanza, "receipt of type %q", kind)
		return
	}
	if kind != types.ReceiptTypeRetry && kind != types.ReceiptTypeDelivered && kind != types.ReceiptTypeInactive &&
		kind != types.ReceiptTypeSender {
		c.send(waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{
			"class": "receipt", "id": key.id, "type": string(kind), "from": key.from, "t": time.Now().Unix(),
		}})
	}
}

// handleAck takes an acknowledgement of a receipt or a notification, or a message's refusal.
func (c *conn) handleAck(n *waBinary.Node) {
	ag := n.AttrGetter()
	key := stanzaKey{
		class: ag.String("class"), id: ag.String("id"), from: ag.JID("to"), participant: ag.OptionalJIDOrEmpty("participant"),
	}
	kind := "ack"
	if code := ag.OptionalInt("error"); code != 0 {
		kind = "nack " + strconv.Itoa(code)
	}
	if !ag.OK() {
		c.s.violate(c.device, BadStanza, "ack: %v", ag.Error())
		return
	}
	switch key.class {
	case "message":
	case "receipt", "notification", "call":
		key.kind = ag.OptionalString("type")
	default:
		c.s.violate(c.device, BadAck, "ack of class %q", key.class)
		return
	}
	c.acknowledge(key, kind)
}

// acknowledge takes a stanza off the device's queue. What the acknowledgement sets in motion happens before anybody is
// told of it.
func (c *conn) acknowledge(key stanzaKey, kind string) {
	d := c.device
	st, known := d.queue.find(key)
	if !known {
		c.s.violate(d, BadAck, "%s of %s %s, which the device never got", kind, key.class, key.id)
		return
	}
	if st == nil {
		return // acknowledged before: it was delivered twice
	}
	if st.parcel != nil {
		if err := c.acknowledgeParcel(st, kind); err != nil {
			c.s.log.Error("after acknowledgement", "device", d.jid.Device, "error", err)
		}
	}
	c.s.mu.Lock()
	c.s.acks = append(c.s.acks, Ack{
		Time: time.Now(), Device: d.jid, Class: key.class, ID: key.id, From: key.from, Kind: kind,
	})
	c.s.mu.Unlock()
	if d.retryOf(st) == nil { // else the message isn't done: another copy is in the queue
		d.queue.ack(key)
	}
}

// acknowledgeParcel tells the sender that the device has the session, or sends the copy that was asked for before.
func (c *conn) acknowledgeParcel(st *stanza, kind string) error {
	d := c.device
	if r := d.retryOf(st); r != nil {
		return st.mail.from.resend(c.s.ctx, d, st.mail, r)
	}
	switch kind {
	case "delivered", "inactive", "sender":
		return st.mail.from.confirm(c.s.ctx, d, st.epoch)
	}
	return nil
}

// retryOf is the wish for another copy of a stanza, nil if there is none.
func (d *Device) retryOf(st *stanza) *retry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return st.retry
}

// retry notes that a device wants another copy. whatsmeow acknowledges the broken one besides, before or after it asks;
// the copy is sent after both.
func (c *conn) retry(n *waBinary.Node, key stanzaKey) {
	d := c.device
	r, err := readRetry(n, d)
	if err != nil {
		kind := BadStanza
		if errors.Is(err, errBadSignature) {
			kind = BadSignature
		}
		c.s.violate(d, kind, "retry of %s: %v", key.id, err)
		return
	}
	st, known := d.queue.find(key)
	if !known {
		c.s.violate(d, BadAck, "retry of message %s, which the device never got", key.id)
		return
	}
	if st != nil {
		d.mu.Lock()
		st.retry = r
		d.mu.Unlock()
		return
	}
	m := c.s.sentMail(key, d)
	if m == nil {
		return // its sender has forgotten it
	}
	if err := m.from.resend(c.s.ctx, d, m, r); err != nil {
		c.s.log.Error("resend", "device", d.jid.Device, "error", err)
	}
}

// sentMail finds mail in its sender's outbox.
func (s *Server) sentMail(key stanzaKey, d *Device) *mail {
	from := key.from
	if !key.participant.IsEmpty() {
		from = key.participant
	}
	who := s.find(from)
	if who == nil {
		return nil
	}
	who.mu.Lock()
	defer who.mu.Unlock()
	return who.outbox.mail[outboxKey{key.id, key.from == d.phone.pn}]
}

func readRetry(n *waBinary.Node, d *Device) (*retry, error) {
	wish, reg := child(*n, "retry"), childBytes(*n, "registration")
	if wish.Tag == "" || len(reg) != 4 || binary.BigEndian.Uint32(reg) != d.keys.regID {
		return nil, errors.New("no retry, or another registration id")
	}
	r := &retry{count: wish.AttrGetter().OptionalInt("count")}
	keys, ok := n.GetOptionalChildByTag("keys")
	if !ok {
		return r, nil
	}
	if string(childBytes(keys, "identity")) != string(d.keys.identity) {
		return nil, fmt.Errorf("identity of another device: %w", errBadSignature)
	}
	signed, err := readSignedPreKey(keys, d.keys.identity)
	if err != nil {
		return nil, err
	}
	k, err := readPreKey(child(keys, "key"))
	if err != nil {
		return nil, err
	}
	r.keys = &deviceKeys{identity: d.keys.identity, regID: d.keys.regID, signed: signed, preKeys: []publicPreKey{k}}
	return r, nil
}

// tellSender gives a device's receipt to the one who wrote the messages.
func (c *conn) tellSender(n *waBinary.Node, key stanzaKey, kind types.ReceiptType) {
	author := key.from
	if !key.participant.IsEmpty() {
		author = key.participant
	}
	who := c.s.find(author)
	if who == nil || who == c.device.phone.Contact {
		return
	}
	who.recordReceipt(ReceivedReceipt{
		Type: kind, IDs: receiptIDs(n), Time: time.Now(), From: c.device.jid, Chat: key.from,
	})
}

// tellOthers tells the account's other devices that the user read or played messages.
func (c *conn) tellOthers(n *waBinary.Node) {
	ag := n.AttrGetter()
	p := c.device.phone
	p.devMu.Lock()
	for _, id := range receiptIDs(n) {
		p.read[id] = true
	}
	p.devMu.Unlock()
	for _, d := range p.Devices() {
		if d != c.device {
			d.pushNode(p.ownReceipt(ag.OptionalJIDOrEmpty("to"), types.ReceiptType(ag.OptionalString("type")), receiptIDs(n)), nil)
		}
	}
}

func receiptIDs(n *waBinary.Node) []string {
	ids := []string{n.AttrGetter().OptionalString("id")}
	list := child(*n, "list")
	for _, item := range list.GetChildrenByTag("item") {
		ids = append(ids, item.AttrGetter().OptionalString("id"))
	}
	return ids
}
