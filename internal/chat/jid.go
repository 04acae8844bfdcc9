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

// ParseAddress reads what a client may write for a chat: a phone number in any usual writing, or a JID. A leading 0
// stands for countryCode (digits). It returns INVALID_PHONE for anything else.
func ParseAddress(s, countryCode string) (JID, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxAddress {
		return "", &Error{Code: InvalidPhone}
	}
	if strings.Contains(s, "@") {
		return ParseJID(s)
	}
	digits, ok := phoneDigits(s, countryCode)
	if !ok {
		return "", &Error{Code: InvalidPhone}
	}
	return NewJID(digits, UserServer), nil
}

// ParseJID reads a JID; a device or agent part is dropped, and the old server c.us becomes s.whatsapp.net. It returns
// INVALID_PHONE for anything else.
func ParseJID(s string) (JID, error) {
	user, server, ok := strings.Cut(s, "@")
	if !ok || len(s) > maxAddress {
		return "", &Error{Code: InvalidPhone}
	}
	server = strings.ToLower(server)
	valid := false
	switch server {
	case "c.us", UserServer, LIDServer:
		if server == "c.us" {
			server = UserServer
		}
		user, _, _ = strings.Cut(user, ":")
		user, _, _ = strings.Cut(user, ".")
		valid = isNumber(user, 5, 20)
		if server == UserServer {
			valid = isNumber(user, 5, 15) && user[0] != '0'
		}
	case GroupServer:
		creator, created, old := strings.Cut(user, "-")
		valid = isNumber(creator, 5, 25) && (!old || isNumber(created, 5, 15))
	case NewsletterServer:
		valid = isNumber(user, 5, 25)
	case BroadcastServer:
		valid = user == "status" || isNumber(user, 5, 25)
	}
	if !valid {
		return "", &Error{Code: InvalidPhone}
	}
	return NewJID(user, server), nil
}

// phoneDigits drops the punctuation that people and address books put into numbers, and makes the number international.
func phoneDigits(s, countryCode string) (string, bool) {
	s = strings.Replace(s, "(0)", "", 1)
	var b strings.Builder
	plus := false
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0 && !plus:
			plus = true
		case isPhonePunctuation(r):
		default:
			return "", false
		}
	}
	digits := b.String()
	switch {
	case plus:
	case strings.HasPrefix(digits, "00"):
		digits = digits[2:]
	case strings.HasPrefix(digits, "0"):
		digits = countryCode + digits[1:]
	}
	// E.164 allows 15 digits; the shortest national numbers with their country code have 7.
	if !isNumber(digits, 7, 15) || digits[0] == '0' {
		return "", false
	}
	return digits, true
}

// isPhonePunctuation includes the dashes, spaces and invisible direction marks that come along when a number is copied
// from a page or a phone.
func isPhonePunctuation(r rune) bool {
	switch {
	case strings.ContainsRune(" -.()/\u00a0\u202f\u2060", r):
		return true
	case r >= '\u2010' && r <= '\u2015', r >= '\u200b' && r <= '\u200f', r >= '\u202a' && r <= '\u202e':
		return true
	}
	return false
}

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
