package mcp

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean takes out of a text what can't be seen, and so could tell an assistant what a person doesn't read: control characters, marks of
// direction, tags, other formats. Joiners stay, which some scripts and pictures are written with.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\u200c', r == '\u200d':
			return r
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r),
			unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r), r >= 0xe0100 && r <= 0xe01ef, // further variants, with which bytes can be written
			r >= 0xfe00 && r <= 0xfe0d:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// cut cleans a text and keeps the first of its characters; left is how many aren't there.
func cut(s string, most int) (text string, left int) {
	s = clean(s)
	if len(s) <= most {
		return s, 0
	}
	n := utf8.RuneCountInString(s)
	if n <= most {
		return s, 0
	}
	end := 0
	for range most {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end] + "…", n - most
}

// short is a name, or another text of one line.
func short(s string, most int) string {
	s, _ = cut(strings.Join(strings.Fields(s), " "), most)
	return s
}

// What an answer may hold.
const (
	maxText   = 4000 // characters of a text
	leastText = 20
	maxName   = 80
	maxAnswer = 64 << 10 // bytes, which texts are cut further for
)

// fit makes an answer with texts of at most so many characters: fewer, until it is small enough.
func fit[T any](build func(text int) T) T {
	for text := maxText; ; text /= 2 {
		v := build(max(text, leastText))
		if b, err := json.Marshal(v); err != nil || len(b) <= maxAnswer || text <= leastText {
			return v
		}
	}
}
