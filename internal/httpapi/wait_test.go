package httpapi_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// commands is a store of one command record, with faults.
type commands struct {
	chat.Commands
	mu      sync.Mutex
	record  chat.CommandRecord
	reads   []time.Time
	command func(n int) error // fault of the nth read
}

func (c *commands) PutCommand(_ context.Context, cmd chat.Command) (chat.CommandRecord, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record = chat.CommandRecord{Command: cmd, State: chat.CommandPending}
	return c.record, true, nil
}

func (c *commands) PutReported(ctx context.Context, cmd chat.Command, _ chat.Report) (chat.CommandRecord, bool, error) {
	return c.PutCommand(ctx, cmd)
}

func (c *commands) stored() chat.CommandRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record
}

func (c *commands) Command(context.Context, string, string) (chat.CommandRecord, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads = append(c.reads, time.Now())
	if c.command != nil {
		if err := c.command(len(c.reads)); err != nil {
			return chat.CommandRecord{}, err
		}
	}
	return c.record, nil
}

func (c *commands) EndCommand(_ context.Context, _, _ string, o chat.Outcome) (chat.CommandRecord, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record.State, c.record.Failure, c.record.EndedAt = o.State(), o.Failure, o.At
	return c.record, nil
}

// stubs are the other ports of a command, which do nothing.
type stubs struct{ account chat.Account }

func (s stubs) Account(context.Context, string) (chat.Account, error) { return s.account, nil }
func (stubs) AddReport(context.Context, chat.Report) error            { return nil }
func (stubs) Send(context.Context, int, chat.Command) error           { return nil }
func (stubs) Chat(context.Context, string, chat.JID) (chat.View, error) {
	return chat.View{JID: budi}, nil
}
func (stubs) WholeChat(context.Context, string, chat.JID) (chat.View, error) {
	return chat.View{JID: budi}, nil
}
func (stubs) State(context.Context, string, chat.JID) (chat.Chat, error) {
	return chat.Chat{JID: budi}, nil
}
func (stubs) ListReports(context.Context, string, chat.Page) ([]chat.Report, string, error) {
	return nil, "", nil
}
func (stubs) ClearReports(context.Context, string, bool, time.Time) error { return nil }
func (stubs) Chats(context.Context, string, chat.Filter, chat.Page, time.Time) ([]chat.View, string, error) {
	return nil, "", nil
}

// timed makes a mute call in a bubble of its own time; what happens meanwhile is up to during.
func timed(t *testing.T, store *commands, watched bool, during func(chat.Commands, *commands)) (status int, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		key, hash, err := chat.NewKey("01JNGKX0T0AAAAAAAAAAAAAAAA", strings.NewReader(strings.Repeat("k", 32)))
		if err != nil {
			t.Fatal(err)
		}
		s := stubs{chat.Account{ID: "01JNGKX0T0AAAAAAAAAAAAAAAA", KeyHash: hash, On: true, State: chat.Connected, JID: me}}
		var port chat.Commands = store
		if watched {
			port = httpapi.WatchCommands(store)
		}
		api := httpapi.New(httpapi.Config{Accounts: s, Reports: s, Logger: quiet()})
		handler := conforming(t, api.Handler(endpoint("muteChat", httpapi.Deps{Chats: s, Commands: port, Sender: s, Reports: s})))
		start := time.Now()
		go during(port, store)
		status = serveHTTP(handler, ask{endpoint: "muteChat", body: "phone=081234567890&apiKey=" + key})
		took = time.Since(start)
	})
	return status, took
}

