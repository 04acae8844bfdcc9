package chat

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]JID{
		"08123456789":                      "628123456789@s.whatsapp.net",
		"+62 812-3456-789":                 "628123456789@s.whatsapp.net",
		"628123456789":                     "628123456789@s.whatsapp.net",
		"0062 812 3456 789":                "628123456789@s.whatsapp.net",
		"+62 (0)812.3456.789":              "628123456789@s.whatsapp.net",
		"\u202a+62\u00a0812\u20113456789 ": "628123456789@s.whatsapp.net",
		"628123456789@c.us":                "628123456789@s.whatsapp.net",
		"628123456789:12@s.whatsapp.net":   "628123456789@s.whatsapp.net",
		"123456789012345@lid":              "123456789012345@lid",
		"120363041234567890@g.us":          "120363041234567890@g.us",
		"628123456789-1500000000@g.us":     "628123456789-1500000000@g.us",
		"status@broadcast":                 "status@broadcast",
	} {
		got, err := ParseAddress(in, "62")
		if err != nil || got != want {
			t.Errorf("ParseAddress(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "no_hp", "12345", "+0812345678", "62812x456789", "628123456789012345", "@s.whatsapp.net", "abc@g.us",
		"628123456789@evil.example", "628123456789@s.whatsapp.net@g.us", "0", "00", "+", strings.Repeat("6", 1000),
		"62812\x00345678", "６２８１２３４５６７８９", "0812345678@c.us", "62-81-@g.us", "\xff\xfe",
	} {
		if got, err := ParseAddress(in, "62"); CodeOf(err) != InvalidPhone {
			t.Errorf("ParseAddress(%q) = %q, %v; want INVALID_PHONE", in, got, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"08123456789", "+62 812-3456", "1@lid", "120363041234567890@g.us", "a@b@c", "(0)", "\u200e+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		jid, err := ParseAddress(s, "62")
		if err != nil {
			if CodeOf(err) != InvalidPhone || jid != "" {
				t.Fatalf("ParseAddress(%q) = %q, %v", s, jid, err)
			}
			return
		}
		if again, err := ParseAddress(string(jid), "62"); err != nil || again != jid {
			t.Fatalf("ParseAddress(%q) = %q, which parses as %q, %v", s, jid, again, err)
		}
	})
}
