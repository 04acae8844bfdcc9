package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// usync answers a question about people: their devices, LIDs, whether they are on WhatsApp.
func (c *conn) usync(iq *waBinary.Node, query waBinary.Node) {
	asked, list := child(query, "query"), child(query, "list")
	if asked.Tag == "" || len(list.GetChildren()) == 0 {
		c.s.violate(c.device, BadStanza, "usync without query or users")
		c.refuse(iq, 400, "bad-request")
		return
	}
	var users []waBinary.Node
	for _, user := range list.GetChildren() {
		users = append(users, c.s.usyncUser(user, asked.GetChildren()))
	}
	c.reply(iq, waBinary.Node{Tag: "usync", Attrs: query.Attrs, Content: []waBinary.Node{
		{Tag: "list", Content: users},
	}})
}

func (s *Server) usyncUser(user waBinary.Node, asked []waBinary.Node) waBinary.Node {
	jid := user.AttrGetter().OptionalJIDOrEmpty("jid")
	number := childBytes(user, "contact") // "+62812…@c.us" when asked whether the number is on WhatsApp
	if jid.IsEmpty() {
		digits, _, _ := strings.Cut(strings.TrimPrefix(string(number), "+"), "@")
		jid = types.NewJID(digits, types.DefaultUserServer)
	}
	who := s.find(jid)
	var parts []waBinary.Node
	for _, a := range asked {
		if part := s.usyncPart(a, who, jid, number); part.Tag != "" {
			parts = append(parts, part)
		}
	}
	attrs := waBinary.Attrs{"jid": jid}
	if number != nil && who != nil {
		attrs["jid"] = who.lid
		setJID(attrs, "pn_jid", who.pn)
	}
	return waBinary.Node{Tag: "user", Attrs: attrs, Content: content(parts)}
}

// usyncPart answers one part of a question; a part that a person lacks is left out.
func (s *Server) usyncPart(asked waBinary.Node, who *Contact, jid types.JID, number []byte) waBinary.Node {
	switch asked.Tag {
	case "contact":
		kind := "out"
		if who != nil {
			kind = "in"
		}
		return waBinary.Node{Tag: "contact", Attrs: waBinary.Attrs{"type": kind}, Content: number}
	case "devices":
		var devices []waBinary.Node
		for _, d := range s.devicesOf(jid) {
			attrs := waBinary.Attrs{"id": int(d.Device), "is_hosted": "false"}
			if d.Device != 0 {
				attrs["key-index"] = int(d.Device)
			}
			devices = append(devices, waBinary.Node{Tag: "device", Attrs: attrs})
		}
		return waBinary.Node{Tag: "devices", Content: []waBinary.Node{{Tag: "device-list", Content: content(devices)}}}
	case "lid":
		if who != nil {
			return waBinary.Node{Tag: "lid", Attrs: waBinary.Attrs{"val": who.lid}}
		}
	}
	return waBinary.Node{}
}

// devicesOf are the addresses of a person's devices, the primary first.
func (s *Server) devicesOf(user types.JID) []types.JID {
	who := s.find(user)
	if who == nil {
		return nil
	}
	jids := []types.JID{user}
	if who.phone != nil {
		for _, d := range who.phone.Devices() {
			jid := user
			jid.Device = d.jid.Device
			jids = append(jids, jid)
		}
	}
	return jids
}

// participantHash is what a client compares with its own list of devices.
func participantHash(devices []types.JID) string {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d.ADString()
	}
	slices.Sort(names)
	names = slices.Compact(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "")))
	return "2:" + base64.RawStdEncoding.EncodeToString(sum[:6])
}
