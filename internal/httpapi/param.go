package httpapi

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pesan/internal/chat"
)

// phone reads the parameter phone, and notes it as what the call is about.
func (c *call) phone() (chat.Address, error) {
	text := c.params.number("phone")
	if text == "" {
		return chat.Address{}, missing(chat.InvalidPhone, "phone", "nomor telepon, misalnya 08123456789, atau JID dari getChats",
			"a phone number, such as 08123456789, or a JID as getChats lists it")
	}
	address, err := chat.ParseAddress(text, c.CountryCode)
	if err == nil {
		c.target = address.Own.Echo()
	}
	return address, err
}

// lookup finds what is stored of the first of the chats that an address may mean; CHAT_NOT_FOUND where there is none.
func lookup[T any](address chat.Address, find func(chat.JID) (T, error)) (found T, err error) {
	for _, jid := range address.JIDs {
		if found, err = find(jid); chat.CodeOf(err) != chat.ChatNotFound {
			return found, err
		}
	}
	return found, err
}

// The bounds of the parameter limit.
const (
	defaultLimit = 100
	maxLimit     = 1000
	maxCursor    = 1024 // bytes
)

// page reads the parameters limit and cursor.
func (c *call) page(limit int) (chat.Page, error) {
	p := chat.Page{Limit: limit, Cursor: c.params.get("cursor")}
	if len(p.Cursor) > maxCursor {
		return p, &chat.Error{Code: chat.InvalidCursor}
	}
	n, err := c.between("limit", 1, maxLimit, int64(limit), &chat.Error{Code: chat.InvalidLimit})
	p.Limit = int(n)
	return p, err
}

// between reads a parameter that is a whole number within bounds, or absent.
func (c *call) between(name string, least, most, absent int64, otherwise error) (int64, error) {
	text := c.params.number(name)
	if text == "" {
		return absent, nil
	}
	n, ok := whole(text)
	if !ok || n < least || n > most {
		return 0, otherwise
	}
	return n, nil
}

// olderLimit reads the parameter limit of fetchOlder; 0 when it is absent.
func (c *call) olderLimit() (int, error) {
	n, err := c.between("limit", 1, chat.MaxOlderMessages, 0,
		wrong(chat.InvalidLimit, "limit", "bilangan bulat dari 1 sampai 500", "a whole number from 1 to 500"))
	return int(n), err
}

// seconds reads the parameter second; 0 when it is absent.
func (c *call) seconds() (int64, error) {
	return c.between("second", 1, chat.MaxMuteSeconds, 0, &chat.Error{Code: chat.InvalidSecond})
}

// disappearAfter reads the parameter seconds, one of WhatsApp's own choices.
func (c *call) disappearAfter() (int64, error) {
	text := c.params.number("seconds")
	if n, ok := whole(text); ok && text != "" && slices.Contains(chat.DisappearAfter(), n) {
		return n, nil
	}
	const id, en = "0 (mati), 86400 (24 jam), 604800 (7 hari) atau 7776000 (90 hari)", "0 (off), 86400 (24 hours), 604800 (7 days) or 7776000 (90 days)"
	if text == "" {
		return 0, missing(chat.InvalidParameter, "seconds", id, en)
	}
	return 0, wrong(chat.InvalidParameter, "seconds", id, en)
}

// starred reads what a clear does to starred messages: it keeps them, unless it is told otherwise.
func (c *call) starred() (chat.Starred, error) {
	switch v := chat.Starred(strings.ToLower(strings.TrimSpace(c.params.get("starred")))); v {
	case "":
		return chat.KeepStarred, nil
	case chat.KeepStarred, chat.DeleteStarred:
		return v, nil
	}
	return "", wrong(chat.InvalidParameter, "starred", "keep atau delete", "keep or delete")
}

// whole reads digits, with nothing but zeros after a point, and nothing else that Go takes for a number.
func whole(s string) (int64, bool) {
	if digits, zeros, ok := strings.Cut(s, "."); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
		s = digits
	}
	if strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// flag reads a parameter that is true or false; nil when it is absent.
func (c *call) flag(name string) (*bool, error) {
	var v bool
	switch strings.ToLower(c.params.get(name)) {
	case "":
		return nil, nil
	case "true", "1":
		v = true
	case "false", "0":
	default:
		return nil, wrong(chat.InvalidParameter, name, "true atau false", "true or false")
	}
	return &v, nil
}

const maxName = 100 // characters of a device's name

// name reads the parameter name, of a device.
func (c *call) name() (string, error) {
	name := c.params.get("name")
	if name == "" {
		return "", missing(chat.InvalidParameter, "name", "nama perangkat", "the name of the device")
	}
	if utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", wrong(chat.InvalidParameter, "name", "1 sampai 100 karakter, tanpa karakter kendali",
			"1 to 100 characters, without control characters")
	}
	return name, nil
}

// id reads the parameter id, of a device.
func (c *call) id() (string, error) {
	id := c.params.get("id")
	if id == "" {
		return "", missing(chat.InvalidParameter, "id", "id perangkat, seperti di listDevice",
			"the id of a device, as listDevice shows it")
	}
	if len(id) > maxID {
		return "", wrong(chat.InvalidParameter, "id", "id perangkat, seperti di listDevice",
			"the id of a device, as listDevice shows it")
	}
	return id, nil
}

// message reads the parameter id, of a message.
func (c *call) message() (string, error) {
	id := c.params.get("id")
	if id == "" {
		return "", missing(chat.InvalidParameter, "id", "id pesan, seperti di fetchMessageById",
			"the id of a message, as fetchMessageById shows it")
	}
	if !chat.ValidCommandID(id) {
		return "", wrong(chat.InvalidParameter, "id", "id pesan, seperti di fetchMessageById",
			"the id of a message, as fetchMessageById shows it")
	}
	return id, nil
}

const maxID = 64 // bytes
