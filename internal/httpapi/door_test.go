package httpapi_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// TestFailuresAreReported holds that whatever fails with a key that opens stands in the log, wherever the key stood.
func TestFailuresAreReported(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		huge := strings.Repeat("x", 64<<10+1)
		for _, test := range []struct {
			name string
			ask  ask
			code chat.Code
		}{
			{"wrong method", ask{method: "PUT", body: "apiKey=KEY"}, chat.MethodNotAllowed},
			{"wrong method, key in the query", ask{method: "DELETE", query: "apiKey=KEY"}, chat.MethodNotAllowed},
			{"huge body, key in a header", ask{body: huge, header: map[string]string{"X-Api-Key": "KEY"}}, chat.BodyTooLarge},
			{"huge body, key in the query", ask{body: huge, query: "apiKey=KEY"}, chat.BodyTooLarge},
			{"half a JSON", ask{body: `{"apiKey":"KEY","phone":`}, chat.InvalidBody},
			{"bad escape", ask{body: "apiKey=KEY&phone=%zz"}, chat.InvalidBody},
			{"bad escape in the query", ask{body: "apiKey=KEY", query: "phone=%zz"}, chat.InvalidParameter},
			{"contradiction", ask{body: "apiKey=KEY&phone=1&phone=2"}, chat.InvalidParameter},
			{"nested", ask{body: `{"apiKey":"KEY","phone":[]}`}, chat.InvalidParameter},
			{"missing", ask{body: "apiKey=KEY"}, chat.InvalidPhone},
		} {
			w.must("clear log", w.db.ClearReports(w.Context(), w.toko.ID, true, w.clock()))
			test.ask.endpoint = "getChatById"
			w.want(call(test.ask), httpapi.Status(test.code), test.code)
			if log := w.log(w.toko); len(log) != 1 || log[0].Error != test.code || log[0].Endpoint != "getChatById" {
				w.Errorf("%s: the log has %+v", test.name, log)
			}
			// The same with a key that doesn't open.
			wrong := strings.Replace(w.lainKey, w.lain.ID, w.toko.ID, 1)
			test.ask.body, test.ask.query = strings.ReplaceAll(test.ask.body, "KEY", wrong), strings.ReplaceAll(test.ask.query, "KEY", wrong)
			if test.ask.header != nil {
				test.ask.header = map[string]string{"X-Api-Key": wrong}
			}
			call(test.ask)
			if log := w.log(w.toko); len(log) != 1 {
				w.Errorf("%s: a wrong key left %+v", test.name, log)
			}
		}
	})
}

// countedChats counts how often chats are read.
type countedChats struct {
	chat.ChatReader
	reads *atomic.Int32
}

func (c countedChats) Chats(ctx context.Context, account string, f chat.Filter, p chat.Page, now time.Time) ([]chat.View, string, error) {
	c.reads.Add(1)
	return c.ChatReader.Chats(ctx, account, f, p, now)
}

// TestWrongKeyCostsOneRead holds that after a wrong key for an account its key is checked before anything is read, and by one
// read; and that it is always so where the accounts are at hand.
func TestWrongKeyCostsOneRead(t *testing.T) {
	for _, near := range []bool{true, false} {
		w := newWorld(t)
		w.seed()
		var chats, accounts, latest atomic.Int32
		w.deps.Chats = countedChats{w.db, &chats}
		count := func(n *atomic.Int32) accountReader {
			return func(ctx context.Context, id string) (chat.Account, error) { n.Add(1); return w.db.Account(ctx, id) }
		}
		w.config.Accounts, w.config.Latest, w.config.Near = count(&accounts), count(&latest), near
		handler := conforming(w, httpapi.New(w.config).Handler(w.endpoints()...))
		wrong := strings.Replace(w.lainKey, w.lain.ID, w.toko.ID, 1)
		for range 50 {
			if status := serveHTTP(handler, ask{endpoint: "getChats", body: "apiKey=" + wrong}); status != 401 {
				t.Fatal(status)
			}
		}
		reads, checks := chats.Load(), accounts.Load()+latest.Load()
		if near && (reads != 0 || checks != 50) || !near && (reads > 1 || checks > 51) {
			t.Errorf("near %v: 50 wrong keys cost %d reads of chats, %d of accounts", near, reads, checks)
		}
		if status := serveHTTP(handler, ask{endpoint: "getChats", body: "apiKey=" + w.tokoKey}); status != 200 {
			t.Errorf("near %v: the right key: %d", near, status)
		}
		w.pass(2 * time.Minute)
		if status := serveHTTP(handler, ask{endpoint: "getChats", body: "apiKey=" + w.tokoKey}); status != 200 {
			t.Errorf("near %v: the right key, later: %d", near, status)
		}
	}
}

