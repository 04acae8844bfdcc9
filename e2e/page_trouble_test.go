package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pesan/internal/sim"
)

// between stands between the page and the API, and may answer in its place.
type between struct {
	*httptest.Server

	mu     sync.Mutex
	before func(w http.ResponseWriter, endpoint string) bool // tells whether it has answered
	after  func(endpoint string, results any)                // changes an answer's results
	calls  map[string]int                                    // by endpoint
}

func newBetween(t testing.TB, to string) *between {
	t.Helper()
	target, err := url.Parse(to)
	must(t, err)
	b := &between{calls: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	proxy.ModifyResponse = b.change
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint := strings.TrimPrefix(r.URL.Path, "/api/")
		b.mu.Lock()
		b.calls[endpoint]++
		before := b.before
		b.mu.Unlock()
		if before != nil && strings.HasPrefix(r.URL.Path, "/api/") && before(w, endpoint) {
			return
		}
		r.Header.Del("Accept-Encoding")
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *between) change(r *http.Response) error {
	b.mu.Lock()
	after := b.after
	b.mu.Unlock()
	if after == nil || r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Request.URL.Path, "/api/") {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var answer map[string]any
	if json.Unmarshal(body, &answer) == nil {
		if results, ok := answer["results"]; ok {
			after(strings.TrimPrefix(r.Request.URL.Path, "/api/"), results)
			if body, err = json.Marshal(answer); err != nil {
				return err
			}
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// set changes what happens to calls and to their answers.
func (b *between) set(before func(http.ResponseWriter, string) bool, after func(string, any)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.after = before, after
}

func (b *between) count(endpoint string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[endpoint]
}

// refuse answers calls of an endpoint with an error, some times.
func refuse(endpoint string, times, status int, code, retryAfter string) func(http.ResponseWriter, string) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, called string) bool {
		mu.Lock()
		defer mu.Unlock()
		if called != endpoint || times == 0 {
			return false
		}
		times--
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": status, "error": code, "message": "Ditolak: " + code + "."})
		return true
	}
}

// TestPageTrouble: what goes wrong while the page is open is said where the user looks, and mended by itself where it can be.
func TestPageTrouble(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s, _ := linkedWorld(ctx, t, 2)
	friend := s.Friends[0]
	arrives := func(text string) {
		t.Helper()
		id, err := friend.Send(ctx, s.Phone, sim.Text(text), sim.SendOptions{})
		must(t, err)
		must(t, s.Device.WaitAcked(ctx, id))
	}
	arrives("satu")
	b := newBetween(t, s.URL)
	w := openWindow(ctx, t, "id-ID", b.URL+"/#key="+s.Key)
	w.click("[role=option]")
	w.shows(".message .words", "satu")

	// Too many calls: it waits as long as it is told, and makes the call again. A quota that is used up is said at once.
	b.set(refuse("muteChat", 1, http.StatusTooManyRequests, "RATE_LIMITED", "1"), nil)
	w.click("[data-act=mute]")
	w.click("dialog .primary")
	w.shows(".head .who", "dibisukan sampai")
	if n := b.count("muteChat"); n != 2 {
		t.Errorf("muteChat was called %d times", n)
	}
	b.set(refuse("clearMessageById", 1, http.StatusTooManyRequests, "QUOTA_EXCEEDED", "86400"), nil)
	w.click(".menu summary")
	w.click(".menu [data-act=clear]")
	w.click("dialog .primary")
	w.shows("dialog .wrong", "QUOTA_EXCEEDED")
	w.close()
	w.views("refused", func() {
		w.click(".menu summary")
		w.click(".menu [data-act=clear]")
		b.set(refuse("clearMessageById", 1, http.StatusConflict, "DEVICE_NOT_CONNECTED", ""), nil)
		w.click("dialog .primary")
		w.shows("dialog .wrong", "DEVICE_NOT_CONNECTED")
	})
	w.speak("id")

	// The server is gone: what is there stays, and the page says so until it is back with what has come meanwhile.
	gone := func(http.ResponseWriter, string) bool { panic(http.ErrAbortHandler) }
	b.set(gone, nil)
	b.CloseClientConnections()
	w.shows(".trouble:not([hidden])", "Server tidak terjangkau")
	w.until(`document.querySelectorAll("[role=option]").length === 1`)
	w.views("trouble")
	w.speak("id")
	arrives("dua")
	b.set(nil, nil)
	w.until(`document.querySelector(".trouble").hidden && [...document.querySelectorAll(".message .words")].at(-1).textContent === "dua"`)

	// So it is when the page is opened before the server is there.
	b.set(gone, nil)
	w.click(".frame button[lang]")
	eval[any](w, `location.reload(); null`)
	w.until(`document.querySelector(".trouble")?.textContent.includes("The server can't be reached")`)
	w.shows(".hindered:not([hidden]) .wrong", "The server can't be reached") // a conversation was open
	b.set(nil, nil)
	w.until(`document.querySelectorAll("[role=option]").length === 1 && document.querySelector(".trouble").hidden`)
	w.until(`[...document.querySelectorAll(".message .words")].at(-1)?.textContent === "dua" && document.querySelector(".hindered").hidden`)
	w.speak("id")

	// A history's progress is above the chats and where the link is.
	b.set(nil, func(endpoint string, results any) {
		if endpoint == "getState" {
			results.(map[string]any)["sync"] = map[string]any{"percent": 40, "chats": 12, "messages": 3456}
		}
	})
	w.click(`nav a[href="#/link"]`)
	w.shows("main", "40 %, 12 chat, 3.456 pesan")
	w.until(`document.querySelector("main progress").value === 40`)
	w.views("history")
	w.speak("id")
	w.click(`nav a[href="#/chats"]`)
	w.shows(".news-bar", "40 %")
	b.set(nil, nil)
	w.until(`document.querySelector(".news-bar").hidden`)

	// The phone ends the link.
	s.Device.Unlink()
	w.shows(".link", "Mati")
	w.shows(".news-bar", "Tautan telah diakhiri")
	w.views("unlinked")
	w.speak("id")

	// A key that may only read: what it may not is said in its place.
	answer, err := s.Call(ctx, "addKey", "name", "Laporan", "scope", "read")
	must(t, err)
	var made struct{ APIKey string }
	must(t, unmarshal(answer.Results, &made))
	eval[any](w, `sessionStorage.setItem("pesan.key", ?!); location.hash = "#/settings"; location.reload(); null`, made.APIKey)
	w.shows("main section .wrong", "admin")
	w.views("read-only")
	w.speak("id")

	// It is revoked while the page is open.
	if answer, err = s.Call(ctx, "revokeKey", "name", "Laporan"); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("revokeKey answers %s, %v", answer.Body, err)
	}
	w.click(`nav a[href="#/log"]`)
	w.shows("h1", "Buka kotak masuk")
	w.shows("form .wrong[role=alert]", "tidak berlaku")
	if kept := eval[string](w, `JSON.stringify([sessionStorage, localStorage])`); strings.Contains(kept, "pk_") {
		t.Errorf("a revoked key stays: %s", kept)
	}
	w.views("locked")
}

// marker is a picture that no API makes.
const marker = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="

// TestPagePairing links without a camera. A code that has run out is replaced by the next; what WhatsApp asks of a passkey is said.
func TestPagePairing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newWorld(t, 1)
	s.run(ctx, t)
	must(t, s.AddDevice(ctx))
	b := newBetween(t, s.URL)
	asked := 0
	b.set(nil, func(endpoint string, of any) {
		results, _ := of.(map[string]any)
		if _, ok := results["qrString"]; !ok || endpoint != "getQR" {
			return
		}
		if asked++; asked > 1 {
			results["qrString"] = marker
			return
		}
		results["expiresAt"] = time.Now().Add(time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
	})
	w := openWindow(ctx, t, "en-US", b.URL+"/#key="+s.Key)
	w.click(`nav a[href="#/link"]`)
	w.click(".acts .primary")
	w.until(`document.querySelector("img.qr")?.src === ?!`, marker)
	w.fill("input[type=tel]", s.Phone.PN().User)
	w.click("form .primary")
	w.until(`document.querySelector(".pairing strong")`)
	w.views("pairing")
	w.fill("input[type=tel]", s.Phone.PN().User)
	w.click("form .primary")
	w.until(`document.querySelector(".pairing strong")`)
	var err error
	s.Device, err = s.Phone.EnterCode(ctx, eval[string](w, `document.querySelector(".pairing strong").textContent`))
	must(t, err)
	w.shows(".state", "Connected")

	asks := map[string]string{"publicKey": "{}", "expiresAt": time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339)}
	answers := func(reason string, passkey map[string]string) {
		b.set(func(w http.ResponseWriter, endpoint string) bool {
			if endpoint != "getPasskey" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"code": 200, "results": passkey})
			return true
		}, func(endpoint string, of any) {
			if endpoint == "getState" {
				results := of.(map[string]any)
				results["state"], results["reason"] = "SERVICE_SCAN", reason
			}
		})
	}
	answers("PASSKEY_REQUIRED", asks)
	w.shows(".codes", "protected by a passkey")
	w.views("passkey")
	asks = map[string]string{"compareCode": "K7Q2", "expiresAt": asks["expiresAt"]}
	answers("PASSKEY_COMPARE", asks)
	w.shows(".codes strong", "K7Q2")
	w.views("compare")
	b.set(nil, nil)
	w.shows(".state", "Connected")

	// Unlinked from here.
	w.views("unlink", func() { w.click("[data-act=unlink]") })
	w.click("[data-act=unlink]")
	w.click("dialog .primary")
	w.shows(".state", "Off")
	must(t, Until(ctx, "the phone to lose the device", func() (bool, error) { return !s.Device.Linked(), nil }))
}

