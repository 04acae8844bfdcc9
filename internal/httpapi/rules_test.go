package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pesan/internal/chat"
)

// onAll runs a test over every transport, each in a world of its own.
func onAll(t *testing.T, test func(w *world, call func(ask) answer)) {
	for name, call := range transports {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.seed()
			test(w, func(a ask) answer { return call(w, w.fill(a)) })
		})
	}
}

func TestMethods(t *testing.T) {
	vendor := map[string]string{
		"getChats": "GET", "getChatById": "POST", "fetchMessageById": "POST", "clearMessageById": "POST", "muteChat": "POST",
		"unmuteChat": "POST", "clearReportApi": "POST", "serviceStart": "GET", "serviceDestroy": "GET", "getQR": "GET", "getMedia": "GET",
		"listDevice": "GET", "addDevice": "POST", "editDevice": "POST",
	}
	reads := []string{"getChats", "getChatById", "fetchMessageById", "getLabels", "listKeys", "getReportApi", "getState", "getPasskey", "listDevice",
		"getBatch", "listBatches"}
	reads = append(reads, "getUsage", "getMessage", "getPoll", "getGroup")
	reads = append(reads, "getWebhook", "listDeadLetters", "getChanges")
	onAll(t, func(w *world, call func(ask) answer) {
		for _, e := range w.endpoints() {
			want := []string{"POST"}
			if vendor[e.Name] == "GET" {
				want = append(want, "GET")
			}
			if slices.Contains(reads, e.Name) {
				want = []string{"POST", "GET", "HEAD"}
			}
			for _, method := range []string{"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "get"} {
				a := call(ask{method: method, endpoint: e.Name})
				if wrong := a.status == 405; wrong == slices.Contains(want, method) {
					w.Errorf("%s %s: %d", method, e.Name, a.status)
				}
				if allow := a.header.Get("Allow"); a.status == 405 && (!strings.Contains(allow, "POST") || strings.Contains(allow, "HEAD") != slices.Contains(want, "HEAD")) {
					w.Errorf("%s %s: Allow %q", method, e.Name, allow)
				}
			}
			a := call(ask{method: "OPTIONS", endpoint: e.Name, header: map[string]string{"Origin": "https://x", "Access-Control-Request-Method": "POST"}})
			if a.status != 204 || len(a.body) != 0 || a.header.Get("Access-Control-Allow-Origin") != "*" ||
				!strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "X-Api-Key") {
				w.Errorf("OPTIONS %s: %d %v %q", e.Name, a.status, a.header, a.body)
			}
		}
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, name := range []string{"getchats", "", "/", "getChats//", "../getChats", "x", "getChats/x"} {
				w.want(call(ask{method: method, endpoint: name}), 404, chat.UnknownEndpoint)
			}
		}
	})
}

func TestHead(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		a := call(ask{method: http.MethodHead, endpoint: "getChats", query: "apiKey=KEY"})
		if a.status != 200 || len(a.body) != 0 {
			w.Errorf("%d %q", a.status, a.body)
		}
	})
}

func TestWhereParametersStand(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		key := func(name, value string) map[string]string { return map[string]string{name: value} }
		for _, a := range []ask{
			{body: "apiKey=KEY&phone=081234567890"},
			{body: `{"apiKey":"KEY","phone":6281234567890}`, header: key("Content-Type", "application/json")},
			{query: "apiKey=KEY&phone=081234567890"},
			{method: "GET", query: "apiKey=KEY&phone=081234567890"},
			{method: "GET", query: "phone=081234567890", header: key("X-Api-Key", " KEY ")},
			{body: "phone=081234567890", header: key("Authorization", "Bearer KEY")},
			{body: "phone=081234567890", header: key("Authorization", "bearer  KEY")},
			{body: "apiKey=&phone=081234567890", header: key("x-api-key", "KEY")},
			{body: "phone=081234567890", query: "apiKey=KEY&phone=1", header: key("X-Api-Key", "wrong")},
			{body: "apiKey=KEY", query: "apiKey=wrong&phone=081234567890"},
		} {
			a.endpoint = "getChatById"
			got := call(a)
			w.want(got, 200, "")
			if !strings.Contains(string(got.body), `"to":"6281234567890"`) {
				w.Errorf("%+v: %s", a, got.body)
			}
		}
		for _, a := range []ask{
			{body: "apiKey=wrong&phone=081234567890", query: "apiKey=KEY"},
			{body: "apiKey=wrong&phone=081234567890", header: key("X-Api-Key", "KEY")},
			{query: "apiKey=wrong&phone=081234567890", header: key("Authorization", "Bearer KEY")},
		} {
			a.endpoint = "getChatById"
			w.want(call(a), 401, chat.InvalidAPIKey)
		}
		for _, a := range []ask{
			{body: "phone=081234567890"}, {body: "apiKey="}, {body: "apiKey=''"}, {header: key("Authorization", "Basic KEY")},
			{header: key("Authorization", "KEY")}, {header: key("Authorization", "Bearer")},
		} {
			a.endpoint = "getChatById"
			w.want(call(a), 401, chat.MissingAPIKey)
		}
	})
}

