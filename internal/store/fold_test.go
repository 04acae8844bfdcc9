package store

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFold folds lists of bytes, and what only looks like them: as much of them as is asked for comes back as it was.
func TestFold(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		listStart, listEnd, "0", "7", "255", "256", "00", "01", "+1", "-1", " ", "", "a", ",", "]", "{", "\xff", "\x00", "é",
		`{"data":[1,2,255],"type":"Buffer"}`, `{"data":[],"type":"Buffer"}`, `{"data":[` + strings.Repeat("9,", 300) + `0],"type":"Buffer"}`,
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		enough := rapid.IntRange(0, len(text)).Draw(t, "enough")
		back, err := unfold([]byte("before"), fold(nil, text), enough)
		if err != nil || !strings.HasPrefix(text, string(back)) || len(back) < enough {
			t.Fatalf("%q becomes %q, %v", text, back, err)
		}
	})
	for b := range 256 {
		text := fmt.Sprintf(`a{"data":[%d,0,%d],"type":"Buffer"}b`, b, b)
		folded := fold(nil, text)
		if back, err := unfold(nil, folded, len(text)); err != nil || string(back) != text || len(folded) != 7 {
			t.Errorf("%s becomes %q and %q, %v", text, folded, back, err)
		}
	}
	for text, want := range map[string]string{
		`a{"data":[1,20,255],"type":"Buffer"}b`: "a\xff\x03\x01\x14\xffb",
		`{"data":[1],"type":"Buffer"}`:          "\xff\x01\x01",
		"\xffa\xff":                             "\xff\x00a\xff\x00",
		`{"data":[01],"type":"Buffer"}`:         `{"data":[01],"type":"Buffer"}`,
	} {
		if folded := fold(nil, text); string(folded) != want {
			t.Errorf("%q is folded to %q, want %q", text, folded, want)
		}
	}
	for _, broken := range []string{"\xff", "ab\xff", "a\xff\x02b", "\xff\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if text, err := unfold(nil, []byte(broken), 100); err == nil {
			t.Errorf("%q is unfolded to %q", broken, text)
		}
	}
}
