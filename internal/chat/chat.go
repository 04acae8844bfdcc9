package chat

import (
	"hash/fnv"
	"maps"
	"time"
)

// Rank is a member's place in a group; the names are WhatsApp's. Left says that the member is no more.
type Rank string

// The ranks.
const (
	RankMember     Rank = "REGULAR"
	RankAdmin      Rank = "ADMIN"
	RankSuperAdmin Rank = "SUPERADMIN"
	RankLeft       Rank = "LEFT"
)

// MutedForEver is the end of a mute that has none.
const MutedForEver = -1

// Chat is all that is known of one chat, but for its messages. The zero Chat knows nothing.
type Chat struct {
	JID JID `json:"jid"`           // canonical: a person's PN where it is known
	LID JID `json:"lid,omitempty"` // a person's other address, where JID is the PN

	// Moved is the number that a person has now who had this one. It leads there as long as no chat of its own shows.
	Moved JID `json:"mvd,omitempty"`

	Epoch int64 `json:"ep,omitempty"` // of the link that the state comes from, see enter

	Fields   map[string]Register[JSON] `json:"f,omitempty"` // fields of WhatsApp's Conversation that have no place below, as rendered
	Subject  Register[string]          `json:"sub,omitzero"`
	Contact  Register[string]          `json:"con,omitzero"` // the address book's name
	Saved    Register[string]          `json:"sav,omitzero"` // the same of an entry by LID or username, which stays when that by number goes
	PushName Register[string]          `json:"psh,omitzero"`
	Username Register[string]          `json:"usr,omitzero"` // without @
	Members  map[JID]Register[Rank]    `json:"mem,omitempty"`
	Since    map[JID]Register[int64]   `json:"sin,omitempty"` // seconds since 1970 when a member came, as far as it was told
	Listed   int64                     `json:"lst,omitempty"` // order of the newest full list of the members
	Told     int64                     `json:"tld,omitempty"` // order of the newest that WhatsApp told of the group
	Admins   map[JID]bool              `json:"adm,omitempty"` // who ever was one: their revokes count, also of others' messages
	Hidden   map[JID]bool              `json:"hid,omitempty"` // LIDs by which it or its messages name persons, whose numbers aren't known
	Disputed map[string]bool           `json:"dis,omitempty"` // ids of messages that somebody else has revoked, not known as an admin

	Mute         Register[int64] `json:"mut,omitzero"` // end in ms since 1970; MutedForEver; 0: not muted
	Pin          Register[int64] `json:"pin,omitzero"` // when it was pinned, as WhatsApp gives it; 0: not pinned
	Archived     Register[bool]  `json:"arc,omitzero"`
	ArchivedTo   Register[Reach] `json:"arr,omitzero"` // what the chat held when it was put into the archive
	Unarchive    Register[bool]  `json:"una,omitzero"` // the account's setting: news take a chat out of the archive
	MarkedUnread Register[bool]  `json:"mku,omitzero"`
	ByLID        Register[bool]  `json:"bld,omitzero"` // the app state has these of a person under the LID, not under the PN
	MarkedTo     Register[Reach] `json:"mkr,omitzero"` // what the chat held when it was marked as unread

	Labels map[string]Register[bool] `json:"lab,omitempty"` // by their ids; false: taken off

	Unread           Unread `json:"unr,omitzero"`
	Read             Range  `json:"rd,omitzero"`   // read on any device of the account
	Cleared          Range  `json:"cl,omitzero"`   // hidden for good
	ClearedUnstarred Range  `json:"clu,omitzero"`  // hidden, but for messages that were starred then, or are
	ClearedAt        int64  `json:"cla,omitempty"` // place of the newest such clear among the app state's changes; 0: unknown
	Deleted          Range  `json:"del,omitzero"`  // hidden for good, and the chat with them until something newer comes

	Activity int64    `json:"act,omitempty"` // seconds since 1970 of the newest message or event that moves the chat
	Received int64    `json:"rcv,omitempty"` // seconds since 1970 of the newest message from somebody else
	Last     Last     `json:"last,omitzero"` // the newest line that shows
	AddOns   []Beside `json:"ado,omitempty"` // the newest that may be a line, newest first
}