// TestGuesses holds that who guesses at the system secret has to wait, longer and longer, and is logged; and that nobody else
// has to.
func TestGuesses(t *testing.T) {
	w := newWorld(t)
	api := httpapi.New(w.config)
	handler := conforming(w, api.Handler(w.endpoints()...))
	call := func(from, given string) (status int, after string) {
		r := httptest.NewRequest("POST", "/api/listDevice", strings.NewReader("secret="+given))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = from
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		return recorder.Code, recorder.Header().Get("Retry-After")
	}
	tried := 0
	for range 10_000 { // in a minute
		status, after := call("192.0.2.1:1234", "guess")
		switch {
		case status == 401:
			tried++
		case status != 429 || after == "":
			t.Fatalf("%d, Retry-After %q", status, after)
		}
		w.pass(6 * time.Millisecond)
	}
	if tried > 12 {
		t.Errorf("%d guesses were compared in a minute", tried)
	}
	if status, _ := call("192.0.2.1:9999", secret); status != 429 {
		t.Errorf("the right secret is told from a wrong one while its source has to wait: %d", status)
	}
	if status, _ := call("192.0.2.2:1234", secret); status != 200 {
		t.Errorf("another source: %d", status)
	}
	if n := api.WrongSecrets(); n != tried {
		t.Errorf("%d guesses were counted, want %d", n, tried)
	}
	if n := strings.Count(w.logs.String(), `"msg":"wrong secret"`); n != tried || !strings.Contains(w.logs.String(), `"level":"WARN"`) {
		t.Errorf("%d guesses were logged, want %d", n, tried)
	}
	w.pass(time.Minute)
	if status, _ := call("192.0.2.1:1234", secret); status != 200 {
		t.Errorf("after its wait: %d", status)
	}
	if status, _ := call("192.0.2.1:1234", "guess"); status != 401 {
		t.Errorf("a slip after the right secret: %d", status)
	}
}

// TestSource holds that a proxy is believed only where it is named, and that others can't name another source.
func TestSource(t *testing.T) {
	for _, test := range []struct {
		peer, said, proxies, want string
	}{
		{"192.0.2.1:1", "", "", "192.0.2.1"},
		{"192.0.2.1:1", "198.51.100.7", "", "192.0.2.1"},
		{"127.0.0.1:1", "198.51.100.7", "127.0.0.0/8", "198.51.100.7"},
		{"127.0.0.1:1", "10.9.9.9, 198.51.100.7", "127.0.0.0/8", "198.51.100.7"},
		{"127.0.0.1:1", "198.51.100.7, 172.18.0.2", "127.0.0.0/8,172.16.0.0/12", "198.51.100.7"},
		{"127.0.0.1:1", "nonsense", "127.0.0.0/8", "127.0.0.1"},
		{"[2001:db8:1:2:3:4:5:6]:1", "", "", "2001:db8:1:2::/64"},
		{"[::ffff:192.0.2.1]:1", "", "", "192.0.2.1"},
	} {
		w := newWorld(t)
		for p := range strings.SplitSeq(test.proxies, ",") {
			if p != "" {
				w.config.Proxies = append(w.config.Proxies, netip.MustParsePrefix(p))
			}
		}
		r := httptest.NewRequest("POST", "/api/listDevice?secret=guess", nil)
		r.RemoteAddr = test.peer
		if test.said != "" {
			r.Header.Set("X-Forwarded-For", test.said)
		}
		conforming(w, httpapi.New(w.config).Handler(w.endpoints()...)).ServeHTTP(httptest.NewRecorder(), r)
		if !strings.Contains(w.logs.String(), `"source":"`+test.want+`"`) {
			t.Errorf("%+v: %s", test, w.logs.String())
		}
	}
}