func TestPhone(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		for phone, to := range map[string]string{
			"081234567890": "6281234567890", "%2B62 812-3456-7890": "6281234567890", "+62 (812) 3456.7890": "6281234567890",
			"6281234567890": "6281234567890", "6281234567890@c.us": "6281234567890", "6281234567890@s.whatsapp.net": "6281234567890",
			"99887766554433@lid": "6281234567890", "٠٨١٢٣٤٥٦٧٨٩٠": "6281234567890", "tel:%2B62-812-3456-7890": "6281234567890", "%2B62 0812 3456 7890": "6281234567890", "120363041234567890@g.us": "120363041234567890@g.us",
		} {
			for _, endpoint := range []string{"getChatById", "fetchMessageById", "muteChat", "unmuteChat"} {
				a := call(ask{endpoint: endpoint, body: "apiKey=KEY&phone=" + phone})
				w.want(a, 200, "")
				var got struct{ Query struct{ To string } }
				w.must("decode", json.Unmarshal(a.body, &got))
				if got.Query.To != to {
					w.Errorf("%s of %s: to is %q", endpoint, phone, got.Query.To)
				}
			}
		}
		for _, endpoint := range []string{"getChatById", "fetchMessageById", "clearMessageById", "muteChat", "unmuteChat"} {
			for _, phone := range []string{"", "'no_hp'", "abc", "0", "12", "62812345678901234567", "62812x", "@s.whatsapp.net", "a@b", "6281234567890@evil.com",
				"6281234567890@s.whatsapp.net@lid", "-1", "%00", "²³⁴⁵⁶⁷⁸⁹", strings.Repeat("0", 5000)} {
				w.want(call(ask{endpoint: endpoint, body: "apiKey=KEY&phone=" + phone}), 400, chat.InvalidPhone)
			}
			w.want(call(ask{endpoint: endpoint, body: "apiKey=KEY"}), 400, chat.InvalidPhone)
			for _, phone := range []string{"08111111111", "5566778899@lid", "120363049999999999@g.us"} {
				w.want(call(ask{endpoint: endpoint, body: "apiKey=KEY&phone=" + phone}), 404, chat.ChatNotFound)
			}
		}
		for _, c := range w.commandsSent() {
			if c.Chat != budi && c.Chat != family {
				w.Errorf("a command for %s was sent", c.Chat)
			}
		}
	})
}

func TestBounds(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		for _, endpoint := range []string{"getChats", "fetchMessageById", "getReportApi"} {
			for limit, code := range map[string]chat.Code{
				"": "", "1": "", "1000": "", "'100'": "", "+5": "", "007": "",
				"0": chat.InvalidLimit, "1001": chat.InvalidLimit, "-1": chat.InvalidLimit, "1.5": chat.InvalidLimit, "1e2": chat.InvalidLimit, "50.0": "", "50.": chat.InvalidLimit, ".0": chat.InvalidLimit,
				"abc": chat.InvalidLimit, "0x10": chat.InvalidLimit, "1_0": chat.InvalidLimit, "99999999999999999999": chat.InvalidLimit, "%2B5": chat.InvalidLimit,
			} {
				a := call(ask{endpoint: endpoint, body: "apiKey=KEY&phone=081234567890&limit=" + limit})
				w.want(a, status(code, 200), code)
			}
			for _, cursor := range []string{"x", "%00", "eyJ0IjoxfQ", strings.Repeat("A", 3000)} {
				w.want(call(ask{endpoint: endpoint, body: "apiKey=KEY&phone=081234567890&cursor=" + cursor}), 400, chat.InvalidCursor)
			}
		}
		for second, code := range map[string]chat.Code{
			"": "", "''": "", "1": "", "315360000": "",
			"0": chat.InvalidSecond, "-5": chat.InvalidSecond, "315360001": chat.InvalidSecond, "1.0": "", "50.00": "", "50.01": chat.InvalidSecond, "315360000.0": "",
			"second": chat.InvalidSecond, "NaN": chat.InvalidSecond, "9223372036854775808": chat.InvalidSecond,
		} {
			w.want(call(ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890&second=" + second}), status(code, 200), code)
		}
		for _, body := range []string{"type=Private", "type=x", "unread=yes", "archived=2", "muted=t", "pinned=x", "idleDays=0", "idleDays=-1",
			"idleDays=x", "idleDays=10001", "idleDays=1.5", "name=" + strings.Repeat("a", 101),
			"label=a+b", "label=" + strings.Repeat("1", 33)} {
			w.want(call(ask{endpoint: "getChats", body: "apiKey=KEY&" + body}), 400, chat.InvalidParameter)
		}
		w.want(call(ask{endpoint: "clearReportApi", body: "apiKey=KEY&all=some"}), 400, chat.InvalidParameter)
		w.want(call(ask{endpoint: "serviceDestroy", body: "apiKey=KEY&logout=maybe"}), 400, chat.InvalidParameter)
		for _, id := range []string{"a b", "ä", strings.Repeat("x", 129), "\t"} {
			if a := call(ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890", header: map[string]string{"Idempotency-Key": id}}); a.status != 200 {
				w.want(a, 400, chat.InvalidParameter)
			} else if strings.TrimSpace(id) != "" {
				w.Errorf("id %q was taken", id)
			}
		}
	})
}

