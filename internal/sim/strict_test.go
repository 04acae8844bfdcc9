package sim_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"pesan/internal/sim"
)

// dial opens a websocket to the server, as a client that isn't whatsmeow.
func (w *world) dial() *websocket.Conn {
	w.t.Helper()
	ws, resp, err := websocket.Dial(soon(w.t), "ws://"+w.server.Address()+"/ws/chat", &websocket.DialOptions{
		HTTPHeader: map[string][]string{"Origin": {socket.Origin}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	w.t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

func frame(data []byte) []byte {
	return append([]byte{byte(len(data) >> 16), byte(len(data) >> 8), byte(len(data))}, data...)
}

func clientHello(t testing.TB) []byte {
	t.Helper()
	hello := must(proto.Marshal(&waWa6.HandshakeMessage{
		ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: keys.NewKeyPair().Pub[:]},
	}))(t)
	return append(bytes.Clone(socket.WAConnHeader), frame(hello)...)
}

func TestBadHandshakes(t *testing.T) {
	forged := must(proto.Marshal(&waWa6.HandshakeMessage{
		ClientFinish: &waWa6.HandshakeMessage_ClientFinish{Static: make([]byte, 48), Payload: make([]byte, 20)},
	}))(t)
	for name, messages := range map[string][][]byte{
		"header":     {[]byte("XX63")},
		"no hello":   {append(bytes.Clone(socket.WAConnHeader), frame([]byte{})...)},
		"garbage":    {append(bytes.Clone(socket.WAConnHeader), frame([]byte{0xff, 0xff, 0xff})...)},
		"forged end": {clientHello(t), frame(forged)},
		"null key":   {append(bytes.Clone(socket.WAConnHeader), frame(nullHello(t))...)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			w.expect(sim.BadHandshake)
			ws := w.dial()
			for _, m := range messages {
				check(t, ws.Write(soon(t), websocket.MessageBinary, m))
			}
			w.reported(sim.BadHandshake)
			for {
				if _, _, err := ws.Read(soon(t)); err != nil {
					break // refused
				}
			}
		})
	}
}

// nullHello has the all-zero key, with which Diffie-Hellman gives a secret that everybody knows.
func nullHello(t testing.TB) []byte {
	return must(proto.Marshal(&waWa6.HandshakeMessage{
		ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: make([]byte, 32)},
	}))(t)
}

// A frame may come in pieces, and several in one piece.
func TestFramesInPieces(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	ws := w.dial()
	hello := clientHello(t)
	for _, b := range hello {
		check(t, ws.Write(soon(t), websocket.MessageBinary, []byte{b}))
	}
	_, reply, err := ws.Read(soon(t))
	check(t, err)
	var m waWa6.HandshakeMessage
	check(t, proto.Unmarshal(reply[3:], &m))
	equal(t, "ephemeral key", len(m.GetServerHello().GetEphemeral()), 32)
}

func TestForeignOrigin(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.expect(sim.BadHandshake)
	_, _, err := websocket.Dial(soon(t), "ws://"+w.server.Address()+"/ws/chat", &websocket.DialOptions{
		HTTPHeader: map[string][]string{"Origin": {"https://example.com"}},
	})
	if err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("foreign origin: %v", err)
	}
}

func TestForgedRegistration(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.expect(sim.BadSignature)
	c := w.newClient()
	c.Store.SignedPreKey.Signature[3] ^= 1
	check(t, c.Connect())
	wait[*events.ConnectFailure](c, nil)
	w.reported(sim.BadSignature)
}

func TestLoginWithAnotherKey(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.expect(sim.BadHandshake)
	c := w.linked()
	c.Disconnect()
	check(t, c.device.WaitOffline(soon(t)))
	thief := c.twin()
	thief.Store.NoiseKey = keys.NewKeyPair()
	check(t, thief.Connect())
	wait[*events.LoggedOut](thief, nil)
	w.reported(sim.BadHandshake)
}

