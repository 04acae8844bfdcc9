package httpapi_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// TestEvents holds that events of odd forms are answered.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	function := httpapi.New(w.config).Lambda(endpoint("getState", httpapi.Deps{}))
	for event, want := range map[string]int{
		`{"rawQueryString":"apiKey=` + w.tokoKey + `","requestContext":{"http":{"method":"GET"}}}`:               200,
		`{"headers":{"X-API-KEY":"` + w.tokoKey + `"},"requestContext":{"http":{"method":"GET"}},"unknown":[1]}`: 200,
		`{"headers":{"authorization":"Bearer ` + w.tokoKey + `"},"requestContext":{"http":{"method":"HEAD"}}}`:   200,
		`{"requestContext":{"http":{"method":"OPTIONS"}}}`:                                                       204,
		`{"requestContext":{"http":{"method":"GET"}}}`:                                                           401,
		`{"body":"!!","isBase64Encoded":true,"requestContext":{"http":{"method":"POST"}}}`:                       400,
		`{"body":{},"requestContext":{"http":{"method":"POST"}}}`:                                                400,
		`{}`:   405,
		``:     405,
		`[]`:   405,
		`null`: 405,
		`{"requestContext":{"http":{"method":"POST"}},"body":"`: 405,
	} {
		b, err := function.Invoke(t.Context(), []byte(event))
		w.must("invoke", err)
		var r struct {
			StatusCode int
			Body       *string
		}
		w.must("decode", json.Unmarshal(b, &r))
		if r.StatusCode != want || r.Body == nil {
			t.Errorf("%s: %s", event, b)
		}
	}
}

// FuzzEvent holds that whatever an event holds, the answer is JSON with a status, and an error in its form.
func FuzzEvent(f *testing.F) {
	s := stubs{chat.Account{ID: "01JNGKX0T0AAAAAAAAAAAAAAAA"}}
	api := httpapi.New(httpapi.Config{Accounts: s, Reports: s, Logger: quiet()})
	functions := []*httpapi.Function{
		api.Lambda(endpoint("getChats", httpapi.Deps{Chats: s})), api.Lambda(endpoint("muteChat", httpapi.Deps{Chats: s, Commands: new(commands), Sender: s, Reports: s})),
		api.Lambda(endpoint("", httpapi.Deps{})),
	}
	f.Add([]byte(`{"rawQueryString":"apiKey=k&limit=%zz","headers":{"accept-language":"en","accept-encoding":"gzip"},"requestContext":{"requestId":"a\"b","http":{"method":"GET"}}}`))
	f.Add([]byte(`{"body":"YXBpS2V5PWs=","isBase64Encoded":true,"headers":{"content-type":"multipart/form-data; boundary=b"},"requestContext":{"http":{"method":"POST"}}}`))
	f.Add([]byte(`{"body":"\"apiKey='k'&phone='1'\"","headers":{"X-Api-Key":"\u0000","idempotency-key":" "},"requestContext":{"http":{"method":"POST"}}}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		for _, function := range functions {
			b, err := function.Invoke(t.Context(), event)
			if err != nil || !utf8.Valid(b) {
				t.Fatalf("%q, %v", b, err)
			}
			var r struct {
				StatusCode int
				Body       string
			}
			if err := json.Unmarshal(b, &r); err != nil || r.StatusCode < 200 || r.StatusCode == 500 {
				t.Fatalf("%s: %v", b, err)
			}
			var e struct{ Code int }
			if r.StatusCode >= 400 && r.Body != "" && (json.Unmarshal([]byte(r.Body), &e) != nil || e.Code != r.StatusCode) {
				t.Fatalf("%s", b)
			}
		}
	})
}
