package chat

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNamesAreComparedAsPeopleReadThem(t *testing.T) {
	for _, test := range []struct{ name, asked string }{
		{"Budi Santoso", "budi s"}, {"BUDI", "udi"}, {"José Ñuñez", "jose nunez"}, {"Jose\u0301", "josé"}, {"Øyvind", "oyvind"},
		{"Straße", "STRASSE"}, {"İstanbul", "istanbul"}, {"Διαμάντης", "ΔΙΑΜΑΝΤΗΣ"}, {"Ёлка", "елка"}, {"Nguyễn Văn", "nguyen van"},
		{"  Toko\u00a0\tMaju\u200e ", "toko maju"}, {"Ｆｕｌｌ", "full"}, {"Łukasz", "lukasz"}, {"👨‍👩‍👧 Keluarga", "keluarga"}, {"محمّد", "محمد"},
		{"김철수", "철수"}, {"Café ☕️", "☕"},
	} {
		if !strings.Contains(Fold(test.name), Fold(test.asked)) {
			t.Errorf("%q (%q) isn't found by %q (%q)", test.name, Fold(test.name), test.asked, Fold(test.asked))
		}
	}
	for _, test := range []struct{ name, asked string }{
		{"が", "か"}, {"कि", "कु"}, {"Budi", "Budy"}, {"", "a"}, {"ab", "a b"},
	} {
		if strings.Contains(Fold(test.name), Fold(test.asked)) {
			t.Errorf("%q is found by %q", test.name, test.asked)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "Budi", "\xff\xfe", strings.Repeat("ﷺ", 500), "a\x00\nb", "e\u0301\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := Fold(s)
		if !utf8.ValidString(folded) || strings.ContainsAny(folded, "\n\x00") || len(folded) > 40*maxFolded {
			t.Errorf("%q became %q", s, folded)
		}
	})
}
