package dynamo

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// What compresses badly in the documents is bytes printed as text: {"data":[25,192,…],"type":"Buffer"} and upper-case
// hexadecimal ids. A packer puts two bytes for them into the text, a mark and a number, and keeps the bytes apart. What
// occurs again, as a chat's keys do in its document and its state, is kept once.
type packer struct {
	raws  [][]byte
	index map[string]byte
}

// The marks. The text of a document has no control characters; one that is there all the same is marked too.
const (
	markBuffer = 1
	markHex    = 2
	markPlain  = 3
)

const (
	bufferStart = `{"data":[`
	bufferEnd   = `],"type":"Buffer"}`
	shortestHex = 16 // digits
	maxRaws     = 256
)

var errCorrupt = errors.New("record is corrupt")

// pack appends s in packed form. It is lossless for any s.
func (p *packer) pack(b []byte, s string) []byte {
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != '{' && s[i] != '"' && !isMark(s[i]) {
			i++
		}
		if b, s = append(b, s[:i]...), s[i:]; s == "" {
			break
		}
		taken := 1
		switch s[0] {
		case '{':
			raw, n := cutBuffer(s)
			if n == 0 || !p.keep(&b, markBuffer, raw) {
				b = append(b, '{')
				break
			}
			taken = n
		case '"':
			b = append(b, '"')
			if raw := hexBefore(s[1:]); raw != nil && p.keep(&b, markHex, raw) {
				taken += 2 * len(raw)
			}
		default:
			b = append(b, markPlain, s[0])
		}
		s = s[taken:]
	}
	return b
}

func isMark(c byte) bool { return c >= markBuffer && c <= markPlain }

// keep puts the bytes apart and their mark into the text.
func (p *packer) keep(b *[]byte, mark byte, raw []byte) bool {
	i, known := p.index[string(raw)]
	if !known {
		if len(p.raws) == maxRaws {
			return false
		}
		if p.index == nil {
			p.index = make(map[string]byte)
		}
		i = byte(len(p.raws))
		p.index[string(raw)] = i
		p.raws = append(p.raws, raw)
	}
	*b = append(*b, mark, i)
	return true
}

// cutBuffer reads bytes printed as numbers, and tells the length of the text; 0 when s doesn't begin with such.
func cutBuffer(s string) (raw []byte, length int) {
	rest, ok := strings.CutPrefix(s, bufferStart)
	if !ok {
		return nil, 0
	}
	numbers, _, ok := strings.Cut(rest, "]")
	length = len(bufferStart) + len(numbers) + len(bufferEnd)
	if !ok || len(numbers) > 1<<20 || len(s) < length || s[length-len(bufferEnd):length] != bufferEnd {
		return nil, 0
	}
	if numbers == "" {
		return []byte{}, length
	}
	for digits := range strings.SplitSeq(numbers, ",") {
		n, err := strconv.ParseUint(digits, 10, 8)
		if err != nil || len(digits) > 1 && digits[0] == '0' {
			return nil, 0
		}
		raw = append(raw, byte(n))
	}
	return raw, length
}

// hexBefore reads upper-case hexadecimal digits up to a quotation mark; nil when that isn't what s begins with.
func hexBefore(s string) []byte {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] >= 'A' && s[n] <= 'F') {
		n++
	}
	if n < shortestHex || n%2 != 0 || n == len(s) || s[n] != '"' {
		return nil
	}
	raw, err := hex.DecodeString(s[:n])
	if err != nil {
		return nil
	}
	return raw
}

// appendRaws appends what was kept apart.
func (p *packer) appendRaws(b []byte) []byte {
	for _, raw := range p.raws {
		b = append(binary.AppendUvarint(b, uint64(len(raw))), raw...)
	}
	return b
}

// cutRaws is the inverse of appendRaws; it appends to raws.
func cutRaws(raws [][]byte, b []byte) ([][]byte, error) {
	for len(b) > 0 {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return nil, errCorrupt
		}
		b = b[width:]
		raws, b = append(raws, b[:n]), b[n:]
	}
	return raws, nil
}

// unpack appends the text that was packed.
func unpack(b, packed []byte, raws [][]byte) ([]byte, error) {
	for {
		i := nextMark(packed)
		if i == len(packed) {
			return append(b, packed...), nil
		}
		if i+1 >= len(packed) {
			return nil, errCorrupt
		}
		b = append(b, packed[:i]...)
		mark, n := packed[i], int(packed[i+1])
		packed = packed[i+2:]
		switch {
		case mark == markPlain:
			b = append(b, byte(n))
		case n >= len(raws) || len(b) > maxContent:
			return nil, errCorrupt
		case mark == markHex:
			b = appendHex(b, raws[n])
		default:
			b = appendBuffer(b, raws[n])
		}
	}
}

// nextMark is where the next mark stands, or the length when there is none. It looks at eight bytes at a time, since most of
// what a list of chats reads passes here.
func nextMark(packed []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for i+8 <= len(packed) {
		if word := binary.LittleEndian.Uint64(packed[i:]); (word-(markPlain+1)*ones)&^word&high != 0 { // one is below
			break
		}
		i += 8
	}
	for i < len(packed) && !isMark(packed[i]) {
		i++
	}
	return i
}

func appendBuffer(b, raw []byte) []byte {
	b = append(b, bufferStart...)
	for i, n := range raw {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDecimal(b, n)
	}
	return append(b, bufferEnd...)
}

// appendDecimal is strconv.AppendUint for one byte, several times as fast.
func appendDecimal(b []byte, n byte) []byte {
	switch {
	case n >= 100:
		return append(b, '0'+n/100, '0'+n/10%10, '0'+n%10)
	case n >= 10:
		return append(b, '0'+n/10, '0'+n%10)
	}
	return append(b, '0'+n)
}

func appendHex(b, raw []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, n := range raw {
		b = append(b, digits[n>>4], digits[n&15])
	}
	return b
}
