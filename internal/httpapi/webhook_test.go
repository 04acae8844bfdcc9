package httpapi_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"pesan/internal/chat"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver stands for what calls an endpoint, and for the endpoint, which takes all unless it is told a status.
type receiver struct {
	mu     sync.Mutex
	status int
	got    []chat.Event
}

func (r *receiver) CheckURL(url string) chat.HookFault {
	switch {
	case strings.HasPrefix(url, "https://hooks.example.com"):
		return ""
	case strings.HasPrefix(url, "http:"):
		return chat.HookSchemeFault
	case strings.Contains(url, "@"):
		return chat.HookUserFault
	case strings.Contains(url, ":22"):
		return chat.HookPortFault
	case strings.HasPrefix(url, "https://10."):
		return chat.HookHostFault
	}
	return chat.HookFormFault
}

func (r *receiver) Send(_ context.Context, _, _ string, e chat.Event) chat.HookAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, e)
	a := chat.HookAnswer{HookAttempt: chat.HookAttempt{ID: e.ID, Kind: e.Kind, At: noon, Status: 200, Millis: 84}, Answer: "ok"}
	if r.status != 0 {
		a.Status, a.Error, a.Answer = r.status, "STATUS", ""
	}
	return a
}

// hooked sets Toko's webhook.
func hooked(w *world) {
	h := chat.Hook{URL: "https://hooks.example.com/pesan?token=1", Events: []chat.EventKind{chat.MessageEvent}, CreatedAt: noon}
	w.must("set webhook", w.db.SetHook(w.Context(), w.toko.ID, h, hookSecret))
}

// hookFailing has an endpoint that failed twice after a success, and events that were given up.
func hookFailing(w *world) {
	hooked(w)
	h, _, err := w.db.Hook(w.Context(), w.toko.ID)
	w.must("get webhook", err)
	id := func(n int64) string { return chat.EventID(w.toko.ID, n, 0) }
	attempt := func(n int64, at time.Duration, status int, problem string) chat.HookAttempt {
		return chat.HookAttempt{ID: id(n), Kind: chat.MessageEvent, At: noon.Add(at), Status: status, Error: problem, Millis: 12}
	}
	w.must("put health", w.db.PutHookHealth(w.Context(), w.toko.ID, h, chat.HookHealth{
		Last:     []chat.HookAttempt{attempt(11, 0, 204, ""), attempt(12, time.Second, 0, "TIMEOUT"), attempt(12, 2*time.Second, 503, "STATUS")},
		Failures: 2, Failing: noon.Add(time.Second), Next: noon.Add(17 * time.Second),
	}))
	for n := int64(7); n < 10; n++ {
		w.must("put dead event", w.db.PutDeadEvent(w.Context(), w.toko.ID, h, chat.DeadEvent{
			Event:  chat.Event{ID: id(n), Number: n, Kind: chat.MessageEvent, At: noon, Body: `{"type":"message"}`},
			Failed: noon.Add(24 * time.Hour), Last: attempt(n, 24*time.Hour, 503, "STATUS"),
		}))
	}
}

func hookOff(w *world) {
	hooked(w)
	h, _, err := w.db.Hook(w.Context(), w.toko.ID)
	w.must("get webhook", err)
	w.must("put health", w.db.PutHookHealth(w.Context(), w.toko.ID, h, chat.HookHealth{
		Failures: 90, Failing: noon.Add(-72 * time.Hour), Off: noon, Reason: chat.HookFailing,
	}))
}

func TestSetWebhookRefuses(t *testing.T) {
	w := newWorld(t)
	for body, part := range map[string]string{
		"x=": "url", "url=": "url", "url=nonsense": "whole", "url=http://hooks.example.com": "https", "url=https://u@x": "password",
		"url=https://hooks:22": "port", "url=https://10.0.0.1/": "public",
		"url=https://hooks.example.com&events=message,mesage":              "message_ack",
		"url=https://hooks.example.com&events=all,message":                 "events",
		"url=https://hooks.example.com&secret=short":                       "whsec_",
		"url=https://hooks.example.com&secret=whsec_c2hvcnQ=":              "whsec_",
		`{"url":"https://hooks.example.com","events":["message",{"a":1}]}`: "events",
		`{"url":"https://hooks.example.com","events":[null,null]}`:         "events",
		`{"url":"https://hooks.example.com","events":["message",""]}`:      "events",
		`{"url":["https://hooks.example.com"]}`:                            "url",
	} {
		if strings.HasPrefix(body, "{") {
			body = `{"apiKey":"` + w.tokoKey + `",` + body[1:]
		} else {
			body += "&apiKey=" + w.tokoKey
		}
		a := overHTTP(w, ask{endpoint: "setWebhook", body: body, header: map[string]string{"Accept-Language": "en"}})
		w.want(a, 400, chat.InvalidParameter)
		if !strings.Contains(string(a.body), part) {
			t.Errorf("%s: %s doesn't name %s", body, a.body, part)
		}
	}
	for _, endpoint := range []string{"getWebhook", "testWebhook", "redeliverWebhook"} {
		w.want(overHTTP(w, ask{endpoint: endpoint, body: "apiKey=" + w.tokoKey}), 404, chat.WebhookNotFound)
	}
	w.want(overHTTP(w, ask{endpoint: "deleteWebhook", body: "apiKey=" + w.tokoKey}), 200, "")
}

