package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"pesan/internal/chat"
)

// made is what an answer shows of a device.
func made(w *world, a answer) (id, key string) {
	w.Helper()
	w.want(a, 200, "")
	var got struct{ Data struct{ ID, APIKey string } }
	w.must("decode", json.Unmarshal(a.body, &got))
	return got.Data.ID, got.Data.APIKey
}

// TestAddDeviceOnce holds that a repeated addDevice gives the same device and key, also when many come at once, and another
// device for another id; and that nothing stored can show the key.
func TestAddDeviceOnce(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		add := func(id, name string) ask {
			return ask{endpoint: "addDevice", body: "secret=" + secret + "&name=" + name, header: map[string]string{"Idempotency-Key": id}}
		}
		first, key := made(w, call(add("shop-1", "Toko")))
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				again := call(add("shop-1", "Toko"))
				if id, k := made(w, again); id != first || k != key {
					w.Errorf("a repeat gives %s with another key %v", id, k != key)
				}
				if again.header.Get("Idempotency-Replayed") != "true" {
					w.Errorf("a repeat has the headers %v", again.header)
				}
			})
		}
		wait.Wait()
		if other, k := made(w, call(add("shop-2", "Toko"))); other == first || k == key {
			w.Error("another id gives the same device")
		}
		if a, k := made(w, call(ask{endpoint: "addDevice", body: "secret=" + secret + "&name=Toko"})); a == first || k == key {
			w.Error("without id the same device comes again")
		}
		w.want(call(add("shop-1", "Lain")), 409, chat.IdempotencyConflict)
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + key}), 200, "")
		if dump := w.dump(); strings.Contains(dump, key[len(key)-52:]) {
			w.Error("the key is stored")
		}
		all, err := w.db.AccountsOf(w.Context(), chat.ShardsOf(0, 1))
		if w.must("list", err); len(all) != 2+3 {
			w.Errorf("%d accounts, want 5", len(all))
		}
		entries := 0
		for _, r := range w.log(chat.Account{ID: first}) {
			if r.Endpoint == "addDevice" && r.Status == 200 {
				entries++
			}
		}
		if entries != 1 {
			w.Errorf("%d entries of the log", entries)
		}
	})
}

// TestAddDeviceAtOnce: many first calls at once make one device.
func TestAddDeviceAtOnce(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		var mu sync.Mutex
		seen := map[string]bool{}
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				a := call(ask{endpoint: "addDevice", body: "secret=" + secret + "&name=Toko", header: map[string]string{"Idempotency-Key": "x"}})
				id, key := made(w, a)
				mu.Lock()
				defer mu.Unlock()
				seen[id+key] = true
			})
		}
		wait.Wait()
		if len(seen) != 1 {
			w.Errorf("%d devices", len(seen))
		}
	})
}

// dyingAccounts fails to create or update once.
type dyingAccounts struct {
	accountsPort
	dead bool
}

// accountsPort gives the embedded port a name that isn't one of its methods.
type accountsPort interface{ chat.Accounts }

func (d *dyingAccounts) fail() error {
	if d.dead {
		return nil
	}
	d.dead = true
	return errors.New("the process dies")
}

func (d *dyingAccounts) CreateAccount(ctx context.Context, a chat.Account) error {
	if err := d.fail(); err != nil {
		return err
	}
	return d.accountsPort.CreateAccount(ctx, a)
}

func (d *dyingAccounts) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	if err := d.fail(); err != nil {
		return err
	}
	return d.accountsPort.UpdateAccount(ctx, id, change)
}

// TestOnceAfterDeath holds that what a call that died has left is completed by the next.
func TestOnceAfterDeath(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		id := map[string]string{"Idempotency-Key": "k"}
		w.deps.Accounts = &dyingAccounts{accountsPort: w.db}
		w.want(call(ask{endpoint: "addDevice", body: "name=Baru&secret=" + secret, header: id}), 500, chat.Internal)
		device, key := made(w, call(ask{endpoint: "addDevice", body: "name=Baru&secret=" + secret, header: id}))
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + key}), 200, "")
		id = map[string]string{"Idempotency-Key": "l"}
		w.deps.Accounts = &dyingAccounts{accountsPort: w.db}
		w.want(call(ask{endpoint: "changeApiKey", body: "id=" + device + "&secret=" + secret, header: id}), 500, chat.Internal)
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + key}), 200, "")
		_, second := made(w, call(ask{endpoint: "changeApiKey", body: "id=" + device + "&secret=" + secret, header: id}))
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + second}), 200, "")
	})
}

// TestChangeKeyOnce holds that a repeated changeApiKey gives the same key and changes nothing, least of all back to it.
func TestChangeKeyOnce(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		change := func(id string) ask {
			return ask{endpoint: "changeApiKey", body: "secret=" + secret + "&id=" + w.toko.ID, header: map[string]string{"Idempotency-Key": id}}
		}
		_, one := made(w, call(change("1")))
		if _, again := made(w, call(change("1"))); again != one {
			w.Error("a repeat gives another key")
		}
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + one}), 200, "")
		_, two := made(w, call(change("2")))
		if two == one {
			w.Error("another id gives the same key")
		}
		a := call(change("1")) // late
		if _, shown := made(w, a); shown == two || strings.Contains(shown, one[len(one)-20:]) {
			w.Errorf("a late repeat shows a key: %s", a.body)
		}
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + one}), 401, chat.InvalidAPIKey)
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + two}), 200, "")
		// Another installation's secret makes other keys.
		w.config.Secret = "another secret of the system"
		other := change("2")
		other.body = strings.Replace(other.body, secret, w.config.Secret, 1)
		if _, shown := made(w, call(other)); strings.Contains(shown, two[len(two)-20:]) || !strings.HasSuffix(shown, "…") {
			w.Errorf("under another secret: %s", shown)
		}
		// The system's calls share their ids.
		other = change("2")
		other.body = strings.Replace(other.body, secret, w.config.Secret, 1)
		other.body = strings.Replace(other.body, w.toko.ID, w.lain.ID, 1)
		w.want(call(other), 409, chat.IdempotencyConflict)
		other.endpoint, other.body = "addDevice", "name=Toko&secret="+w.config.Secret
		w.want(call(other), 409, chat.IdempotencyConflict)
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + w.lainKey}), 200, "")
		w.want(call(ask{endpoint: "changeApiKey", body: "id=nobody&secret=" + w.config.Secret, header: map[string]string{"Idempotency-Key": "1"}}), 404, chat.DeviceNotFound)
	})
}

// TestDeletedIsNotMadeAgain holds that a late repeat of addDevice doesn't bring a deleted device back.
func TestDeletedIsNotMadeAgain(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		add := ask{endpoint: "addDevice", body: "secret=" + secret + "&name=Toko", header: map[string]string{"Idempotency-Key": "x"}}
		id, key := made(w, call(add))
		w.want(call(ask{endpoint: "deleteDevice", body: "id=" + id + "&secret=" + secret}), 200, "")
		w.want(call(add), 404, chat.DeviceNotFound)
		w.want(call(ask{endpoint: "getState", body: "apiKey=" + key}), 401, chat.InvalidAPIKey)
	})
}
