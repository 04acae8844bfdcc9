package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// lowPreKeys is the number of one-time keys below which a device is asked for more. whatsmeow uploads below 5.
const lowPreKeys = 5

// handleIQ answers a request of a linked device, or refuses it.
func (c *conn) handleIQ(iq *waBinary.Node) {
	ag := iq.AttrGetter()
	kind, ns, id := ag.OptionalString("type"), ag.OptionalString("xmlns"), ag.OptionalString("id")
	if kind == "result" || kind == "error" {
		return // to a request of the server
	}
	if id == "" {
		c.s.violate(c.device, BadStanza, "iq without id")
		c.streamError("bad-request", nil)
		return
	}
	if _, on := c.fault(LoseRequest, ns); on {
		return
	}
	if f, on := c.fault(RefuseQuery, ns); on {
		c.refuse(iq, f.Code, queryErrors[f.Code])
		return
	}
	var what waBinary.Node
	if all := iq.GetChildren(); len(all) > 0 {
		what = all[0]
	}
	switch ns + "/" + kind + "/" + what.Tag {
	case "w:p/get/", "urn:xmpp:whatsapp:dirty/set/clean":
		c.reply(iq)
	case "passive/set/active":
		c.reply(iq)
		c.device.activate(c)
	case "passive/set/passive":
		c.reply(iq)
	case "encrypt/get/count":
		c.reply(iq, waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": c.device.claimedPreKeys()}})
	case "encrypt/set/registration":
		c.uploadPreKeys(iq)
	case "encrypt/get/key":
		c.preKeyBundles(iq, what)
	case "usync/get/usync":
		c.usync(iq, what)
	case "w:sync:app:state/set/sync":
		c.syncAppState(iq, what)
	case "privacy/get/privacy":
		c.reply(iq, privacySettings())
	case "privacy/set/tokens":
		c.reply(iq)
	case "w:m/set/media_conn":
		c.reply(iq, c.s.media.Conn())
	case "w:g2/get/query":
		c.groupQuery(iq)
	case "w:g2/set/ephemeral", "w:g2/set/not_ephemeral":
		c.setEphemeral(iq, what)
	case "w:g2/get/participating":
		c.joinedGroups(iq)
	case "md/set/remove-companion-device":
		c.removeCompanion(iq, what)
	case "status/get/privacy", "w:profile:picture/get/picture":
		c.refuse(iq, 404, "item-not-found") // none set
	case "blocklist/get/":
		c.reply(iq, waBinary.Node{Tag: "list", Attrs: waBinary.Attrs{"dhash": "none"}})
	case "w:mex/get/query":
		c.mex(iq, what)
	default:
		c.unknown(iq, "no such request")
	}
}

// queryErrors are WhatsApp's words for the codes that pass.
var queryErrors = map[int]string{
	429: "rate-overlimit", 500: "internal-server-error", 503: "service-unavailable", 530: "partial-server-error",
}

func privacySettings() waBinary.Node {
	n := waBinary.Node{Tag: "privacy"}
	var all []waBinary.Node
	for _, name := range []string{"groupadd", "last", "status", "profile", "readreceipts", "online", "calladd"} {
		all = append(all, waBinary.Node{Tag: "category", Attrs: waBinary.Attrs{"name": name, "value": "all"}})
	}
	n.Content = all
	return n
}

// claimedPreKeys is the number of one-time keys that the device is told. See [Options.FullPreKeyUpload].
func (d *Device) claimedPreKeys() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.keys.seen) == 0 && !d.s.o.FullPreKeyUpload {
		return 100
	}
	return len(d.keys.preKeys)
}

// uploadPreKeys takes new one-time keys and the signed pre key, all of them or none.
func (c *conn) uploadPreKeys(iq *waBinary.Node) {
	if err := c.device.addPreKeys(iq); err != nil {
		kind := BadPreKey
		if errors.Is(err, errBadSignature) {
			kind = BadSignature
		}
		c.s.violate(c.device, kind, "%v", err)
		c.refuse(iq, 406, "not-acceptable")
		return
	}
	c.reply(iq)
}

var errBadSignature = errors.New("signature doesn't verify")

func (d *Device) addPreKeys(iq *waBinary.Node) error {
	reg := childBytes(*iq, "registration")
	if len(reg) != 4 || binary.BigEndian.Uint32(reg) != d.keys.regID {
		return errors.New("another registration id than at pairing")
	}
	if string(childBytes(*iq, "type")) != "\x05" || string(childBytes(*iq, "identity")) != string(d.keys.identity) {
		return errors.New("another identity than at pairing")
	}
	signed, err := readSignedPreKey(*iq, d.keys.identity)
	if err != nil {
		return err
	}
	list := child(*iq, "list")
	var added []publicPreKey
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(list.GetChildren()) == 0 {
		return errors.New("no pre keys")
	}
	for _, key := range list.GetChildren() {
		k, err := readPreKey(key)
		if err != nil {
			return err
		}
		// A client that has used its newest keys numbers the next ones like them; only what is still on offer can't change.
		onOffer := func(o publicPreKey) bool { return o.id == k.id }
		switch old, seen := d.keys.seen[k.id]; {
		case seen && old == k.pub: // the client repeats a request whose answer it missed
		case slices.ContainsFunc(d.keys.preKeys, onOffer):
			return fmt.Errorf("pre key %d is another", k.id)
		default:
			added = append(added, k)
		}
	}
	if d.keys.seen == nil {
		d.keys.seen = map[uint32][32]byte{}
	}
	for _, k := range added {
		d.keys.seen[k.id] = k.pub
	}
	d.keys.preKeys, d.keys.signed = append(d.keys.preKeys, added...), signed
	return nil
}

