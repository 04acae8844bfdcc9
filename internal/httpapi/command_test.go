package httpapi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

func muteBudi(id string) ask {
	a := ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890&second=50"}
	if id != "" {
		a.header = map[string]string{"Idempotency-Key": id}
	}
	return a
}

// TestCommandSent holds what goes onto the queue, and what is stored before.
func TestCommandSent(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		w.onSend(func(ctx context.Context, c chat.Command) error {
			r, err := w.db.Command(ctx, c.Account, c.ID)
			w.must("read record", err)
			if r.State != chat.CommandPending || !r.Same(c) {
				w.Errorf("record %+v", r)
			}
			reports, _, err := w.db.ListReports(ctx, c.Account, chat.Page{Limit: 1})
			w.must("list reports", err)
			if len(reports) != 1 || reports[0].ID != c.Report || reports[0].Finished() || reports[0].CommandID != c.ID {
				w.Errorf("reports %+v", reports)
			}
			return w.executeCommand(ctx, c)
		})
		w.want(call(muteBudi("order-1")), 200, "")
		w.pass(time.Second)
		w.want(call(ask{endpoint: "unmuteChat", body: "apiKey=KEY&phone=" + string(lid)}), 200, "")
		w.pass(time.Second)
		w.want(call(ask{endpoint: "serviceDestroy", body: "apiKey=KEY&logout=true"}), 200, "")
		w.pass(time.Second)
		w.want(call(ask{endpoint: "serviceStart", body: "apiKey=KEY"}), 200, "")
		want := []chat.Command{
			{ID: "order-1", Kind: chat.MuteCommand, Chat: budi, Seconds: 50},
			{Kind: chat.UnmuteCommand, Chat: budi},
			{Kind: chat.LogoutCommand},
			{Kind: chat.ConnectCommand},
		}
		sent := w.commandsSent()
		if len(sent) != len(want) {
			w.Fatalf("%d commands were sent", len(sent))
		}
		for i, c := range sent {
			w.must("validate", c.Validate())
			want[i].Account = w.toko.ID
			if !c.Same(want[i]) || want[i].ID != "" && c.ID != want[i].ID || !c.RequestedAt.Equal(noon.Add(time.Duration(i)*time.Second)) {
				w.Errorf("sent %+v, want %+v", c, want[i])
			}
		}
		a, err := w.db.Account(w.Context(), w.toko.ID)
		w.must("account", err)
		if !a.On {
			w.Error("serviceStart didn't turn the service on")
		}
	})
}

// TestMuteShows holds that what a command did is read right after it.
func TestMuteShows(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		shows := func(what string) bool {
			return strings.Contains(string(call(ask{endpoint: "getChatById", body: "apiKey=KEY&phone=" + string(budi)}).body), what)
		}
		w.want(call(muteBudi("")), 200, "")
		if !shows(`"muted":true,"muteEndTime":1772366450000`) {
			w.Error("the mute doesn't show")
		}
		w.pass(time.Second)
		w.want(call(ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890"}), 200, "")
		if !shows(`"muted":true,"muteEndTime":-1`) {
			w.Error("the mute without end doesn't show")
		}
		w.pass(time.Second)
		w.want(call(ask{endpoint: "unmuteChat", body: "apiKey=KEY&phone=081234567890"}), 200, "")
		if !shows(`"muted":false`) {
			w.Error("the unmute doesn't show")
		}
		w.want(call(ask{endpoint: "clearMessageById", body: "apiKey=KEY&phone=081234567890"}), 200, "")
		a := call(ask{endpoint: "fetchMessageById", body: "apiKey=KEY&phone=081234567890"})
		if w.want(a, 200, ""); !strings.Contains(string(a.body), `"results":[],`) {
			w.Errorf("the chat isn't empty: %s", a.body)
		}
	})
}

// TestNotConnected holds that nothing is sent for a device that can't do it, and that stored chats are read nevertheless.
func TestNotConnected(t *testing.T) {
	for name, change := range map[string]func(*chat.Account){
		"off":        func(a *chat.Account) { a.On = false },
		"unlinked":   func(a *chat.Account) { a.JID, a.State = "", chat.ServiceScan },
		"connecting": func(a *chat.Account) { a.State = chat.Pairing },
		"given up":   func(a *chat.Account) { a.State, a.Reason = chat.ServiceOff, "BANNED" },
	} {
		t.Run(name, func(t *testing.T) {
			onAll(t, func(w *world, call func(ask) answer) {
				w.want(call(muteBudi("done")), 200, "")
				w.change(change)
				for _, endpoint := range []string{"muteChat", "unmuteChat", "clearMessageById"} {
					w.want(call(ask{endpoint: endpoint, body: "apiKey=KEY&phone=081234567890"}), 409, chat.DeviceNotConnected)
				}
				w.want(call(muteBudi("done")), 200, "") // its outcome stands
				w.want(call(muteBudi("new")), 409, chat.DeviceNotConnected)
				for _, endpoint := range []string{"getChats", "getChatById", "fetchMessageById", "getState", "getReportApi"} {
					w.want(call(ask{endpoint: endpoint, body: "apiKey=KEY&phone=081234567890"}), 200, "")
				}
				if sent := w.commandsSent(); len(sent) != 1 {
					w.Errorf("sent %+v", sent)
				}
			})
		})
	}
}

