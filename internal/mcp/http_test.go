package mcp_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
)

const (
	list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	hi   = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`
	one  = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_chats","arguments":{}}}`
	note = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	act  = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mute_chat","arguments":{"chat":"081234567890"}}}`
	none = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing","arguments":{}}}`
)

// request is a request to /mcp as a client makes it, but for headers that are given.
func request(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/mcp", strings.NewReader(body))
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2025-11-25")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	a := httptest.NewRecorder()
	w.server.ServeHTTP(a, r)
	return a
}

// TestDoors: nobody is answered anything whose key the API doesn't take.
func TestDoors(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{list, hi, one, act, note, none, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, "[" + one + "," + list + "]", "nonsense", ""} {
		for what, headers := range map[string][]string{
			"no key":             nil,
			"no bearer":          {"Authorization", w.tokoKey},
			"another scheme":     {"Authorization", "Basic " + w.tokoKey},
			"a wrong key":        {"Authorization", "Bearer pk_01JNGKX0T0AAAAAAAAAAAAAAAA_" + strings.Repeat("a", 52)},
			"nonsense":           {"Authorization", "Bearer nonsense"},
			"a revoked key":      {"Authorization", "Bearer " + w.badKey},
			"a wrong key of own": {"X-Api-Key", "pk_"},
		} {
			version := "2025-11-25"
			if strings.HasPrefix(body, "[") {
				version = "2025-03-26"
			}
			a := w.serve(request(body, append(headers, "MCP-Protocol-Version", version)...))
			challenge := a.Header().Get("WWW-Authenticate")
			if a.Code != 401 || !strings.HasPrefix(challenge, `Bearer realm="Pesan"`) || strings.Contains(a.Body.String(), "result") {
				t.Errorf("%s with %s is answered %d %q %s", body, what, a.Code, challenge, a.Body)
			}
			if missing := headers == nil || strings.Contains(what, "bearer") || strings.Contains(what, "scheme"); missing == strings.Contains(challenge, "invalid_token") {
				t.Errorf("%s: %q", what, challenge)
			}
		}
	}
	if did := w.did(); len(did) > 0 {
		t.Errorf("did %v", did)
	}
	for _, headers := range [][]string{{"Authorization", "bearer " + w.tokoKey}, {"X-Api-Key", w.tokoKey}} {
		for _, body := range []string{list, hi, one, act} {
			if a := w.serve(request(body, headers...)); a.Code != 200 || !strings.Contains(a.Body.String(), `"result"`) {
				t.Errorf("%s with a key is answered %d %s", body, a.Code, a.Body)
			}
		}
	}
	if a := w.serve(request(note, "X-Api-Key", w.tokoKey)); a.Code != 202 || a.Body.Len() > 0 {
		t.Errorf("a notification is answered %d %s", a.Code, a.Body)
	}
	if _, err := w.db.Account(t.Context(), w.toko); err != nil {
		t.Error(err)
	}
	r := request(list)
	r.URL.RawQuery = "apiKey=" + w.tokoKey
	if a := w.serve(r); a.Code != 401 {
		t.Errorf("a key in the address is answered %d", a.Code)
	}
}

