package wajson

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendString appends s as JSON.stringify prints it: only the quote, the backslash and control characters are
// escaped. What is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = utf8.AppendRune(dst, utf8.RuneError)
				start = i + size
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscaped(dst, c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// AppendLong appends an unsigned 64-bit integer as the object of the npm package long: two signed 32-bit halves.
func AppendLong(dst []byte, v uint64) []byte {
	return appendLong(dst, v, true)
}

// AppendSignedLong is AppendLong for a signed integer.
func AppendSignedLong(dst []byte, v int64) []byte {
	return appendLong(dst, uint64(v), false)
}

// AppendBuffer appends b as JSON.stringify prints Node's Buffer: {"data":[…],"type":"Buffer"}.
func AppendBuffer(dst []byte, b []byte) []byte {
	dst = append(dst, `{"data":[`...)
	for i, c := range b {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(c), 10)
	}
	return append(dst, `],"type":"Buffer"}`...)
}

func appendLong(dst []byte, v uint64, unsigned bool) []byte {
	dst = append(dst, `{"high":`...)
	dst = strconv.AppendInt(dst, int64(int32(v>>32)), 10)
	dst = append(dst, `,"low":`...)
	dst = strconv.AppendInt(dst, int64(int32(v)), 10)
	dst = append(dst, `,"unsigned":`...)
	dst = strconv.AppendBool(dst, unsigned)
	return append(dst, '}')
}

func appendBase64(dst []byte, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendNumber appends v as JavaScript writes a number; what is not finite as the string that protobufjs makes of it.
func appendNumber(dst []byte, v float64) []byte {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	case v == 0: // JavaScript drops the sign of zero
		return append(dst, '0')
	case abs < 1e-6 || abs >= 1e21:
		dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
		if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-07 is e-7 there
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	default:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
}

func appendEscaped(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	default:
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}
