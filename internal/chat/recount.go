package chat

import (
	"reflect"
	"slices"
)

// countable tells whether a message counts as unread until it is read.
func (m *Message) countable() bool {
	return m.Content.known() && !m.Content.FromMe && m.Content.Class.counts() && !m.Gone && !m.inside()
}

// mayCount tells whether a history may have counted a message: one that was revoked goes on counting, and the history doesn't
// tell what it was.
func (m *Message) mayCount() bool {
	revoked := m.Content.known() && !m.Content.FromMe && len(m.Revoked) > 0 && !m.Gone && !m.inside()
	return m.countable() || revoked
}

// reach is what of a chat's messages needs no reading any more: what was read, cleared or deleted, and what a history counted.
func (c *Chat) reach() []Range {
	return []Range{c.Read, c.Cleared, c.ClearedUnstarred, c.Deleted, c.Unread.counted()}
}

// before tells whether a message came as news before a fold's end.
func (c *Chat) before(m *Message, f *fold) bool {
	return m.News != 0 && m.Link == c.Epoch && m.News <= f.Through
}

// folded tells whether a message is one of those that a fold counts.
func (c *Chat) folded(m *Message, f *fold) bool {
	if m == nil || !c.before(m, f) || !m.countable() {
		return false
	}
	for _, r := range c.reach() {
		if r.Covers(m.Content.Time, m.ID) {
			return false
		}
	}
	return true
}

// recount keeps the number of folded messages that of the messages that they are. The chat was another before, and so were the
// messages that were loaded. It asks the store only where a range ends among the folded ones, and where it can't tell whether the
// change was made in part before.
func (t *Thread) recount(c Change, was *Chat, loaded map[string]*Message) error {
	u := &t.Chat.Unread
	f := &u.Folded
	defer func() { u.doubt = false; u.fold() }()
	if f.Through == 0 {
		return nil
	}
	all := u.doubt || t.repeats(c, loaded) ||
		!equalRange(t.Chat.Cleared, was.Cleared) || !equalRange(t.Chat.Deleted, was.Deleted) // which deletes messages
	if all {
		f.Count, f.Mentions = 0, 0
	}
	count := func(c *Chat, m *Message, n int) {
		if c.folded(m, f) {
			f.Count += n
			if m.mentionsMe() {
				f.Mentions += n
			}
			f.Newest = max(f.Newest, m.Content.Time)
		}
	}
	for id, m := range t.Messages {
		count(&t.Chat, m, 1)
		if !all {
			count(was, loaded[id], -1)
		}
	}
	from, ends := int64(0), all
	for i, r := range t.Chat.reach() {
		before := was.reach()[i]
		if before.Through > 0 {
			from = max(from, before.Through)
		}
		if r.Through > f.Newest || r.Through == f.Newest && len(r.IDs) == 0 {
			f.Count, f.Mentions = 0, 0
			return nil
		}
		ends = ends || !equalRange(r, before)
	}
	if !ends || !all && f.Count == 0 {
		return nil
	}
	return t.Each(from, func(m *Message) {
		if !all {
			count(was, m, -1)
		}
		count(&t.Chat, m, 1)
	})
}

// told tells whether a message is among those that a history's count speaks of. What it doesn't name of its last second came
// before what it names, and the history's next part may tell it, unless it is news of this link, which is counted by itself.
func (c *Chat) told(m *Message, counted Range) bool {
	news := m.News != 0 && m.Link == c.Epoch
	return counted.Covers(m.Content.Time, m.ID) || m.Content.Time == counted.Through && counted.Through != 0 && !news
}

// takeRead takes out of what a history counted what was read since. A receipt names a message that is here, and a history has no
// gaps behind it: of the messages that it counted no more wait than stand behind the newest that was read. What another range
// covers of them nobody can tell, as there may be fewer messages here than were counted; a receipt of what is cleared or deleted
// says nothing, as it may have come when that wasn't here any more.
func (t *Thread) takeRead(was *Chat) error {
	c, u := &t.Chat, &t.Chat.Unread
	told := taken{u.Count + u.Other.Count, u.Mentions + u.Other.Mentions}
	if told == (taken{}) || u.Receipt <= max(c.Cleared.Through, c.Deleted.Through) {
		u.Taken = taken{}
		return nil
	}
	counted, before := u.counted(), &was.Unread
	if u.Receipt == before.Receipt && equalRange(c.Read, was.Read) && u.main() == before.main() && u.Other == before.Other {
		inside := false
		for _, m := range t.Messages {
			inside = inside || c.told(m, counted)
		}
		if !inside {
			return nil
		}
	}
	var left taken
	count := func(m *Message) {
		if !m.mayCount() || !c.told(m, counted) || c.Read.Covers(m.Content.Time, m.ID) {
			return
		}
		left.Count++
		if m.mentionsMe() {
			left.Mentions++
		}
	}
	for _, m := range t.Messages {
		count(m)
	}
	if err := t.Each(c.Read.Through, count); err != nil {
		return err
	}
	u.Taken = taken{told.Count - min(told.Count, left.Count), told.Mentions - min(told.Mentions, left.Mentions)}
	return nil
}

// repeats tells whether a change leaves a folded message as it is: it may have been made before, but for the count.
func (t *Thread) repeats(c Change, loaded map[string]*Message) bool {
	f := &t.Chat.Unread.Folded
	return !c.Past && slices.ContainsFunc(c.Messages, func(o Message) bool {
		m, before := t.Messages[o.ID], loaded[o.ID]
		return before != nil && m != nil && t.Chat.before(m, f) && reflect.DeepEqual(before, m)
	})
}
