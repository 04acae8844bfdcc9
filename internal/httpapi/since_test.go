package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
)

// TestNotModified: who has an answer is told so until it changes, by a change that is stored or by time, over both transports.
func TestNotModified(t *testing.T) {
	for name, call := range transports {
		for _, body := range []string{"getChats", "getChats?limit=1", "getChatById?phone=081234567890", "fetchMessageById?phone=081234567890"} {
			t.Run(name+"/"+body, func(t *testing.T) {
				w := newWorld(t)
				w.seed()
				endpoint, query, _ := strings.Cut(body, "?")
				get := func(method, tag string) answer {
					t.Helper()
					return call(w, w.fill(ask{method: method, endpoint: endpoint, query: "apiKey=KEY&" + query,
						header: map[string]string{"If-None-Match": tag}}))
				}
				first := get("GET", "")
				tag := first.header.Get("ETag")
				if first.status != 200 || !strings.HasPrefix(tag, `W/"`) || first.header.Get("Vary") != "Accept-Encoding" {
					t.Fatalf("answer %d, headers %v", first.status, first.header)
				}
				for _, has := range []string{tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag} {
					for _, method := range []string{"GET", "HEAD"} {
						same := get(method, has)
						if same.status != http.StatusNotModified || len(same.body) > 0 || same.header.Get("ETag") != tag {
							t.Errorf("%s %s answers %d %s, headers %v", method, has, same.status, same.body, same.header)
						}
					}
				}
				foreign := call(w, w.fill(ask{method: "GET", endpoint: endpoint, query: "apiKey=" + w.lainKey + "&" + query,
					header: map[string]string{"If-None-Match": tag}}))
				if foreign.status != 200 {
					t.Errorf("another account's key gets %d", foreign.status)
				}
				if wrong := call(w, w.fill(ask{method: "GET", endpoint: endpoint, query: "apiKey=KEYx&" + query,
					header: map[string]string{"If-None-Match": tag}})); wrong.status != 401 {
					t.Errorf("a wrong key gets %d", wrong.status)
				}
				w.project(w.toko.ID, chat.Change{Chat: budi, Messages: []chat.Message{text("BUDI9", budi, noon.Unix(), "Baru")}})
				second := get("GET", tag)
				if second.status != 200 || second.header.Get("ETag") == tag || !strings.Contains(string(second.body), "BUDI9") {
					t.Errorf("after a change the answer is %d %s", second.status, second.body)
				}
				w.change(func(a *chat.Account) { a.State = chat.ServiceOff })
				if off := get("GET", second.header.Get("ETag")); off.status != 200 || !strings.Contains(string(off.body), "SERVICE_OFF") {
					t.Errorf("after a change of the state the answer is %d %s", off.status, off.body)
				}
			})
		}
	}
}

// TestTimeModifies: a mute that ends is no change that anybody stores, and is told nevertheless.
func TestTimeModifies(t *testing.T) {
	w := newWorld(t)
	w.seed() // the family is muted for an hour
	call := transports["http"]
	get := func(query, tag string) answer {
		t.Helper()
		return call(w, w.fill(ask{method: "GET", endpoint: "getChats", query: "apiKey=KEY" + query, header: map[string]string{"If-None-Match": tag}}))
	}
	first := get("", "")
	since := w.object(first)["nextSince"].(string)
	w.pass(time.Hour - 2*time.Second)
	if before := get("", first.header.Get("ETag")); before.status != http.StatusNotModified {
		t.Errorf("before the mute ends the answer is %d", before.status)
	}
	none := w.object(get("&since="+since, ""))
	if results := none["results"].([]any); len(results) != 0 {
		t.Errorf("before the mute ends %v has changed", results)
	}
	w.pass(4 * time.Second)
	if after := get("", first.header.Get("ETag")); after.status != 200 {
		t.Errorf("after the mute's end the answer is %d", after.status)
	}
	for _, from := range []string{since, none["nextSince"].(string)} {
		ended := w.object(get("&since="+from, ""))
		results := ended["results"].([]any)
		if len(results) != 1 || results[0].(map[string]any)["id"] != string(family) || results[0].(map[string]any)["muted"] != false {
			t.Errorf("after the mute's end %v has changed", results)
		}
	}
}

// TestSinceRefuses holds what is no position.
func TestSinceRefuses(t *testing.T) {
	w := newWorld(t)
	w.seed()
	for _, endpoint := range []string{"getChats", "fetchMessageById", "getChanges"} {
		for since, want := range map[string]int{
			"x": 400, "1": 400, "-": 400, "1-": 400, "-1-1": 400, "1-1-1-1": 400, "01-1": 400, "ZZ-1": 400, strings.Repeat("9", 60) + "-1": 400, "1-1": 410,
		} {
			for name, call := range transports {
				a := call(w, w.fill(ask{endpoint: endpoint, body: "apiKey=KEY&phone=081234567890&since=" + since}))
				if a.status != want {
					t.Errorf("%s over %s: since=%s answers %d %s", endpoint, name, since, a.status, a.body)
				}
			}
		}
	}
	for _, wait := range []string{"-1", "21", "1.5", "x"} {
		if a := transports["http"](w, w.fill(ask{endpoint: "getChanges", body: "apiKey=KEY&wait=" + wait})); a.status != 400 {
			t.Errorf("wait=%s answers %d", wait, a.status)
		}
	}
}

// TestWaitHears: a call that waits answers when something is stored.
func TestWaitHears(t *testing.T) {
	for _, near := range []bool{true, false} {
		w := newWorld(t)
		w.config.Near = near
		w.seed()
		call := transports["http"]
		start := w.object(call(w, w.fill(ask{endpoint: "getChanges", body: "apiKey=KEY"})))
		waiting := make(chan answer, 1)
		go func() {
			waiting <- call(w, w.fill(ask{endpoint: "getChanges", body: "apiKey=KEY&wait=20&since=" + start["nextSince"].(string)}))
		}()
		w.project(w.toko.ID, chat.Change{Chat: budi, Messages: []chat.Message{text("BUDI9", budi, noon.Unix(), "Baru")}})
		select {
		case a := <-waiting:
			if !strings.Contains(string(a.body), "BUDI9") {
				t.Errorf("near %v: the answer is %s", near, a.body)
			}
		case <-time.After(15 * time.Second):
			t.Fatalf("near %v: nothing was heard", near)
		}
	}
}

// object is an answer's JSON.
func (w *world) object(a answer) map[string]any {
	w.Helper()
	var object map[string]any
	w.must("decode "+string(a.body), json.Unmarshal(a.body, &object))
	if a.status != http.StatusOK {
		w.Fatalf("answer %d %s", a.status, a.body)
	}
	return object
}
