package wajson

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestAppendLong(t *testing.T) {
	for v, want := range map[uint64]string{
		0:              `{"high":0,"low":0,"unsigned":true}`,
		1<<31 - 1:      `{"high":0,"low":2147483647,"unsigned":true}`,
		1 << 31:        `{"high":0,"low":-2147483648,"unsigned":true}`,
		1<<32 + 5:      `{"high":1,"low":5,"unsigned":true}`,
		math.MaxUint64: `{"high":-1,"low":-1,"unsigned":true}`,
	} {
		if got := string(AppendLong(nil, v)); got != want {
			t.Errorf("%d: got %s, want %s", v, got, want)
		}
	}
	for v, want := range map[int64]string{
		-1:            `{"high":-1,"low":-1,"unsigned":false}`,
		math.MinInt64: `{"high":-2147483648,"low":0,"unsigned":false}`,
	} {
		if got := string(AppendSignedLong(nil, v)); got != want {
			t.Errorf("%d: got %s, want %s", v, got, want)
		}
	}
}

// TestAppendString: what isn't UTF-8 becomes U+FFFD, byte by byte, and U+FFFD itself stays.
func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"é☕":                     `"é☕"`,
		"a\xffb\x80\ufffdé\xc3c": "\"a\ufffdb\ufffd\ufffdé\ufffdc\"",
		"\x80":                   "\"\ufffd\"",
		"a\"\\\n\x1f ":           `"a\"\\\n\u001f "`,
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestAppendBuffer(t *testing.T) {
	for in, want := range map[string]string{
		"":             `{"data":[],"type":"Buffer"}`,
		"\x00\x0a\xff": `{"data":[0,10,255],"type":"Buffer"}`,
	} {
		if got := string(AppendBuffer(nil, []byte(in))); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestAppendNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0:                                 "0",
		math.Copysign(0, -1):              "0",
		-2.5:                              "-2.5",
		1e20:                              "100000000000000000000",
		1e21:                              "1e+21",
		1e-6:                              "0.000001",
		1e-7:                              "1e-7",
		-1.5e-10:                          "-1.5e-10",
		5e-324:                            "5e-324",
		float64(float32(0.1)):             "0.10000000149011612",
		math.MaxFloat64:                   "1.7976931348623157e+308",
		math.Inf(1):                       `"Infinity"`,
		math.Inf(-1):                      `"-Infinity"`,
		-6.175392:                         "-6.175392",
		9007199254740993 /* not exact */ : "9007199254740992",
	} {
		if got := string(appendNumber(nil, v)); got != want {
			t.Errorf("%g: got %s, want %s", v, got, want)
		}
	}
	if got := string(appendNumber(nil, math.NaN())); got != `"NaN"` {
		t.Errorf("got %s", got)
	}
}

func FuzzAppendNumber(f *testing.F) {
	for _, v := range []float64{0, 1, -1e-7, 1e21, 123456.789, math.SmallestNonzeroFloat64} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) || v == 0 {
			return
		}
		want, err := json.Marshal(v) // by the same rule of ECMAScript
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendNumber(nil, v)); got != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "Ini isi pesannya", "\x00\x1f\x7f\"\\/\b\f\n\r\t", "😀 é \u2028 <&>", "a\xffb\xed\xa0\x80c\xc3", "\xef\xbf\xbd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(AppendString(nil, s), &back); err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(s)); back != want { // the conversion makes U+FFFD of each stray byte
			t.Errorf("got %q, want %q", back, want)
		}
		if plain := `"` + s + `"`; !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == '\ufffd' }) && string(AppendString(nil, s)) != plain {
			t.Errorf("got %s, want %s", AppendString(nil, s), plain)
		}
	})
}