// died makes a mute whose call died after it had stored the command.
func (w *world) died() chat.Command {
	w.Helper()
	c := chat.Command{
		Version: chat.CommandVersion, ID: "order-1", Account: w.toko.ID, Kind: chat.MuteCommand, Chat: budi, Seconds: 50,
		Report: "01ARZ3NDEKTSV4RRFFQ69G5FAV", RequestedAt: w.clock(),
	}
	_, _, err := w.db.PutCommand(w.Context(), c)
	w.must("put command", err)
	return c
}

// TestRepeatAfterADeath repeats a call that died after it had stored the command: it is reported and sent now. Ended
// before the repetition, it is only told.
func TestRepeatAfterADeath(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		w.onSend(w.executeCommand)
		died := w.died()
		for range 2 {
			w.want(call(muteBudi("order-1")), 200, "")
			reports, _, err := w.db.ListReports(w.Context(), w.toko.ID, chat.Page{Limit: 10})
			w.must("list reports", err)
			if len(reports) != 1 || reports[0].ID != died.Report || reports[0].Command != chat.CommandDone {
				w.Errorf("reports %+v", reports)
			}
		}
		if sent := w.commandsSent(); len(sent) != 1 {
			w.Errorf("sent %+v", sent)
		}
	})
}

// TestLostCommand has a call die before it has sent its command: its report says so once the command won't come any
// more, and can be cleared then. Repeating the call earlier carries it out, later tells that it has failed.
func TestLostCommand(t *testing.T) {
	for _, test := range []struct {
		name    string
		after   time.Duration
		command chat.CommandState
		code    chat.Code
		left    int // after clearing
		repeat  int
		sent    int
	}{
		{"early", chat.CommandAge, chat.CommandPending, "", 1, 200, 1},
		{"late", chat.CommandAge + time.Second, chat.CommandFailed, chat.Unavailable, 0, 503, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			onAll(t, func(w *world, call func(ask) answer) {
				w.onSend(w.executeCommand)
				died := w.died()
				w.must("add report", w.db.AddReport(w.Context(), chat.Report{
					ID: died.Report, Account: died.Account, At: w.clock(), Endpoint: "muteChat", Status: 202, CommandID: died.ID, Command: chat.CommandPending,
				}))
				reports := func() []entry { return w.reports(call, "KEY") }
				w.pass(test.after)
				want := entry{Endpoint: "muteChat", Code: 202, Command: string(test.command), Error: string(test.code)}
				if test.code != "" {
					want.Code = httpapi.Status(test.code)
				}
				if got := reports(); !slices.Equal(got, []entry{want}) {
					w.Errorf("reports %+v, want %+v", got, want)
				}
				w.want(call(ask{endpoint: "clearReportApi", body: "apiKey=KEY"}), 200, "")
				if got := reports(); len(got) != test.left {
					w.Errorf("%d reports are left: %+v", len(got), got)
				}
				for range 2 {
					w.want(call(muteBudi("order-1")), test.repeat, test.code)
				}
				if sent := w.commandsSent(); len(sent) != test.sent {
					w.Errorf("sent %+v", sent)
				}
				for _, r := range reports() {
					if r.Code != test.repeat || r.Command == string(chat.CommandPending) {
						w.Errorf("after a repetition: %+v", r)
					}
				}
			})
		})
	}
}

func TestIdempotency(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		first := call(muteBudi("order-1"))
		w.want(first, 200, "")
		w.pass(time.Minute)
		if again := call(muteBudi("order-1")); string(again.body) != string(first.body) {
			w.Errorf("the second answer is %s", again.body)
		}
		conflicts := []ask{
			{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890&second=51"}, {endpoint: "muteChat", body: "apiKey=KEY&second=50&phone=" + string(family)},
			{endpoint: "unmuteChat", body: "apiKey=KEY&phone=081234567890"}, {endpoint: "serviceStart", body: "apiKey=KEY"},
		}
		for _, a := range conflicts {
			a.header = map[string]string{"Idempotency-Key": "order-1"}
			w.want(call(a), 409, chat.IdempotencyConflict)
		}
		if sent := w.commandsSent(); len(sent) != 1 {
			w.Errorf("sent %+v", sent)
		}
		w.must("update", w.db.UpdateAccount(w.Context(), w.lain.ID, func(a *chat.Account) error {
			a.On, a.State, a.JID = true, chat.Connected, siti
			return nil
		}))
		a := muteBudi("order-1") // another account's ids are its own
		a.body = strings.ReplaceAll(a.body, "KEY", w.lainKey)
		w.want(call(a), 200, "")
	})
}

