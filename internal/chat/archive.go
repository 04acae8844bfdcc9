package chat

import "encoding/json"

// Reach is a range as a register holds it.
type Reach string

// ReachOf is a range's Reach.
func ReachOf(r Range) Reach {
	b, _ := json.Marshal(r) // numbers and strings always marshal
	return Reach(b)
}

func (r Reach) covered() (covered Range) {
	_ = json.Unmarshal([]byte(r), &covered) // the zero Reach is no JSON, and covers nothing
	return covered
}

// InArchive tells whether the chat stands in the archive: it was put there, and stays while nothing has come from outside of
// what it held then, or for good where the account keeps its chats archived. An account that never said so doesn't.
func (c *Chat) InArchive() bool {
	if !c.Archived.Value {
		return false
	}
	keeps := c.Unarchive.Set() && !c.Unarchive.Value
	return keeps || c.ArchivedTo.Value == "" || !c.NewerThan(c.ArchivedTo.Value.covered())
}

// NewerThan tells whether somebody wrote after a range.
func (c *Chat) NewerThan(r Range) bool {
	last := &c.Last.Line
	return c.Received > r.Through ||
		c.Received == r.Through && len(r.IDs) > 0 && last.Kind == "" && last.Time == c.Received && !r.Covers(last.Time, last.ID)
}

// Marked tells whether the chat is marked as unread. A message that waits to be read takes the mark's place, for good.
func (c *Chat) Marked() bool {
	unread, _ := c.Unread.total()
	return c.MarkedUnread.Value && unread == 0 && (c.MarkedTo.Value == "" || !c.NewerThan(c.MarkedTo.Value.covered()))
}
