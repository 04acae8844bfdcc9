package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
	"pesan/internal/usage"
)

// metered gives the world a meter.
func (w *world) metered() *usage.Meter {
	m := usage.New(w.db, "test", w.clock)
	w.config.Meter = m
	return m
}

func (w *world) usedToday(key string) chat.Usage {
	w.Helper()
	days, err := w.db.Usage(w.Context(), w.toko.ID, "2026-03-01", "2026-03-01")
	w.must("usage", err)
	for _, d := range days {
		if d.Key == key {
			return d.Usage
		}
	}
	return chat.Usage{}
}

func TestCallsAreCounted(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		m := w.metered()
		call(ask{endpoint: "getState", body: "apiKey=" + w.tokoKey})
		call(ask{endpoint: "getState", body: "limit=x&apiKey=" + w.tokoKey[:len(w.tokoKey)-1] + "a"}) // a wrong key counts nowhere
		call(ask{endpoint: "getChats", body: "limit=0&apiKey=" + w.tokoKey})
		mute := ask{endpoint: "muteChat", body: "phone=081234567890&apiKey=" + w.tokoKey, header: map[string]string{"Idempotency-Key": "m"}}
		call(mute)
		call(mute) // a repeat commands nothing
		call(ask{endpoint: "getState", body: "apiKey=" + w.lainKey})
		w.must("flush", m.Flush(w.Context()))
		if got := w.usedToday(chat.MainKey); got != (chat.Usage{Calls: 4, Failed: 1, Commands: 1}) {
			w.Errorf("counted %+v", got)
		}
		table := call(ask{endpoint: "getUsage", body: "apiKey=" + w.tokoKey + "&day=2026-03-01", header: map[string]string{"Accept": "text/csv, application/json;q=0.5"}})
		if got := string(table.body); table.status != 200 || got != "day,key,calls,failed,commands,operations,messages,deliveries\n2026-03-01,main,4,1,1,0,0,0\n" {
			w.Errorf("the table is %d %v %q", table.status, table.header, got)
		}
		for _, bad := range []string{"day=1.3.2026", "day=2026-02-30", "month=2026-13", "month=2026", "day=2026-03-01&month=2026-03"} {
			w.want(call(ask{endpoint: "getUsage", body: bad + "&apiKey=" + w.tokoKey}), 400, chat.InvalidParameter)
		}
		if list := call(ask{endpoint: "listKeys", body: "apiKey=" + w.tokoKey}); !strings.Contains(string(list.body), `"lastUsed":"2026-03-01"`) {
			w.Errorf("the keys are %s", list.body)
		}
	})
}

func TestLimitsOfAKey(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		m := w.metered()
		key := w.newKey(call, "name=Laporan")
		limit := func(params string) answer {
			return call(ask{endpoint: "setLimit", body: params + "&secret=" + secret})
		}
		state := func() answer { return call(ask{endpoint: "getState", body: "apiKey=" + key}) }
		for _, bad := range []string{"perSecond=1001", "perMonth=x", "perSecond=-1"} {
			w.want(limit("id="+w.toko.ID+"&"+bad), 400, chat.InvalidParameter)
		}
		w.want(limit("id=nobody&perSecond=1"), 404, chat.DeviceNotFound)
		w.want(limit("id="+w.toko.ID+"&name=nobody&perSecond=1"), 404, chat.KeyNotFound)
		w.want(limit("id="+w.toko.ID+"&name=Laporan&perMonth=2"), 200, "")
		w.want(state(), 200, "")
		w.want(state(), 200, "")
		w.must("flush", m.Flush(w.Context()))
		w.must("mark", usage.Mark(w.Context(), w.db, chat.ShardsOf(0, 1), w.db, w.clock()))
		over := state()
		w.want(over, 429, chat.QuotaExceeded)
		if body := string(over.body); over.header.Get("Retry-After") != "2635200" || !strings.Contains(body, "2026-04-01") || !strings.Contains(body, "2,") {
			w.Errorf("%v %s", over.header, over.body)
		}
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + w.tokoKey}), 200, "") // another key
		w.want(limit("id="+w.toko.ID+"&name=Laporan"), 200, "")                       // no limit any more
		w.want(state(), 200, "")
		w.want(limit("id="+w.toko.ID+"&name=Laporan&perMonth=2"), 200, "")
		w.must("mark", usage.Mark(w.Context(), w.db, chat.ShardsOf(0, 1), w.db, w.clock()))
		w.pass(31 * 24 * time.Hour)
		w.want(state(), 200, "") // another month
	})
}

// TestCallsASecond: a key that may make fewer calls than others is held back by itself.
func TestCallsASecond(t *testing.T) {
	w := newWorld(t)
	key := w.newKey(func(a ask) answer { return overHTTP(w, a) }, "name=Laporan")
	w.change(func(a *chat.Account) { a.Keys = chatKeys(w, 1) })
	handler := conforming(w, httpapi.New(w.config).Handler(w.endpoints()...))
	status := func(key string) answer {
		r := httptest.NewRequest(http.MethodPost, "/api/getState", strings.NewReader("apiKey="+key))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		return answer{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
	}
	w.want(status(key), 200, "")
	w.want(status(key), 200, "")
	over := status(key)
	w.want(over, 429, chat.RateLimited)
	if over.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", over.header.Get("Retry-After"))
	}
	for range 5 {
		w.want(status(w.tokoKey), 200, "")
	}
	w.pass(time.Second)
	w.want(status(key), 200, "")
	w.change(func(a *chat.Account) { a.Keys = chatKeys(w, 0) })
	w.pass(time.Second)
	for range 5 {
		w.want(status(key), 200, "")
	}
}

// chatKeys are Toko's keys with a limit.
func chatKeys(w *world, perSecond int) []chat.APIKey {
	a, err := w.db.Account(w.Context(), w.toko.ID)
	w.must("account", err)
	a.Keys[0].Limits.PerSecond = perSecond
	return a.Keys
}
