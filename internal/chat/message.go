package chat

import (
	"cmp"
	"maps"
	"slices"
	"strings"
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
// what arrived ahead of it: receipts, an edit, a revoke, reactions, votes, its pictures.
type Message struct {
	ID        string                     `json:"id"`
	Content   Content                    `json:"c,omitzero"`
	Edits     map[JID]Register[Edit]     `json:"e,omitempty"` // by who made them; only the sender's counts
	Revoked   map[JID]int64              `json:"x,omitempty"` // who revoked it, and when, in seconds since 1970
	Status    Status                     `json:"s,omitempty"`
	Receipts  map[JID]Receipt            `json:"r,omitempty"`  // by receiver
	Reactions map[JID]Register[Reaction] `json:"re,omitempty"` // by sender; one without Text is taken back
	Votes     map[JID]Register[Vote]     `json:"vo,omitempty"` // of a poll, by voter
	Answers   map[JID]Register[Answer]   `json:"an,omitempty"` // to an event, by who answers
	Options   map[string]bool            `json:"po,omitempty"` // that others added to a poll
	Comments  map[string]Comment         `json:"co,omitempty"` // by their ids
	Keeps     map[JID]Register[bool]     `json:"k,omitempty"`  // who keeps a disappearing message, or did
	Pin       Register[Pin]              `json:"pi,omitzero"`
	Parts     map[string]Part            `json:"pt,omitempty"` // the messages that show inside of it, by their ids
	Inside    bool                       `json:"in,omitempty"` // it shows inside of its parent, which is here
	Starred   Register[bool]             `json:"st,omitzero"`
	ReadHere  bool                       `json:"rd,omitempty"` // read by the account itself, on any device
	Gone      bool                       `json:"g,omitempty"`  // deleted for me
	Told      Told                       `json:"to,omitzero"`
	News      int64                      `json:"n,omitempty"` // Content.Order with which it came as news; 0: from a history only
	Link      int64                      `json:"l,omitempty"` // epoch of the link in which it was news
}

// Told says which link's history has told a message last, and so what was added to it: what an earlier link told besides was
// taken back meanwhile.
type Told struct {
	Whole int64 `json:"w,omitempty"` // epoch of the link; 0: none
	Votes int64 `json:"v,omitempty"` // the same where it told votes: whether a history without any tells them is unsure
}

// Class says what a message does to its chat.
type Class int8

// The classes, as WhatsApp's clients tell them apart. An ambient message counts without a sound.
const (
	Default     Class = iota // moves the chat and counts as unread
	Ambient                  // the same, for what can't be shown
	Significant              // moves the chat: it concerns the account itself
	Noteworthy               // moves the chat
	Ignored                  // does neither
)

func (c Class) moves() bool  { return c != Ignored }
func (c Class) counts() bool { return c == Default || c == Ambient }

// Content is what its sender said in a message.
type Content struct {
	Sender    JID      `json:"s"` // the account's own JID where FromMe
	FromMe    bool     `json:"me,omitempty"`
	Time      int64    `json:"t"`           // seconds since 1970
	Order     int64    `json:"o,omitempty"` // orders messages of the same second
	Expires   int64    `json:"x,omitempty"` // seconds since 1970; 0: never. From then on nobody sees the message, unless it is kept
	Type      string   `json:"ty"`          // name of the content's field in WhatsApp's Message
	Body      string   `json:"b,omitempty"` // the text a person would read
	Media     bool     `json:"md,omitempty"`
	Ephemeral bool     `json:"ep,omitempty"`
	Mentions  []JID    `json:"mn,omitempty"`
	MentionMe bool     `json:"mm,omitempty"` // mentions the account, or everyone
	QuotesMe  bool     `json:"qm,omitempty"` // answers a message of the account
	Quoted    JSON     `json:"q,omitempty"`  // the quoted Message
	Message   JSON     `json:"m,omitempty"`  // WhatsApp's Message
	Info      JSON     `json:"i,omitempty"`  // an object: the fields of WebMessageInfo that have no place above
	Class     Class    `json:"cl,omitempty"`
	Aside     bool     `json:"as,omitempty"` // never the chat's last line: an encryption notice, a template
	Editable  Editable `json:"ed,omitempty"` // what an edit changes of it
	Partial   bool     `json:"pa,omitempty"` // known by a part only, such as its edit: gives way to the whole
	Options   []string `json:"op,omitempty"` // of a poll
	Replies   int      `json:"rp,omitempty"` // comments on it, as a history sync told
	Parent    string   `json:"pr,omitempty"` // id of the message that it belongs to
	Slim      JSON     `json:"sl,omitempty"` // of a message with a parent: Message without pictures, as the parent has it
	Alone     bool     `json:"al,omitempty"` // shows by itself while its parent isn't here: the better copy of a picture
	Expects   int      `json:"ex,omitempty"` // parts without which it doesn't show
	NoKeep    bool     `json:"nk,omitempty"` // mayn't be kept: view once, album
}

// Editable says what an edit changes.
type Editable string

// What edits change.
const (
	NotEditable Editable = ""
	TextEdit    Editable = "text"    // text, mentions, and the whole preview of a link
	CaptionEdit Editable = "caption" // caption, mentions
	EventEdit   Editable = "event"   // all of an event, but that it was cancelled
	PollEdit    Editable = "poll"    // the question
	WholeEdit   Editable = "whole"   // all: a bot's answer, a channel's post
)

// Edit is a patch: it changes of a message what its kind carries, and leaves the rest.
type Edit struct {
	Kind      Editable `json:"k"`
	Type      string   `json:"ty"`
	Body      string   `json:"b,omitempty"`
	Mentions  JIDs     `json:"mn,omitempty"`
	MentionMe bool     `json:"mm,omitempty"`
	Message   JSON     `json:"m"`
	Sent      int64    `json:"s,omitempty"` // seconds since 1970 by WhatsApp's clock; 0: whoever tells it has checked that it was in time
}

// JIDs is a list of addresses that can be compared.
type JIDs string

// JoinJIDs makes a list.
func JoinJIDs(jids []JID) JIDs {
	s := make([]string, len(jids))
	for i, jid := range jids {
		s[i] = string(jid)
	}
	return JIDs(strings.Join(s, " "))
}

// List is the addresses.
func (j JIDs) List() []JID {
	var list []JID
	for s := range strings.FieldsSeq(string(j)) {
		list = append(list, JID(s))
	}
	return list
}

// AddOn is what a message that is added to another has of its own.
type AddOn struct {
	ID     string `json:"id,omitempty"`
	FromMe bool   `json:"me,omitempty"`
	Time   int64  `json:"t,omitempty"` // seconds since 1970
	Order  int64  `json:"o,omitempty"`
	Link   int64  `json:"l,omitempty"` // epoch of the link that told it; 0: unknown
}

// added is what has an AddOn.
type added interface {
	comparable
	link() int64
	before(epoch int64) bool
}

func (a AddOn) link() int64 { return a.Link }

func (a AddOn) before(epoch int64) bool { return a.Link != 0 && a.Link < epoch }

// joinAdded keeps what a newer link told, else what is later.
func joinAdded[T added](r *Register[T], o Register[T]) {
	switch a, b := r.Value.link(), o.Value.link(); {
	case a == b:
		r.Join(o)
	case a < b:
		*r = o
	}
}

// joinAdditions does so by who added it.
func joinAdditions[T added](into *map[JID]Register[T], from map[JID]Register[T]) {
	joinEach(into, from, joinAdded)
}

// hasAdditions tells whether something was added that may be taken back.
func (m *Message) hasAdditions() bool { return len(m.Reactions) > 0 || len(m.Votes) > 0 || m.Pin.Set() }

// dropUntold leaves out what only links before an epoch told, where that is known.
func dropUntold[T added](all map[JID]Register[T], epoch int64) {
	maps.DeleteFunc(all, func(_ JID, r Register[T]) bool { return r.Value.before(epoch) })
}

// Reaction is what somebody thinks of a message.
type Reaction struct {
	AddOn
	Text string `json:"x,omitempty"` // "": taken back
}

// Vote is whom somebody votes for in a poll.
type Vote struct {
	AddOn
	Options string `json:"v,omitempty"` // SHA-256 of the options' names in hexadecimal, with spaces between; "": taken back
}

// Answer says whether somebody comes to an event.
type Answer struct {
	AddOn
	Response string `json:"a,omitempty"` // WhatsApp's name
	Guests   int32  `json:"g,omitempty"`
}

// Comment is said in the thread of a message.
type Comment struct {
	AddOn
	By      JID    `json:"by"`
	Type    string `json:"ty,omitempty"`
	Body    string `json:"b,omitempty"`
	Message JSON   `json:"m,omitempty"`
}

// Pin says that a message is pinned in its chat, for all.
type Pin struct {
	AddOn
	By      JID   `json:"by"`
	Pinned  bool  `json:"p,omitempty"`
	Seconds int64 `json:"d,omitempty"` // from the register's time on; 0: for ever
}

// Part is a message as its parent shows it.
type Part struct {
	FromMe  bool   `json:"me,omitempty"`
	Sender  JID    `json:"s"`
	Time    int64  `json:"t"`
	Order   int64  `json:"o,omitempty"`
	Type    string `json:"ty,omitempty"`
	Body    string `json:"b,omitempty"`
	Status  Status `json:"st,omitempty"`
	Message JSON   `json:"m,omitempty"`
	Edit    Edit   `json:"e,omitzero"`
	Gone    bool   `json:"g,omitempty"` // deleted, or revoked
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

// wins tells whether c stays where two contents claim one id. One that says something takes the place of one that couldn't be
// decrypted at first, and a whole one of one that is known by a part. Else the earlier stays, so nobody replaces a message by
// sending another under its id. At the same time it is mostly the same message under the two addresses of its sender; the phone
// number is kept.
func (c Content) wins(o Content) bool {
	if !o.known() || !c.known() {
		return c.known()
	}
	c.Order, o.Order = 0, 0 // see Message.Join
	return cmp.Or(
		-compareBool(c.Message != "", o.Message != ""),
		compareBool(c.Partial, o.Partial),
		cmp.Compare(c.Time, o.Time),
		-compareBool(c.Sender.IsPN(), o.Sender.IsPN()),
		cmp.Compare(c.Sender, o.Sender),
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
	order := o.Content.Order
	if m.Content.known() && (!o.Content.known() || m.Content.Order < order) {
		order = m.Content.Order // what takes the place of a placeholder stands where that did
	}
	if !m.Content.wins(o.Content) {
		m.Content = o.Content
	}
	m.Content.Order = order
	joinRegisters(&m.Edits, o.Edits)
	for by, at := range o.Revoked {
		if m.Revoked == nil {
			m.Revoked = make(map[JID]int64, len(o.Revoked))
		}
		m.Revoked[by] = earliest(m.Revoked[by], at)
	}
	m.Status = max(m.Status, o.Status)
	for jid, receipt := range o.Receipts {
		if m.Receipts == nil {
			m.Receipts = make(map[JID]Receipt, len(o.Receipts))
		}
		m.Receipts[jid] = m.Receipts[jid].join(receipt)
	}
	m.Told = Told{max(m.Told.Whole, o.Told.Whole), max(m.Told.Votes, o.Told.Votes)}
	joinAdditions(&m.Reactions, o.Reactions)
	dropUntold(m.Reactions, m.Told.Whole)
	joinAdditions(&m.Votes, o.Votes)
	dropUntold(m.Votes, m.Told.Votes)
	joinRegisters(&m.Answers, o.Answers)
	joinRegisters(&m.Keeps, o.Keeps)
	joinSet(&m.Options, o.Options)
	if joinAdded(&m.Pin, o.Pin); m.Pin.Value.before(m.Told.Whole) {
		m.Pin = Register[Pin]{}
	}
	m.joinComments(o.Comments)
	m.joinParts(o.Parts)
	m.Inside = m.Inside || o.Inside
	m.Starred.Join(o.Starred)
	m.ReadHere = m.ReadHere || o.ReadHere
	m.Gone = m.Gone || o.Gone
	m.joinNews(o.News, o.Link)
}

// joinNews keeps when it came first as news in the newest link.
func (m *Message) joinNews(news, link int64) {
	switch {
	case news == 0 || link < m.Link:
	case link > m.Link:
		m.News, m.Link = news, link
	default:
		m.News = earliest(m.News, news)
	}
}

func (m *Message) joinComments(comments map[string]Comment) {
	for id, o := range comments {
		c, known := m.Comments[id]
		if m.Comments == nil {
			m.Comments = make(map[string]Comment, len(comments))
		}
		if !known || text(o) > text(c) {
			m.Comments[id] = o
		}
	}
}

// maxParts bounds what one message shows inside of it; WhatsApp's albums have up to 100.
const maxParts = 128

// joinParts takes a part as it is now: the message that it shows keeps what is known of it, in whatever order it came.
func (m *Message) joinParts(parts map[string]Part) {
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		if m.Parts == nil {
			m.Parts = make(map[string]Part, len(parts))
		}
		if _, known := m.Parts[id]; known || len(m.Parts) < maxParts {
			m.Parts[id] = parts[id]
		}
	}
}

// How long after a message its sender may still edit it, with what WhatsApp's clients allow for its way.
const (
	editWindow        = 1200
	channelEditWindow = 30 * 24 * 60 * 60
)

// edit is the sender's last edit that counts. A forwarded message isn't editable, nor one that couldn't be decrypted yet:
// its edit waits.
func (m *Message) edit() (Edit, bool) {
	r := m.Edits[m.Content.Sender]
	c := &m.Content
	if !r.Set() || c.Message == "" || c.Editable == NotEditable {
		return Edit{}, false
	}
	edit := r.Value
	return edit, c.Editable == edit.Kind || c.Editable == CaptionEdit && edit.Kind == TextEdit || edit.Kind == WholeEdit
}

// inTime tells whether an edit comes soon enough after the message in a chat. Notes to oneself may be edited for ever.
func (c *Content) inTime(in JID, e Edit) bool {
	window := int64(editWindow)
	if in.Kind() == Newsletter {
		window = channelEditWindow
	}
	return e.Sent == 0 || c.FromMe && c.Sender == in || e.Sent <= c.Time+window
}

// mentionsMe tells whether a group's message is one that its chat counts apart: it mentions the account or everyone, as it
// was last edited, or answers the account.
func (m *Message) mentionsMe() bool {
	if edit, ok := m.edit(); ok {
		return edit.MentionMe || m.Content.QuotesMe
	}
	return m.Content.MentionMe || m.Content.QuotesMe
}

// kept tells whether a disappearing message stays. Who wrote it may forbid it: then nobody else's wish before counts.
func (m *Message) kept() bool {
	newest, forbidden := Register[bool]{}, m.Keeps[m.Content.Sender]
	for by, keep := range m.Keeps {
		if by != m.Content.Sender && forbidden.Set() && !forbidden.Value && keep.Value {
			continue
		}
		newest.Join(keep)
	}
	return newest.Value && !m.Content.NoKeep
}

// expires is when a message disappears; 0: never.
func (m *Message) expires() int64 {
	if m.kept() {
		return 0
	}
	return m.Content.Expires
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