// TestHeaders holds what stands at every answer, an error's and a preflight's too.
func TestHeaders(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		for _, a := range []ask{
			{endpoint: "getChats", body: "apiKey=KEY"}, {endpoint: "getChats"}, {endpoint: "getChats", method: "PUT"}, {endpoint: "nothing"},
			{endpoint: "getChats", method: "OPTIONS"}, {endpoint: "getChats", method: "HEAD", query: "apiKey=KEY"},
			{endpoint: "getChats", body: strings.Repeat("x", 100_000)},
		} {
			w.logs.Reset()
			got := call(a)
			id := got.header.Get("X-Request-Id")
			if id == "" || !strings.Contains(w.logs.String(), `"request":"`+id+`"`) {
				w.Errorf("%+v: the id %q isn't logged: %s", a, id, w.logs.String())
			}
			exposed := strings.Split(got.header.Get("Access-Control-Expose-Headers"), ", ")
			for _, name := range []string{"Retry-After", "X-Request-Id", "Idempotency-Replayed", "ETag"} {
				if !slices.Contains(exposed, name) {
					w.Errorf("%+v: exposes %v", a, exposed)
				}
			}
			if got.header.Get("Access-Control-Allow-Origin") != "*" {
				w.Errorf("%+v: %v", a, got.header)
			}
		}
		first := call(ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890", header: map[string]string{"Idempotency-Key": "one"}})
		again := call(ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890", header: map[string]string{"Idempotency-Key": "one"}})
		if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" || again.status != 200 {
			w.Errorf("a repeated call: %v, then %d %v", first.header, again.status, again.header)
		}
	})
}

// TestSlash holds that a slash at the end is no other endpoint.
func TestSlash(t *testing.T) {
	w := newWorld(t)
	w.seed()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		w.want(overHTTP(w, ask{method: method, endpoint: "getChats/", query: "apiKey=" + w.tokoKey}), 200, "")
	}
}

// TestMissingIsNotWrong holds that messages say in both languages what is missing or what is taken, and name the parameter.
func TestMissingIsNotWrong(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		for _, test := range []struct {
			endpoint, body, id, en string
		}{
			{"getChatById", "", "Parameter phone belum diisi", "The parameter phone is missing"},
			{"getChatById", "phone=abc", "Parameter phone harus nomor telepon", "The parameter phone must be a phone number"},
			{"muteChat", "phone=081234567890&second=x", "Parameter second harus", "The parameter second must be"},
			{"getChats", "limit=x", "Parameter limit harus", "The parameter limit must be"},
			{"getChats", "type=x", "Parameter type harus private", "The parameter type must be private"},
			{"getChats", "unread=x", "Parameter unread harus true", "The parameter unread must be true"},
			{"getChats", "limit=1&limit=2", "Parameter limit dikirim dua kali", "The parameter limit is given twice"},
			{"clearReportApi", "all=x", "Parameter all harus", "The parameter all must be"},
			{"addDevice", "", "Parameter name belum diisi", "The parameter name is missing"},
			{"addDevice", "name=" + strings.Repeat("x", 101), "Parameter name harus 1 sampai 100 karakter", "The parameter name must be 1 to 100 characters"},
			{"editDevice", "name=x", "Parameter id belum diisi", "The parameter id is missing"},
		} {
			for language, want := range map[string]string{"id": test.id, "en": test.en} {
				a := call(ask{endpoint: test.endpoint, body: "apiKey=KEY&secret=" + secret + "&" + test.body, header: map[string]string{"Accept-Language": language}})
				if a.status != 400 || !strings.Contains(string(a.body), want) {
					w.Errorf("%s with %q: %s, want %q", test.endpoint, test.body, a.body, want)
				}
			}
		}
	})
}

