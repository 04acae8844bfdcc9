package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

// recordOf is a record of a content that perhaps no texts have.
func recordOf(content string) []byte {
	record := make([]byte, 1+s2.MaxEncodedLen(len(content)))
	record[0] = byte(S2)
	return record[:1+len(s2Dictionary().Encode(record[1:], []byte(content)))]
}

// TestTexts: a record gives back as many of its texts as are asked for, and no more than it has.
func TestTexts(t *testing.T) {
	list := func(n int) string { return listStart + strings.Repeat("7,", n) + "7" + listEnd }
	for _, texts := range [][]string{
		{""}, {"", ""}, {"a"}, {"a", "", "bc"}, {list(3), list(500), "é\xff"},
		{strings.Repeat("x", 200), strings.Repeat("y", 1<<16), "z"},
	} {
		for _, how := range []Compression{S2, Zstd} {
			record := how.encode(texts...)
			var d decoder
			for n := range len(texts) + 2 {
				got, into := make([][]byte, n), make([]*[]byte, n)
				for i := range into {
					into[i] = &got[i]
				}
				err := d.decode(record, into...)
				if n > len(texts) {
					if !errors.Is(err, errCorrupt) {
						t.Errorf("%d texts of %.20q: %v", n, texts, err)
					}
					continue
				}
				if want := fmt.Sprintf("%q", texts[:n]); err != nil || fmt.Sprintf("%q", got) != want {
					t.Errorf("%d texts are %.80q, %v; want %.80s", n, got, err, want)
				}
				if n == 1 && strings.HasPrefix(texts[0], listStart) && len(d.buffer) > len(texts[0]) {
					t.Errorf("to read %d bytes it unfolds %d", len(texts[0]), len(d.buffer))
				}
			}
		}
	}
}

// TestBrokenRecords: what no texts make is an error that says so, and nothing worse.
func TestBrokenRecords(t *testing.T) {
	whole := recordOf("\x02\x01\x02abc")
	for what, record := range map[string][]byte{
		"nothing":                     nil,
		"an alias":                    {aliasRecord, 'a'},
		"an unknown compression":      {9, 1},
		"no content":                  {byte(S2)},
		"a part":                      whole[:len(whole)-1],
		"no zstd":                     {byte(Zstd), 1, 2, 3},
		"an empty content":            recordOf(""),
		"no lengths":                  recordOf("\x02"),
		"more texts than lengths":     recordOf("\x03\x01a"),
		"a count without an end":      recordOf("\xff"),
		"lengths without an end":      recordOf("\x02\x80\x80"),
		"a text shorter than told":    recordOf("\x02\x01\x05abc"),
		"a length beyond all numbers": recordOf("\x02\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abc"),
		"a list shorter than told":    recordOf("\x02\x01\x05a\xff\x09bcd"),
	} {
		var first, second []byte
		if err := new(decoder).decode(record, &first, &second); !errors.Is(err, errCorrupt) {
			t.Errorf("%s is read as %q, %q, %v", what, first, second, err)
		}
	}
	var d decoder
	for size, want := range map[int]error{maxRecord: nil, maxRecord + 1: errCorrupt} {
		var text []byte
		if err := d.decode(S2.encode(strings.Repeat("x", size)), &text); !errors.Is(err, want) || err == nil && len(text) != size {
			t.Errorf("a text of %d bytes is read as one of %d, %v", size, len(text), err)
		}
	}
}
