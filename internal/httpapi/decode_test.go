package httpapi

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"strings"
	"testing"
	"unicode/utf8"

	"pesan/internal/chat"
)

const (
	formType      = "application/x-www-form-urlencoded"
	multipartBody = "--b\r\nContent-Disposition: form-data; name=\"apiKey\"\r\n\r\nk\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n0812\r\n--b--\r\n"
)

// decodings are bodies and queries with what they say; nil values are failures.
var decodings = []struct {
	name, query, body, contentType string
	want                           map[string]string
	code                           chat.Code
}{
	{name: "nothing", want: map[string]string{"apiKey": ""}},
	{name: "plain form", body: "apiKey=k&phone=0812", contentType: formType, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "escapes", body: "apiKey=k&phone=%2B62+812%2D3&&", contentType: formType, want: map[string]string{"phone": "+62 812-3"}},
	{name: "charset", body: "phone=1", contentType: formType + "; charset=UTF-8", want: map[string]string{"phone": "1"}},
	{name: "no content type", body: "phone=1", want: map[string]string{"phone": "1"}},
	{name: "wrong content type", body: "phone=1", contentType: "text/plain", want: map[string]string{"phone": "1"}},
	{name: "sample of getChats", body: `"apiKey='api_key'"`, contentType: formType, want: map[string]string{"apiKey": "api_key"}},
	{name: "sample of getChatById", body: `"apiKey='api_key'&phone='no_hp'"`, contentType: formType,
		want: map[string]string{"apiKey": "api_key", "phone": "no_hp"}},
	{name: "sample of fetchMessageById", body: `"apiKey='api_key'&limit='100'&phone='no_hp'"`, contentType: formType,
		want: map[string]string{"apiKey": "api_key", "limit": "100", "phone": "no_hp"}},
	{name: "sample of muteChat", body: `"apiKey='api_key'&phone='no_hp'&second='second'"`, contentType: formType,
		want: map[string]string{"second": "second"}},
	{name: "sample of clearReportApi", body: `"all='all'&apiKey='api_key'"`, contentType: formType, want: map[string]string{"all": "all"}},
	{name: "sample as JSON", body: `"apiKey='api_key'\u0026phone='no_hp'"`, contentType: "application/json",
		want: map[string]string{"apiKey": "api_key", "phone": "no_hp"}},
	{name: "sample that no JSON string is", body: "\"apiKey='k'\n&phone='1\t2'\"", contentType: formType,
		want: map[string]string{"apiKey": "k", "phone": "1\t2"}},
	{name: "sample without outer quotes", body: "apiKey='k'&phone='0812 3'\n", contentType: formType,
		want: map[string]string{"apiKey": "k", "phone": "0812 3"}},
	{name: "one quote stays", body: "name=Jum'at&id='", want: map[string]string{"name": "Jum'at", "id": "'"}},
	{name: "empty quotes", body: "second=''&phone='1'", want: map[string]string{"second": "", "phone": "1"}},
	{name: "JSON", body: ` {"apiKey":"k","limit":100,"unread":true,"muted":false,"cursor":null} `, contentType: "application/json",
		want: map[string]string{"apiKey": "k", "limit": "100", "unread": "true", "muted": "false", "cursor": ""}},
	{name: "JSON without content type", body: `{"phone":"0812"}`, contentType: formType, want: map[string]string{"phone": "0812"}},
	{name: "JSON after a byte order mark", body: "\ufeff{\"phone\":628}", want: map[string]string{"phone": "628"}},
	{name: "empty JSON", body: "{}", want: map[string]string{"phone": ""}},
	{name: "JSON number as it was written", body: `{"limit":1e2,"second":10.5}`, want: map[string]string{"limit": "1e2", "second": "10.5"}},
	{name: "multipart", body: multipartBody, contentType: "multipart/form-data; boundary=b",
		want: map[string]string{"apiKey": "k", "phone": "0812", "photo": ""}},
	{name: "query", query: "apiKey=k&phone='0812'", want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "body beats query", query: "phone=1&limit=5", body: "phone=2", want: map[string]string{"phone": "2", "limit": "5"}},
	{name: "an empty value doesn't", query: "phone=1", body: "phone=+", want: map[string]string{"phone": "1"}},
	{name: "same twice", body: "phone=1&phone=1", want: map[string]string{"phone": "1"}},
	{name: "unknown names may repeat", body: "a[]=1&a[]=2&phone=1", want: map[string]string{"phone": "1"}},

	{name: "two values", body: "phone=1&phone=2", code: chat.InvalidParameter},
	{name: "two values in JSON", body: `{"phone":"1","phone":"2"}`, code: chat.InvalidParameter},
	{name: "two values in the query", query: "apiKey=1&apiKey=2", code: chat.InvalidParameter},
	{name: "bad escape", body: "phone=%zz", code: chat.InvalidBody},
	{name: "bad escape in the query", query: "phone=%zz", code: chat.InvalidParameter},
	{name: "invalid UTF-8", body: "phone=\xff", code: chat.InvalidBody},
	{name: "escaped invalid UTF-8", body: "phone=%ff", code: chat.InvalidBody},
	{name: "invalid UTF-8 in the query", query: "phone=%ff", code: chat.InvalidParameter},
	{name: "invalid UTF-8 in JSON", body: "{\"phone\":\"\xff\"}", code: chat.InvalidBody},
	{name: "half a JSON", body: `{"phone":"1"`, code: chat.InvalidBody},
	{name: "two JSONs", body: `{"phone":"1"}{"phone":"1"}`, code: chat.InvalidBody},
	{name: "a list of a known name", body: `{"phone":["1"]}`, code: chat.InvalidParameter},
	{name: "an object of a known name", body: `{"limit":{"a":1},"phone":"1"}`, code: chat.InvalidParameter},
	{name: "JSON with commas", body: `{"phone":"1",}`, code: chat.InvalidBody},
	{name: "JSON array", body: `[1]`, contentType: "application/json", code: chat.InvalidBody},
	{name: "JSON content type, form body", body: `phone=1`, contentType: "application/json", code: chat.InvalidBody},
	{name: "JSON text that is a form", body: `"apiKey='k'&phone='0812'"`, contentType: "application/json", want: map[string]string{"phone": "0812"}},
	{name: "JSON text that is none", body: `"phone"`, contentType: "application/json", code: chat.InvalidBody},
	{name: "multipart with a name that MIME can't hold", contentType: "multipart/form-data; boundary=b",
		body: "--b\r\nContent-Disposition: form-data; name=\"a\x1e\x7f\"\r\n\r\n1\x1e\r\n" + multipartBody, want: map[string]string{"phone": "0812"}},
	{name: "deep JSON", body: strings.Repeat(`{"a":`, 10_000), code: chat.InvalidBody},
	{name: "10,000 parameters", body: strings.Repeat("a=1&", 10_000), code: chat.InvalidBody},
	{name: "10,000 parameters in JSON", body: "{" + strings.Repeat(`"a":1,`, 10_000) + `"a":1}`, code: chat.InvalidBody},
	{name: "10,000 parameters in the query", query: strings.Repeat("a&", 10_000), code: chat.InvalidParameter},
	{name: "10,000 parts", body: strings.Repeat("--b\r\n\r\n\r\n", 10_000) + "--b--", contentType: "multipart/form-data; boundary=b",
		code: chat.InvalidBody},
	{name: "multipart without boundary", body: multipartBody, contentType: "multipart/form-data", want: map[string]string{"phone": "0812"}},
	{name: "multipart with another boundary", body: multipartBody, contentType: "multipart/form-data; boundary=x", want: map[string]string{"phone": "0812"}},
	{name: "form as multipart", body: "apiKey=k&phone=0812", contentType: "multipart/form-data; boundary=x", want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "JSON as multipart", body: `{"phone":"0812"}`, contentType: "multipart/form-data", want: map[string]string{"phone": "0812"}},
	{name: "unknown names may be nested", body: `{"a":{"phone":["1",{}]},"phone":"2","b":[[1,2],null]}`, want: map[string]string{"phone": "2", "a": "", "b": ""}},
	{name: "escaped quotes", body: `"apiKey=\"k\"&phone=\"0812\""`, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "escaped quotes without the outer ones", body: `apiKey=\"k\"&phone=\"0812\"`, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "double quotes", body: `apiKey="k"&phone="0812"`, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "double quotes within double quotes", body: `"apiKey="k"&phone="0812""`, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "single quotes around all", body: `'apiKey="k"&phone=0812'`, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "names in quotes", body: `"apiKey"="k"&"phone"="0812"`, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "quotes as escapes", body: `apiKey=%22k%22&phone=%5C%220812%5C%22`, want: map[string]string{"apiKey": "k", "phone": "0812"}},
	{name: "half a multipart", body: multipartBody[:80], contentType: "multipart/form-data; boundary=b", code: chat.InvalidBody},
	{name: "invalid UTF-8 in multipart", body: strings.Replace(multipartBody, "0812", "\xff", 1),
		contentType: "multipart/form-data; boundary=b", code: chat.InvalidBody},
}