// TestPageWebhook sets a webhook, sees what it could not deliver, and sends that again.
func TestPageWebhook(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s, _ := linkedWorld(ctx, t, 1)
	r := newReceiver()
	defer r.Close()
	w := openWindow(ctx, t, "en-US", s.URL+"/#key="+s.Key)
	w.click(`nav a[href="#/settings"]`)
	w.shows("section[aria-label=Webhook]", "There is none")
	set := func() {
		w.click("[data-act=setWebhook]")
		w.fill("dialog input[type=url]", r.URL)
	}
	w.views("set-webhook", set)
	set()
	w.click("dialog .primary")
	w.shows("dialog pre", "whsec_")
	r.mu.Lock()
	r.secret = eval[string](w, `document.querySelector("dialog pre").textContent`)
	r.mu.Unlock()
	w.close()
	w.shows("section[aria-label=Webhook] .state", "On")
	r.answer(http.StatusGone)
	id, err := s.Friends[0].Send(ctx, s.Phone, sim.Text("halo"), sim.SendOptions{})
	must(t, err)
	must(t, s.Device.WaitAcked(ctx, id))
	var dead []struct{ ID string }
	must(t, Until(ctx, "dead letters", func() (bool, error) {
		_, err := s.Get(ctx, &dead, "listDeadLetters")
		return len(dead) >= 1, err
	}))
	w.click(`nav a[href="#/log"]`)
	w.click(`nav a[href="#/settings"]`)
	w.shows("section[aria-label=Webhook] .state", "Switched off")
	w.shows("[role=region][aria-label='Not delivered'] tbody", "410")
	w.views("undelivered")
	w.click("[role=region][aria-label='Not delivered'] tbody tr button") // it fails again
	w.shows(".toasts.urgent", "failed again")
	r.answer(http.StatusOK)
	w.click("[data-act=sendAllAgain]")
	w.shows("section[aria-label=Webhook]", "Everything was delivered.")
	must(t, Until(ctx, "the webhook", func() (bool, error) { return r.has(id), nil }))
	w.shows("[role=region][aria-label='Last deliveries'] tbody", "410")
}

// TestPageBatch cancels a batch that waits, and follows one of a file line by line.
func TestPageBatch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s, _ := linkedWorld(ctx, t, 1)
	id, err := s.Friends[0].Send(ctx, s.Phone, sim.Text("halo"), sim.SendOptions{})
	must(t, err)
	must(t, s.Device.WaitAcked(ctx, id))
	_, err = s.Call(ctx, "serviceDestroy")
	must(t, err)
	answer, err := s.Call(ctx, "createBatch", "op", "mute", "all", "true", "wait", "true")
	must(t, err)
	if answer.Status != http.StatusAccepted {
		t.Fatalf("createBatch answers %s", answer.Body)
	}
	w := openWindow(ctx, t, "en-US", s.URL+"/#key="+s.Key)
	w.click(`nav a[href="#/batches"]`)
	w.shows("tbody", "Waiting its turn")
	w.click("tbody a")
	w.shows(".state", "0 of 1")
	w.views("waiting")
	w.click("[data-act=cancelBatch]")
	w.shows(".state strong", "Cancelled")
	w.shows("tbody", "Cancelled")
}
