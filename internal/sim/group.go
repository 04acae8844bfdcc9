package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Group is a group chat.
type Group struct {
	s       *Server
	jid     types.JID
	byLID   bool
	creator *Contact
	created time.Time

	mu        sync.Mutex // guards what follows
	subject   string
	subjectBy *Contact
	subjectAt time.Time
	topic     string
	topicID   string
	ephemeral uint32 // seconds
	locked    bool   // only admins may change it
	members   []*member
	left      map[*Contact]ShownChat // what those who aren't members any more know of it
}

type member struct {
	*Contact
	admin string // "", "admin" or "superadmin"
}

// GroupOptions describe a group. The zero value is good.
type GroupOptions struct {
	// ID is the user part of the JID; made up if empty.
	ID string
	// ByLID addresses members by LID (addressing_mode lid), as WhatsApp does in newer groups.
	ByLID bool
	// Topic is the description.
	Topic string
	// Created is when; now if zero.
	Created time.Time
	// Silent tells no device of the creation, as for a group that is older than the device.
	Silent bool
}

// NewGroup makes a group; the creator is its first member and superadmin.
func (s *Server) NewGroup(subject string, creator *Contact, o GroupOptions, members ...*Contact) (*Group, error) {
	if o.ID == "" {
		o.ID = "120363" + randomDigits(12)
	}
	if o.Created.IsZero() {
		o.Created = time.Now()
	}
	g := &Group{
		s: s, jid: types.NewJID(o.ID, types.GroupServer), byLID: o.ByLID, creator: creator, created: o.Created,
		subject: subject, subjectBy: creator, subjectAt: o.Created, topic: o.Topic, topicID: randomID(),
		members: []*member{{Contact: creator, admin: "superadmin"}},
	}
	for _, m := range members {
		g.members = append(g.members, &member{Contact: m})
	}
	s.mu.Lock()
	taken := s.groups[g.jid] != nil
	if !taken {
		s.groups[g.jid] = g
	}
	s.mu.Unlock()
	if taken {
		return nil, fmt.Errorf("group %s exists", g.jid)
	}
	if !o.Silent {
		g.tell(creator, g.Members(), waBinary.Node{
			Tag: "create", Attrs: waBinary.Attrs{"type": "new"}, Content: []waBinary.Node{g.node()},
		})
	}
	return g, nil
}

func (s *Server) group(jid types.JID) *Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[jid]
}

// JID is the group's address.
func (g *Group) JID() types.JID { return g.jid }

// Subject is the group's name.
func (g *Group) Subject() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.subject
}

// Members are the members, the creator first as long as they are one.
func (g *Group) Members() []*Contact {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*Contact, len(g.members))
	for i, m := range g.members {
		all[i] = m.Contact
	}
	return all
}

func (g *Group) has(c *Contact) bool { return slices.Contains(g.Members(), c) }

var errNotMember = errors.New("not a member of the group")

// update changes the group in the name of a member, and notifies the members before and after it.
func (g *Group) update(by *Contact, apply func() (change waBinary.Node)) error {
	before := g.Members()
	if !slices.Contains(before, by) {
		return errNotMember
	}
	g.mu.Lock()
	change := apply()
	g.mu.Unlock()
	people := before
	for _, c := range g.Members() {
		if !slices.Contains(before, c) {
			people = append(people, c)
		}
	}
	g.tell(by, people, change)
	return nil
}

// SetSubject renames the group and notifies its members.
func (g *Group) SetSubject(_ context.Context, by *Contact, subject string) error {
	return g.update(by, func() waBinary.Node {
		g.subject, g.subjectBy, g.subjectAt = subject, by, time.Now()
		return waBinary.Node{Tag: "subject", Attrs: waBinary.Attrs{
			"subject": subject, "s_t": g.subjectAt.Unix(), "s_o": by.address(g.byLID),
		}}
	})
}

// SetTopic changes the description and notifies the members; an empty one deletes it.
func (g *Group) SetTopic(_ context.Context, by *Contact, topic string) error {
	return g.update(by, func() waBinary.Node {
		g.topic, g.topicID = topic, randomID()
		part := waBinary.Node{Tag: "body", Content: []byte(topic)}
		if topic == "" {
			part = waBinary.Node{Tag: "delete"}
		}
		return waBinary.Node{
			Tag: "description", Attrs: waBinary.Attrs{"id": g.topicID}, Content: []waBinary.Node{part},
		}
	})
}

