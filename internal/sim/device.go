package sim

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Device is one linked device of a [Phone].
type Device struct {
	s      *Server
	phone  *Phone
	jid    types.JID
	lid    types.JID
	faults faults
	keys   deviceKeys

	queue queue // locks itself

	mu       sync.Mutex // guards what follows
	conn     *conn      // logged in; nil when offline
	active   bool       // conn gets stanzas at once
	unlinked bool
	logins   int
	sent     map[string]bool // ids of messages that the device sent
	changed  notifier
}

// Connection is one connection of a client, from its opening.
type Connection struct {
	Opened   time.Time
	LoggedIn time.Time // zero if it never was
	Closed   time.Time // zero while it lives
	Device   types.JID // zero before pairing
	Remote   string    // address
	Stanzas  int       // received from the client after login
	// Replaced is when the client was told that a newer connection of the same device has taken over; else zero.
	Replaced time.Time
	// AfterReplaced are the tags of the stanzas received after that, those included that were on the way. A client that
	// goes on sending shows that two of them drive one device.
	AfterReplaced []string
}

// JID is the device's address by phone number, the device number included.
func (d *Device) JID() types.JID { return d.jid }

// LID is the device's hidden address, the device number included.
func (d *Device) LID() types.JID { return d.lid }

// Phone is the account's phone.
func (d *Device) Phone() *Phone { return d.phone }

// Online says whether the device is logged in and active, so that it gets its stanzas at once.
func (d *Device) Online() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.active
}

// WaitOnline waits until the device is online.
func (d *Device) WaitOnline(ctx context.Context) error {
	return d.changed.wait(ctx, d.Online)
}

// WaitOffline waits until the device has no connection.
func (d *Device) WaitOffline(ctx context.Context) error {
	return d.changed.wait(ctx, func() bool { return d.current() == nil })
}

// WaitLogins waits until the device has logged in n times since it was linked.
func (d *Device) WaitLogins(ctx context.Context, n int) error {
	return d.changed.wait(ctx, func() bool { return d.Logins() >= n })
}

// Linked says whether the device is still linked to its account.
func (d *Device) Linked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.unlinked
}

// Logins is how often the device has logged in.
func (d *Device) Logins() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logins
}

// Acked says whether a stanza with this id was acknowledged.
func (d *Device) Acked(id string) bool { return d.queue.acked(id) }

// WaitAcked waits until stanzas with all these ids are acknowledged.
func (d *Device) WaitAcked(ctx context.Context, ids ...string) error {
	return d.queue.changed.wait(ctx, func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return !d.queue.acked(id) })
	})
}

// Acks are the acknowledgements of this device, in order.
func (d *Device) Acks() []Ack {
	return slices.DeleteFunc(d.s.Acks(), func(a Ack) bool { return a.Device != d.jid })
}

// Pending is the number of stanzas kept for the device since it hasn't acknowledged them.
func (d *Device) Pending() int { return d.queue.len() }

// WaitDrained waits until nothing is pending.
func (d *Device) WaitDrained(ctx context.Context) error {
	return d.queue.changed.wait(ctx, func() bool { return d.queue.len() == 0 })
}

// Connections are the connections of this device, in the order of their opening.
func (d *Device) Connections() []Connection {
	return d.s.connectionsOf(func(c *Connection) bool { return c.Device == d.jid })
}

// Inject puts a fault into the device's connections.
func (d *Device) Inject(f Fault) *Injected { return d.faults.add(f) }

// Drop breaks the connection abruptly (TCP reset). Like all that ends a connection, it does nothing when there is none.
func (d *Device) Drop() {
	if c := d.current(); c != nil {
		c.drop()
	}
}

// Hangup ends the connection cleanly.
func (d *Device) Hangup() {
	if c := d.current(); c != nil {
		c.hangup()
	}
}

// Replace ends the connection as WhatsApp does when the device connects from elsewhere.
func (d *Device) Replace() {
	if c := d.current(); c != nil {
		c.replaced()
	}
}