// TestRepeatedDeletion holds that the outcome is told again although the chat isn't there any more.
func TestRepeatedDeletion(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		deletion := func(id string) answer {
			return call(ask{endpoint: "deleteChat", body: "apiKey=KEY&phone=081234567890", header: map[string]string{"Idempotency-Key": id}})
		}
		w.want(deletion("gone-1"), 200, "")
		w.want(deletion("gone-1"), 200, "")
		w.want(deletion("gone-2"), 404, chat.ChatNotFound)
		if sent := w.commandsSent(); len(sent) != 1 || sent[0].Through == nil {
			w.Errorf("sent %+v", sent)
		}
	})
}

// TestRepeatedWish holds that a repeated call doesn't undo what was wished since.
func TestRepeatedWish(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		start := ask{endpoint: "serviceStart", body: "apiKey=KEY", header: map[string]string{"Idempotency-Key": "start-1"}}
		w.want(call(start), 200, "")
		w.want(call(ask{endpoint: "serviceDestroy", body: "apiKey=KEY"}), 200, "")
		w.want(call(start), 200, "")
		a, err := w.db.Account(w.Context(), w.toko.ID)
		w.must("account", err)
		if a.On || len(w.commandsSent()) != 2 {
			w.Errorf("on %v, sent %+v", a.On, w.commandsSent())
		}
	})
}

// TestRejectedStays holds that a repeated id tells of the same failure.
func TestRejectedStays(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		refusing(w)
		w.want(call(muteBudi("order-1")), 502, chat.WhatsAppRejected)
		w.onSend(nil)
		w.want(call(muteBudi("order-1")), 502, chat.WhatsAppRejected)
		w.want(call(muteBudi("order-2")), 200, "")
	})
}

// TestSendFails holds that a command that never came onto the queue doesn't stay pending.
func TestSendFails(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		w.onSend(func(context.Context, chat.Command) error { return errors.New("queue: no such host RAHASIA") })
		a := call(muteBudi("order-1"))
		if w.want(a, 503, chat.Unavailable); strings.Contains(string(a.body), "RAHASIA") {
			w.Errorf("leaks: %s", a.body)
		}
		r, err := w.db.Command(w.Context(), w.toko.ID, "order-1")
		w.must("command", err)
		reports, _, err := w.db.ListReports(w.Context(), w.toko.ID, chat.Page{Limit: 5})
		w.must("reports", err)
		if r.State != chat.CommandFailed || len(reports) != 1 || reports[0].Command != chat.CommandFailed || reports[0].Error != chat.Unavailable {
			w.Errorf("record %+v, reports %+v", r, reports)
		}
	})
}

// TestRepeatSendsAgain holds that a call that died between the record and the queue can be repeated.
func TestRepeatSendsAgain(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		dead := chat.Command{Version: 1, ID: "order-1", Account: w.toko.ID, Kind: chat.MuteCommand, Chat: budi, Seconds: 50, RequestedAt: noon.Add(-time.Minute)}
		_, _, err := w.db.PutCommand(w.Context(), dead)
		w.must("put", err)
		w.onSend(func(context.Context, chat.Command) error { return errors.New("still down") })
		w.want(call(muteBudi("order-1")), 503, chat.Unavailable) // another call's command may be on its way, so it isn't ended
		w.onSend(nil)
		w.want(call(muteBudi("order-1")), 200, "")
		sent := w.commandsSent()
		if c := sent[len(sent)-1]; !c.RequestedAt.Equal(dead.RequestedAt) {
			w.Errorf("sent %+v: not the first call's", c)
		}
	})
}

// TestTogether holds that calls under one id at the same time do it once.
func TestTogether(t *testing.T) {
	w := newWorld(t)
	w.seed()
	var group sync.WaitGroup
	handler := conforming(w, httpapi.New(w.config).Handler(w.endpoints()...))
	for range 20 {
		group.Go(func() {
			if status := serveHTTP(handler, w.fill(muteBudi("order-1"))); status != 200 {
				w.Errorf("status %d", status)
			}
		})
	}
	group.Wait()
	ids := map[string]bool{}
	for _, c := range w.commandsSent() {
		ids[c.ID+c.RequestedAt.String()] = true
	}
	if len(ids) != 1 {
		w.Errorf("sent %v", ids)
	}
}

// TestDeletedWhileWaiting holds that a deletion has ended once the account is gone, though its record went before.
func TestDeletedWhileWaiting(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		w.onSend(func(ctx context.Context, c chat.Command) error { return w.db.DeleteCommands(ctx, c.Account) })
		looks := 0
		w.config.Accounts = accountReader(func(ctx context.Context, id string) (chat.Account, error) {
			if looks++; looks == 3 {
				w.must("delete account", w.db.DeleteAccount(ctx, id))
			}
			return w.db.Account(ctx, id)
		})
		w.want(call(ask{endpoint: "deleteDevice", body: "id=" + w.toko.ID + "&secret=" + secret}), 200, "")
		if looks != 3 {
			w.Errorf("%d looks", looks)
		}
	})
}

type accountReader func(context.Context, string) (chat.Account, error)

func (f accountReader) Account(ctx context.Context, id string) (chat.Account, error) {
	return f(ctx, id)
}