// SetEphemeral sets the time in seconds after which messages disappear; 0 turns it off.
func (g *Group) SetEphemeral(_ context.Context, by *Contact, seconds uint32) error {
	return g.update(by, func() waBinary.Node {
		g.ephemeral = seconds
		if seconds == 0 {
			return waBinary.Node{Tag: "not_ephemeral"}
		}
		return waBinary.Node{Tag: "ephemeral", Attrs: waBinary.Attrs{"expiration": seconds}}
	})
}

// SetLocked lets only admins change the group, or everybody.
func (g *Group) SetLocked(_ context.Context, by *Contact, locked bool) error {
	return g.update(by, func() waBinary.Node {
		g.locked = locked
		if locked {
			return waBinary.Node{Tag: "locked"}
		}
		return waBinary.Node{Tag: "unlocked"}
	})
}

// Ephemeral is the time in seconds after which messages disappear.
func (g *Group) Ephemeral() uint32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ephemeral
}

// mayChange tells whether a member may change the group's settings.
func (g *Group) mayChange(c *Contact) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.locked || slices.ContainsFunc(g.members, func(m *member) bool { return m.Contact == c && m.admin != "" })
}

// Add adds members and notifies all.
func (g *Group) Add(_ context.Context, by *Contact, who ...*Contact) error {
	return g.update(by, func() waBinary.Node {
		for _, c := range who {
			if !slices.ContainsFunc(g.members, func(m *member) bool { return m.Contact == c }) {
				g.members = append(g.members, &member{Contact: c})
			}
		}
		return g.change("add", who)
	})
}

// Remove removes members and notifies all, the removed ones too. Removing oneself is leaving. The others make new sender
// keys.
func (g *Group) Remove(_ context.Context, by *Contact, who ...*Contact) error {
	before := g.Members()
	err := g.update(by, func() waBinary.Node {
		g.members = slices.DeleteFunc(g.members, func(m *member) bool { return slices.Contains(who, m.Contact) })
		if g.left == nil {
			g.left = make(map[*Contact]ShownChat)
		}
		for _, c := range who {
			g.left[c] = ShownChat{Name: g.subject, Timer: g.ephemeral, Members: g.ranks(), ReadOnly: true}
		}
		return g.change("remove", who)
	})
	for _, c := range before {
		c.dropSenderKey(g)
	}
	return err
}

// Promote makes members admins.
func (g *Group) Promote(_ context.Context, by *Contact, who ...*Contact) error {
	return g.update(by, func() waBinary.Node { return g.setAdmin("promote", "admin", who) })
}

// Demote takes it back.
func (g *Group) Demote(_ context.Context, by *Contact, who ...*Contact) error {
	return g.update(by, func() waBinary.Node { return g.setAdmin("demote", "", who) })
}

func (g *Group) setAdmin(tag, admin string, who []*Contact) waBinary.Node {
	for _, m := range g.members {
		if slices.Contains(who, m.Contact) {
			m.admin = admin
		}
	}
	return g.change(tag, who)
}

// SendGroup sends a message to a group with the sender's key, which it first distributes to the devices that lack it.
func (c *Contact) SendGroup(ctx context.Context, g *Group, m *waE2E.Message, o SendOptions) (id string, err error) {
	members := g.Members()
	if !slices.Contains(members, c) {
		return "", errNotMember
	}
	mail := c.newMail(m, o)
	mail.group, mail.chat = g, g.jid
	var devices []*Device
	for _, other := range members {
		if other.phone != nil {
			devices = append(devices, other.phone.Devices()...)
		}
	}
	if err := c.sendTo(ctx, mail, devices); err != nil {
		return "", err
	}
	for _, other := range members {
		if other != c || c.phone != nil {
			other.record(Message{
				ID: mail.id, Time: mail.time, Chat: g.jid, From: c.address(g.byLID), FromMe: other == c, Message: m,
			})
		}
	}
	return mail.id, nil
}

// dropSenderKey makes the next message to a group use, and distribute, a new sender key.
func (c *Contact) dropSenderKey(g *Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.signal.senderKeys, senderKeyID(c.senderKeyName(g)))
	for _, p := range c.peers {
		delete(p.groups, g.jid)
	}
}

