package chat

import "maps"

// enter makes the chat's state that of the newest link, and returns what of a state that was told in some link still counts.
// A link starts from nothing: its bootstrap, its app state and its events say anew what the chat is like. Only what the
// chat has of its messages goes on.
func (c *Chat) enter(epoch int64, told Chat) Chat {
	switch {
	case epoch > c.Epoch:
		*c = c.lasting()
		c.Epoch = epoch
	case epoch < c.Epoch:
		return told.lasting()
	}
	return told
}

// lasting is the chat without what a link says of it.
func (c *Chat) lasting() Chat {
	kept := *c
	kept.Fields, kept.Subject, kept.Contact, kept.PushName = nil, Register[string]{}, Register[string]{}, Register[string]{}
	kept.Saved, kept.Username, kept.Admins = Register[string]{}, Register[string]{}, c.admins()
	kept.Members, kept.Since, kept.Listed, kept.Told = nil, nil, 0, 0
	kept.Mute, kept.Pin = Register[int64]{}, Register[int64]{}
	kept.Archived, kept.ArchivedTo, kept.Unarchive = Register[bool]{}, Register[Reach]{}, Register[bool]{}
	kept.MarkedUnread, kept.MarkedTo = Register[bool]{}, Register[Reach]{}
	kept.ByLID, kept.Labels = Register[bool]{}, nil
	kept.Unread = Unread{} // what was read stays read
	return kept
}

// joinMembers adds what o knows of the members. Whom the newest full list doesn't name is no member, whatever was known
// of them before it.
func (c *Chat) joinMembers(o Chat) {
	joinRegisters(&c.Members, o.Members)
	c.Listed = max(c.Listed, o.Listed)
	if c.Listed > 0 {
		maps.DeleteFunc(c.Members, func(_ JID, r Register[Rank]) bool { return r.At < c.Listed })
	}
	joinRegisters(&c.Since, o.Since)
	maps.DeleteFunc(c.Since, func(jid JID, _ Register[int64]) bool { return !c.Members[jid].Set() })
}