func TestWait(t *testing.T) {
	endAfter := func(d time.Duration) func(chat.Commands, *commands) {
		return func(c chat.Commands, store *commands) {
			<-time.After(d) // of the bubble's time
			r := store.stored()
			_, _ = c.EndCommand(context.Background(), r.Account, r.ID, chat.Outcome{At: time.Now()})
		}
	}
	never := func(chat.Commands, *commands) {}
	t.Run("polling", func(t *testing.T) {
		store := new(commands)
		status, took := timed(t, store, false, endAfter(3*time.Second))
		if status != 200 || took < 3*time.Second || took > 3750*time.Millisecond {
			t.Errorf("status %d after %v", status, took)
		}
		for i := 1; i < len(store.reads); i++ {
			if gap := store.reads[i].Sub(store.reads[i-1]); gap < 100*time.Millisecond || gap > 750*time.Millisecond {
				t.Errorf("a gap of %v", gap)
			}
		}
		if len(store.reads) > 12 {
			t.Errorf("%d reads", len(store.reads))
		}
	})
	t.Run("soon", func(t *testing.T) {
		if status, took := timed(t, new(commands), false, endAfter(15*time.Millisecond)); status != 200 || took > 150*time.Millisecond {
			t.Errorf("status %d after %v", status, took)
		}
	})
	t.Run("watched", func(t *testing.T) {
		if status, took := timed(t, new(commands), true, endAfter(3001*time.Millisecond)); status != 200 || took != 3001*time.Millisecond {
			t.Errorf("status %d after %v", status, took)
		}
	})
	t.Run("too late", func(t *testing.T) {
		if status, took := timed(t, new(commands), false, never); status != 202 || took != 8*time.Second {
			t.Errorf("status %d after %v", status, took)
		}
	})
	t.Run("reads fail", func(t *testing.T) {
		store := &commands{command: func(n int) error {
			if n < 5 {
				return &chat.Error{Code: chat.Unavailable}
			}
			return nil
		}}
		if status, _ := timed(t, store, false, endAfter(time.Millisecond)); status != 200 {
			t.Errorf("status %d", status)
		}
	})
	t.Run("reads fail for good", func(t *testing.T) {
		store := &commands{command: func(int) error { return errors.New("down") }}
		if status, _ := timed(t, store, false, never); status != 202 {
			t.Errorf("status %d", status)
		}
	})
}

// TestWatchWakes holds that a watched command's end is heard at once, and that watches leave nothing behind.
func TestWatchWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httpapi.WatchCommands(new(commands))
		one, stopOne := w.Watch("a", "1")
		two, stopTwo := w.Watch("a", "1")
		other, stopOther := w.Watch("b", "1")
		stopTwo()
		if _, err := w.EndCommand(t.Context(), "a", "1", chat.Outcome{}); err != nil {
			t.Fatal(err)
		}
		<-one
		select {
		case <-two:
			t.Error("a watch that has ended was woken")
		case <-other:
			t.Error("another account's watch was woken")
		default:
		}
		stopOne()
		stopOther()
		if _, err := w.EndCommand(t.Context(), "a", "1", chat.Outcome{}); err != nil {
			t.Fatal(err)
		}
	})
}

// presence says which hosts there are.
type presence struct {
	hosts []string
	err   error
}

func (p presence) Hosts(context.Context, time.Time) ([]string, error) { return p.hosts, p.err }

// TestNobodyWaitsInVain: while no host is there, or when the client doesn't want to wait, the answer is 202 at once.
func TestNobodyWaitsInVain(t *testing.T) {
	for _, test := range []struct {
		name, prefer string
		hosts        httpapi.Hosts
		waits        bool
	}{
		{"a host", "", presence{hosts: []string{"a"}}, true},
		{"no host", "", presence{}, false},
		{"nobody knows", "", presence{err: errors.New("broken")}, true},
		{"respond-async", "handling=lenient, Respond-Async; x=1", presence{hosts: []string{"a"}}, false},
		{"another preference", "return=minimal", presence{hosts: []string{"a"}}, true},
		{"always a host", "", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				key, hash, err := chat.NewKey("01JNGKX0T0AAAAAAAAAAAAAAAA", strings.NewReader(strings.Repeat("k", 32)))
				if err != nil {
					t.Fatal(err)
				}
				s := stubs{chat.Account{ID: "01JNGKX0T0AAAAAAAAAAAAAAAA", KeyHash: hash, On: true, State: chat.Connected, JID: me}}
				api := httpapi.New(httpapi.Config{Accounts: s, Reports: s, Logger: quiet()})
				deps := httpapi.Deps{Chats: s, Commands: new(commands), Sender: s, Reports: s, Hosts: test.hosts}
				handler := conforming(t, api.Handler(endpoint("muteChat", deps)))
				began := time.Now()
				request := httptest.NewRequest("POST", "/api/muteChat", strings.NewReader("phone=081234567890&apiKey="+key))
				request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				request.Header.Set("Prefer", test.prefer)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, request)
				want := time.Duration(0)
				if test.waits {
					want = 8 * time.Second
				}
				if took := time.Since(began); w.Code != 202 || took != want {
					t.Errorf("%d after %v, want 202 after %v", w.Code, took, want)
				}
			})
		})
	}
}