var knownParams = []string{"apiKey", "phone", "limit", "cursor", "second"}

func TestDecode(t *testing.T) {
	for _, test := range decodings {
		t.Run(test.name, func(t *testing.T) {
			p, err := decode(test.query, []byte(test.body), test.contentType, knownParams)
			if chat.CodeOf(err) != test.code {
				t.Fatalf("error %v, want code %q", err, test.code)
			}
			for name, want := range test.want {
				if got := p.get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestDecodeAtTheBounds(t *testing.T) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for range maxParams {
		if err := w.WriteField("phone", "1"); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	form := strings.Repeat("phone=1&", maxParams)
	object := "{" + strings.Repeat(`"phone":1,`, maxParams-1) + `"phone":1}`
	for contentType, body := range map[string]string{formType: form, "application/json": object, w.FormDataContentType(): body.String()} {
		if _, err := decode(form, []byte(body), contentType, knownParams); err != nil {
			t.Errorf("%d parameters as %s: %v", maxParams, contentType, err)
		}
	}
}

// FuzzDecode holds that whatever comes in is either refused with a code or gives valid text, within the bounds.
func FuzzDecode(f *testing.F) {
	for _, test := range decodings {
		if len(test.body) < 4<<10 {
			f.Add(test.query, []byte(test.body), test.contentType)
		}
	}
	f.Fuzz(func(t *testing.T, query string, body []byte, contentType string) {
		p, err := decode(query, body, contentType, knownParams)
		if code := chat.CodeOf(err); err != nil && code != chat.InvalidBody && code != chat.InvalidParameter {
			t.Fatalf("error %v", err)
		}
		if len(p) > 2*maxParams {
			t.Fatalf("%d parameters", len(p))
		}
		for _, param := range p {
			if !utf8.ValidString(param.name) || !utf8.ValidString(param.value) {
				t.Fatalf("invalid text %q=%q", param.name, param.value)
			}
			if v := p.get(param.name); v != strings.TrimSpace(v) {
				t.Fatalf("untrimmed %q", v)
			}
		}
	})
}

// renderings writes values in all the ways in which a sample may be pasted.
var renderings = []func(name, value string) string{
	func(n, v string) string { return n + "=" + v },
	func(n, v string) string { return n + "='" + v + "'" },
	func(n, v string) string { return n + `="` + v + `"` },
	func(n, v string) string { return n + `=\"` + v + `\"` },
	func(n, v string) string { return n + `=\'` + v + `\'` },
	func(n, v string) string { return n + `=\\\"` + v + `\\\"` },
	func(n, v string) string { return n + ` = "'` + v + `'"` },
	func(n, v string) string { return `"` + n + `"=` + v },
	func(n, v string) string { return n + "=%22" + v + "%22" },
}

// enclosures put quotes around the whole.
var enclosures = []func(form string) string{
	func(f string) string { return f },
	func(f string) string { return `"` + f + `"` },
	func(f string) string { return "'" + f + "'" },
	func(f string) string { return " \"" + f + "\"\n" },
	func(f string) string { b, _ := json.Marshal(f); return string(b) },
}

// FuzzDecodeForms holds that a form says the same whichever way it is written, each value in a rendering of its own.
func FuzzDecodeForms(f *testing.F) {
	f.Add("k", "0812-3456", uint(0))
	f.Add("pk_01", "+62 812\u00a0(3)", uint(77))
	for i := range uint(len(renderings) * len(renderings) * len(enclosures)) {
		f.Add("api_key", "no_hp", i)
	}
	f.Fuzz(func(t *testing.T, key, phone string, mix uint) {
		if !utf8.ValidString(key) || !utf8.ValidString(phone) || strings.ContainsAny(key+phone, "&=%+'\"\\") || strings.ContainsFunc(key+phone, func(r rune) bool { return r < ' ' }) {
			return
		}
		choose := func(n int) int { v := int(mix % uint(n)); mix /= uint(n); return v }
		first, second, around := renderings[choose(len(renderings))], renderings[choose(len(renderings))], enclosures[choose(len(enclosures))]
		form := first("apiKey", key) + "&" + second("phone", phone)
		if strings.HasPrefix(form, `"`) && around(form) == form && strings.HasSuffix(form, `"`) && json.Valid([]byte(form)) {
			return // a JSON string that says something else
		}
		for _, body := range []string{around(form), `{"apiKey":"` + key + `","phone":"` + phone + `"}`} {
			got, err := decode("", []byte(body), "", knownParams)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			for name, want := range map[string]string{"apiKey": key, "phone": phone} {
				if got.get(name) != strings.TrimSpace(want) {
					t.Errorf("%s: %s is %q, want %q", body, name, got.get(name), want)
				}
			}
		}
	})
}

// TestJSONNumbers holds that a number is its value where a number is asked for, and its text where a text is.
func TestJSONNumbers(t *testing.T) {
	for body, want := range map[string]string{
		`{"phone":628123456789}`: "628123456789", `{"phone":628123456789.0}`: "628123456789", `{"phone":6.28123456789e11}`: "628123456789",
		`{"phone":50.5}`: "50.5", `{"phone":"50.0"}`: "50.0", `{"phone":1e300}`: "1e300", `{"phone":1e999999999}`: "1e999999999", `{"phone":true}`: "true",
	} {
		p, err := decode("", []byte(body), "", knownParams)
		if got := p.number("phone"); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", body, got, err, want)
		}
	}
	p, _ := decode("", []byte(`{"phone":50.0}`), "", knownParams)
	if got := p.get("phone"); got != "50.0" {
		t.Errorf("the text of 50.0 is %q", got)
	}
}
