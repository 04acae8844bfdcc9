package chat

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// Change is what one event tells: a partial state of a chat, and of some of its messages. Projecting it is joining it. In
// a private chat it names the other person by Chat or Alt only, and everywhere the account itself by its phone number.
type Change struct {
	Chat     JID // either address of a person, or the JID of a group, newsletter or broadcast
	Alt      JID // the person's other address, where the event gives it
	State    Chat
	Messages []Message
	Epoch    int64 // of the link that tells it
	Past     bool  // from a history: the messages count as nothing new

	Unarchive Register[bool] `json:",omitzero"` // the account's setting, which a chat in the archive takes
	Contacts  int64          `json:",omitzero"` // what was told of the address book before counts no more: all of it was told anew
}

// In says in which link a change is told. A history tells a message with all that was added to it.
func (c *Change) In(epoch int64) {
	c.Epoch = epoch
	for i := range c.Messages {
		m := &c.Messages[i]
		for by, r := range m.Reactions {
			r.Value.Link = epoch
			m.Reactions[by] = r
		}
		for by, r := range m.Votes {
			r.Value.Link = epoch
			m.Votes[by] = r
		}
		if m.Pin.Set() {
			m.Pin.Value.Link = epoch
		}
		if c.Past && m.Content.known() {
			if m.Told.Whole = epoch; len(m.Votes) > 0 {
				m.Told.Votes = epoch
			}
		}
	}
}

// empty tells whether the change only links two addresses.
func (c Change) empty() bool { return len(c.Messages) == 0 && reflect.ValueOf(c.State).IsZero() }

