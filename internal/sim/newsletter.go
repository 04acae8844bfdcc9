package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Newsletter is a channel as its follower sees it.
type Newsletter struct {
	phone *Phone
	jid   types.JID
	name  string

	muted bool // guarded by phone.devMu
}

// The numbers of the calls that mute and unmute a channel.
var (
	muteNewsletter   = map[string]bool{"6274038279359549": true, "5971669009605755": true}
	unmuteNewsletter = map[string]bool{"6068417879924485": true, "6104029483058502": true}
)

// subscribedNewsletters is the number of the call for all channels that the account follows.
const subscribedNewsletters = "6388546374527196"

// Follow has the user follow a channel on the phone, and tells the devices.
func (p *Phone) Follow(number, name string) *Newsletter {
	n := &Newsletter{phone: p, jid: types.NewJID(number, types.NewsletterServer), name: name}
	p.devMu.Lock()
	if p.channels == nil {
		p.channels = map[types.JID]*Newsletter{}
	}
	p.channels[n.jid] = n
	p.devMu.Unlock()
	n.tell("NotificationNewsletterJoin", "xwa2_notify_newsletter_on_join", n.metadata())
	return n
}

// metadata is the channel as its follower gets it. phone.devMu isn't held.
func (n *Newsletter) metadata() map[string]any {
	return map[string]any{
		"id": n.jid.String(), "state": map[string]any{"type": "ACTIVE"},
		"thread_metadata": map[string]any{
			"creation_time": "1700000000", "invite": "x", "subscribers_count": "7", "verification": "unverified",
			"name":        map[string]any{"text": n.name, "id": "1", "update_time": "1700000000000000"},
			"description": map[string]any{"text": "", "id": "1", "update_time": "1700000000000000"},
			"settings":    map[string]any{"reaction_codes": map[string]any{"value": "ALL"}},
			"preview":     map[string]any{"type": "PREVIEW", "direct_path": ""},
		},
		"viewer_metadata": map[string]any{"mute": onOff[n.Muted()], "role": "SUBSCRIBER"},
	}
}

var onOff = map[bool]string{true: "ON", false: "OFF"}

// JID is the channel's address.
func (n *Newsletter) JID() types.JID { return n.jid }

// Muted tells whether the follower has muted it.
func (n *Newsletter) Muted() bool {
	n.phone.devMu.Lock()
	defer n.phone.devMu.Unlock()
	return n.muted
}

// SetMuted mutes or unmutes it on the phone.
func (n *Newsletter) SetMuted(on bool) {
	n.phone.devMu.Lock()
	n.muted = on
	n.phone.devMu.Unlock()
	n.tell("NotificationNewsletterMuteChange", "xwa2_notify_newsletter_on_mute_change", map[string]any{
		"id": n.jid.String(), "mute": onOff[on],
	})
}

// Leave has the user leave it on the phone.
func (n *Newsletter) Leave() {
	n.phone.devMu.Lock()
	delete(n.phone.channels, n.jid)
	n.phone.devMu.Unlock()
	n.tell("NotificationNewsletterLeave", "xwa2_notify_newsletter_on_leave", map[string]any{"id": n.jid.String(), "role": "GUEST"})
}

func (n *Newsletter) tell(op, field string, data map[string]any) { n.phone.tellMex(op, field, data) }

// tellMex tells the linked devices something in the form of a GraphQL answer.
func (p *Phone) tellMex(op, field string, data map[string]any) {
	text, err := json.Marshal(map[string]any{"data": map[string]any{field: data}})
	if err != nil {
		panic(err) // it is made above
	}
	for _, d := range p.Devices() {
		d.notify("mex", types.ServerJID, waBinary.Attrs{"t": time.Now().Unix()}, waBinary.Node{
			Tag: "update", Attrs: waBinary.Attrs{"op_name": op}, Content: text,
		})
	}
}

// subscribed answers which channels the account follows.
func (c *conn) subscribed(iq *waBinary.Node) {
	p := c.device.phone
	p.devMu.Lock()
	channels := slices.Collect(maps.Values(p.channels))
	p.devMu.Unlock()
	all := make([]any, len(channels))
	for i, n := range channels {
		all[i] = n.metadata()
	}
	text, err := json.Marshal(map[string]any{"data": map[string]any{"xwa2_newsletter_subscribed": all}})
	if err != nil {
		panic(err) // it is made above
	}
	c.reply(iq, waBinary.Node{Tag: "result", Content: text})
}

// mex answers a GraphQL call. Those of channels are all that a companion makes here.
func (c *conn) mex(iq *waBinary.Node, query waBinary.Node) {
	if query.AttrGetter().OptionalString("query_id") == subscribedNewsletters {
		c.subscribed(iq)
		return
	}
	var call struct {
		Variables struct {
			NewsletterID string `json:"newsletter_id"`
		} `json:"variables"`
	}
	data, _ := query.Content.([]byte)
	id := query.AttrGetter().OptionalString("query_id")
	if json.Unmarshal(data, &call) != nil || !muteNewsletter[id] && !unmuteNewsletter[id] {
		c.unknown(iq, fmt.Sprintf("mex query %s", id))
		return
	}
	jid, err := types.ParseJID(call.Variables.NewsletterID)
	p := c.device.phone
	p.devMu.Lock()
	n := p.channels[jid]
	if n != nil {
		n.muted = muteNewsletter[id]
	}
	p.devMu.Unlock()
	if err != nil || n == nil {
		c.refuse(iq, 404, "item-not-found")
		return
	}
	text := fmt.Appendf(nil, `{"data":{"xwa2_newsletter_mute_v2":{"id":%q}}}`, jid)
	c.reply(iq, waBinary.Node{Tag: "result", Content: text})
}
