package httpapi

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pesan/internal/chat"
)

// phone reads the parameter phone, and notes it as what the call is about.
func (c *call) phone() (chat.JID, error) {
	jid, err := chat.ParseAddress(c.params.get("phone"), c.CountryCode)
	if err == nil {
		c.target = jid.Echo()
	}
	return jid, err
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
	if text := c.params.get("limit"); text != "" {
		n, ok := whole(text)
		if !ok || n < 1 || n > maxLimit {
			return p, &chat.Error{Code: chat.InvalidLimit}
		}
		p.Limit = int(n)
	}
	return p, nil
}

// seconds reads the parameter second; 0 when it is absent.
func (c *call) seconds() (int64, error) {
	text := c.params.get("second")
	if text == "" {
		return 0, nil
	}
	n, ok := whole(text)
	if !ok || n < 1 || n > chat.MaxMuteSeconds {
		return 0, &chat.Error{Code: chat.InvalidSecond}
	}
	return n, nil
}

// starred reads what a clear does to starred messages: it keeps them, unless it is told otherwise.
func (c *call) starred() (chat.Starred, error) {
	switch v := chat.Starred(strings.ToLower(strings.TrimSpace(c.params.get("starred")))); v {
	case "":
		return chat.KeepStarred, nil
	case chat.KeepStarred, chat.DeleteStarred:
		return v, nil
	}
	return "", &chat.Error{Code: chat.InvalidParameter, Message: "starred"}
}

// whole reads digits, and nothing else that Go takes for a number.
func whole(s string) (int64, bool) {
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
		return nil, &chat.Error{Code: chat.InvalidParameter, Message: name + "=true|false"}
	}
	return &v, nil
}

const maxName = 100 // characters of a device's name

// name reads the parameter name, of a device.
func (c *call) name() (string, error) {
	name := c.params.get("name")
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", &chat.Error{Code: chat.InvalidParameter, Message: fmt.Sprintf("name=1–%d × UTF-8", maxName)}
	}
	return name, nil
}

// id reads the parameter id, of a device.
func (c *call) id() (string, error) {
	id := c.params.get("id")
	if id == "" || len(id) > 64 {
		return "", &chat.Error{Code: chat.InvalidParameter, Message: "id=listDevice.data[].id"}
	}
	return id, nil
}
