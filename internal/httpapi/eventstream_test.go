package httpapi_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// TestEventStream: a stream sends what is stored, goes on behind the last event that the client has, and ends when its key is changed.
func TestEventStream(t *testing.T) {
	w := newWorld(t)
	w.config.Near = true
	w.seed()
	server := httptest.NewServer(httpapi.New(w.config).Events(w.db))
	defer server.Close()
	open := func(key, last string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/api/events", nil)
		w.must("request", err)
		r.Header.Set("X-Api-Key", key)
		r.Header.Set("Last-Event-ID", last)
		a, err := http.DefaultClient.Do(r)
		w.must("open", err)
		t.Cleanup(func() { a.Body.Close() })
		return a
	}
	say := func(id string) {
		w.project(w.toko.ID, chat.Change{Chat: budi, Messages: []chat.Message{text(id, budi, noon.Unix(), "Baru")}})
	}
	read := func(a *http.Response, want string) (id string) {
		t.Helper()
		end := time.AfterFunc(20*time.Second, func() { a.Body.Close() })
		defer end.Stop()
		for lines := bufio.NewScanner(a.Body); lines.Scan(); {
			if last, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = last
			}
			if strings.Contains(lines.Text(), want) {
				return id
			}
		}
		t.Fatalf("the stream ends before %s", want)
		return ""
	}
	if a := open("pk_wrong", ""); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong key gets %d", a.StatusCode)
	}
	if a := open(w.tokoKey, "1-1"); a.StatusCode != http.StatusGone {
		t.Errorf("an old position gets %d", a.StatusCode)
	}
	first := open(w.tokoKey, "")
	if first.StatusCode != 200 || first.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("answer %d, headers %v", first.StatusCode, first.Header)
	}
	say("EVENT1")
	last := read(first, "EVENT1")
	first.Body.Close()
	say("EVENT2")
	second := open(w.tokoKey, last)
	read(second, "EVENT2")
	w.change(func(a *chat.Account) { a.KeyHash = make([]byte, 32) })
	say("EVENT3")
	for lines := bufio.NewScanner(second.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), "EVENT3") {
			t.Error("a key that was changed is sent an event")
		}
	}
}