// Shows tells whether the chat is listed: something that moves a chat happened in it that no delete covers. A community isn't
// one, but its groups are.
func (c *Chat) Shows() bool {
	if c.Fields[communityField].Value == "true" {
		return false
	}
	return c.Activity > c.Deleted.Through || c.Last.ID != "" && c.Activity != 0 && c.Activity == c.Deleted.Through
}

// communityField is the field of WhatsApp's Conversation that says that it is a community.
const communityField = "isParentGroup"

// Name is the group's subject; for a person the address book's name, else the push name.
func (c *Chat) Name() string {
	switch {
	case c.JID.Kind() != Private:
		return c.Subject.Value
	case c.Saved.Value != "" && (c.Contact.Value == "" || c.Saved.At > c.Contact.At):
		return c.Saved.Value
	case c.Contact.Value != "":
		return c.Contact.Value
	}
	return c.PushName.Value
}

// TellsContact tells whether the chat has a name of the address book that was told before.
func (c *Chat) TellsContact(before int64) bool {
	return c.Contact.Set() && c.Contact.At < before || c.Saved.Set() && c.Saved.At < before
}

func (c *Chat) forgetContact(before int64) {
	for _, name := range []*Register[string]{&c.Contact, &c.Saved} {
		if name.At < before {
			*name = Register[string]{}
		}
	}
}

// MutedAt tells whether a mute that ends at end (ms since 1970, MutedForEver, 0) holds at a moment.
func MutedAt(end int64, now time.Time) bool { return end == MutedForEver || end > now.UnixMilli() }

// Hides tells whether a clear or delete covers a message for good, or until it is starred. Whose star was taken off after the
// clear had one then, or there would be nothing to take it off from: it stays.
func (c *Chat) Hides(v *MessageView) bool {
	stays := v.Starred || c.ClearedAt != 0 && v.Unstarred > c.ClearedAt
	return c.Cleared.Covers(v.Time, v.ID) || c.Deleted.Covers(v.Time, v.ID) || !stays && c.ClearedUnstarred.Covers(v.Time, v.ID)
}

// Join adds what o knows of the same chat; Last and Disputed stay, since they belong to the messages. It commutes,
// associates, and repeating it changes nothing.
func (c *Chat) Join(o Chat) {
	c.LID = max(c.LID, o.LID) // a number that was given to somebody else may have had two
	joinRegisters(&c.Fields, o.Fields)
	c.Subject.Join(o.Subject)
	c.Contact.Join(o.Contact)
	c.Saved.Join(o.Saved)
	c.PushName.Join(o.PushName)
	c.Username.Join(o.Username)
	c.joinMembers(o)
	c.Told = max(c.Told, o.Told)
	joinSet(&c.Admins, o.admins())
	joinSet(&c.Hidden, o.Hidden)
	c.Mute.Join(o.Mute)
	c.Pin.Join(o.Pin)
	c.Archived.Join(o.Archived)
	c.ArchivedTo.Join(o.ArchivedTo)
	c.Unarchive.Join(o.Unarchive)
	c.MarkedUnread.Join(o.MarkedUnread)
	c.ByLID.Join(o.ByLID)
	c.MarkedTo.Join(o.MarkedTo)
	joinRegisters(&c.Labels, o.Labels)
	c.Read.Join(o.Read)
	c.Cleared.Join(o.Cleared)
	c.ClearedUnstarred.Join(o.ClearedUnstarred)
	c.ClearedAt = max(c.ClearedAt, o.ClearedAt) // of more than one the newest covers what those before did
	c.Deleted.Join(o.Deleted)
	c.Unread.join(o.Unread)
	c.Activity = max(c.Activity, o.Activity)
	c.Received = max(c.Received, o.Received)
}

// admins are who ever was one, as far as the chat knows.
func (c *Chat) admins() map[JID]bool {
	all := maps.Clone(c.Admins)
	for jid, rank := range c.Members {
		if rank.Value == RankAdmin || rank.Value == RankSuperAdmin {
			joinSet(&all, map[JID]bool{jid: true})
		}
	}
	return all
}

// dropRead takes out of the unread count what was read, cleared or deleted.
func (c *Chat) dropRead() {
	for _, r := range []Range{c.Read, c.Cleared, c.ClearedUnstarred, c.Deleted} {
		if r.Through != 0 {
			c.Unread.drop(r.Through, r.stamped())
		}
	}
}

func hashID(id string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id))
	return h.Sum32()
}
