package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// TestNobodyGetsIn walks every endpoint without a right to it, and with input that is too much: each gets the right
// code, and nothing that is stored changes. Only calls with the right key stand in the log.
func TestNobodyGetsIn(t *testing.T) {
	many := strings.Repeat("a=1&", 10_000)
	manyInJSON := `{"phone":"081234567890"` + strings.Repeat(`,"a":1`, 10_000) + "}"
	onAll(t, func(w *world, call func(ask) answer) {
		revoked := w.tokoKey
		key, hash, err := chat.NewKey(w.toko.ID, w.config.Random)
		w.must("make key", err)
		w.change(func(a *chat.Account) { a.KeyHash = hash })
		w.tokoKey = key
		wrong := strings.TrimRight(key, "abcdefghijklmnopqrstuvwxyz234567") // no secret
		secretOfLain := w.lainKey[strings.LastIndex(w.lainKey, "_")+1:]
		w.want(call(ask{endpoint: "getChats", body: "limit=0&apiKey=" + key}), 400, chat.InvalidLimit) // the log was there before
		w.must("clear log", w.db.ClearReports(w.Context(), w.toko.ID, true, w.clock()))
		before := w.dump()
		for _, e := range w.endpoints() {
			credential, missing, invalid := "apiKey", chat.MissingAPIKey, chat.InvalidAPIKey
			if e.Auth == httpapi.BySecret {
				credential, missing, invalid = "secret", chat.MissingSecret, chat.InvalidSecret
			}
			rest := "&phone=081234567890&second=5&name=x&all=all&id=" + w.toko.ID
			right := key
			if e.Auth == httpapi.BySecret {
				right = secret
			}
			for _, test := range []struct {
				name   string
				ask    ask
				status int
				code   chat.Code
			}{
				{"no key", ask{body: rest}, 401, missing},
				{"empty key", ask{body: credential + "=" + rest}, 401, missing},
				{"nonsense", ask{body: credential + "=x" + rest}, 401, invalid},
				{"revoked key", ask{body: credential + "=" + revoked + rest}, 401, invalid},
				{"half a key", ask{body: credential + "=" + wrong + rest}, 401, invalid},
				{"key with another's secret", ask{body: credential + "=pk_" + w.toko.ID + "_" + secretOfLain + rest}, 401, invalid},
				{"key of nobody", ask{body: credential + "=pk_01JNGKX0T0ZZZZZZZZZZZZZZZZ_" + secretOfLain + rest}, 401, invalid},
				{"key in capitals", ask{body: credential + "=" + strings.ToUpper(right) + rest}, 401, invalid},
				{"key with a NUL", ask{body: credential + "=" + right + "%00" + rest}, 401, invalid},
				{"key in a header", ask{body: rest, header: map[string]string{"X-Api-Key": revoked}}, 401, invalid},
				{"huge key", ask{body: credential + "=" + strings.Repeat("k", 60_000) + rest}, 401, invalid},
				{"wrong and bad parameters", ask{body: credential + "=x&phone=x&limit=x&second=x&type=x&all=x&logout=x"}, 401, invalid},
				{"huge body", ask{body: credential + "=" + right + rest + "&x=" + strings.Repeat("x", e.Room())}, 413, chat.BodyTooLarge},
				{"huge JSON", ask{body: `{"` + credential + `":"` + right + `","x":"` + strings.Repeat("x", e.Room()+1<<20) + `"}`}, 413, chat.BodyTooLarge},
				{"10,000 parameters", ask{body: credential + "=" + right + rest + "&" + many}, 400, chat.InvalidBody},
				{"10,000 parameters in JSON", ask{body: manyInJSON}, 413, chat.BodyTooLarge},
				{"10,000 parameters in the query", ask{body: credential + "=" + right + rest, query: many}, 400, chat.InvalidParameter},
				{"invalid UTF-8", ask{body: credential + "=" + right + rest + "&x=%ff"}, 400, chat.InvalidBody},
				{"invalid UTF-8 in the query", ask{body: credential + "=" + right + rest, query: "x=%c3%28"}, 400, chat.InvalidParameter},
				{"half a JSON", ask{body: `{"` + credential + `":"` + right + `"`}, 400, chat.InvalidBody},
				{"two keys", ask{body: credential + "=" + right + rest + "&" + credential + "=other"}, 400, chat.InvalidParameter},
			} {
				if len(manyInJSON) <= e.Room() && test.name == "10,000 parameters in JSON" {
					test.status, test.code = 400, chat.InvalidBody
				}
				test.ask.endpoint = e.Name
				got := call(test.ask)
				if code := w.code(got); got.status != test.status || code != test.code {
					w.Errorf("%s with %s: %d %s", e.Name, test.name, got.status, got.body)
				}
				if strings.Contains(string(got.body), secretOfLain) || strings.Contains(string(got.body), "RAHASIA") {
					w.Errorf("%s with %s leaks: %s", e.Name, test.name, got.body)
				}
			}
		}
		for _, r := range w.log(w.toko) {
			if r.Status != 413 && r.Status != 400 {
				w.Errorf("the log has %+v", r)
			}
		}
		w.must("clear log", w.db.ClearReports(w.Context(), w.toko.ID, true, w.clock()))
		if after := w.dump(); after != before {
			w.Error("something has changed", difference(before, after))
		}
		if sent := w.commandsSent(); len(sent) != 0 {
			w.Errorf("commands were sent: %v", sent)
		}
	})
}

