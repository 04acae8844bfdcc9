package httpapi_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

const otherNumber = chat.JID("6281200000099@s.whatsapp.net")

// example makes a call of an endpoint that a key opens.
func (w *world) example(e httpapi.Endpoint) ask {
	params := strings.Join(append([]string{"apiKey=" + w.tokoKey}, e.Example...), "&")
	params = strings.NewReplacer("{phone}", budi.User(), "{pinned}", budi.User(), "{message}", "3EB0", "{receiver}", "https://hooks.example.com/pesan", "{group}", string(family), "{pollChat}", string(family), "{poll}", "3EB0").Replace(params)
	return ask{endpoint: e.Name, body: params, header: map[string]string{"Idempotency-Key": "kunci"}}
}

// TestAnotherNumberIsBound: nothing of the number before can be read or commanded while it is still stored.
func TestAnotherNumberIsBound(t *testing.T) {
	for _, bound := range []func(*chat.Account){
		func(a *chat.Account) { a.Device, a.JID = "6281200000099:2@s.whatsapp.net", "" },
		func(a *chat.Account) {
			a.Device, a.JID, a.LID = "6281200000099:2@s.whatsapp.net", otherNumber, "777777@lid"
		},
		func(a *chat.Account) { a.Device, a.JID = "777777:2@lid", "" },
		func(a *chat.Account) { a.Device, a.JID = "nonsense", "" },
	} {
		for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
			if e.Auth != httpapi.ByKey {
				continue
			}
			w := newWorld(t)
			w.seed()
			w.change(func(a *chat.Account) {
				a.Owner, a.OwnerLID, a.Device = me, "555555@lid", "6289876543210:1@s.whatsapp.net"
			})
			w.want(overHTTP(w, w.example(httpapi.MuteChat(httpapi.Deps{}))), 200, "")
			w.deps.Wait = 10 * time.Millisecond
			w.change(bound)
			sent := len(w.commandsSent())
			a := overHTTP(w, w.example(e))
			if e.Group != httpapi.OfDevice && e.Group != httpapi.OfKeys {
				w.want(a, http.StatusServiceUnavailable, chat.Unavailable)
				if len(w.commandsSent()) != sent {
					t.Errorf("%s sent a command", e.Name)
				}
			}
			for _, secret := range []string{"Budi", "Siap", "BUDI", budi.User()} {
				if bytes.Contains(a.body, []byte(secret)) {
					t.Errorf("%s tells %s: %s", e.Name, secret, a.body)
				}
			}
		}
	}
}

// lateAccounts give an account as it is after all has been deleted, while the read beside it saw what was there before.
type lateAccounts struct {
	chat.AccountReader
	before func()
}

func (l lateAccounts) Account(ctx context.Context, id string) (chat.Account, error) {
	l.before()
	return l.AccountReader.Account(ctx, id)
}

// afterChat tells when a chat was read.
type afterChat struct {
	chat.ChatReader
	after func()
}

func (r afterChat) Chat(ctx context.Context, account string, jid chat.JID) (chat.View, error) {
	v, err := r.ChatReader.Chat(ctx, account, jid)
	r.after()
	return v, err
}

func (r afterChat) WholeChat(ctx context.Context, account string, jid chat.JID) (chat.View, error) {
	v, err := r.ChatReader.WholeChat(ctx, account, jid)
	r.after()
	return v, err
}

// TestReadFromBeforeTheNumberChanged: what was read beside the account isn't shown when all was deleted in between.
func TestReadFromBeforeTheNumberChanged(t *testing.T) {
	w := newWorld(t)
	w.seed()
	read := make(chan struct{})
	w.config.Accounts = lateAccounts{w.db, func() {
		<-read
		w.must("delete", w.db.DeleteChats(context.Background(), w.toko.ID))
		w.change(func(a *chat.Account) { a.JID, a.Owner, a.EmptiedAt = otherNumber, otherNumber, w.now })
	}}
	reads := 0
	handler := conforming(w, httpapi.New(w.config).Handler(httpapi.GetChatByID(httpapi.Deps{Chats: afterChat{w.db, func() {
		if reads++; reads == 1 {
			close(read)
		}
	}}})))
	if status := serveHTTP(handler, ask{endpoint: "getChatById", query: "apiKey=" + w.tokoKey + "&phone=" + budi.User()}); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	if reads != 2 {
		t.Errorf("%d reads", reads)
	}
}

// TestLateReport: what a call for the number before writes after the log was emptied isn't shown.
func TestLateReport(t *testing.T) {
	w := newWorld(t)
	w.change(func(a *chat.Account) { a.Owner, a.EmptiedAt = me, noon.Add(-time.Hour) })
	add := func(id string, number chat.JID) {
		w.must("add", w.db.AddReport(w.Context(), chat.Report{ID: id, Account: w.toko.ID, At: noon, Endpoint: id, Number: number, Target: "62811"}))
	}
	add("01JNGKX0T0AAAAAAAAAAAAAAA1", otherNumber)
	add("01JNGKX0T0AAAAAAAAAAAAAAA2", me)
	add("01JNGKX0T0AAAAAAAAAAAAAAA3", "")
	body := string(overHTTP(w, ask{endpoint: "getReportApi", body: "apiKey=" + w.tokoKey}).body)
	for id, want := range map[string]bool{"AAA1": false, "AAA2": true, "AAA3": true} {
		if got := bytes.Contains([]byte(body), []byte(id)); got != want {
			t.Errorf("%s shown %t: %s", id, got, body)
		}
	}
}
