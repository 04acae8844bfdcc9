package chat

import (
	"slices"
	"strings"
	"unicode"
)

// Address is what a client may mean by what it wrote. Where a number can be written in more ways than one, the chat that
// exists decides which was meant.
type Address struct {
	Own  JID   // WhatsApp's own form, for when no chat exists
	JIDs []JID // all that may be meant: first exactly what was written
}

// ParseAddress reads what a client may write for a chat: a phone number as people write it, or a JID. A leading 0 stands for
// countryCode (digits), and so may nothing at all. It returns INVALID_PHONE for anything else.
func ParseAddress(s, countryCode string) (Address, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 4*maxAddress { // a digit takes up to four bytes
		return Address{}, &Error{Code: InvalidPhone}
	}
	if name, ok := strings.CutPrefix(s, "@"); ok {
		jid, ok := usernameJID(name)
		if !ok {
			return Address{}, &Error{Code: InvalidPhone}
		}
		return Address{jid, []JID{jid}}, nil
	}
	if strings.Contains(s, "@") {
		jid, err := ParseJID(s)
		if err != nil {
			return Address{}, err
		}
		return Address{jid, []JID{jid}}, nil
	}
	digits, international, ok := phoneDigits(s)
	if !ok {
		return Address{}, &Error{Code: InvalidPhone}
	}
	var a Address
	for _, n := range numbers(digits, international, countryCode) {
		// E.164 allows 15 digits; the shortest national numbers with their country code have 7.
		if !isNumber(n, 7, 15) || n[0] == '0' {
			continue
		}
		if jid := NewJID(n, UserServer); !slices.Contains(a.JIDs, jid) {
			a.JIDs = append(a.JIDs, jid)
		}
	}
	if len(a.JIDs) == 0 {
		return Address{}, &Error{Code: InvalidPhone}
	}
	a.Own = a.JIDs[0]
	for _, jid := range a.JIDs[1:] {
		if ownForm(jid.User(), a.Own.User()) {
			a.Own = jid
		}
	}
	return a, nil
}

// usernameJID is the address by which the chat of whoever has a username is found, and under which it is an alias. It is no JID
// of WhatsApp's, which have something before the @.
func usernameJID(name string) (JID, bool) {
	name = strings.ToLower(name)
	if len(name) < 3 || len(name) > 35 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" {
		return "", false
	}
	switch name {
	case UserServer, LIDServer, GroupServer, NewsletterServer, BroadcastServer:
		return "", false
	}
	return JID("@" + name), true
}

// phoneDigits drops the punctuation that people and address books put into numbers, and tells whether the number begins with
// its country code for certain.
func phoneDigits(s string) (digits string, international, ok bool) {
	if len(s) > 4 && strings.EqualFold(s[:4], "tel:") {
		number, params, _ := strings.Cut(s[4:], ";")
		s = number
		for param := range strings.SplitSeq(params, ";") {
			if code, ok := strings.CutPrefix(param, "phone-context=+"); ok && !strings.Contains(number, "+") {
				s = "+" + code + number
			}
		}
	}
	s = strings.Replace(s, "(0)", "", 1)
	var b strings.Builder
	for _, r := range s {
		switch digit, isDigit := digitOf(r); {
		case isDigit:
			b.WriteByte(digit)
		case r == '+' || r == '\uff0b' || r == '\ufe62':
			if international || b.Len() > 0 {
				return "", false, false
			}
			international = true
		case !isPhonePunctuation(r):
			return "", false, false
		}
	}
	digits = b.String()
	return digits, international, digits != ""
}

// digitOf is a decimal digit of any script, as ASCII.
func digitOf(r rune) (byte, bool) {
	if r >= '0' && r <= '9' {
		return byte(r), true
	}
	if r < unicode.MaxASCII {
		return 0, false
	}
	// Unicode has the digits of each script in order, in ranges that begin with a 0.
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10), true
		}
	}
	return 0, false
}