// Restart ends the connection with stream error 503.
func (d *Device) Restart() {
	if c := d.current(); c != nil {
		c.streamError("503", nil)
	}
}

// Unlink removes the device from the account, as the user can on the phone: stream error 401 device_removed, and every
// later login fails with 401.
func (d *Device) Unlink() {
	d.remove()
	if c := d.current(); c != nil {
		c.streamError("401", []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": "device_removed"}}})
	}
}

// remove unlinks the device and forgets what was kept for it.
func (d *Device) remove() {
	d.mu.Lock()
	d.unlinked = true
	d.mu.Unlock()
	d.queue.clear()
	d.phone.forget(d)
	d.changed.tell()
}

func (d *Device) current() *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

// attach makes c the device's connection; a former one is told that it was replaced.
func (d *Device) attach(c *conn) {
	d.mu.Lock()
	old := d.conn
	d.conn, d.active = c, false
	d.logins++
	d.mu.Unlock()
	d.s.mu.Lock()
	c.info.Device, c.info.LoggedIn = d.jid, time.Now()
	d.s.mu.Unlock()
	if old != nil {
		old.replaced()
	}
	d.changed.tell()
}

func (d *Device) detach(c *conn) {
	d.mu.Lock()
	if d.conn == c {
		d.conn, d.active = nil, false
	}
	d.mu.Unlock()
	d.changed.tell()
}

// activate sends everything that waits, and from then on each stanza at once. The lock is held over it, so that nothing
// overtakes the queue.
func (d *Device) activate(c *conn) {
	d.mu.Lock()
	if d.conn != c || d.active {
		d.mu.Unlock()
		return
	}
	c.sendBytes(d.queue.offline(d.s)...)
	d.active = true
	d.mu.Unlock()
	d.changed.tell()
}

// push keeps a stanza until it is acknowledged and sends it if the device is online. It never blocks.
func (d *Device) push(st *stanza) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unlinked {
		return
	}
	d.queue.add(st)
	if d.active {
		d.conn.sendBytes(st.data)
	}
}

// pushNode queues a node. p is nil unless it is a message by somebody in the simulator.
func (d *Device) pushNode(n waBinary.Node, p *parcel) {
	ag := n.AttrGetter()
	key := stanzaKey{
		class: n.Tag, from: ag.OptionalJIDOrEmpty("from"), participant: ag.OptionalJIDOrEmpty("participant"),
		id: ag.OptionalString("id"),
	}
	if n.Tag != "message" {
		key.kind = ag.OptionalString("type")
	}
	d.push(&stanza{key: key, data: d.s.marshal(n), parcel: p})
}

// notify queues a notification and returns its id.
func (d *Device) notify(kind string, from types.JID, attrs waBinary.Attrs, children ...waBinary.Node) string {
	n := waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{
		"from": from, "type": kind, "id": d.s.ids.next(), "t": time.Now().Unix(),
	}, Content: content(children)}
	maps.Copy(n.Attrs, attrs)
	d.pushNode(n, nil)
	return n.Attrs["id"].(string)
}

// firstTime records the id of a message from the device. It is false for one that came before: a client repeats what was
// not answered.
func (d *Device) firstTime(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sent[id] {
		return false
	}
	if d.sent == nil {
		d.sent = map[string]bool{}
	}
	d.sent[id] = true
	return true
}

// replaced tells the client that its device is in use elsewhere, and ends the connection.
func (c *conn) replaced() {
	c.s.mu.Lock()
	c.info.Replaced = time.Now()
	c.s.mu.Unlock()
	c.streamError("", []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": "replaced"}}})
}

// notifier wakes those who wait for a condition. The zero value is ready.
type notifier struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody waits
}

// tell wakes everybody.
func (n *notifier) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

// wait returns when done is true, checking it after every tell, or when ctx ends.
func (n *notifier) wait(ctx context.Context, done func() bool) error {
	for {
		n.mu.Lock()
		if n.ch == nil {
			n.ch = make(chan struct{})
		}
		ch := n.ch
		n.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
