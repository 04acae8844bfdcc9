package mcp

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden tells whether a character can't be seen, and so could tell an assistant what a person doesn't read: control characters,
// marks of direction, tags, other formats. Joiners are seen by what they join: some scripts and pictures are written with them.
func hidden(r rune) bool {
	switch {
	case r == '\n', r == '\t', r == '\u200c', r == '\u200d':
		return false
	case r < unicode.MaxLatin1:
		return unicode.IsControl(r) || r == '\u00ad'
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) || unicode.Is(unicode.Zl, r) ||
		unicode.Is(unicode.Zp, r) ||
		r >= 0xfe00 && r <= 0xfe0d || r >= 0xe0100 && r <= 0xe01ef // variants that pictures don't have, with which bytes can be written
}

// cut keeps the first characters of a text that can be seen; left is how many aren't there.
func cut(s string, most int) (text string, left int) {
	var b strings.Builder
	n := 0
	for i, r := range s { // what is no UTF-8 is replaced
		switch {
		case hidden(r):
		case n == most:
			return b.String() + mark, utf8.RuneCountInString(s[i:])
		default:
			b.WriteRune(r)
			n++
		}
	}
	return b.String(), 0
}

// mark ends a text that goes on.
const mark = "…"

// clean is a text of our own making with all of its characters that can be seen.
func clean(s string) string {
	s, _ = cut(s, maxText)
	return s
}

// short is a name, or another text of one line.
func short(s string, most int) string {
	s, _ = cut(s, 2*most)
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

// within are lines with texts of at most so many characters.
func within[T any](lines []T, text int, shorten func(T, int) T) []T {
	all := make([]T, len(lines))
	for i, l := range lines {
		all[i] = shorten(l, text)
	}
	return all
}