// difference are the lines that only one of two dumps has.
func difference(before, after string) (lines []string) {
	for line := range strings.Lines(before + after) {
		if strings.Contains(before, line) != strings.Contains(after, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestRawInvalidUTF8 holds for bodies that can't come as JSON text.
func TestRawInvalidUTF8(t *testing.T) {
	for _, name := range []string{"http", "lambda"} {
		w := newWorld(t)
		before := w.dump()
		for _, e := range w.endpoints() {
			for _, body := range []string{"phone=\xff&apiKey=" + w.tokoKey, "{\"phone\":\"\xc3\x28\"}", "\"phone='\xff'\""} {
				w.want(transports[name](w, ask{endpoint: e.Name, body: body}), 400, chat.InvalidBody)
			}
		}
		if w.dump() != before {
			w.Error("something has changed")
		}
	}
}

// TestForeignKey walks every endpoint with the key of another account: it sees and changes that account alone.
func TestForeignKey(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		w.must("update", w.db.UpdateAccount(w.Context(), w.lain.ID, func(a *chat.Account) error {
			a.On, a.State, a.JID = true, chat.Connected, siti
			return nil
		}))
		withReports(w)
		toko := func() string {
			var all strings.Builder
			for line := range strings.Lines(w.dump()) {
				if strings.Contains(line, w.toko.ID) {
					all.WriteString(line)
				}
			}
			return all.String()
		}
		before := toko()
		if !strings.Contains(before, "Toko Maju") {
			w.Fatal("the dump doesn't show the account")
		}
		for _, e := range w.endpoints() {
			if e.Auth != httpapi.ByKey {
				continue
			}
			for _, phone := range []string{budi.User(), string(lid), string(family), string(siti)} {
				w.pass(1_000_000)
				id := w.toko.ID
				if e.Group == httpapi.OfChats {
					id = "3EB0" // of a message
				}
				a := call(ask{endpoint: e.Name, body: "apiKey=" + w.lainKey + "&account=" + w.toko.ID + "&id=" + id + "&all=all&phone=" + phone})
				for _, marker := range []string{w.toko.ID, "Toko", "Keluarga", "Ada stok", "Siti", "FAM1", "01JNGKX0T0CCCC"} {
					if strings.Contains(string(a.body), marker) {
						w.Errorf("%s shows %s: %s", e.Name, marker, a.body)
					}
				}
				if phone == string(family) && a.status == 200 && strings.Contains(strings.Join(e.Params, " "), "phone") && e.Name != "getQR" {
					w.Errorf("%s finds another's chat: %s", e.Name, a.body)
				}
			}
		}
		if after := toko(); after != before {
			w.Errorf("Toko has changed:\n%s\nwas\n%s", after, before)
		}
		for _, c := range w.commandsSent() {
			if c.Account != w.lain.ID {
				w.Errorf("a command for %s was sent", c.Account)
			}
		}
	})
}

// TestKeysAfterSystemCalls holds that a new key opens at once and the old one no more, and a deleted device's neither.
func TestKeysAfterSystemCalls(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		opens := func(key string) bool { return call(ask{endpoint: "getState", body: "apiKey=" + key}).status == 200 }
		given := func(a answer) (id, key string) {
			var got struct {
				Data struct{ ID, APIKey string }
			}
			w.want(a, 200, "")
			w.must("decode", json.Unmarshal(a.body, &got))
			return got.Data.ID, got.Data.APIKey
		}
		id, key := given(call(ask{endpoint: "addDevice", body: "name=Baru&secret=" + secret}))
		if !opens(key) {
			w.Error("the key of a new device doesn't open")
		}
		_, second := given(call(ask{endpoint: "changeApiKey", query: "id=" + id, header: map[string]string{"Authorization": "Bearer " + secret}}))
		if opens(key) || !opens(second) || second == key {
			w.Error("the key wasn't changed")
		}
		if body := call(ask{method: "GET", endpoint: "listDevice", query: "secret=" + secret}).body; strings.Contains(string(body), second[len(second)-52:]) {
			w.Errorf("a key is shown again: %s", body)
		}
		w.want(call(ask{endpoint: "deleteDevice", body: "id=" + id + "&secret=" + secret}), 200, "")
		if opens(second) {
			w.Error("the key of a deleted device opens")
		}
		w.want(call(ask{endpoint: "deleteDevice", body: "id=" + id + "&secret=" + secret}), 404, chat.DeviceNotFound)
		silentQueue(w)
		w.want(call(ask{endpoint: "deleteDevice", body: "id=" + w.toko.ID + "&secret=" + secret}), 202, "")
		if opens(w.tokoKey) {
			w.Error("the key of a device that is being deleted opens")
		}
		for _, e := range []string{"editDevice", "changeApiKey", "deleteDevice"} {
			w.want(call(ask{endpoint: e, body: "name=x&id=nobody&secret=" + secret}), 404, chat.DeviceNotFound)
			w.want(call(ask{endpoint: e, body: "name=x&secret=" + secret}), 400, chat.InvalidParameter)
		}
		for _, name := range []string{"", "%0a", strings.Repeat("x", 101), "a%00b"} {
			w.want(call(ask{endpoint: "addDevice", body: "secret=" + secret + "&name=" + name}), 400, chat.InvalidParameter)
		}
	})
}

