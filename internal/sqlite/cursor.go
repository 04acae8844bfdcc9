package sqlite

import (
	"encoding/base64"
	"encoding/json"

	"pesan/internal/chat"
)

// The kinds of cursors; one can't be used in place of the other.
const (
	chatCursor    = "c"
	messageCursor = "m"
	reportCursor  = "r"
	exportCursor  = "x"
)

// cursor writes a position in a list: the kind, and the values that order it, as a JSON array in base64.
func cursor(kind string, position ...any) string {
	b, _ := json.Marshal(append([]any{kind}, position...)) // numbers and strings always marshal
	return base64.RawURLEncoding.EncodeToString(b)
}

// readCursor reads what cursor wrote into pointers; it returns INVALID_CURSOR for anything else.
func readCursor(s, kind string, position ...any) error {
	invalid := &chat.Error{Code: chat.InvalidCursor}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return invalid
	}
	var values []json.RawMessage
	if json.Unmarshal(b, &values) != nil || len(values) != len(position)+1 {
		return invalid
	}
	for i, into := range append([]any{new(string)}, position...) {
		if string(values[i]) == "null" || json.Unmarshal(values[i], into) != nil {
			return invalid
		}
		if i == 0 && *into.(*string) != kind {
			return invalid
		}
	}
	return nil
}