// TestListedIsTaken holds that every call takes whatever getChats lists as id, and means that chat.
func TestListedIsTaken(t *testing.T) {
	w := newWorld(t)
	listed := []chat.JID{"0@s.whatsapp.net", "status@broadcast", "1667809254@broadcast", "120363041234567890@newsletter", "1@lid", "5@s.whatsapp.net",
		"120363041234567890@g.us", "6281200000000-1400000000@g.us", "551187654321@s.whatsapp.net", "5491112345678@s.whatsapp.net", "13135550002@s.whatsapp.net"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		digits := strconv.FormatUint(random.Uint64()>>random.UintN(56), 10)
		server := []string{chat.UserServer, chat.LIDServer, chat.GroupServer, chat.NewsletterServer, chat.BroadcastServer}[random.UintN(5)]
		listed = append(listed, chat.NewJID(digits, server))
	}
	for i, jid := range listed {
		w.project(w.toko.ID, chat.Change{Chat: jid, Messages: []chat.Message{text(fmt.Sprint("ID", i), jid, noon.Unix()-int64(i), "halo")}})
	}
	answered := ids(w, overHTTP(w, ask{endpoint: "getChats", body: "apiKey=" + w.tokoKey}))
	if len(answered) < len(listed)-5 { // some of the random ones may be the same
		t.Fatalf("%d chats are listed, want %d", len(answered), len(listed))
	}
	for _, jid := range answered {
		for _, e := range w.endpoints() {
			if !slices.Contains(e.Params, "phone") || e.Auth != httpapi.ByKey || e.Name == "getQR" {
				continue
			}
			a := overHTTP(w, ask{endpoint: e.Name, body: "apiKey=" + w.tokoKey + "&phone=" + url.QueryEscape(string(jid))})
			if code := w.code(a); code == chat.InvalidPhone || code == chat.ChatNotFound || a.status >= 500 {
				t.Errorf("%s of %s: %s", e.Name, jid, a.body)
			}
			if a.status < 300 && !strings.Contains(string(a.body), `"to":"`+jid.Echo()+`"`) {
				t.Errorf("%s of %s means another: %s", e.Name, jid, a.body)
			}
		}
	}
	for _, c := range w.commandsSent() {
		if err := c.Validate(); err != nil {
			t.Errorf("a host refuses a command for %s: %v", c.Chat, err)
		}
	}
}

// TestChatThatExists holds that of the forms of a number the one counts that there is a chat of.
func TestChatThatExists(t *testing.T) {
	for _, test := range []struct {
		country, chat string
		written       []string
	}{
		{"62", "551187654321", []string{"+55 (11) 98765-4321", "+55 11 8765-4321", "5511987654321"}},
		{"55", "5511987654321", []string{"(11) 8765-4321", "011 98765-4321", "11 98765-4321"}},
		{"52", "5215512345678", []string{"55 1234 5678", "044 55 1234 5678", "+52 55 1234 5678"}},
		{"52", "525512345678", []string{"55 1234 5678", "+52 1 55 1234 5678"}},
		{"54", "5491112345678", []string{"011 15 1234-5678", "+54 11 1234-5678", "11 1234 5678"}},
		{"62", "81234567890", []string{"+81 234567890", "81234567890"}}, // Japan's, as written
		{"62", "6281234567899", []string{"81234567899", "0812-3456-7899"}},
	} {
		w := newWorld(t)
		w.config.CountryCode = test.country
		jid := chat.NewJID(test.chat, chat.UserServer)
		w.project(w.toko.ID, chat.Change{Chat: jid, Messages: []chat.Message{text("A", jid, noon.Unix(), "halo")}})
		for _, written := range test.written {
			for _, endpoint := range []string{"getChatById", "fetchMessageById", "muteChat"} {
				a := overHTTP(w, ask{endpoint: endpoint, body: "apiKey=" + w.tokoKey + "&phone=" + url.QueryEscape(written)})
				w.want(a, 200, "")
				if !strings.Contains(string(a.body), `"to":"`+test.chat+`"`) {
					t.Errorf("%s of %s in %s: %s", endpoint, written, test.country, a.body)
				}
			}
		}
	}
}