// Each of these is refused and reported, and the connection or at least the device goes on.
func TestBadStanzas(t *testing.T) {
	server := types.ServerJID
	iq := func(ns, kind string, children ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "77", "xmlns": ns, "type": kind, "to": server}, Content: children}
	}
	enc := waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": "msg"}, Content: []byte("not a message")}
	pkmsg := waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": "pkmsg"}, Content: []byte("not a message")}
	message := func(to types.JID, children ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "M1", "type": "text", "to": to}, Content: children}
	}
	budi := pn("6281200000002")
	toBudi := func(e waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "participants", Content: []waBinary.Node{
			{Tag: "to", Attrs: waBinary.Attrs{"jid": budi}, Content: []waBinary.Node{e}},
		}}
	}
	for name, f := range map[string]struct {
		kind sim.ViolationKind
		node waBinary.Node
	}{
		"unknown tag":           {sim.UnknownStanza, waBinary.Node{Tag: "nonsense"}},
		"unknown request":       {sim.UnknownStanza, iq("w:nonsense", "get")},
		"unknown child":         {sim.UnknownStanza, iq("encrypt", "get", waBinary.Node{Tag: "nonsense"})},
		"unknown info":          {sim.UnknownStanza, waBinary.Node{Tag: "ib", Content: []waBinary.Node{{Tag: "nonsense"}}}},
		"unknown receipt":       {sim.UnknownStanza, waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "1", "to": budi, "type": "nonsense"}}},
		"iq without id":         {sim.BadStanza, waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"xmlns": "w:p", "type": "get", "to": server}}},
		"message without id":    {sim.BadStanza, waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"to": budi, "type": "text"}}},
		"address as text":       {sim.BadStanza, waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "1", "to": "budi"}}},
		"receipt out of thin":   {sim.BadAck, waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "nothing", "to": budi}}},
		"ack out of thin":       {sim.BadAck, waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"id": "nothing", "to": budi, "class": "notification"}}},
		"ack of unknown class":  {sim.BadAck, waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"id": "1", "to": budi, "class": "nonsense"}}},
		"no pre keys":           {sim.BadPreKey, iq("encrypt", "set", waBinary.Node{Tag: "registration", Content: []byte{1, 2, 3, 4}})},
		"pre keys of nobody":    {sim.BadRecipients, iq("encrypt", "get", waBinary.Node{Tag: "key", Content: []waBinary.Node{{Tag: "user", Attrs: waBinary.Attrs{"jid": pn("1")}}}})},
		"message to nobody":     {sim.BadRecipients, message(pn("1"), toBudi(enc))},
		"message to a stranger": {sim.BadRecipients, message(types.NewJID("1", types.GroupServer), toBudi(enc))},
		"undecryptable":         {sim.BadCiphertext, message(budi, toBudi(enc))},
		"pkmsg of nobody":       {sim.BadSignature, message(budi, toBudi(pkmsg))},
		"forged identity":       {sim.BadSignature, message(budi, toBudi(pkmsg), waBinary.Node{Tag: "device-identity", Content: []byte{1, 2}})},
		"app state":             {sim.BadAppState, iq("w:sync:app:state", "set", waBinary.Node{Tag: "sync", Content: []waBinary.Node{{Tag: "collection", Attrs: waBinary.Attrs{"name": "nonsense"}}}})},
		"logout of another":     {sim.BadStanza, iq("md", "set", waBinary.Node{Tag: "remove-companion-device", Attrs: waBinary.Attrs{"jid": budi}})},
		"usync without users":   {sim.BadStanza, iq("usync", "get", waBinary.Node{Tag: "usync"})},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			w.expect(f.kind)
			budi := w.contact("6281200000002", "Budi")
			c := w.linked()
			c.send(f.node)
			w.reported(f.kind)
			id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t)
			check(t, c.device.WaitAcked(soon(t), id))
		})
	}
}

// A contact that can't decrypt asks for another copy, and gets it.
func TestContactAsksForAnotherCopy(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.expect(sim.BadCiphertext)
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	must(c.SendMessage(soon(t), budi.PN(), sim.Text("satu")))(t)
	address := types.JID{User: budi.LID().User, Server: types.HiddenUserServer}.SignalAddress()
	session := must(c.Store.Sessions.GetSession(soon(t), address.String()))(t)
	must(c.SendMessage(soon(t), budi.PN(), sim.Text("dua")))(t)
	check(t, c.Store.Sessions.PutSession(soon(t), address.String(), session)) // the ratchet goes back: an old counter
	r := must(c.SendMessage(soon(t), budi.PN(), sim.Text("tiga")))(t)
	w.reported(sim.BadCiphertext)
	m := must(budi.WaitReceived(soon(t), func(m sim.Message) bool { return m.ID == r.ID }))(t)
	equal(t, "text", m.Message.GetConversation(), "tiga")
}