// TestWebhookSecret: a secret is shown when it is set, never again, and never to a log.
func TestWebhookSecret(t *testing.T) {
	w := newWorld(t)
	set := func(more string) (secret string) {
		t.Helper()
		a := overHTTP(w, ask{endpoint: "setWebhook", body: "apiKey=" + w.tokoKey + "&url=https://hooks.example.com/" + more})
		w.want(a, 200, "")
		var answer struct{ Results struct{ Secret string } }
		w.must("decode", json.Unmarshal(a.body, &answer))
		return answer.Results.Secret
	}
	made := set("a")
	if !chat.ValidHookSecret(made) {
		t.Fatalf("made %q", made)
	}
	if again := set("b"); again != "" {
		t.Errorf("shown again: %q", again)
	}
	if stored, err := w.db.HookSecret(t.Context(), w.toko.ID); err != nil || stored != made {
		t.Errorf("stored %q, %v", stored, err)
	}
	if given := set("c&secret=" + hookSecret); given != hookSecret {
		t.Errorf("set to %q", given)
	}
	for _, endpoint := range []string{"getWebhook", "testWebhook", "listDeadLetters", "redeliverWebhook", "getReportApi"} {
		a := overHTTP(w, ask{endpoint: endpoint, body: "apiKey=" + w.tokoKey})
		w.want(a, 200, "")
		if strings.Contains(string(a.body), "whsec_") {
			t.Errorf("%s shows it: %s", endpoint, a.body)
		}
	}
	if strings.Contains(w.logs.String(), "whsec_") || strings.Contains(w.logs.String(), "hooks.example.com") {
		t.Error("a log has it, or the URL")
	}
}

// TestWebhookSince: what was there before isn't sent; another URL goes on, and one that was off begins anew.
func TestWebhookSince(t *testing.T) {
	w := newWorld(t)
	w.seed()
	end := func() int64 {
		p, err := w.db.End(t.Context(), w.toko.ID)
		w.must("end of feed", err)
		return p.Seq
	}
	set := func() int64 {
		w.want(overHTTP(w, ask{endpoint: "setWebhook", body: "apiKey=" + w.tokoKey + "&url=https://hooks.example.com/"}), 200, "")
		h, _, err := w.db.Hook(t.Context(), w.toko.ID)
		w.must("get webhook", err)
		return h.Since
	}
	first := end()
	if since := set(); since != first || first == 0 {
		t.Errorf("since %d, the feed ends at %d", since, first)
	}
	turnedOff(w)
	if since := set(); since != first || end() == first {
		t.Errorf("since %d, want %d", since, first)
	}
	hookOff(w)
	if since := set(); since != end() {
		t.Errorf("since %d, want %d", since, end())
	}
}

// TestRedeliver sends what was given up, in order, and stops where it fails.
func TestRedeliver(t *testing.T) {
	w := newWorld(t)
	hookFailing(w)
	id := func(n int64) string { return chat.EventID(w.toko.ID, n, 0) }
	call := func(params string, delivered int, left bool, last string) {
		t.Helper()
		a := overHTTP(w, ask{endpoint: "redeliverWebhook", body: "apiKey=" + w.tokoKey + params})
		w.want(a, 200, "")
		var answer struct {
			Results struct {
				Delivered int
				Left      bool
			}
		}
		w.must("decode", json.Unmarshal(a.body, &answer))
		r := answer.Results
		if got := w.hook.got[len(w.hook.got)-1].ID; r.Delivered != delivered || r.Left != left || got != last {
			t.Errorf("%+v, the last was %s; want %d, %v, %s", r, got, delivered, left, last)
		}
	}
	w.hook.status = 500
	call("", 0, true, id(7))
	w.hook.status = 0
	call("&id="+id(9), 1, false, id(9))
	w.want(overHTTP(w, ask{endpoint: "redeliverWebhook", body: "apiKey=" + w.tokoKey + "&id=" + id(9)}), 404, chat.EventNotFound)
	w.want(overHTTP(w, ask{endpoint: "redeliverWebhook", body: "apiKey=" + w.tokoKey + "&id=" + chat.EventID(w.lain.ID, 7, 0)}), 404, chat.EventNotFound)
	call("&limit=1", 1, true, id(7))
	call("", 1, false, id(8))
	call("", 0, false, id(8))
	if len(w.hook.got) != 4 {
		t.Errorf("%d calls", len(w.hook.got))
	}
}