// TestRequests: what isn't a request by the protocol is refused, and how.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	batch := func(n int) string { return "[" + strings.Repeat(one+",", n-1) + one + "]" }
	for name, test := range map[string]struct {
		r      *http.Request
		status int
		part   string
	}{
		"no JSON":              {request("{"), 400, "malformed"},
		"nothing":              {request(""), 400, "non-empty"},
		"no method":            {request(`{"jsonrpc":"2.0","id":1}`), 202, ""}, // an answer to nothing
		"unknown method":       {request(`{"jsonrpc":"2.0","id":1,"method":"tools/drop"}`), 400, "tools/drop"},
		"no such tool":         {request(none), 200, "unknown tool"},
		"a form":               {request(list, "Content-Type", "application/x-www-form-urlencoded"), 415, "application/json"},
		"text":                 {request(list, "Content-Type", "text/plain"), 415, ""},
		"takes JSON alone":     {request(list, "Accept", "application/json"), 400, "Accept"},
		"unknown version":      {request(list, "MCP-Protocol-Version", "2024-01-01"), 400, "protocol version"},
		"no version":           {request(list, "MCP-Protocol-Version", ""), 200, "list_chats"},
		"a version to come":    {request(list, "MCP-Protocol-Version", "2099-01-01"), 400, ""},
		"large":                {request(list + strings.Repeat(" ", 128<<10)), 413, "128 KiB"},
		"a batch":              {request(batch(16), "MCP-Protocol-Version", "2025-03-26"), 200, "Budi"},
		"a large batch":        {request(batch(17), "MCP-Protocol-Version", "2025-03-26"), 413, "16 messages"},
		"a large batch spaced": {request(" \n"+batch(17), "MCP-Protocol-Version", "2025-03-26"), 413, "16 messages"},
		"a batch of late":      {request(batch(2)), 400, "batch"},
		"deep":                 {request(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + strings.Repeat(`{"a":`, 20_000)), 400, ""},
		"a twin":               {request("["+one+","+one+"]", "MCP-Protocol-Version", "2025-03-26"), 200, ""},
		"another origin":       {request(list, "Origin", "https://evil.example"), 403, "origin"},
		"no origin's page":     {request(list, "Origin", "null"), 403, "origin"},
		"another port":         {request(list, "Origin", "http://127.0.0.1:3000"), 403, "origin"},
		"this origin":          {request(list, "Origin", "http://127.0.0.1:8080"), 200, "list_chats"},
	} {
		test.r.Header.Set("Authorization", "Bearer "+w.tokoKey)
		a := w.serve(test.r)
		if a.Code != test.status || !strings.Contains(a.Body.String(), test.part) {
			t.Errorf("%s is answered %d %.300s", name, a.Code, a.Body)
		}
		if a.Header().Get("Access-Control-Allow-Origin") != "" || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s has the headers %v", name, a.Header())
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut, http.MethodOptions} {
		r := request("", "Authorization", "Bearer "+w.tokoKey)
		r.Method = method
		if a := w.serve(r); a.Code != 405 || a.Header().Get("Allow") != "POST" {
			t.Errorf("%s is answered %d, %v", method, a.Code, a.Header())
		}
	}
	// A page whose name leads here is of the same origin, and still not of this machine.
	r := request(list, "Origin", "http://evil.example:8080", "Authorization", "Bearer "+w.tokoKey)
	r.Host = "evil.example:8080"
	if a := w.serve(r); a.Code != 403 {
		t.Errorf("a name that leads here is answered %d", a.Code)
	}
	if a := w.serve(request(strings.Repeat("[", 200_000))); a.Code != 401 {
		t.Errorf("a stranger's brackets are answered %d", a.Code)
	}
}

// TestCalls: what is called here is limited, reported and told apart as it is by HTTP.
func TestCalls(t *testing.T) {
	w := newWorld(t)
	w.pass(time.Second)
	w.serve(request(act, "Authorization", "Bearer "+w.tokoKey))
	w.pass(time.Second)
	w.serve(request(act, "Authorization", "Bearer "+w.readKey))
	all, _, err := w.db.ListReports(t.Context(), w.toko, chat.Page{Limit: 2})
	w.must(err)
	if len(all) != 2 || all[1].Endpoint != "muteChat" || all[1].Status != 202 || all[1].Command != chat.CommandDone || all[1].Target != "6281234567890" || all[0].Status != 403 || all[0].Key != "read" {
		t.Errorf("reports %+v", all)
	}
	w.must(w.db.UpdateAccount(t.Context(), w.toko, func(a *chat.Account) error {
		a.Limits = chat.Limits{PerMonth: 5, Spent: chat.MonthOf(noon)}
		return nil
	}))
	if a := w.serve(request(list, "Authorization", "Bearer "+w.tokoKey)); a.Code != 429 || a.Header().Get("Retry-After") == "" || !strings.Contains(a.Body.String(), "QUOTA_EXCEEDED") {
		t.Errorf("a spent key is answered %d %v %s", a.Code, a.Header(), a.Body)
	}
	a := w.serve(request(one, "Authorization", "Bearer "+w.tokoKey))
	if a.Code != 200 || !strings.Contains(a.Body.String(), "used up") || !strings.Contains(a.Body.String(), `"isError":true`) {
		t.Errorf("a tool with a spent key is answered %d %s", a.Code, a.Body)
	}
}

// TestFault: a panic is answered, logged without what it says, and ends nothing.
func TestFault(t *testing.T) {
	w := newWorld(t)
	api := w.api
	w.api = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("rahasia") })
	a := w.serve(request(one, "Authorization", "Bearer "+w.tokoKey))
	if text := a.Body.String(); !strings.Contains(text, "went wrong") || strings.Contains(text+w.logs.String(), "rahasia") || !strings.Contains(w.logs.String(), "panic") {
		t.Errorf("a panic is answered %s, and logged %s", text, w.logs.String())
	}
	w.api = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "<html>") })
	if a := w.serve(request(one, "Authorization", "Bearer "+w.tokoKey)); !strings.Contains(a.Body.String(), "doesn't answer as Pesan") {
		t.Errorf("another server is answered %s", a.Body)
	}
	w.api = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(rw, "<html>")
	})
	if a := w.serve(request(one, "Authorization", "Bearer "+w.tokoKey)); !strings.Contains(a.Body.String(), "502 Bad Gateway") {
		t.Errorf("a proxy's fault is answered %s", a.Body)
	}
	w.api = api
	var answer struct{ Result struct{ IsError bool } }
	a = w.serve(request(one, "Authorization", "Bearer "+w.tokoKey))
	if err := json.Unmarshal(a.Body.Bytes(), &answer); err != nil || answer.Result.IsError {
		t.Errorf("after that: %s, %v", a.Body, err)
	}
}