// ids are the messages that the change is about.
func (c Change) ids() []string {
	ids := make([]string, len(c.Messages))
	for i, m := range c.Messages {
		ids[i] = m.ID
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Thread is a chat with some of its messages, loaded to be changed; see ChatStore.Update.
type Thread struct {
	Chat     Chat
	Messages map[string]*Message // by id, those asked for that are stored
	// Newest finds the newest stored message that shows accepts, among those not in Messages; nil when there is none. The
	// views that shows gets have no document.
	Newest func(shows func(MessageView) bool) (*Message, error)
	// LoadMembers completes Chat.Members and Chat.Since, which in a large group aren't loaded with it; nil: they are there.
	LoadMembers func() error
	// Each visits the stored messages that aren't older than from, in seconds since 1970, and not in Messages.
	Each func(from int64, visit func(*Message)) error

	again []Message // what is to be joined after this, since it concerns messages that aren't loaded
	past  bool      // of the change that is applied
	news  bool      // the message that is joined has just come

	Fresh   bool                // the change is no history's: what it tells is told even if it is stored already, unless it was told
	Changed map[string]*Message // what Apply leaves to be stored
	News    map[string]bool     // which of it has just come
	Prune   []Range             // what Apply leaves to be deleted: all messages that these cover, after the chat is stored
}

// Apply joins a change into the thread.
func (t *Thread) Apply(c Change, now time.Time) error {
	t.again = nil
	if t.Changed == nil {
		t.Changed = make(map[string]*Message, len(c.Messages))
	}
	if state := &c.State; len(state.Members) > 0 || len(state.Since) > 0 || state.Listed > 0 || c.Epoch > t.Chat.Epoch {
		if err := t.loadMembers(); err != nil {
			return err
		}
	}
	before := t.Chat
	t.learnLID(c)
	t.past = c.Past || c.Epoch < t.Chat.Epoch
	t.Fresh = !c.Past
	state := t.Chat.enter(c.Epoch, c.State)
	if c.Chat != t.Chat.JID {
		state.Unread.aside()
	}
	was, loaded := t.Chat, maps.Clone(t.Messages)
	t.Chat.Join(state)
	if t.Chat.Archived.Value && c.Epoch == t.Chat.Epoch {
		t.Chat.Unarchive.Join(c.Unarchive)
	}
	if c.Epoch == t.Chat.Epoch {
		t.Chat.forgetContact(c.Contacts)
	}
	for _, m := range c.Messages {
		t.readdress(c, m.rename)
		t.join(m)
	}
	t.Chat.dropRead()
	if t.Chat.Moved != "" && t.Chat.Shows() {
		t.Chat.Moved = "" // somebody has it
	}
	if err := t.takeRead(&was); err != nil {
		return err
	}
	if err := t.recount(c, &was, loaded); err != nil {
		return err
	}
	if !equalRange(t.Chat.Cleared, before.Cleared) {
		t.Prune = append(t.Prune, t.Chat.Cleared)
	}
	if !equalRange(t.Chat.Deleted, before.Deleted) {
		t.Prune = append(t.Prune, t.Chat.Deleted)
	}
	return t.findLast(now)
}

func (t *Thread) loadMembers() error {
	if t.LoadMembers == nil {
		return nil
	}
	return t.LoadMembers()
}

// readdress makes a person's canonical address out of either.
func (t *Thread) readdress(c Change, rename func(from, to JID)) {
	for _, from := range []JID{c.Chat, c.Alt, t.Chat.LID} {
		if from != "" && from != t.Chat.JID {
			rename(from, t.Chat.JID)
		}
	}
}

// learnLID takes a person's other address from the change.
func (t *Thread) learnLID(c Change) {
	for _, jid := range []JID{c.Chat, c.Alt} {
		if jid.IsLID() && t.Chat.JID.IsPN() {
			t.Chat.LID = max(t.Chat.LID, jid)
		}
	}
}

func (t *Thread) join(o Message) {
	m, before := t.Messages[o.ID], Message{ID: o.ID}
	if m == nil {
		if o.Inside && reflect.DeepEqual(o, Message{ID: o.ID, Inside: true}) {
			return // a part that isn't there any more
		}
		if t.Chat.Disputed[o.ID] && reflect.DeepEqual(o, Message{ID: o.ID}) { // a review of what isn't there any more
			t.Chat.Disputed = without(t.Chat.Disputed, o.ID)
			return
		}
		m = &Message{ID: o.ID}
	} else {
		before = *m
		m = &Message{}
		*m = *t.Messages[o.ID] // loaded messages stay as they were, for adapters that compare
		m.unshare()
	}
	if !m.hasAdditions() && !o.hasAdditions() {
		o.Told = Told{} // it says nothing then, and needn't be written
	}
	m.Join(t.timely(m, o))
	if t.news = o.Content.known() && !t.past; t.news {
		joinSet(&t.News, map[string]bool{o.ID: true})
		if !m.Content.FromMe {
			m.joinNews(max(o.Content.Order, 1), t.Chat.Epoch)
		}
	}
	t.seen(o.Content)
	if m.Content.known() {
		if m.Gone || t.Chat.revokes(m) {
			m.forget()
		}
		if o.Content.known() || len(o.Parts) > 0 {
			t.family(m)
		}
		if m.ReadHere && !m.Content.FromMe && (o.ReadHere || o.Content.known()) {
			t.Chat.Unread.Receipt = max(t.Chat.Unread.Receipt, m.Content.Time)
		}
		t.count(m, before, o)
		if t.Chat.Cleared.Covers(m.Content.Time, m.ID) || t.Chat.Deleted.Covers(m.Content.Time, m.ID) {
			return // hidden for good: whatever is stored of it is pruned
		}
	}
	t.judge(m)
	t.put(m)
	if !reflect.DeepEqual(o, Message{ID: o.ID, Inside: true}) { // its parent has told that
		t.tellParent(m)
	}
}

func (t *Thread) put(m *Message) {
	if t.Messages == nil {
		t.Messages = make(map[string]*Message)
	}
	t.Messages[m.ID], t.Changed[m.ID] = m, m
}

// timely drops the edits that come too late.
func (t *Thread) timely(m *Message, o Message) Message {
	content := m.Content
	if !content.known() {
		content = o.Content
	}
	late := func(_ JID, r Register[Edit]) bool { return content.known() && !content.inTime(t.Chat.JID, r.Value) }
	o.Edits = maps.Clone(o.Edits)
	maps.DeleteFunc(o.Edits, late)
	m.Edits = maps.Clone(m.Edits)
	maps.DeleteFunc(m.Edits, late)
	return o
}

// seen moves the chat's times on with a content, even if another stands under its id.
func (t *Thread) seen(c Content) {
	if !c.Class.moves() {
		return
	}
	t.Chat.Activity = max(t.Chat.Activity, c.Time)
	if !c.FromMe && c.Class.counts() {
		t.Chat.Received = max(t.Chat.Received, c.Time)
	}
}

// count brings the chat's unread count up to date with a message, of which the parts were apart before: what this chat had, and
// what was joined, which a chat of the person's other address may have counted.
func (t *Thread) count(m *Message, parts ...Message) {
	c, counted := &t.Chat, false
	for i := range parts {
		counted = c.Unread.remove(stampOf(&parts[i])) || counted // its time, or what it says, may have changed
	}
	if m.Content.FromMe {
		return
	}
	if m.ReadHere {
		c.Read.Join(RangeOf(m.Content.Time, m.ID))
	}
	if (t.news || counted) && m.countable() && !c.Read.Covers(m.Content.Time, m.ID) {
		c.Unread.add(stampOf(m))
	}
}

// family has a message that just became known show inside of its parent, and its parts inside of it. Those that aren't
// loaded are looked at again afterwards.
func (t *Thread) family(m *Message) {
	if parent := t.Messages[m.Content.Parent]; m.Content.Parent != "" && parent != nil && parent.Content.known() {
		m.Inside = true
	}
	for id := range m.Parts {
		if part := t.Messages[id]; part == nil {
			t.again = append(t.again, Message{ID: id, Inside: true})
		} else if !part.Inside {
			t.join(Message{ID: id, Inside: true})
		}
	}
}

// tellParent gives a message's parent the message as it is now.
func (t *Thread) tellParent(m *Message) {
	if m.Content.Parent == "" || m.Content.Parent == m.ID {
		return
	}
	said := t.Chat.Said(m)
	part := Part{
		FromMe: m.Content.FromMe, Sender: m.Content.Sender, Time: m.Content.Time, Order: m.Content.Order,
		Type: m.Content.Type, Body: m.Content.Body, Status: m.Status, Message: m.Content.Slim,
		Edit: said.Edit, Gone: m.Gone || said.Revoked,
	}
	if part.Gone {
		part.Body, part.Message, part.Edit = "", "", Edit{}
	}
	parent := t.Messages[m.Content.Parent]
	if parent == nil {
		t.again = append(t.again, Message{ID: m.Content.Parent, Parts: map[string]Part{m.ID: part}})
		return
	}
	if parent.Parts[m.ID] == part || parent.Gone || t.Chat.revokes(parent) {
		return
	}
	changed := *parent
	changed.unshare()
	changed.joinParts(map[string]Part{m.ID: part})
	t.put(&changed)
}

// judge lets a revoke take effect, or notes that it would if who revoked turned out to be an admin.
func (t *Thread) judge(m *Message) {
	c := &t.Chat
	switch {
	case len(m.Revoked) == 0 || !m.Content.known():
	case c.revokes(m):
		m.forget()
		c.Disputed = without(c.Disputed, m.ID)
	case c.JID.Kind() == Group && len(c.Disputed) < maxDisputed:
		joinSet(&c.Disputed, map[string]bool{m.ID: true})
	}
}

// maxDisputed bounds what a member who revokes at random can make a chat remember; the revoke of an admin who is known
// as such only later may be missed then.
const maxDisputed = 64

// review is what to apply after c: what concerns messages that weren't loaded, and if c tells of admins, all messages in
// dispute are looked at again.
func (t *Thread) review(c Change) (again Change, needed bool) {
	again = Change{Chat: t.Chat.JID, Epoch: c.Epoch, Past: c.Past, Messages: t.again}
	if len(c.State.Members) > 0 {
		for id := range t.Chat.Disputed {
			again.Messages = append(again.Messages, Message{ID: id})
		}
	}
	return again, len(again.Messages) > 0
}

func without[K comparable](set map[K]bool, id K) map[K]bool {
	if !set[id] {
		return set
	}
	if set = maps.Clone(set); len(set) == 1 {
		return nil
	}
	delete(set, id)
	return set
}

// How long after a message it may be revoked, with what WhatsApp's clients allow for the way, in seconds.
const (
	revokeWindow        = (2*24 + 12 + 12) * 60 * 60
	channelRevokeWindow = (30*24 + 12) * 60 * 60
)

func (c *Chat) revokeWindow() int64 {
	if c.JID.Kind() == Newsletter {
		return channelRevokeWindow
	}
	return revokeWindow
}

// revokes tells whether somebody who may has revoked the message: its sender or, in a group, an admin.
func (c *Chat) revokes(m *Message) bool {
	for by, at := range m.Revoked {
		if m.Content.known() && at <= m.Content.Time+c.revokeWindow() &&
			(by == m.Content.Sender || c.JID.Kind() == Group && c.Admins[by]) {
			return true
		}
	}
	return false
}

func equalRange(a, b Range) bool { return a.Through == b.Through && slices.Equal(a.IDs, b.IDs) }

// rename puts one address of a person for the other, wherever a message names it.
func (m *Message) rename(from, to JID) {
	m.unshare()
	for _, said := range []*JSON{&m.Content.Message, &m.Content.Quoted, &m.Content.Info, &m.Content.Slim} {
		*said = renamed(*said, from, to)
	}
	if i := slices.Index(m.Content.Mentions, from); i >= 0 {
		m.Content.Mentions = slices.Clone(m.Content.Mentions)
		m.Content.Mentions[i] = to
	}
	for by, r := range m.Edits {
		r.Value.Message = renamed(r.Value.Message, from, to)
		list := r.Value.Mentions.List()
		if i := slices.Index(list, from); i >= 0 {
			list[i] = to
			r.Value.Mentions = JoinJIDs(list)
		}
		m.Edits[by] = r
	}
	if m.Content.Sender == from {
		m.Content.Sender = to
	}
	if r, ok := m.Edits[from]; ok {
		delete(m.Edits, from)
		joinRegisters(&m.Edits, map[JID]Register[Edit]{to: r})
	}
	if at, ok := m.Revoked[from]; ok {
		delete(m.Revoked, from)
		m.Revoked[to] = earliest(m.Revoked[to], at)
	}
	if r, ok := m.Receipts[from]; ok {
		delete(m.Receipts, from)
		m.Receipts[to] = m.Receipts[to].join(r)
	}
	renameRegister(&m.Reactions, from, to, joinAdditions)
	renameRegister(&m.Votes, from, to, joinAdditions)
	renameRegister(&m.Answers, from, to, joinRegisters)
	renameRegister(&m.Keeps, from, to, joinRegisters)
	if m.Pin.Value.By == from {
		m.Pin.Value.By = to
	}
	for id, c := range m.Comments {
		if c.By == from {
			c.By = to
			m.Comments[id] = c
		}
	}
	for id, p := range m.Parts {
		if p.Sender == from {
			p.Sender = to
			m.Parts[id] = p
		}
	}
}

func renameRegister[T comparable](
	in *map[JID]Register[T], from, to JID, join func(into *map[JID]Register[T], from map[JID]Register[T]),
) {
	if r, ok := (*in)[from]; ok {
		delete(*in, from)
		join(in, map[JID]Register[T]{to: r})
	}
}

// unshare gives m maps of its own.
func (m *Message) unshare() {
	m.Edits, m.Revoked = maps.Clone(m.Edits), maps.Clone(m.Revoked)
	m.Receipts, m.Reactions = maps.Clone(m.Receipts), maps.Clone(m.Reactions)
	m.Votes, m.Answers, m.Keeps = maps.Clone(m.Votes), maps.Clone(m.Answers), maps.Clone(m.Keeps)
	m.Comments, m.Parts, m.Options = maps.Clone(m.Comments), maps.Clone(m.Parts), maps.Clone(m.Options)
}

// forget drops what a revoked or deleted message said; who said it and when stays, and that it said something.
func (m *Message) forget() {
	c := &m.Content
	if c.Message != "" {
		c.Message = "{}"
	}
	c.Body, c.Quoted, c.Mentions, c.Info, c.Options = "", "", nil, "", nil
	c.MentionMe, c.QuotesMe, c.Expects = false, false, 0
	m.Edits, m.Reactions, m.Votes, m.Answers, m.Comments, m.Parts, m.Options = nil, nil, nil, nil, nil, nil, nil
	m.Pin = Register[Pin]{}
}