func status(code chat.Code, otherwise int) int {
	if code == "" {
		return otherwise
	}
	return 400
}

func TestFilters(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		for filter, want := range map[string][]chat.JID{
			"":                           {family, budi, siti},
			"type=private":               {budi, siti},
			"type=group":                 {family},
			"archived=true":              {siti},
			"archived=false":             {family, budi},
			"muted=true":                 {family},
			"muted=0":                    {budi, siti},
			"pinned=TRUE":                {siti},
			"unread=false":               {},
			"unread=1&type=private":      {budi, siti},
			"type=group&archived=true":   {},
			"pinned=false&muted='false'": {budi},
		} {
			if got := ids(w, call(ask{endpoint: "getChats", body: "apiKey=KEY&" + filter})); !slices.Equal(got, want) {
				w.Errorf("%s: %v, want %v", filter, got, want)
			}
		}
		w.pass(3_600_000_000_000) // an hour
		if got := ids(w, call(ask{endpoint: "getChats", body: "apiKey=KEY&muted=true"})); len(got) != 0 {
			w.Errorf("a mute that has run out holds: %v", got)
		}
		if a := call(ask{endpoint: "getChatById", body: "apiKey=KEY&phone=" + string(family)}); strings.Contains(string(a.body), "muteEndTime") {
			w.Errorf("a mute that has run out is shown: %s", a.body)
		}
	})
}

// ids are the ids of an answer's results.
func ids(w *world, a answer) []chat.JID {
	w.Helper()
	w.want(a, 200, "")
	var got struct{ Results []struct{ ID chat.JID } }
	w.must("decode", json.Unmarshal(a.body, &got))
	all := []chat.JID{}
	for _, r := range got.Results {
		all = append(all, r.ID)
	}
	return all
}

// entry is what the tests look at of an entry of the API log.
type entry struct {
	Endpoint, Target, Error, Command string
	Code                             int
}

// reports are the entries of a key's log.
func (w *world) reports(call func(ask) answer, key string) []entry {
	w.Helper()
	var list struct{ Results []entry }
	w.must("decode", json.Unmarshal(call(ask{endpoint: "getReportApi", body: "apiKey=" + key}).body, &list))
	return list.Results
}

func TestReports(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		reports := func(key string) []entry { return w.reports(call, key) }
		for _, a := range []ask{
			{endpoint: "getChats", body: "apiKey=KEY"},
			{endpoint: "getChats", body: "apiKey=KEY&limit=x"},
			{endpoint: "getChats", body: "apiKey=wrong"},
			{endpoint: "getChatById", body: "apiKey=KEY&phone=08111111111"},
			{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890"},
			{endpoint: "serviceDestroy", body: "apiKey=KEY"},
			{endpoint: "unmuteChat", body: "apiKey=KEY&phone=" + string(family)},
			{endpoint: "editDevice", body: "name=Pusat&id=" + w.toko.ID + "&secret=" + secret},
			{endpoint: "editDevice", body: "name=Pusat&id=nobody&secret=" + secret},
		} {
			w.pass(1_000_000_000)
			call(a)
		}
		want := []entry{
			{Endpoint: "editDevice", Target: "Pusat", Code: 200},
			{Endpoint: "unmuteChat", Target: string(family), Code: 409, Error: "DEVICE_NOT_CONNECTED"},
			{Endpoint: "serviceDestroy", Code: 200, Command: "done"},
			{Endpoint: "muteChat", Target: "6281234567890", Code: 200, Command: "done"},
			{Endpoint: "getChatById", Target: "628111111111", Code: 404, Error: "CHAT_NOT_FOUND"},
			{Endpoint: "getChats", Code: 400, Error: "INVALID_LIMIT"},
		}
		// The account was never connected again, so the service is off.
		if got := reports("KEY"); !slices.Equal(got, want) {
			w.Errorf("reports %+v\nwant %+v", got, want)
		}
		withReports(w)
		if len(reports("KEY")) != len(want)+4 {
			w.Fatal("the log wasn't filled")
		}
		others := w.lainKey
		w.want(call(ask{endpoint: "getChats", body: "limit=0&apiKey=" + others}), 400, chat.InvalidLimit)
		w.want(call(ask{endpoint: "clearReportApi", body: "apiKey=KEY"}), 200, "")
		if got := reports("KEY"); len(got) != 1 || got[0].Command != "pending" {
			w.Errorf("after clearing: %+v", got)
		}
		for _, all := range []string{"1", "ALL", "true"} {
			w.want(call(ask{endpoint: "clearReportApi", body: "apiKey=KEY&all=" + all}), 200, "")
			if got := reports("KEY"); len(got) != 0 {
				w.Errorf("after clearing all: %+v", got)
			}
		}
		if got := reports(others); len(got) != 1 {
			w.Errorf("another key's log: %+v", got)
		}
	})
}
