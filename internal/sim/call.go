package sim

import (
	"context"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// Call is a call that somebody makes to a person with a phone.
type Call struct {
	ID    string // random if empty
	Video bool
	Group *Group // rings all its members
	ByLID bool
	Time  time.Time // now if zero
}

// Ring offers a call to the phone's devices.
func (c *Contact) Ring(_ context.Context, to *Phone, call Call) (id string) {
	if call.ID == "" {
		call.ID = randomID()
	}
	offer := waBinary.Node{Tag: "offer", Content: []waBinary.Node{{Tag: "audio",
		Attrs: waBinary.Attrs{"enc": "opus", "rate": "16000"}}}}
	if call.Video {
		offer.Content = append(offer.Content.([]waBinary.Node), waBinary.Node{Tag: "video", Attrs: waBinary.Attrs{"enc": "vp8"}})
	}
	if call.Group != nil {
		media := "audio"
		if call.Video {
			media = "video"
		}
		offer = waBinary.Node{Tag: "offer_notice", Attrs: waBinary.Attrs{"media": media, "type": "group"}}
	}
	c.callStanza(to, call, offer)
	return call.ID
}

// HangUp ends a call: reason is "timeout" when nobody took it, "accepted_elsewhere", "rejected_elsewhere", or empty when who
// called gave up.
func (c *Contact) HangUp(_ context.Context, to *Phone, call Call, reason string) {
	terminate := waBinary.Node{Tag: "terminate", Attrs: waBinary.Attrs{}}
	if reason != "" {
		terminate.Attrs["reason"] = reason
	}
	c.callStanza(to, call, terminate)
}

func (c *Contact) callStanza(to *Phone, call Call, what waBinary.Node) {
	if call.Time.IsZero() {
		call.Time = time.Now()
	}
	if what.Attrs == nil {
		what.Attrs = waBinary.Attrs{}
	}
	from := c.address(call.ByLID)
	what.Attrs["call-id"], what.Attrs["call-creator"] = call.ID, from
	if call.ByLID {
		setJID(what.Attrs, "caller_pn", c.pn)
	}
	if call.Group != nil {
		what.Attrs["group-jid"] = call.Group.jid
	}
	for _, d := range to.Devices() {
		d.pushNode(waBinary.Node{Tag: "call", Attrs: waBinary.Attrs{
			"from": from, "id": to.s.ids.next(), "t": call.Time.Unix(), "platform": "android", "version": "2.26.30.1",
		}, Content: []waBinary.Node{what}}, nil)
	}
}

// ViewOnce announces a message that only the phone may show: a companion gets no content.
func (c *Contact) ViewOnce(_ context.Context, to *Phone, o SendOptions) (id string) {
	mail := c.newMail(Text(""), o)
	mail.chat = c.address(mail.o.ByLID)
	n := mail.node(c.PushName(), nil)
	n.Content = []waBinary.Node{{Tag: "unavailable", Attrs: waBinary.Attrs{"type": "view_once"}}}
	n.Attrs["type"] = "media"
	for _, d := range to.Devices() {
		d.pushNode(n, nil)
	}
	return mail.id
}
