package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"pesan/internal/chat"
)

// TestEditDevice: what is wrong is said, and changes nothing; a device that is on connects anew, the proxy's password doesn't show.
func TestEditDevice(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		edit := func(id string, params ...string) answer {
			form := url.Values{"secret": {secret}, "id": {id}}
			for i := 0; i < len(params); i += 2 {
				form.Set(params[i], params[i+1])
			}
			return call(ask{endpoint: "editDevice", body: form.Encode()})
		}
		before := w.toko
		for _, bad := range [][]string{
			{}, {"proxy", "ftp://10.0.0.7:21"}, {"proxy", "10.0.0.7:1080"}, {"proxy", "http://10.0.0.7"}, {"proxy", "http://:8080"},
			{"proxy", "http://10.0.0.7:0"}, {"proxy", "http://10.0.0.7:65536"}, {"proxy", "http://10.0.0.7:80/path"}, {"proxy", "http://10.0.0.7:80?x=1"},
			{"proxy", "socks5://%zz:1"}, {"proxy", "http://" + string(make([]byte, 600)) + ":80"}, {"shard", "64"}, {"shard", "-1"}, {"shard", "x"},
			{"name", "Pusat", "shard", "64"}, {"name", "Pusat", "proxy", "x"},
		} {
			w.want(edit(w.toko.ID, bad...), http.StatusBadRequest, chat.InvalidParameter)
		}
		w.want(edit("nobody", "proxy", "none"), http.StatusNotFound, chat.DeviceNotFound)
		stored, err := w.db.Account(w.Context(), w.toko.ID)
		w.must("get account", err)
		if stored.Name != before.Name || stored.Proxy != "" || len(w.queued()) > 0 {
			w.Fatalf("wrong parameters changed something: %+v", stored)
		}
		w.want(edit(w.toko.ID, "proxy", "socks5://toko:rahasia@10.0.0.7:1080"), http.StatusOK, "")
		w.want(edit(w.lain.ID, "proxy", "http://10.0.0.8:3128", "name", "Lain Lagi"), http.StatusOK, "") // it is off
		w.want(edit(w.toko.ID, "shard", "9"), http.StatusOK, "")
		kinds := w.queued()
		if want := []string{"restart <nil>", "restart 9"}; !slices.Equal(kinds, want) {
			w.Errorf("commands %q, want %q", kinds, want)
		}
		var list struct {
			Data []struct{ ID, Name, Proxy string }
			Next string `json:"nextCursor"`
		}
		shown := map[string]string{}
		for cursor, pages := "", 1; ; pages++ {
			a := call(ask{method: "GET", endpoint: "listDevice", query: "limit=1&secret=" + secret + "&cursor=" + cursor})
			list.Next = ""
			w.must("decode", json.Unmarshal(a.body, &list))
			for _, d := range list.Data {
				shown[d.ID] = d.Name + " " + d.Proxy
			}
			if cursor = list.Next; cursor == "" {
				if pages != 2 {
					w.Errorf("%d pages of one device each, want 2", pages)
				}
				break
			}
		}
		want := map[string]string{w.toko.ID: "Toko socks5://toko:xxxxx@10.0.0.7:1080", w.lain.ID: "Lain Lagi http://10.0.0.8:3128"}
		if fmt.Sprint(shown) != fmt.Sprint(want) {
			w.Errorf("listed %v, want %v", shown, want)
		}
		w.want(edit(w.toko.ID, "proxy", "none"), http.StatusOK, "")
		if stored, err = w.db.Account(w.Context(), w.toko.ID); err != nil || stored.Proxy != "" {
			w.Errorf("proxy %q, %v", stored.Proxy, err)
		}
	})
}

// queued are the kinds of what was sent to the queue, with where an account is to go.
func (w *world) queued() (kinds []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.sent {
		shard := "<nil>"
		if c.Shard != nil {
			shard = fmt.Sprint(*c.Shard)
		}
		kinds = append(kinds, string(c.Kind)+" "+shard)
	}
	return kinds
}