// A pre key whose signature is forged is refused, and the former one stays.
func TestForgedSignedPreKey(t *testing.T) {
	w := newWorld(t, sim.Options{FullPreKeyUpload: true}, sim.PhoneOptions{})
	w.expect(sim.BadSignature)
	budi := w.contact("6281200000002", "Budi")
	c := w.newClient()
	c.AddEventHandler(func(evt any) {
		if _, ok := evt.(*events.PairSuccess); ok {
			forged := *c.Store.SignedPreKey.Signature
			forged[0] ^= 1
			c.Store.SignedPreKey.Signature = &forged
		}
	})
	c.PrePairCallback = func(types.JID, string, string) bool { return true }
	c.link(w.phone)
	w.reported(sim.BadSignature)
	waitMessage(c, must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t))
	if _, err := c.SendMessage(soon(t), budi.PN(), sim.Text("halo"), whatsmeow.SendRequestExtra{}); err != nil {
		t.Error(err)
	}
}

// Whatever a client sends, the simulator doesn't break, and goes on with the others.
func TestNonsense(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	for _, kind := range []sim.ViolationKind{
		sim.BadHandshake, sim.BadStanza, sim.UnknownStanza, sim.BadSignature, sim.BadCiphertext, sim.BadPreKey,
		sim.BadAck, sim.BadRecipients, sim.BadAppState, sim.BadPairing,
	} {
		w.expect(kind) // everything but Broken
	}
	budi := w.contact("6281200000002", "Budi")
	g := must(w.server.NewGroup("Arisan", budi, sim.GroupOptions{}, w.phone.Contact))(t)
	c, other := w.linked(), w.linked()
	words := []string{
		"iq", "message", "receipt", "ack", "ib", "presence", "enc", "participants", "to", "list", "item", "user", "key", "skey",
		"registration", "identity", "type", "sync", "collection", "patch", "usync", "query", "devices", "retry", "keys",
		"device-identity", "md", "encrypt", "w:sync:app:state", "privacy", "w:g2", "get", "set", "pkmsg", "msg", "skmsg", "peer",
		"2", "1", "77", "", "retry", "read", "notification", "meta", "remove-companion-device", "media_conn", "count", "tokens",
	}
	jids := []types.JID{types.ServerJID, budi.PN(), budi.LID(), g.JID(), w.phone.PN(), c.device.JID(), other.device.LID(), pn("1")}
	names := []string{"id", "to", "type", "xmlns", "class", "participant", "category", "jid", "v", "t", "name", "version", "recipient"}
	rapid.Check(t, func(rt *rapid.T) {
		var node func(depth int) waBinary.Node
		word := rapid.SampledFrom(words)
		node = func(depth int) waBinary.Node {
			n := waBinary.Node{Tag: word.Draw(rt, "tag"), Attrs: waBinary.Attrs{}}
			if n.Tag == "" {
				n.Tag = "iq"
			}
			for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(rt, "attributes") {
				if rapid.Bool().Draw(rt, "address") {
					n.Attrs[name] = rapid.SampledFrom(jids).Draw(rt, "jid")
				} else {
					n.Attrs[name] = word.Draw(rt, "value")
				}
			}
			switch {
			case rapid.Bool().Draw(rt, "leaf") || depth == 0:
				if rapid.Bool().Draw(rt, "bytes") {
					n.Content = rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(rt, "content")
				}
			default:
				var children []waBinary.Node
				for range rapid.IntRange(1, 3).Draw(rt, "children") {
					children = append(children, node(depth-1))
				}
				n.Content = children
			}
			return n
		}
		n := node(3) // which a server looks at, since it knows the tag
		n.Tag = rapid.SampledFrom([]string{"iq", "message", "receipt", "ack"}).Draw(rt, "stanza")
		n.Attrs["id"], n.Attrs["to"] = "n"+word.Draw(rt, "id"), rapid.SampledFrom(jids).Draw(rt, "to")
		c.send(n)
	})
	id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t)
	check(t, other.device.WaitAcked(soon(t), id))
	poll(t, "3 kinds of violation", func() bool {
		seen := map[sim.ViolationKind]bool{}
		for _, v := range w.server.Violations() {
			seen[v.Kind] = true
		}
		return len(seen) >= 3 // of what is sent at random, sometimes no more
	})
}
