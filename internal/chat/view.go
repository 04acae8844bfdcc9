package chat

import "time"

// View is a chat as it is read: what filters and order need, and its document. It is stored when the chat changes, so
// that reading renders nothing. Package render makes it.
type View struct {
	JID      JID
	Seq      int64 // number of its last change in the feed
	Shows    bool
	Activity int64 // seconds since 1970; chats are listed by it
	Time     int64 // seconds since 1970 of the newest message or event; a reaction only lifts the chat in the list
	MuteEnd  int64 // ms since 1970; MutedForEver; 0: not muted
	Pinned   bool
	Archived bool
	Unread   bool
	Name     string // folded, for filters
	Labels   LabelIDs
	Last     Line // the newest line; its document has those too that show when it has expired
	Document JSON // an object: what doesn't depend on the moment of reading
}

// Until is when, in seconds since 1970, the chat shows otherwise by itself than at the moment; 0: never.
func (v *View) Until(now time.Time) int64 {
	return Sooner(v.Last.until(now), later((max(v.MuteEnd, 0)+999)/1000, now.Unix()))
}

// Sooner is the earlier of two moments, of which 0 never comes.
func Sooner(a, b int64) int64 { return earliest(a, b) }

// Outline is the view without its documents.
func (c *Chat) Outline() View {
	unread, _ := c.Unread.total()
	return View{
		JID:      c.JID,
		Shows:    c.Shows(),
		Activity: max(c.Activity, c.lifted()),
		Time:     c.Activity,
		MuteEnd:  c.Mute.Value,
		Pinned:   c.Pin.Value != 0,
		Archived: c.InArchive(),
		Unread:   unread > 0 || c.Marked(),
		Name:     Fold(c.Name()),
		Labels:   c.LabelIDs(),
	}
}

// UnreadCount is how many messages wait to be read, and how many of them mention the account.
func (c *Chat) UnreadCount() (messages, mentions int) { return c.Unread.total() }

// MessageView is a message as it is read. Package render makes it.
type MessageView struct {
	ID      string
	Time    int64 // seconds since 1970
	Order   int64
	Expires int64 // seconds since 1970; 0: never
	PinEnds int64 // seconds since 1970 from which on it isn't pinned any more; 0: it has no pin that ends
	Starred bool
	// Unstarred is the place among the app state's changes of the one that took its star off; 0: none did.
	Unstarred int64
	Listed    bool // false: a stub, deleted, or shown inside of another
	Heads     bool // may be the chat's last line
	Document  JSON // an object, as fetchMessageById shows it
}

// Place is the message's view without its document.
func (c *Chat) Place(m *Message) MessageView {
	listed := m.Content.known() && !m.Gone && !m.hidden()
	return MessageView{
		ID: m.ID, Time: m.Content.Time, Order: m.Content.Order, Expires: m.expires(), PinEnds: m.pinEnds(),
		Starred: m.Starred.Value, Unstarred: m.unstarred(), Listed: listed, Heads: listed && !m.Content.Aside,
	}
}

func (m *Message) unstarred() int64 {
	if m.Starred.Value {
		return 0
	}
	return m.Starred.At
}

// pinEnds is when a message's pin ends, in seconds since 1970; 0: it has none, or for ever.
func (m *Message) pinEnds() int64 {
	if pin := m.Pin.Value; pin.Pinned && pin.Seconds > 0 {
		return m.Pin.At/1000 + pin.Seconds
	}
	return 0
}

// Unpinned is a message whose pin has ended.
func (m *Message) Unpinned() *Message {
	without := *m
	without.Pin = Register[Pin]{}
	return &without
}

// Lists tells whether a conversation shows the message at a moment.
func (c *Chat) Lists(v MessageView, now time.Time) bool {
	return v.Listed && (v.Expires == 0 || v.Expires > now.Unix()) && !c.Hides(&v)
}

// hidden tells whether a message is part of another, or waits for its parts.
func (m *Message) hidden() bool {
	return m.inside() || m.Content.Expects > 0 && m.Content.Expects > m.shownParts()
}

// inside tells whether a message shows inside of its parent, or nowhere while that isn't here. The better copy of a
// picture shows by itself then.
func (m *Message) inside() bool { return m.Content.Parent != "" && (m.Inside || !m.Content.Alone) }

func (m *Message) shownParts() (n int) {
	for _, p := range m.Parts {
		if !p.Gone {
			n++
		}
	}
	return n
}

// Said is what a message says now.
type Said struct {
	Revoked bool
	Edit    Edit // patches the content; its Message is empty where there is none
}

// Said is what the message says now: its content with its sender's last edit, or nothing once it is revoked.
func (c *Chat) Said(m *Message) Said {
	if c.revokes(m) {
		return Said{Revoked: true}
	}
	edit, _ := m.edit()
	return Said{Edit: edit}
}

// IsKept tells whether somebody keeps the disappearing message.
func (m *Message) IsKept() bool { return m.kept() }
