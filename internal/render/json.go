package render

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"pesan/internal/chat"
)

// appendLong writes an unsigned 64-bit integer as JavaScript's Long objects print.
func appendLong(b []byte, v uint64) []byte {
	b = append(b, `{"low":`...)
	b = strconv.AppendInt(b, int64(int32(v)), 10)
	b = append(b, `,"high":`...)
	b = strconv.AppendInt(b, int64(int32(v>>32)), 10)
	return append(b, `,"unsigned":true}`...)
}

func boolean(v bool) chat.JSON { return chat.JSON(strconv.FormatBool(v)) }

// long is a 64-bit integer as protobufjs prints it.
func long(v int64) chat.JSON { return chat.JSON(`"` + strconv.FormatInt(v, 10) + `"`) }

func appendField(b []byte, separator byte, name string, value chat.JSON) []byte {
	b = append(b, separator, '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return append(b, value...)
}

// object writes fields in the order of their names; there must be one.
func object(fields map[string]chat.JSON) chat.JSON {
	var b []byte
	separator := byte('{')
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b = appendField(b, separator, name, fields[name])
		separator = ','
	}
	return chat.JSON(append(b, '}'))
}

func list[T ~string](texts []T) chat.JSON {
	if len(texts) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(texts) // strings always marshal
	return chat.JSON(b)
}

func number(v int64) chat.JSON { return chat.JSON(strconv.FormatInt(v, 10)) }

// quote writes a string as JavaScript does, without escapes for HTML.
func quote(s string) chat.JSON { return chat.JSON(appendQuoted(make([]byte, 0, len(s)+2), s)) }

func appendQuoted(dst []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(dst, '"'), s...), '"')
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always encodes
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