func TestWithoutSecretTheSystemIsClosed(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		w.config.Secret = ""
		for _, body := range []string{"secret=", "secret=x", "secret=''"} {
			if a := call(ask{endpoint: "listDevice", body: body}); a.status != http.StatusUnauthorized {
				w.Errorf("%q: %d", body, a.status)
			}
		}
	})
}

// TestLogs holds that no log has a key, a secret, a number, a text or a code.
func TestLogs(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		pairing(w)
		for _, e := range w.endpoints() {
			body := "phone=081234567890&second=5&name=RAHASIA-NAMA&id=" + w.lain.ID + "&apiKey=" + w.tokoKey + "&secret=" + secret
			call(ask{endpoint: e.Name, body: body})
			call(ask{endpoint: e.Name, query: body + "&limit=x", header: map[string]string{"Authorization": "Bearer " + w.lainKey}})
		}
		logs := w.logs.String()
		if !strings.Contains(logs, "getChatById") || !strings.Contains(logs, w.toko.ID) {
			w.Fatalf("the calls aren't logged: %s", logs)
		}
		for _, marker := range []string{w.tokoKey[30:], w.lainKey[30:], secret, "6281234567890", "081234567890", "Ada stok", "ABCD-EFGH", qrText[:50], "RAHASIA"} {
			if strings.Contains(logs, marker) {
				w.Errorf("%q is logged", marker)
			}
		}
	})
}
