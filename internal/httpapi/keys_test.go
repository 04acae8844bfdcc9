package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// newKey makes a key of Toko by the API.
func (w *world) newKey(call func(ask) answer, body string) string {
	w.Helper()
	a := call(ask{endpoint: "addKey", body: "apiKey=" + w.tokoKey + "&" + body})
	w.want(a, 200, "")
	var got struct {
		Results struct{ APIKey string }
	}
	w.must("decode", json.Unmarshal(a.body, &got))
	if _, err := chat.ParseKey(got.Results.APIKey); err != nil {
		w.Fatalf("no key: %s", a.body)
	}
	return got.Results.APIKey
}

// TestScopes walks every endpoint with a key of each scope: what it may not do is answered so, and changes nothing.
func TestScopes(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		keys := map[chat.Scope]string{}
		for _, scope := range []chat.Scope{chat.ReadScope, chat.CommandScope, chat.AdminScope} {
			keys[scope] = w.newKey(call, "name="+string(scope)+"&scope="+string(scope))
		}
		before := w.dumpWithoutLog()
		needed := map[chat.Scope]int{}
		for _, e := range w.endpoints() {
			if e.Auth != httpapi.ByKey {
				continue
			}
			needed[e.Scope()]++
			for _, scope := range []chat.Scope{chat.ReadScope, chat.CommandScope} {
				w.pass(time.Second)
				a := call(ask{endpoint: e.Name, body: "phone=081234567890&id=BUDI2&name=x&second=5&all=all&apiKey=" + keys[scope]})
				switch refused := a.status == 403; {
				case refused == scope.Allows(e.Scope()):
					w.Errorf("%s with %s is answered %d %s", e.Name, scope, a.status, a.body)
				case refused:
					w.want(a, 403, chat.InsufficientScope)
					if !strings.Contains(string(a.body), string(e.Scope())) {
						w.Errorf("%s doesn't say what is needed: %s", e.Name, a.body)
					}
				}
			}
			if !e.Reads() && e.Scope() == chat.ReadScope && e.Name != "getMedia" || // which fetches, and changes nothing
				e.Reads() && e.Scope() == chat.CommandScope {
				w.Errorf("%s takes the scope %s", e.Name, e.Scope())
			}
		}
		if len(needed) != 3 || needed[""] != 0 {
			w.Errorf("scopes of endpoints: %v", needed)
		}
		w.onSend(nil)
		for _, c := range w.commandsSent() {
			if _, chats := chat.ChatCommandOf(c.Kind); !chats && c.Kind != chat.OlderCommand && c.Kind != chat.MediaCommand {
				w.Errorf("%s was commanded", c.Kind)
			}
		}
		if after := w.dumpWithoutLog(); after != before && len(w.commandsSent()) == 0 {
			w.Error("something has changed", difference(before, after))
		}
	})
}

// dumpWithoutLog is what is stored of the accounts.
func (w *world) dumpWithoutLog() string {
	a, err := w.db.Account(w.Context(), w.toko.ID)
	w.must("account", err)
	return fmt.Sprintf("%+v", a)
}

func TestKeysOfAnAccount(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		state := func(key string) answer { return call(ask{endpoint: "getState", body: "apiKey=" + key}) }
		key := w.newKey(call, "name=Laporan")
		w.want(state(key), 200, "")
		w.pass(time.Millisecond)
		w.want(call(ask{endpoint: "muteChat", body: "phone=081234567890&apiKey=" + key}), 403, chat.InsufficientScope)
		if logged := w.log(w.toko); len(logged) != 2 || logged[0].Key != "Laporan" || logged[0].Error != chat.InsufficientScope ||
			logged[1].Endpoint != "addKey" || logged[1].Target != "Laporan" || logged[1].Key != "" {
			w.Errorf("the log has %+v", logged)
		}
		if dump := w.dump(); strings.Contains(dump, key[len(key)-52:]) {
			w.Error("the key is stored")
		}
		w.want(call(ask{endpoint: "addKey", body: "name=Laporan&apiKey=" + w.tokoKey}), 409, chat.KeyExists)
		for _, bad := range []string{"", "name=main", "name=x&scope=all", "name=x&scope=READ", "name=x&until=tomorrow", "name=x&until=2026-03-01",
			"name=x&until=2026-03-01T11:59:59Z", "name=x&until=2100-01-01", "name=" + strings.Repeat("x", 101), "name=a%0ab"} {
			w.want(call(ask{endpoint: "addKey", body: bad + "&apiKey=" + w.tokoKey}), 400, chat.InvalidParameter)
		}
		w.want(call(ask{endpoint: "revokeKey", body: "name=nobody&apiKey=" + w.tokoKey}), 404, chat.KeyNotFound)
		w.want(call(ask{endpoint: "revokeKey", body: "name=main&apiKey=" + w.tokoKey}), 400, chat.InvalidParameter)
		w.want(call(ask{endpoint: "revokeKey", body: "name=Laporan&apiKey=" + w.lainKey}), 404, chat.KeyNotFound)
		w.want(call(ask{endpoint: "revokeKey", body: "name=Laporan&apiKey=" + w.tokoKey}), 200, "")
		w.want(state(key), 401, chat.InvalidAPIKey)
		w.want(state(w.tokoKey), 200, "")

		short := w.newKey(call, "name=Singkat&scope=commands&until=2026-03-01T12:10:00%2B00:00")
		w.want(state(short), 200, "")
		w.pass(9*time.Minute + 59*time.Second)
		w.want(state(short), 200, "")
		w.pass(time.Second)
		w.want(state(short), 401, chat.InvalidAPIKey)
		if list := call(ask{endpoint: "listKeys", body: "apiKey=" + w.tokoKey}).body; !strings.Contains(string(list), `"ended":true`) {
			w.Errorf("the list has %s", list)
		}
		w.newKey(call, "name=Singkat") // one that has ended gives its name up
		for i := range chat.MaxKeys - 1 {
			w.newKey(call, fmt.Sprint("name=k", i))
		}
		w.want(call(ask{endpoint: "addKey", body: "name=more&apiKey=" + w.tokoKey}), 409, chat.KeyLimit)
		w.want(call(ask{endpoint: "deleteDevice", body: "id=" + w.toko.ID + "&secret=" + secret}), 200, "")
	})
}

// TestAKeyIsMadeOnce: a repeated call shows the same key, until it is revoked.
func TestAKeyIsMadeOnce(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		again := func(body string) answer {
			return call(ask{endpoint: "addKey", body: body + "&apiKey=" + w.tokoKey, header: map[string]string{"Idempotency-Key": "key-1"}})
		}
		first, second := again("name=Laporan"), again("name=Laporan")
		w.want(first, 200, "")
		if string(first.body) != string(second.body) || !strings.Contains(string(first.body), "pk_"+w.toko.ID) {
			w.Errorf("%s, and again %s", first.body, second.body)
		}
		w.want(again("name=Laporan&scope=admin"), 409, chat.IdempotencyConflict)
		w.want(call(ask{endpoint: "revokeKey", body: "name=Laporan&apiKey=" + w.tokoKey}), 200, "")
		if third := again("name=Laporan"); third.status != 200 || strings.Contains(string(third.body), strings.Split(string(first.body), "_")[2][:40]) {
			w.Errorf("a revoked key is shown again: %s", third.body)
		}
		if a, _ := w.db.Account(w.Context(), w.toko.ID); len(a.Keys) != 0 {
			w.Errorf("keys %v", a.Keys)
		}
	})
}
