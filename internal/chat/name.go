package chat

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxFolded bounds what of a name is searched, in bytes: WhatsApp's own names have at most 100 characters.
const maxFolded = 512

// Fold is a text as names are compared: without case, accents and marks that don't show, with single spaces. What of other
// scripts tells letters apart, such as a vowel's sign or a dakuten, stays.
func Fold(s string) string {
	var b strings.Builder
	space := false
	for _, r := range norm.NFKD.String(cutText(s, maxFolded)) {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = b.Len() > 0
			continue
		case unicode.Is(accents, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r):
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		if plain, ok := plainLetters[r]; ok {
			b.WriteString(plain)
			continue
		}
		b.WriteRune(unicode.ToLower(unicode.ToUpper(r)))
	}
	return norm.NFC.String(b.String())
}

// accents are the marks that a reader may leave out: those of Latin, Greek and Cyrillic, and the points of Hebrew and Arabic.
var accents = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036F, Stride: 1}, {Lo: 0x0591, Hi: 0x05BD, Stride: 1}, {Lo: 0x064B, Hi: 0x065F, Stride: 1},
	{Lo: 0x1AB0, Hi: 0x1AFF, Stride: 1}, {Lo: 0x1DC0, Hi: 0x1DFF, Stride: 1}, {Lo: 0x20D0, Hi: 0x20F0, Stride: 1},
}}

// plainLetters are those that people write for letters that Unicode doesn't take apart.
var plainLetters = map[rune]string{
	'ı': "i", 'ø': "o", 'Ø': "o", 'ł': "l", 'Ł': "l", 'đ': "d", 'Đ': "d", 'ð': "d", 'Ð': "d", 'þ': "th", 'Þ': "th",
	'ß': "ss", 'ẞ': "ss", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe",
}

// cutText is the first bytes of a text, without half a character at the end.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