// tell notifies the devices of people of a change.
func (g *Group) tell(by *Contact, people []*Contact, change waBinary.Node) {
	attrs := waBinary.Attrs{
		"participant": by.address(g.byLID), "notify": by.PushName(), "addressing_mode": addressingMode(g.byLID),
	}
	if g.byLID {
		setJID(attrs, "participant_pn", by.pn)
	}
	for _, c := range people {
		if c.phone == nil {
			continue
		}
		for _, d := range c.phone.Devices() {
			d.notify("w:gp2", g.jid, attrs, change)
		}
	}
}

// change is the node of a change in the list of members.
func (g *Group) change(tag string, who []*Contact) waBinary.Node {
	nodes := make([]waBinary.Node, len(who))
	for i, c := range who {
		nodes[i] = g.participant(c, "")
	}
	return waBinary.Node{Tag: tag, Content: nodes}
}

func (g *Group) participant(c *Contact, admin string) waBinary.Node {
	attrs := waBinary.Attrs{"jid": c.address(g.byLID), "type": admin}
	if g.byLID {
		setJID(attrs, "phone_number", c.pn)
	} else {
		setJID(attrs, "lid", c.lid)
	}
	return waBinary.Node{Tag: "participant", Attrs: attrs}
}

// node is the group's metadata.
func (g *Group) node() waBinary.Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	var parts []waBinary.Node
	for _, m := range g.members {
		parts = append(parts, g.participant(m.Contact, m.admin))
	}
	if g.topic != "" {
		parts = append(parts, waBinary.Node{
			Tag: "description", Attrs: waBinary.Attrs{"id": g.topicID, "t": g.created.Unix(), "participant": g.creator.address(g.byLID)},
			Content: []waBinary.Node{{Tag: "body", Content: []byte(g.topic)}},
		})
	}
	if g.ephemeral > 0 {
		parts = append(parts, waBinary.Node{Tag: "ephemeral", Attrs: waBinary.Attrs{"expiration": g.ephemeral}})
	}
	if g.locked {
		parts = append(parts, waBinary.Node{Tag: "locked"})
	}
	return waBinary.Node{Tag: "group", Attrs: waBinary.Attrs{
		"id": g.jid.User, "subject": g.subject, "creation": g.created.Unix(), "s_t": g.subjectAt.Unix(),
		"s_o": g.subjectBy.address(g.byLID), "creator": g.creator.address(g.byLID), "size": len(g.members),
		"addressing_mode": addressingMode(g.byLID),
	}, Content: parts}
}

// groupQuery answers a request for one group's metadata.
func (c *conn) groupQuery(iq *waBinary.Node) {
	g := c.s.group(iq.AttrGetter().OptionalJIDOrEmpty("to"))
	switch {
	case g == nil:
		c.refuse(iq, 404, "item-not-found")
	case !g.has(c.device.phone.Contact):
		c.refuse(iq, 403, "forbidden")
	default:
		c.reply(iq, g.node())
	}
}

// setEphemeral lets a device set after which time a group's messages disappear, one of WhatsApp's choices.
func (c *conn) setEphemeral(iq *waBinary.Node, what waBinary.Node) {
	g, by := c.s.group(iq.AttrGetter().OptionalJIDOrEmpty("to")), c.device.phone.Contact
	seconds := 0
	if what.Tag == "ephemeral" {
		seconds = what.AttrGetter().OptionalInt("expiration")
	}
	switch {
	case g == nil:
		c.refuse(iq, 404, "item-not-found")
	case !g.has(by):
		c.refuse(iq, 403, "forbidden")
	case !g.mayChange(by):
		c.refuse(iq, 401, "not-authorized")
	case !timers[uint32(seconds)] || (seconds == 0) != (what.Tag == "not_ephemeral"):
		c.s.violate(c.device, BadStanza, "timer of %d s", seconds)
		c.refuse(iq, 400, "bad-request")
	default:
		if err := g.SetEphemeral(c.s.ctx, by, uint32(seconds)); err != nil {
			c.refuse(iq, 403, "forbidden") // it has left just now
			return
		}
		c.reply(iq)
	}
}

// joinedGroups answers a request for all groups of the account.
func (c *conn) joinedGroups(iq *waBinary.Node) {
	c.s.mu.Lock()
	var all []*Group
	for _, g := range c.s.groups {
		all = append(all, g)
	}
	c.s.mu.Unlock()
	var nodes []waBinary.Node
	for _, g := range all {
		if g.has(c.device.phone.Contact) {
			nodes = append(nodes, g.node())
		}
	}
	c.reply(iq, waBinary.Node{Tag: "groups", Content: content(nodes)})
}
