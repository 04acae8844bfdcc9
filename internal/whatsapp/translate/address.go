package translate

import (
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
)

// Book knows who is who at the moment of an event. It keeps the first error of its look-ups: what is made with its help
// counts only if Err returns nil.
type Book struct {
	own    chat.JID                         // the account's phone number
	ownLID chat.JID                         // "" when unknown
	find   func(chat.JID) (chat.JID, error) // a person's other address, "" when unknown
	seen   map[chat.JID]chat.JID            // found or told so far
	err    error

	learned map[chat.JID]chat.JID
}

// NewBook makes a book of the account's own addresses and a look-up of others'.
func NewBook(own, ownLID chat.JID, find func(chat.JID) (chat.JID, error)) *Book {
	b := &Book{own: own, ownLID: ownLID, find: find, seen: make(map[chat.JID]chat.JID), learned: make(map[chat.JID]chat.JID)}
	b.Learn(own, ownLID)
	return b
}

// Err is the first error of the look-ups.
func (b *Book) Err() error { return b.err }

// Learned are the numbers that were told or found so far, by their LIDs.
func (b *Book) Learned() map[chat.JID]chat.JID { return b.learned }

// Learn takes two addresses of one person, in any order; anything else is ignored.
func (b *Book) Learn(x, y chat.JID) {
	if x.IsLID() && y.IsPN() || x.IsPN() && y.IsLID() {
		b.seen[x], b.seen[y] = y, x
		if y.IsLID() {
			x, y = y, x
		}
		b.learned[x] = y
	}
}

// Fill is Learn for what may be out of date, such as a history, a list of members or a setting: it only fills what is unknown.
// Who has changed the number is told of by WhatsApp itself and by their own messages.
func (b *Book) Fill(x, y chat.JID) {
	if x.IsPN() {
		x, y = y, x
	}
	if x.IsLID() && y.IsPN() && b.alt(x) == "" {
		b.Learn(x, y)
	}
}

// alt is a person's other address, "" when it is unknown or jid is no person.
func (b *Book) alt(jid chat.JID) chat.JID {
	if !jid.IsPN() && !jid.IsLID() {
		return ""
	}
	other, known := b.seen[jid]
	if known {
		return other
	}
	other, err := b.find(jid)
	if err != nil {
		if b.err == nil {
			b.err = err
		}
		return ""
	}
	b.seen[jid] = other
	b.Learn(jid, other)
	return other
}

// Canonical is a person's phone number where it is known; other addresses stay.
func (b *Book) Canonical(jid chat.JID) chat.JID {
	if jid.IsLID() {
		if pn := b.alt(jid); pn != "" {
			return pn
		}
	}
	return jid
}

// Both are all known addresses, the canonical first.
func (b *Book) Both(jid chat.JID) []chat.JID {
	c := b.Canonical(jid)
	if other := b.alt(c); other != "" {
		return []chat.JID{c, other}
	}
	return []chat.JID{c}
}

// isOwn tells whether jid is the account itself.
func (b *Book) isOwn(jid chat.JID) bool { return jid != "" && (jid == b.own || jid == b.ownLID) }

// Change is about a chat, by whatever address WhatsApp used.
func (b *Book) Change(jid chat.JID) chat.Change { return chat.Change{Chat: jid, Alt: b.alt(jid)} }

// Address makes a chat's address of WhatsApp's; ok is false for what is no chat, such as stories, and for what chat.ParseJID
// doesn't take: nobody could ask for it.
func Address(jid types.JID) (_ chat.JID, ok bool) {
	if jid.Server == types.BotServer {
		jid = types.BotJIDMap[jid.ToNonAD()]
	}
	server := ""
	switch jid.Server {
	case types.DefaultUserServer, types.LegacyUserServer, types.HostedServer:
		server = chat.UserServer
	case types.HiddenUserServer, types.HostedLIDServer:
		server = chat.LIDServer
	case types.GroupServer:
		server = chat.GroupServer
	case types.NewsletterServer:
		server = chat.NewsletterServer
	case types.BroadcastServer:
		if jid.User != types.StatusBroadcastJID.User {
			server = chat.BroadcastServer
		}
	}
	a, err := chat.ParseJID(string(chat.NewJID(jid.User, server)))
	return a, err == nil
}

// Parse is Address for a JID as text; "" for what is none.
func Parse(s string) chat.JID {
	if s == "" {
		return ""
	}
	jid, err := types.ParseJID(s)
	if err != nil {
		return ""
	}
	a, _ := Address(jid)
	return a
}

// WireJID is WhatsApp's form of an address.
func WireJID(jid chat.JID) types.JID { return types.NewJID(jid.User(), jid.Server()) }
