package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func pn(digits string) JID { return NewJID(digits, UserServer) }

// TestParseAddress: forms that mean one address whatever chats there are.
func TestParseAddress(t *testing.T) {
	for in, want := range map[string]JID{
		"08123456789":                           pn("628123456789"),
		"+62 812-3456-789":                      pn("628123456789"),
		"628123456789":                          pn("628123456789"),
		"0062 812 3456 789":                     pn("628123456789"),
		"+62 (0)812.3456.789":                   pn("628123456789"),
		"+62 0812 3456 789":                     pn("628123456789"),
		"62 0812 3456 789":                      pn("628123456789"),
		"(0812) 3456-789":                       pn("628123456789"),
		"tel:+62-812-3456-789":                  pn("628123456789"),
		"TEL:+628123456789;ext=12":              pn("628123456789"),
		"tel:08123456789":                       pn("628123456789"),
		"tel:812-3456-789;phone-context=+62":    pn("628123456789"),
		"\u202a+62\u00a0812\u20113456789 ":      pn("628123456789"),
		"\u2068+62\u2009812\u22123456789\u2069": pn("628123456789"),
		"６２８１２３４５６７８９":                          pn("628123456789"),
		"＋６２ ８１２-３４５６７８９":                       pn("628123456789"),
		"٠٨١٢٣٤٥٦٧٨٩":                           pn("628123456789"),
		"+۶۲ ۸۱۲ ۳۴۵۶۷۸۹":                       pn("628123456789"),
		"०८१२३४५६७८९":                           pn("628123456789"),
		"๐๘๑๒๓๔๕๖๗๘๙":                           pn("628123456789"),
		"628123456789@c.us":                     pn("628123456789"),
		"628123456789:12@s.whatsapp.net":        pn("628123456789"),
		"0@s.whatsapp.net":                      pn("0"),
		"123456789012345@lid":                   "123456789012345@lid",
		"120363041234567890@g.us":               "120363041234567890@g.us",
		"628123456789-1500000000@g.us":          "628123456789-1500000000@g.us",
		"120363041234567890@newsletter":         "120363041234567890@newsletter",
		"status@broadcast":                      "status@broadcast",
		"1667809254@broadcast":                  "1667809254@broadcast",
		"+39 06 1234 5678":                      pn("390612345678"),
		"+1 (212) 555-0123":                     pn("12125550123"),
		"+7 912 345-67-89":                      pn("79123456789"),
	} {
		got, err := ParseAddress(in, "62")
		if err != nil || got.JIDs[0] != want || got.Own != want {
			t.Errorf("ParseAddress(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "no_hp", "12345", "+", "++6281234567", "62+81234567", "62812x456789", "628123456789012345", "@s.whatsapp.net", "abc@g.us",
		"628123456789@evil.example", "628123456789@s.whatsapp.net@g.us", "0", "00", strings.Repeat("6", 1000), "tel:", "tel:;", "mailto:a",
		"62812\x00345678", "0812345678@c.us", "62-81-@g.us", "-1@g.us", "me@broadcast", "²³⁴⁵⁶⁷⁸⁹", "①②③④⑤⑥⑦⑧", "\xff\xfe",
	} {
		if got, err := ParseAddress(in, "62"); CodeOf(err) != InvalidPhone {
			t.Errorf("ParseAddress(%q) = %q, %v; want INVALID_PHONE", in, got, err)
		}
	}
}

// TestNumbersOfCountries: every form that people of a country write means, among others, every form that WhatsApp may have.
func TestNumbersOfCountries(t *testing.T) {
	for _, test := range []struct {
		country string
		own     string
		forms   []string // WhatsApp's
		written []string
	}{
		{"55", "5511987654321", []string{"5511987654321", "551187654321"}, []string{
			"+55 (11) 98765-4321", "+55 11 8765-4321", "(11) 98765-4321", "11 8765-4321", "011 98765-4321", "0 15 11 98765-4321", "+55 (011) 98765 4321",
			"5511987654321", "551187654321", "0055 11 98765-4321", "tel:+55-11-98765-4321", "＋５５ １１ ９８７６５ ４３２１",
		}},
		{"55", "554187654321", []string{"5541987654321", "554187654321"}, []string{"+55 41 98765-4321", "+55 41 8765-4321", "(41) 98765-4321"}},
		{"52", "5215512345678", []string{"5215512345678", "525512345678"}, []string{
			"+52 55 1234 5678", "+52 1 55 1234 5678", "55 1234 5678", "044 55 1234 5678", "045 55 1234 5678", "01 55 1234 5678", "(55) 1234-5678",
			"+52 044 55 1234 5678", "525512345678", "5215512345678",
		}},
		{"54", "5491112345678", []string{"5491112345678", "541112345678"}, []string{
			"+54 9 11 1234-5678", "+54 11 1234-5678", "+54 11 15 1234-5678", "011 15 1234-5678", "011 1234-5678", "11 1234-5678", "11 15 1234 5678",
			"(011) 15-1234-5678", "+54 (011) 15 1234 5678", "+54 9 11 15 1234 5678", "5491112345678", "541112345678",
		}},
		{"54", "5493511234567", []string{"5493511234567", "543511234567"}, []string{"0351 15 123-4567", "+54 351 15 1234567", "+54 9 351 123 4567", "351 1234567"}},
		{"54", "5492901123456", []string{"5492901123456"}, []string{"02901 15 12-3456", "+54 2901 15 123456"}},
		{"62", "6281234567890", []string{"6281234567890"}, []string{"0812 3456 7890", "812-3456-7890", "+62 0812 3456 7890", "62 812 3456 7890", "0062 812 3456 7890"}},
		{"39", "393331234567", []string{"393331234567"}, []string{"333 123 4567", "+39 333 1234567"}},
		{"39", "390612345678", []string{"390612345678"}, []string{"06 1234 5678", "+39 06 12345678"}},
		{"7", "79123456789", []string{"79123456789"}, []string{"8 (912) 345-67-89", "+7 912 345 67 89", "912 345-67-89"}},
		{"36", "36201234567", []string{"36201234567"}, []string{"06 20 123 4567", "+36 20 123 4567", "20 123 4567"}},
		{"1", "12125550123", []string{"12125550123"}, []string{"(212) 555-0123", "1-212-555-0123", "+1 212 555 0123"}},
		{"44", "447911123456", []string{"447911123456"}, []string{"07911 123456", "+44 (0)7911 123456", "+44 07911 123456", "0044 7911 123456"}},
		{"225", "2250712345678", []string{"2250712345678"}, []string{"07 12 34 56 78", "+225 07 12 34 56 78"}},
		{"229", "2290197123456", []string{"2290197123456", "22997123456"}, []string{"+229 01 97 12 34 56"}},
		{"225", "22507123456", []string{"2250707123456", "22507123456"}, []string{"+225 07 12 34 56"}},
		{"225", "2250545123456", []string{"2250545123456", "22545123456"}, []string{"+225 05 45 12 34 56", "05 45 12 34 56"}},
		{"375", "375291234567", []string{"375291234567"}, []string{"8 (029) 123-45-67", "8029 1234567", "+375 29 123-45-67", "029 123 45 67", "29 123-45-67"}},
		{"380", "380501234567", []string{"380501234567"}, []string{"8 050 123 45 67", "(050) 123-45-67", "+38 (050) 123-45-67"}},
		{"370", "37061234567", []string{"37061234567"}, []string{"8 612 34567", "(8-612) 34567", "0 612 34567", "612 34567"}},
		{"998", "998901234567", []string{"998901234567"}, []string{"8 90 123-45-67", "90 123 45 67"}},
		{"7", "77012345678", []string{"77012345678"}, []string{"8 701 234 56 78", "+7 701 234 5678"}},
		{"1", "6281234567890", []string{"6281234567890"}, []string{"011 62 812 3456 7890", "+62 812 3456 7890", "00 62 812 3456 7890"}},
		{"7", "6281234567890", []string{"6281234567890"}, []string{"8 10 62 812 3456 7890"}},
		{"81", "6281234567890", []string{"6281234567890"}, []string{"010 62 812 3456 7890"}},
		{"61", "6281234567890", []string{"6281234567890"}, []string{"+62 812 3456 7890"}},
		{"241", "24106123456", []string{"24106123456", "2416123456"}, []string{"06 12 34 56", "+241 06 12 34 56"}},
		// 00 comes first where it may be that, too.
		{"61", "116281234567890", []string{"6281234567890"}, []string{"0011 62 812 3456 7890"}},
		{"62", "16581234567", []string{"6581234567"}, []string{"001 65 8123 4567"}},
		{"65", "16281234567890", []string{"6281234567890"}, []string{"001 62 812 3456 7890"}},
		{"62", "7601234567890", []string{"601234567890"}, []string{"007 60 12 3456 7890"}},
	} {
		for _, written := range test.written {
			a, err := ParseAddress(written, test.country)
			if err != nil {
				t.Errorf("%s in %s: %v", written, test.country, err)
				continue
			}
			for _, form := range test.forms {
				if !slices.Contains(a.JIDs, pn(form)) {
					t.Errorf("%s in %s may be %v, want %s among them", written, test.country, a.JIDs, form)
				}
			}
			international := strings.HasPrefix(written, "+") || strings.HasPrefix(written, "0")
			if international && a.Own != pn(test.own) {
				t.Errorf("%s in %s is %v, want %s", written, test.country, a.Own, test.own)
			}
		}
	}
}

// TestExactFirst: where several forms exist, what was written counts.
func TestExactFirst(t *testing.T) {
	for _, digits := range []string{"5511987654321", "551187654321", "5215512345678", "525512345678", "5491112345678", "541112345678"} {
		if a, err := ParseAddress("+"+digits, "62"); err != nil || a.JIDs[0] != pn(digits) {
			t.Errorf("+%s may be %v, %v", digits, a.JIDs, err)
		}
	}
}

// TestDigits: every digit of Unicode has the value that Unicode gives it.
func TestDigits(t *testing.T) {
	value, run := 0, 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.Is(unicode.Nd, r) {
			if run%10 != 0 {
				t.Errorf("before %U: digits without end", r)
			}
			value, run = 0, 0
			if _, ok := digitOf(r); ok {
				t.Errorf("%U is no digit", r)
			}
			continue
		}
		if d, ok := digitOf(r); !ok || d != byte('0'+value) {
			t.Errorf("%U is %c, %v; want %d", r, d, ok, value)
		}
		value, run = (value+1)%10, run+1
	}
}

// TestWrittenAnyhow: a number with any punctuation, in any script, is the same number.
func TestWrittenAnyhow(t *testing.T) {
	zeros := []rune{'0', 0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10, 0x1d7ce, 0x1fbf0}
	marks := []rune(" -.()/[]\u00a0\u2009\u202f\u2010\u2011\u2012\u2013\u2014\u2212\u200b\u200e\u200f\u202a\u202c\u2066\u2069\u00b7")
	rapid.Check(t, func(t *rapid.T) {
		digits := "62" + rapid.StringMatching("8[0-9]{8,10}").Draw(t, "number")
		zero := rapid.SampledFrom(zeros).Draw(t, "script")
		var b strings.Builder
		b.WriteByte('+')
		for _, d := range digits {
			for range rapid.IntRange(0, 2).Draw(t, "marks") {
				b.WriteRune(rapid.SampledFrom(marks).Draw(t, "mark"))
			}
			b.WriteRune(zero + d - '0')
		}
		if strings.Contains(b.String(), "(0)") {
			t.Skip("a 0 that is left out abroad")
		}
		a, err := ParseAddress(b.String(), "1")
		if err != nil || a.Own != pn(digits) || !slices.Equal(a.JIDs, []JID{pn(digits)}) {
			t.Fatalf("%q is %v, %v; want %s", b.String(), a, err, digits)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"08123456789", "+62 812-3456", "1@lid", "120363041234567890@g.us", "a@b@c", "(0)", "\u200e+1", "0@s.whatsapp.net",
		"+55 11 98765-4321", "011 15 1234-5678", "044 55 1234 5678", "tel:1;phone-context=+62"} {
		for _, country := range []string{"62", "55", "52", "54", "39", "7", "36"} {
			f.Add(seed, country)
		}
	}
	f.Fuzz(func(t *testing.T, s, country string) {
		if !isNumber(country, 1, 3) || country[0] == '0' {
			return
		}
		a, err := ParseAddress(s, country)
		if err != nil {
			if CodeOf(err) != InvalidPhone || a.Own != "" || a.JIDs != nil {
				t.Fatalf("ParseAddress(%q) = %q, %v", s, a, err)
			}
			return
		}
		if !slices.Contains(a.JIDs, a.Own) || len(a.JIDs) > 12 {
			t.Fatalf("ParseAddress(%q) = %v", s, a)
		}
		for _, jid := range a.JIDs {
			again, err := ParseAddress(string(jid), country)
			if err != nil || again.Own != jid {
				t.Fatalf("ParseAddress(%q) = %q, which parses as %q, %v", s, jid, again, err)
			}
			if !jid.IsPN() {
				continue
			}
			if again, err = ParseAddress("+"+jid.Echo(), country); jid != pn("0") && len(jid.User()) >= 7 && len(jid.User()) <= 15 && (err != nil || !slices.Contains(again.JIDs, jid)) {
				t.Fatalf("+%s is %v, %v", fmt.Sprint(jid.Echo()), again, err)
			}
		}
	})
}

// TestUsernameAddress: a username is written with an @ before it; nothing else is one.
func TestUsernameAddress(t *testing.T) {
	for in, want := range map[string]JID{
		"@budi": "@budi", " @Budi_S.99 ": "@budi_s.99", "@abc": "@abc", "@ab": "", "@": "", "@budi santoso": "", "@b@di": "", "@buđi": "",
		"@" + strings.Repeat("a", 35): JID("@" + strings.Repeat("a", 35)), "@" + strings.Repeat("a", 36): "",
		"@g.us": "", "@lid": "", "@s.whatsapp.net": "", "@broadcast": "", "@newsletter": "", "@budi/x": "", "@\x00bc": "",
	} {
		a, err := ParseAddress(in, "62")
		if a.Own != want || (want == "") != (CodeOf(err) == InvalidPhone) || want != "" && (len(a.JIDs) != 1 || a.JIDs[0] != want || a.Own.Kind() != Private) {
			t.Errorf("%q is read as %+v, %v, want %q", in, a, err, want)
		}
	}
}