func readPreKey(key waBinary.Node) (publicPreKey, error) {
	id, pub := childBytes(key, "id"), childBytes(key, "value")
	if len(id) != 3 || len(pub) != 32 || keyID(id) == 0 {
		return publicPreKey{}, errors.New("pre key id or value of a wrong length")
	}
	return publicPreKey{id: keyID(id), pub: [32]byte(pub)}, nil
}

// readSignedPreKey reads the child skey and verifies it.
func readSignedPreKey(parent waBinary.Node, identity []byte) (publicPreKey, error) {
	skey, ok := parent.GetOptionalChildByTag("skey")
	if !ok {
		return publicPreKey{}, errors.New("no signed pre key")
	}
	k, err := readPreKey(skey)
	if err != nil {
		return k, err
	}
	sig := childBytes(skey, "signature")
	if !verify(identity, sig, []byte{5}, k.pub[:]) {
		return k, fmt.Errorf("signed pre key: %w", errBadSignature)
	}
	k.sig = [64]byte(sig)
	return k, nil
}

// takePreKey gives out a one-time key; low says that the device should upload more.
func (d *Device) takePreKey() (one *publicPreKey, low bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.keys.preKeys) == 0 {
		return nil, len(d.keys.seen) > 0
	}
	one = &d.keys.preKeys[0]
	d.keys.preKeys = d.keys.preKeys[1:]
	return one, len(d.keys.preKeys) == lowPreKeys-1
}

// askForPreKeys tells the device how many one-time keys are left.
func (d *Device) askForPreKeys(left int) {
	d.notify("encrypt", types.ServerJID, nil,
		waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": left}})
}

// preKeyBundles gives out what sessions with devices are built from.
func (c *conn) preKeyBundles(iq *waBinary.Node, query waBinary.Node) {
	var users []waBinary.Node
	for _, user := range query.GetChildren() {
		jid := user.AttrGetter().OptionalJIDOrEmpty("jid")
		node := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid}}
		if bundle := c.s.bundleNodes(jid); bundle != nil {
			node.Content = bundle
		} else {
			c.s.violate(c.device, BadRecipients, "pre keys of device %d of an unknown user", jid.Device)
			node.Content = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}}}
		}
		users = append(users, node)
	}
	c.reply(iq, waBinary.Node{Tag: "list", Content: content(users)})
}

// bundleNodes is the key bundle of a device, nil if there is no such device.
func (s *Server) bundleNodes(jid types.JID) []waBinary.Node {
	who := s.find(jid.ToNonAD())
	if who == nil {
		return nil
	}
	if jid.Device == 0 {
		return who.bundleNodes()
	}
	d := s.device(jid.ToNonAD(), jid.Device)
	if d == nil {
		return nil
	}
	one, low := d.takePreKey()
	if low {
		d.askForPreKeys(lowPreKeys - 1)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return bundleNodes(d.keys.regID, d.keys.identity, d.keys.signed, one)
}

func bundleNodes(regID uint32, identity []byte, signed publicPreKey, one *publicPreKey) []waBinary.Node {
	nodes := []waBinary.Node{
		{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, regID)},
		{Tag: "type", Content: []byte{5}},
		{Tag: "identity", Content: identity},
		{Tag: "skey", Content: append(preKeyNodes(signed), waBinary.Node{Tag: "signature", Content: signed.sig[:]})},
	}
	if one != nil {
		nodes = append(nodes, waBinary.Node{Tag: "key", Content: preKeyNodes(*one)})
	}
	return nodes
}

func preKeyNodes(k publicPreKey) []waBinary.Node {
	return []waBinary.Node{
		{Tag: "id", Content: binary.BigEndian.AppendUint32(nil, k.id)[1:]},
		{Tag: "value", Content: k.pub[:]},
	}
}

// removeCompanion is a logout by the device itself.
func (c *conn) removeCompanion(iq *waBinary.Node, what waBinary.Node) {
	if what.AttrGetter().OptionalJIDOrEmpty("jid") != c.device.jid {
		c.s.violate(c.device, BadStanza, "logout of another device")
		c.refuse(iq, 403, "forbidden")
		return
	}
	c.reply(iq)
	c.device.remove()
}
