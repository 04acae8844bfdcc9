package sim

import (
	"bytes"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
)

// idSource makes the ids of the server's stanzas.
type idSource struct{ last atomic.Uint64 }

func (s *idSource) next() string { return strconv.FormatUint(s.last.Add(1), 10) }

// start handles the client's payload: a login, or a new client to be linked.
func (c *conn) start(p *waWa6.ClientPayload) {
	if v := p.GetUserAgent().GetAppVersion(); v.GetTertiary() < c.s.o.MinVersion {
		c.failure(405, nil)
		return
	}
	if data := p.GetDevicePairingData(); data != nil {
		if f, on := c.fault(FailLogin, ""); on {
			c.failure(f.Code, &f)
			return
		}
		c.startPairing(data)
		return
	}
	pn := types.NewJID(strconv.FormatUint(p.GetUsername(), 10), types.DefaultUserServer)
	d := c.s.device(pn, uint16(p.GetDevice()))
	if d == nil {
		c.failure(401, nil)
		return
	}
	if !bytes.Equal(d.keys.noise, c.static) {
		c.s.violate(nil, BadHandshake, "login with another key than the device's")
		c.failure(401, nil)
		return
	}
	c.device = d
	if f, on := c.fault(FailLogin, ""); on {
		c.failure(f.Code, &f)
		return
	}
	d.attach(c)
	c.s.log.Info("login", "device", d.jid.Device, "login", d.Logins())
	c.send(waBinary.Node{Tag: "success", Attrs: waBinary.Attrs{
		"t": time.Now().Unix(), "props": "27", "location": "sim", "lid": d.lid,
	}})
}

// failure refuses a login.
func (c *conn) failure(code int, f *Fault) {
	attrs := waBinary.Attrs{"reason": code, "location": "sim"}
	if code == 402 && f != nil {
		attrs["code"] = 101 // sent to too many people
		attrs["expire"] = int(f.Expire.Seconds())
	}
	c.finally(waBinary.Node{Tag: "failure", Attrs: attrs})
}

// device finds a linked device; nil if there is none.
func (s *Server) device(user types.JID, number uint16) *Device {
	c := s.find(user)
	if c == nil || c.phone == nil {
		return nil
	}
	return c.phone.device(number)
}

// handle takes one stanza. It runs on the connection's reader, one at a time.
func (c *conn) handle(n *waBinary.Node) {
	if c.device == nil {
		c.handleUnpaired(n)
		return
	}
	c.count(n.Tag)
	switch n.Tag {
	case "iq":
		c.handleIQ(n)
	case "message":
		c.handleMessage(n)
	case "receipt":
		c.handleReceipt(n)
	case "ack":
		c.handleAck(n)
	case "presence", "chatstate":
	case "ib":
		c.handleInfo(n)
	default:
		c.s.violate(c.device, UnknownStanza, "<%s>", n.Tag)
		c.streamError("xml-not-well-formed", nil)
	}
}

func (c *conn) count(tag string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.info.Stanzas++
	if !c.info.Replaced.IsZero() {
		c.info.AfterReplaced = append(c.info.AfterReplaced, tag)
	}
}

// handleInfo takes what whatsmeow and WhatsApp's own clients tell of themselves.
func (c *conn) handleInfo(n *waBinary.Node) {
	for _, child := range n.GetChildren() {
		switch child.Tag {
		case "unified_session", "offline_batch":
		default:
			c.s.violate(c.device, UnknownStanza, "<ib><%s>", child.Tag)
		}
	}
}

// handleUnpaired takes what a client may send before it is linked.
func (c *conn) handleUnpaired(n *waBinary.Node) {
	if c.pairing == nil {
		return // refused already
	}
	ag := n.AttrGetter()
	switch kind := ag.OptionalString("type"); {
	case n.Tag == "iq" && (kind == "result" || kind == "error"):
		c.pairing.confirm(n)
	case n.Tag == "iq" && ag.OptionalString("xmlns") == "w:p":
		c.reply(n)
	case n.Tag == "iq" && ag.OptionalString("xmlns") == "md":
		if reg, ok := n.GetOptionalChildByTag("link_code_companion_reg"); ok {
			c.linkCode(n, reg)
			return
		}
		if !c.passkeyRequest(n) {
			c.unknown(n, "md without link_code_companion_reg or a passkey's ceremony")
		}
	case n.Tag == "ack" && ag.OptionalString("class") == "notification":
	case n.Tag == "ib":
		c.handleInfo(n)
	default:
		c.unknown(n, "before pairing")
	}
}

// unknown reports a stanza that isn't understood, and refuses it if it is an IQ.
func (c *conn) unknown(n *waBinary.Node, why string) {
	ag := n.AttrGetter()
	var children []string
	for _, child := range n.GetChildren() {
		children = append(children, child.Tag)
	}
	c.s.violate(c.device, UnknownStanza, "<%s xmlns=%q type=%q> with [%s]: %s", n.Tag, ag.OptionalString("xmlns"),
		ag.OptionalString("type"), strings.Join(children, " "), why)
	if n.Tag == "iq" {
		c.refuse(n, 501, "feature-not-implemented")
	}
}

// reply answers an IQ with a result.
func (c *conn) reply(iq *waBinary.Node, children ...waBinary.Node) {
	c.answer(iq, waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{
		"from": sender(iq), "type": "result", "id": iq.Attrs["id"],
	}, Content: content(children)})
}

// refuse answers an IQ with an error.
func (c *conn) refuse(iq *waBinary.Node, code int, text string) {
	c.answer(iq, waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{
		"from": sender(iq), "type": "error", "id": iq.Attrs["id"],
	}, Content: []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": code, "text": text}}}})
}

// sender is whom the answer to an IQ comes from.
func sender(iq *waBinary.Node) types.JID {
	if to := iq.AttrGetter().OptionalJIDOrEmpty("to"); !to.IsEmpty() {
		return to
	}
	return types.ServerJID
}

// answer sends the answer to an IQ or a message, as far as the faults let it.
func (c *conn) answer(to *waBinary.Node, node waBinary.Node) {
	what := requestKind(to)
	if _, on := c.fault(LoseReply, what); on {
		return
	}
	f, on := c.fault(Slow, what)
	if !on {
		c.send(node)
		return
	}
	c.s.work(func() {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			c.send(node)
		case <-c.ctx.Done():
		}
	})
}

// requestKind is what Fault.For is compared with.
func requestKind(n *waBinary.Node) string {
	if n.Tag == "iq" {
		return n.AttrGetter().OptionalString("xmlns")
	}
	return n.Tag
}