// isPhonePunctuation includes the dashes, spaces and invisible direction marks that come along when a number is copied from
// a page or a phone.
func isPhonePunctuation(r rune) bool {
	return strings.ContainsRune(".()[]/\u00b7\u2022\u2212", r) || unicode.In(r, unicode.Pd, unicode.Zs, unicode.Cf)
}

// numbers are the international numbers that digits may stand for, first exactly what they say.
func numbers(digits string, international bool, countryCode string) []string {
	if international {
		return variants(digits)
	}
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		return append(variants(rest), dialledAbroad(digits, countryCode)...)
	}
	if all := dialledAbroad(digits, countryCode); len(all) > 0 {
		return append(all, nationals(digits, countryCode)...)
	}
	return nationals(digits, countryCode)
}

// dialledAbroad are the numbers that digits stand for where a country dials other countries by something else than 00.
func dialledAbroad(digits, countryCode string) (all []string) {
	for _, prefix := range abroad[countryCode] {
		if rest, ok := strings.CutPrefix(digits, prefix); ok && rest != "" && rest[0] != '0' {
			all = append(all, variants(rest)...)
		}
	}
	return all
}

// abroad is what countries dial before a number of another one, by country code.
var abroad = map[string][]string{
	"1": {"011"}, "7": {"810"}, "53": {"119"}, "55": {"0012", "0014", "0015", "0021", "0031", "0041"}, "57": {"005", "007", "009"},
	"61": {"0011"}, "62": {"001", "007", "008", "01017"}, "65": {"001", "002", "008"}, "66": {"001", "004", "007", "008", "009"},
	"81": {"010"}, "82": {"001", "002", "005", "006", "00700"}, "234": {"009"}, "254": {"000"}, "255": {"000"}, "256": {"000"},
	"375": {"810"}, "852": {"001"}, "855": {"001", "007", "008"}, "886": {"002", "005", "006", "007", "009"},
	"972": {"012", "013", "014"}, "976": {"001"}, "992": {"810"}, "993": {"810"}, "998": {"810"},
}

// nationals are the numbers that digits without a sign of another country may stand for.
func nationals(digits, countryCode string) []string {
	if national, ok := strings.CutPrefix(digits, "0"); ok {
		all := variants(countryCode + national)
		switch {
		case slices.Contains(zeroKept, countryCode):
			return slices.Concat(variants(countryCode+digits), all)
		case countryCode == "36": // Hungary dials 06
			return slices.Concat(variants(countryCode+strings.TrimPrefix(national, "6")), all)
		}
		return all
	}
	all := variants(digits)
	for _, e := range dialledBy8 {
		if national, ok := strings.CutPrefix(digits, e.prefix); ok && countryCode == e.code && len(national) == e.digits {
			return append(variants(countryCode+national), all...)
		}
	}
	if len(digits) < 7 || strings.HasPrefix(digits, countryCode) && len(digits) > 10 {
		return all // too short for a number without its country code, or it has one
	}
	return append(all, variants(countryCode+digits)...)
}

// dialledBy8 are the countries that dial an 8 where most dial a 0, or did, and how many digits a number has behind it.
var dialledBy8 = []struct {
	code, prefix string
	digits       int
}{{"7", "8", 10}, {"370", "8", 8}, {"375", "80", 9}, {"380", "80", 9}, {"992", "8", 9}, {"993", "8", 8}, {"998", "8", 9}}

// zeroKept are the countries whose numbers may begin with a 0 that is dialled from abroad too: Italy, San Marino, Côte
// d'Ivoire, Benin, Gabon, Congo.
var zeroKept = []string{"39", "378", "225", "229", "241", "242"}

