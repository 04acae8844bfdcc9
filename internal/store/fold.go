package store

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// Documents show bytes, such as keys and tokens, as lists of numbers. Nothing else in a chat's record is as long and as hard
// to compress. So a list is folded before it is compressed: into a mark, how many bytes there are, and the bytes. A mark that
// a text holds itself is followed by a zero.
const (
	foldMark  = 0xFF // UTF-8 has no such byte
	listStart = `{"data":[`
	listEnd   = `],"type":"Buffer"}`
)

// fold appends a text with its lists folded.
func fold(dst []byte, text string) []byte {
	for {
		at := strings.Index(text, listStart)
		if at < 0 {
			return appendMarked(dst, text)
		}
		dst = appendMarked(dst, text[:at])
		text = text[at:]
		if list, rest, ok := cutList(text); ok {
			dst = binary.AppendUvarint(append(dst, foldMark), uint64(len(list)))
			dst, text = append(dst, list...), rest
		} else {
			dst, text = append(dst, listStart...), text[len(listStart):]
		}
	}
}

func appendMarked(dst []byte, text string) []byte {
	for {
		at := strings.IndexByte(text, foldMark)
		if at < 0 {
			return append(dst, text...)
		}
		dst, text = append(append(dst, text[:at+1]...), 0), text[at+1:]
	}
}

// cutList takes a list of bytes off a text, if unfolding it gives exactly the same again.
func cutList(text string) (list []byte, rest string, ok bool) {
	rest = text[len(listStart):]
	for {
		end := strings.IndexAny(rest, ",]")
		if end < 0 {
			return nil, "", false
		}
		n, err := strconv.ParseUint(rest[:end], 10, 8)
		if err != nil || end > 1 && rest[0] == '0' {
			return nil, "", false
		}
		list = append(list, byte(n))
		if rest[end] == ']' {
			rest, ok = strings.CutPrefix(rest[end:], listEnd)
			return list, rest, ok
		}
		rest = rest[end+1:]
	}
}

// unfold returns at least the first enough bytes of what was folded, in the memory of buffer.
func unfold(buffer, folded []byte, enough int) ([]byte, error) {
	dst := buffer[:0]
	for len(dst) < enough {
		at := bytes.IndexByte(folded, foldMark)
		if at < 0 {
			return append(dst, folded...), nil
		}
		dst = append(dst, folded[:at]...)
		size, rest, ok := cutUvarint(folded[at+1:])
		if !ok || size > uint64(len(rest)) {
			return nil, errCorrupt
		}
		if folded = rest[size:]; size == 0 {
			dst = append(dst, foldMark)
			continue
		}
		dst = slices.Grow(append(dst, listStart...), int(size)*len("255,"))
		for _, b := range rest[:size] {
			if b >= 100 {
				dst = append(dst, '0'+b/100)
			}
			if b >= 10 {
				dst = append(dst, '0'+b/10%10)
			}
			dst = append(dst, '0'+b%10, ',')
		}
		dst = append(dst[:len(dst)-1], listEnd...)
	}
	return dst, nil
}
