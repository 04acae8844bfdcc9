package mcp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Halo\nduduk\there":                       "Halo\nduduk\there",
		"a\x00b\x1b[31mc\u0085d\x7f":              "ab[31mcd",
		"a\u202eb\u2066c\u2069\u200e\u200f\u061c": "abc",
		"tag\U000E0041\U000E0042\U000E007F":       "tag",
		"z\u200bw\u2060\ufeff\u00ad":              "zw",
		"👨\u200d👩\u200d👧 ❤\ufe0f":                 "👨\u200d👩\u200d👧 ❤\ufe0f",
		"byte\ufe00\U000E0101":                    "byte",
		"baris\u2028satu\u2029":                   "barissatu",
		"نص\u0600١":                               "نص\u0600١",
		"bad\xff":                                 "bad�",
		"<script>alert('x')</script>":             "<script>alert('x')</script>",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	if text, left := cut(strings.Repeat("é", 10), 4); text != "éééé…" || left != 6 {
		t.Errorf("cut: %q, %d", text, left)
	}
	if text, left := cut(strings.Repeat("é", 10), 10); left != 0 || utf8.RuneCountInString(text) != 10 {
		t.Errorf("not cut: %q, %d", text, left)
	}
	if got := short("  Budi \n\n\x00 \u202e Santoso ", 80); got != "Budi Santoso" {
		t.Errorf("short: %q", got)
	}
}

// TestBounds: the largest page of the worst texts, where even ids and types are such, is bounded, and every message is in it.
func TestBounds(t *testing.T) {
	for _, filler := range []string{"<", "😀", `"`, "a", "\\", "\u202e<"} {
		text := strings.Repeat(filler, 60_000)
		var d document
		d.ID, d.Body, d.Sender, d.PushName, d.Type, d.Stub, d.Status = text, text, text, text, text, "", text
		d.Message = map[string]json.RawMessage{"extendedTextMessage": json.RawMessage(`{"text":` + quoted(text) + `,"mimetype":` + quoted(text) + `,"fileName":` + quoted(text) + `}`)}
		d.Quoted = json.RawMessage(`{"conversation":` + quoted(text) + `}`)
		for range 1000 {
			d.Reactions = append(d.Reactions, struct {
				Text string `json:"text"`
			}{text})
			d.Poll = append(d.Poll, struct {
				Name   string   `json:"name"`
				Voters []string `json:"voters"`
			}{Name: text})
		}
		most := 0
		lines := slices.Repeat([]line{d.shown()}, maxListed)
		page := fit(func(text int) conversationOut {
			most = text
			return conversationOut{Messages: within(lines, text, line.within)}
		})
		b, err := json.Marshal(page)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Messages) != maxListed || len(b) > 4*maxAnswer || !strings.HasSuffix(page.Messages[0].Text, "…") || page.Messages[0].Cut < 59_000 {
			t.Errorf("of %q: %d bytes with texts of %d; cut %d", filler, len(b), most, page.Messages[0].Cut)
		}
		t.Logf("%q: %d bytes, texts of %d", filler, len(b), most)
	}
	ordinary := document{Body: strings.Repeat("Apa kabar? ", 20)}
	lines := slices.Repeat([]line{ordinary.shown()}, maxListed)
	page := fit(func(text int) []line { return within(lines, text, line.within) })
	if page[0].Cut > 0 {
		t.Errorf("an ordinary page is cut by %d", page[0].Cut)
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestShown: what kinds of messages say.
func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"conversation","body":"Halo","message":{"conversation":"Halo"}}`:                                                          "text: Halo",
		`{"message":{"ephemeralMessage":{"message":{"extendedTextMessage":{"text":"Halo"}}}}}`:                                             "text: Halo",
		`{"message":{"messageContextInfo":{},"viewOnceMessageV2":{"message":{"imageMessage":{"caption":"Foto","mimetype":"image/png"}}}}}`: "image: Foto",
		`{"message":{"audioMessage":{"ptt":true,"seconds":12,"mimetype":"audio/ogg"}}}`:                                                    "voice: ",
		`{"message":{"documentWithCaptionMessage":{"message":{"documentMessage":{"fileName":"nota.pdf","mimetype":"application/pdf"}}}}}`:  "document: nota.pdf",
		`{"message":{"pollCreationMessageV3":{"name":"Hari apa?"}},"pollResults":[{"name":"Sabtu","voters":["a"]}]}`:                       "poll: Hari apa?",
		`{"message":{"templateMessage":{"hydratedTemplate":{"hydratedContentText":"Promo"}}}}`:                                             "template: Promo",
		`{"message":{"buttonsMessage":{"contentText":"Sudah?"}}}`:                                                                          "buttons: Sudah?",
		`{"message":{"listResponseMessage":{"title":"Promo"}}}`:                                                                            "listResponse: Promo",
		`{"message":{"contactMessage":{"displayName":"Bu Sri"}}}`:                                                                          "contact: Bu Sri",
		`{"message":{"locationMessage":{"name":"Stasiun","degreesLatitude":-6.1}}}`:                                                        "location: Stasiun",
		`{"message":{"protocolMessage":{"editedMessage":{"conversation":"Baru"}}}}`:                                                        "text: Baru",
		`{"message":{"reactionMessage":{"text":"👍"}}}`:                                                                                     "reaction: 👍",
		`{"type":"protocolMessage","messageStubType":"REVOKE","message":{}}`:                                                               "deleted: ",
		`{"messageStubType":"GROUP_PARTICIPANT_ADD","messageStubParameters":["62812@s.whatsapp.net"]}`:                                     "notice: group participant add: 62812@s.whatsapp.net",
		`{"message":{"callLogMesssage":{"isVideo":true}}}`:                                                                                 "call: ",
		`{"message":{"newThingMessage":{"name":7,"caption":"Ada"}}}`:                                                                       "newThing: Ada",
		`{"message":{"imageMessage":null}}`:                                                                                                "image: ",
		`{"type":"stickerMessage"}`:                                                                                                        "sticker: ",
		`{}`:                                                                                                                               "text: ",
	} {
		var d document
		if err := json.Unmarshal([]byte(in), &d); err != nil {
			t.Fatal(in, err)
		}
		if l := d.shown(); l.Kind+": "+l.Text != want {
			t.Errorf("%s shows %q, want %q", in, l.Kind+": "+l.Text, want)
		}
	}
}

// FuzzShown: whatever a message says is shown bounded, without what can't be seen, as valid JSON.
func FuzzShown(f *testing.F) {
	f.Add([]byte(`{"id":"A","message":{"ephemeralMessage":{"message":{"conversation":"\u202ex"}}},"messageTimestamp":"1","quotedMsg":{"imageMessage":{"caption":"x"}}}`))
	f.Add([]byte(`{"messageTimestamp":{"low":-1,"high":9},"reactions":[{"text":"x"}],"pushName":"\ud800"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d document
		_ = json.Unmarshal(b, &d)
		out, err := json.Marshal(d.shown())
		if err != nil || len(out) > 64<<10 {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
		var l line
		if err := json.Unmarshal(out, &l); err != nil {
			t.Fatal(err)
		}
		for _, s := range append(l.Reactions, l.ID, l.From, l.Name, l.Kind, l.Text, l.Quotes, l.Status, l.Time) {
			for _, r := range s {
				if unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || r == '\u202e' || r >= 0xe0000 && r <= 0xe01ef {
					t.Fatalf("%q shows %U", b, r)
				}
			}
		}
	})
}