// variants are an international number and other ways in which the same may be written.
func variants(digits string) []string {
	code, national := splitCountry(digits)
	all := []string{digits}
	add := func(national string) { all = append(all, code+national) }
	if rest, ok := strings.CutPrefix(national, "0"); ok {
		if !slices.Contains(zeroKept, code) {
			all = variants(code + strings.TrimLeft(rest, "0")) // +62 0812…: the 0 is only dialled within the country
			return all
		}
		add(rest)
	} else if slices.Contains(zeroKept, code) {
		add("0" + national)
	}
	switch code {
	case "55":
		if len(national) == 12 || len(national) == 13 { // the code of the carrier that is to be used stands in front
			return variants(code + national[2:])
		}
		all = append(all, brazil(national)...)
	case "52":
		for _, prefix := range []string{"044", "045", "44", "45", "01"} { // mobiles and long distance, as they were dialled until 2019
			if rest, ok := strings.CutPrefix(national, prefix); ok && len(rest) == 10 {
				return variants(code + rest)
			}
		}
		if rest, ok := strings.CutPrefix(national, "1"); ok && len(rest) == 10 {
			add(rest)
		} else if len(national) == 10 {
			add("1" + national)
		}
	case "54":
		all = append(all, argentina(national)...)
	case "225": // Côte d'Ivoire put two digits before all numbers in 2021, by their second
		if len(national) == 8 {
			add([]string{"01", "01", "01", "01", "05", "05", "05", "07", "07", "07"}[national[1]-'0'] + national)
		} else if len(national) == 10 {
			add(national[2:])
		}
	case "229": // Benin put 01 before all numbers in 2024
		if rest, ok := strings.CutPrefix(national, "01"); ok && len(rest) == 8 {
			add(rest)
		} else if len(national) == 8 {
			add("01" + national)
		}
	}
	return all
}

// brazil are other forms of a number without 55: an area code and 8 digits, before which mobiles got a 9 over the years.
func brazil(national string) []string {
	switch area, number := cut(national, 2); {
	case len(number) == 9 && number[0] == '9':
		return []string{"55" + area + number[1:]}
	case len(number) == 8 && number[0] >= '6':
		return []string{"55" + area + "9" + number}
	}
	return nil
}

// argentina are other forms of a number without 54: area code and subscriber have 10 digits together. Mobiles have a 9 in
// front for who calls from abroad, or a 15 between the two for who calls from within.
func argentina(national string) (all []string) {
	mobile := strings.TrimPrefix(national, "9")
	mobile = strings.TrimPrefix(mobile, "0")
	if len(mobile) == 10 {
		return []string{"549" + mobile, "54" + mobile}
	}
	if len(mobile) != 12 {
		return nil
	}
	for area := 2; area <= 4; area++ {
		if (area == 2) == (mobile[:2] == "11") && mobile[area:area+2] == "15" {
			number := mobile[:area] + mobile[area+2:]
			all = append(all, "549"+number, "54"+number)
		}
	}
	return all
}

// ownForm tells whether WhatsApp rather has number than other, another form of it.
func ownForm(number, other string) bool {
	code, national := splitCountry(number)
	if otherCode, _ := splitCountry(other); otherCode != code {
		return false
	}
	switch code {
	case "55": // the 9 is kept where mobiles got it first
		area, subscriber := cut(national, 2)
		return len(subscriber) == 9 && area <= "28" || len(subscriber) == 8 && area > "28"
	case "52":
		return len(national) == 11
	case "54":
		return len(national) == 11 && national[0] == '9'
	}
	return false
}

func cut(s string, at int) (before, after string) {
	at = min(at, len(s))
	return s[:at], s[at:]
}

// splitCountry cuts an international number after its country code, as the ITU gives them out.
func splitCountry(digits string) (code, national string) {
	two, _ := cut(digits, 2)
	switch {
	case digits == "":
		return "", ""
	case digits[0] == '1' || digits[0] == '7':
		return cut(digits, 1)
	case slices.Contains(twoDigitCodes, two):
		return cut(digits, 2)
	}
	return cut(digits, 3)
}

var twoDigitCodes = []string{
	"20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51", "52", "53", "54",
	"55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
}
