package httpapi

import (
	"bytes"
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
	{name: "JSON that isn't flat", body: `{"phone":["1"]}`, code: chat.InvalidBody},
	{name: "JSON with commas", body: `{"phone":"1",}`, code: chat.InvalidBody},
	{name: "JSON array", body: `[1]`, contentType: "application/json", code: chat.InvalidBody},
	{name: "JSON content type, form body", body: `phone=1`, contentType: "application/json", code: chat.InvalidBody},
	{name: "deep JSON", body: strings.Repeat(`{"a":`, 10_000), code: chat.InvalidBody},
	{name: "10,000 parameters", body: strings.Repeat("a=1&", 10_000), code: chat.InvalidBody},
	{name: "10,000 parameters in JSON", body: "{" + strings.Repeat(`"a":1,`, 10_000) + `"a":1}`, code: chat.InvalidBody},
	{name: "10,000 parameters in the query", query: strings.Repeat("a&", 10_000), code: chat.InvalidParameter},
	{name: "10,000 parts", body: strings.Repeat("--b\r\n\r\n\r\n", 10_000) + "--b--", contentType: "multipart/form-data; boundary=b",
		code: chat.InvalidBody},
	{name: "multipart without boundary", body: multipartBody, contentType: "multipart/form-data", code: chat.InvalidBody},
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

// FuzzDecodeForms holds that a form says the same whichever way it is written.
func FuzzDecodeForms(f *testing.F) {
	f.Add("k", "0812-3456")
	f.Add("pk_01", "+62 812\u00a0(3)")
	f.Fuzz(func(t *testing.T, key, phone string) {
		if !utf8.ValidString(key) || !utf8.ValidString(phone) || strings.ContainsAny(key+phone, "&=%+'\"\\") || strings.ContainsFunc(key+phone, func(r rune) bool { return r < ' ' }) {
			return
		}
		var want params
		for i, body := range []string{
			"apiKey=" + key + "&phone=" + phone,
			"apiKey='" + key + "'&phone='" + phone + "'",
			`"apiKey='` + key + `'&phone='` + phone + `'"`,
			`{"apiKey":"` + key + `","phone":"` + phone + `"}`,
		} {
			got, err := decode("", []byte(body), "", knownParams)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if i == 0 {
				want = got
			}
			for _, name := range []string{"apiKey", "phone"} {
				if got.get(name) != want.get(name) {
					t.Errorf("%s: %s is %q, want %q", body, name, got.get(name), want.get(name))
				}
			}
		}
	})
}
