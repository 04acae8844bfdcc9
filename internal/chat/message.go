package chat

import (
	"cmp"
	"slices"
)

// Status is how far a message came; it only rises. The names are WhatsApp's.
type Status int8

// The statuses of a message.
const (
	NoStatus    Status = iota
	StatusError        // below PENDING, so that a later success wins
	Pending
	ServerAck
	DeliveryAck
	Read
	Played
)

var statusNames = [...]string{"", "ERROR", "PENDING", "SERVER_ACK", "DELIVERY_ACK", "READ", "PLAYED"}

// String is WhatsApp's name of the status.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return ""
	}
	return statusNames[s]
}

// Message is all that is known of one message of a chat, known by its ID there. A stub, whose Content hasn't come, keeps
// what arrived ahead of it: receipts, an edit, a revoke, reactions.
type Message struct {
	ID        string                 `json:"id"`
	Content   Content                `json:"c,omitzero"`
	Edits     map[JID]Register[Edit] `json:"e,omitempty"` // by who made them; only the sender's counts
	Revoked   map[JID]bool           `json:"x,omitempty"` // who revoked it
	Status    Status                 `json:"s,omitempty"`
	Receipts  map[JID]Receipt        `json:"r,omitempty"`  // by receiver
	Reactions map[JID]Register[JSON] `json:"re,omitempty"` // by sender; empty JSON: taken back
	Starred   Register[bool]         `json:"st,omitzero"`
	ReadHere  bool                   `json:"rd,omitempty"` // read by the account itself, on any device
	Gone      bool                   `json:"g,omitempty"`  // deleted for me
}

// Content is what its sender said in a message.
type Content struct {
	Sender    JID    `json:"s"` // the account's own JID where FromMe
	FromMe    bool   `json:"me,omitempty"`
	Time      int64  `json:"t"`           // seconds since 1970
	Order     int64  `json:"o,omitempty"` // orders messages of the same second
	Expires   int64  `json:"x,omitempty"` // seconds since 1970; 0: never. From then on nobody sees the message
	Type      string `json:"ty"`          // name of the content's field in WhatsApp's Message
	Body      string `json:"b,omitempty"` // the text a person would read
	Media     bool   `json:"md,omitempty"`
	Ephemeral bool   `json:"ep,omitempty"`
	Mentions  []JID  `json:"mn,omitempty"`
	MentionMe bool   `json:"mm,omitempty"`
	Quoted    JSON   `json:"q,omitempty"`  // the quoted Message
	Message   JSON   `json:"m,omitempty"`  // WhatsApp's Message
	Info      JSON   `json:"i,omitempty"`  // an object: the fields of WebMessageInfo that have no place above
	Silent    bool   `json:"si,omitempty"` // doesn't count as unread: a system message
}

// Edit replaces what a message says.
type Edit struct {
	Type    string `json:"ty"`
	Body    string `json:"b,omitempty"`
	Message JSON   `json:"m"`
}

// Receipt holds when a receiver got, read and played a message, in seconds since 1970; 0: not yet.
type Receipt struct {
	Received int64 `json:"d,omitempty"`
	Read     int64 `json:"r,omitempty"`
	Played   int64 `json:"p,omitempty"`
}

func (r Receipt) join(o Receipt) Receipt {
	return Receipt{earliest(r.Received, o.Received), earliest(r.Read, o.Read), earliest(r.Played, o.Played)}
}

// earliest is the smaller of two times, where 0 is none.
func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// known tells whether the message itself has come, not only what concerns it.
func (c Content) known() bool { return c.Time != 0 }

// wins tells whether c stays where two contents claim one id. One that says something takes the place of one that
// couldn't be decrypted at first. Else the earlier stays, so nobody replaces a message by sending another under its id.
// At the same time it is mostly the same message under the two addresses of its sender; the phone number is kept.
func (c Content) wins(o Content) bool {
	if !o.known() || !c.known() {
		return c.known()
	}
	return cmp.Or(
		-compareBool(c.Message != "", o.Message != ""),
		cmp.Compare(c.Time, o.Time),
		-compareBool(c.Sender.IsPN(), o.Sender.IsPN()),
		cmp.Compare(c.Sender, o.Sender),
		cmp.Compare(c.Order, o.Order),
		cmp.Compare(text(c), text(o)),
	) <= 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Join adds what o knows of the same message. It commutes, associates, and repeating it changes nothing. It may change
// m's maps.
func (m *Message) Join(o Message) {
	if !m.Content.wins(o.Content) {
		m.Content = o.Content
	}
	joinRegisters(&m.Edits, o.Edits)
	joinSet(&m.Revoked, o.Revoked)
	m.Status = max(m.Status, o.Status)
	for jid, receipt := range o.Receipts {
		if m.Receipts == nil {
			m.Receipts = make(map[JID]Receipt, len(o.Receipts))
		}
		m.Receipts[jid] = m.Receipts[jid].join(receipt)
	}
	joinRegisters(&m.Reactions, o.Reactions)
	m.Starred.Join(o.Starred)
	m.ReadHere = m.ReadHere || o.ReadHere
	m.Gone = m.Gone || o.Gone
}

// before orders messages as a conversation shows them.
func (m *Message) before(o *Message) bool { return compareMessages(m, o) < 0 }

func compareMessages(a, b *Message) int {
	return cmp.Or(
		cmp.Compare(a.Content.Time, b.Content.Time),
		cmp.Compare(a.Content.Order, b.Content.Order),
		cmp.Compare(a.ID, b.ID),
	)
}

// SortMessages puts messages in the order of the conversation, oldest first.
func SortMessages(messages []*Message) { slices.SortFunc(messages, compareMessages) }
