package whatsapp

import (
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
)

// book knows who is who at the moment of an event. It keeps the first error of its look-ups: what is made with its help
// counts only if err is nil.
type book struct {
	own    chat.JID                         // the account's phone number
	ownLID chat.JID                         // "" when unknown
	find   func(chat.JID) (chat.JID, error) // a person's other address, "" when unknown
	seen   map[chat.JID]chat.JID            // found or told so far
	err    error
}

func newBook(own, ownLID chat.JID, find func(chat.JID) (chat.JID, error)) *book {
	b := &book{own: own, ownLID: ownLID, find: find, seen: make(map[chat.JID]chat.JID)}
	b.learn(own, ownLID)
	return b
}

// learn takes two addresses of one person, in any order; anything else is ignored.
func (b *book) learn(x, y chat.JID) {
	if x.IsLID() && y.IsPN() || x.IsPN() && y.IsLID() {
		b.seen[x], b.seen[y] = y, x
	}
}

// alt is a person's other address, "" when it is unknown or jid is no person.
func (b *book) alt(jid chat.JID) chat.JID {
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
	b.learn(jid, other)
	return other
}

// canonical is a person's phone number where it is known; other addresses stay.
func (b *book) canonical(jid chat.JID) chat.JID {
	if jid.IsLID() {
		if pn := b.alt(jid); pn != "" {
			return pn
		}
	}
	return jid
}

// both are all known addresses, the canonical first.
func (b *book) both(jid chat.JID) []chat.JID {
	c := b.canonical(jid)
	if other := b.alt(c); other != "" {
		return []chat.JID{c, other}
	}
	return []chat.JID{c}
}

// isOwn tells whether jid is the account itself.
func (b *book) isOwn(jid chat.JID) bool { return jid != "" && (jid == b.own || jid == b.ownLID) }

// change is about a chat, by whatever address WhatsApp used.
func (b *book) change(jid chat.JID) chat.Change { return chat.Change{Chat: jid, Alt: b.alt(jid)} }

// maxUser bounds the part before the @; WhatsApp's own are below 40 bytes.
const maxUser = 60

// address makes a chat's address of WhatsApp's; ok is false for what is no chat, such as stories.
func address(jid types.JID) (_ chat.JID, ok bool) {
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
	if server == "" || jid.User == "" || len(jid.User) > maxUser {
		return "", false
	}
	return chat.NewJID(jid.User, server), true
}

// parse is address for a JID as text; "" for what is none.
func parse(s string) chat.JID {
	if s == "" {
		return ""
	}
	jid, err := types.ParseJID(s)
	if err != nil {
		return ""
	}
	a, _ := address(jid)
	return a
}

// wireJID is WhatsApp's form of an address.
func wireJID(jid chat.JID) types.JID { return types.NewJID(jid.User(), jid.Server()) }
