package chat

import (
	"strings"
)

// JID is a WhatsApp address without a device: "6281234567890@s.whatsapp.net", "…@lid", "…@g.us", "…@newsletter",
// "…@broadcast". The zero value is no address.
type JID string

// The servers of JIDs.
const (
	UserServer       = "s.whatsapp.net" // a person by phone number (PN)
	LIDServer        = "lid"            // a person by linked identity (LID)
	GroupServer      = "g.us"
	NewsletterServer = "newsletter"
	BroadcastServer  = "broadcast"
)

// Kind says what stands behind a chat.
type Kind string

// The kinds of chats.
const (
	Private    Kind = "private"
	Group      Kind = "group"
	Newsletter Kind = "newsletter"
	Broadcast  Kind = "broadcast"
)

// NewJID joins a user part and a server.
func NewJID(user, server string) JID { return JID(user + "@" + server) }

// User is the part before the @.
func (j JID) User() string { user, _, _ := strings.Cut(string(j), "@"); return user }

// Server is the part after the @.
func (j JID) Server() string { _, server, _ := strings.Cut(string(j), "@"); return server }

// IsPN tells whether j is a person's phone number.
func (j JID) IsPN() bool { return j.Server() == UserServer }

// IsLID tells whether j is a person's linked identity.
func (j JID) IsLID() bool { return j.Server() == LIDServer }

// Kind is derived from the server.
func (j JID) Kind() Kind {
	switch j.Server() {
	case GroupServer:
		return Group
	case NewsletterServer:
		return Newsletter
	case BroadcastServer:
		return Broadcast
	default:
		return Private
	}
}

// Echo is how answers name the address: the digits of a phone number, else the whole JID.
func (j JID) Echo() string {
	if j.IsPN() {
		return j.User()
	}
	return string(j)
}

// maxAddress bounds what is looked at; the longest JID in use is a group's, about 40 bytes.
const maxAddress = 64

// ParseJID reads a JID; a device or agent part is dropped, and the old server c.us becomes s.whatsapp.net. It takes every
// address that a chat can have, and returns INVALID_PHONE for anything else.
func ParseJID(s string) (JID, error) {
	user, server, ok := strings.Cut(s, "@")
	if !ok || len(s) > maxAddress {
		return "", &Error{Code: InvalidPhone}
	}
	valid := false
	switch server = strings.ToLower(server); server {
	case "c.us", UserServer, LIDServer:
		if server == "c.us" {
			server = UserServer
		}
		user, _, _ = strings.Cut(user, ":")
		user, _, _ = strings.Cut(user, ".")
		valid = isNumber(user, 1, maxUser) && (user[0] != '0' || user == announcements)
	case GroupServer:
		creator, created, old := strings.Cut(user, "-")
		valid = isNumber(creator, 1, maxUser) && (!old || isNumber(created, 1, maxUser))
	case NewsletterServer:
		valid = isNumber(user, 1, maxUser)
	case BroadcastServer:
		valid = user == "status" || isNumber(user, 1, maxUser)
	}
	if !valid {
		return "", &Error{Code: InvalidPhone}
	}
	return NewJID(user, server), nil
}

const (
	maxUser       = 30  // digits of the part before the @; WhatsApp's own have about 20
	announcements = "0" // the user of WhatsApp's own announcements
)

func isNumber(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
