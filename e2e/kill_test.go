package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"golang.org/x/sync/errgroup"

	"pesan/internal/sim"
	"pesan/internal/sleep"
)

const (
	kills    = 22
	talkers  = 6   // friends who write all the time
	settings = 120 // chats that get a command each
)

// TestNothingLost kills the program again and again while messages stream in and commands go out. In the end every
// message is there once, every command that was answered 200 is in WhatsApp's app state, every 202 has ended, and of every message
// the webhook has sent an event, whose id tells what it sends again.
func TestNothingLost(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := newWorld(t, talkers+settings)
	run := w.restartable(ctx, t)
	p := run()
	must(t, w.AddDevice(ctx))
	must(t, w.Link(ctx))

	hooks := newReceiver()
	defer hooks.Close()
	hooks.secret = "whsec_" + strings.Repeat("cGVzYW4h", 4)
	answer, err := w.Call(ctx, "setWebhook", "url", hooks.URL, "events", "message", "secret", hooks.secret)
	if must(t, err); answer.Status != http.StatusOK {
		t.Fatalf("setWebhook answers %s", answer.Body)
	}

	sent := newLedger()
	for _, friend := range w.Friends {
		must(t, sent.from(ctx, w.System, friend, sim.SendOptions{}))
	}
	must(t, w.Device.WaitAcked(ctx, sent.ids()...))
	group, err := w.WhatsApp.NewGroup("Arisan", w.Friends[0], sim.GroupOptions{}, append([]*sim.Contact{w.Phone.Contact}, w.Friends[1:talkers]...)...)
	must(t, err)

	talking, quiet := context.WithCancel(ctx)
	defer quiet()
	var writers, callers errgroup.Group
	for i, friend := range w.Friends[:talkers] {
		writers.Go(func() error { return talk(talking, w.System, sent, friend, group, i) })
	}
	answers := make([]Answer, settings)
	for half := range 2 {
		callers.Go(func() error {
			for i := half; i < settings; i += 2 {
				var err error
				if answers[i], err = insist(ctx, w.System, i, w.Friends[talkers+i]); err != nil {
					return err
				}
				_ = sleep.For(ctx, 150*time.Millisecond) // so that they go on until the last kill
			}
			return nil
		})
	}
	for n := range kills {
		_ = sleep.For(ctx, time.Duration(50+rand.IntN(900))*time.Millisecond)
		p.kill()
		// However fast the machine is, some commands end before their call is answered, and some after.
		w.env = append(w.env, "COMMAND_WAIT="+[]string{"100ms", "8s"}[n%2])
		p = run()
	}
	_ = sleep.For(ctx, time.Second)
	quiet()
	must(t, writers.Wait())
	must(t, callers.Wait())
	must(t, w.Device.WaitAcked(ctx, sent.ids()...))
	t.Logf("%d messages, %d kills, %d logins", len(sent.ids()), kills, w.Device.Logins())

	sent.check(ctx, t, w.System)
	must(t, hooks.told(ctx, t, sent.ids()))
	checkCommands(ctx, t, w.System, answers)
	if took := p.stop(t); took > 10*time.Second {
		t.Errorf("ends after %v", took)
	}
}

// told waits until there is an event of every message, and holds that no two messages have one event.
func (r *receiver) told(ctx context.Context, t *testing.T, ids []string) error {
	t.Helper()
	err := Until(ctx, "the events of all messages", func() (bool, error) {
		have := r.messages()
		for _, id := range ids {
			if have[id] == 0 {
				return false, fmt.Errorf("there is none of %s", id)
			}
		}
		return true, nil
	})
	messages := r.messages()
	r.mu.Lock()
	defer r.mu.Unlock()
	of := map[string]string{}
	for _, h := range r.got {
		if earlier, again := of[h.ID]; again && earlier != h.Results.ID {
			t.Errorf("event %s is of %s and of %s", h.ID, earlier, h.Results.ID)
		}
		of[h.ID] = h.Results.ID
	}
	for id, n := range messages {
		if n > 1 {
			t.Errorf("message %s is told by %d events", id, n)
		}
	}
	for _, err := range r.errs {
		t.Error(err)
	}
	t.Logf("%d deliveries, of which %d repeat one", len(r.got), len(r.got)-len(of))
	return err
}

// messages counts the events of each message, however often they came.
func (r *receiver) messages() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, messages := map[string]bool{}, map[string]int{}
	for _, h := range r.got {
		if !seen[h.ID] {
			messages[h.Results.ID]++
		}
		seen[h.ID] = true
	}
	return messages
}

// freeAddress is one that a program can listen on again and again.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// talk writes without end: by number, by LID, in the group; now and then the phone's owner answers.
func talk(ctx context.Context, s *System, sent *ledger, friend *sim.Contact, group *sim.Group, i int) error {
	for n := 0; ctx.Err() == nil; n++ {
		_ = sleep.For(ctx, 40*time.Millisecond)
		var err error
		switch sending := context.WithoutCancel(ctx); n % 5 {
		case 0, 1:
			err = sent.from(sending, s, friend, sim.SendOptions{ByLID: i%2 == 1})
		case 2:
			err = sent.inGroup(sending, group, friend)
		case 3:
			err = sent.byOwner(sending, s, friend)
		case 4:
			err = sent.from(sending, s, friend, sim.SendOptions{ByLID: true, HideAlt: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// insist mutes or clears a chat, and asks again under the same id whenever no answer came, as a client does. A device
// that is just connecting refuses commands; then it is tried again too.
func insist(ctx context.Context, s *System, i int, friend *sim.Contact) (answer Answer, err error) {
	params := []string{"muteChat", "phone", friend.PN().User, "second", fmt.Sprint(100_000 + i)}
	if i%3 == 2 {
		params = params[:3]
		params[0] = "clearMessageById"
	}
	params = append(params, "Idempotency-Key", fmt.Sprint("setting-", i))
	err = Until(ctx, fmt.Sprint("an answer to command ", i), func() (bool, error) {
		answer, err = s.Call(ctx, params[0], params[1:]...)
		return err == nil && answer.Status != http.StatusConflict && answer.Status < 500, err
	})
	return answer, err
}

// checkCommands holds the app state and the reports against what the calls were answered.
func checkCommands(ctx context.Context, t *testing.T, s *System, answers []Answer) {
	t.Helper()
	var reports map[string]Report
	must(t, Until(ctx, "the end of all commands", func() (bool, error) {
		reports = map[string]Report{}
		all, err := s.Reports(ctx)
		pending := 0
		for _, r := range all {
			if r.CommandID == "" {
				continue
			}
			if _, twice := reports[r.CommandID]; twice {
				return false, fmt.Errorf("two reports of command %s", r.CommandID)
			}
			reports[r.CommandID] = r
			if r.Command == "pending" {
				pending++
			}
		}
		return pending == 0, err
	}))
	statuses := map[int]int{}
	for i, answer := range answers {
		statuses[answer.Status]++
		r, ok := reports[fmt.Sprint("setting-", i)]
		if !ok {
			t.Errorf("command %d, answered %d, has no report", i, answer.Status)
			continue
		}
		friend := s.Friends[talkers+i]
		if answer.Status != http.StatusOK && r.Command != "done" {
			continue // it failed, and says so
		}
		chat, err := s.Chat(ctx, friend.PN().User)
		must(t, err)
		if i%3 == 2 {
			_, ok := s.Phone.AppState().Lookup("clearChat", friend.PN().String(), "0", "0")
			messages, err := s.Messages(ctx, friend.PN().User)
			must(t, err)
			if !ok || len(messages) != 0 {
				t.Errorf("command %d, answered %d: the phone has a clear: %v; %d messages show", i, answer.Status, ok, len(messages))
			}
			continue
		}
		if end, muted := Muted(s.Phone, friend.PN()); !muted || !chat.Muted || chat.MuteEndTime != end {
			t.Errorf("command %d, answered %d: the phone has mute %v until %d, the chat %v until %d", i, answer.Status, muted, end, chat.Muted, chat.MuteEndTime)
		}
	}
	t.Logf("answers: %v", statuses)
	if statuses[http.StatusOK] == 0 {
		t.Error("no command was answered 200")
	}
}

// ledger is what was sent, by chat, in order.
type ledger struct {
	mu    sync.Mutex
	chats map[types.JID][]Message
}

func newLedger() *ledger { return &ledger{chats: map[types.JID][]Message{}} }

func (l *ledger) add(chat types.JID, fromMe bool, send func(text string) (id string, err error)) error {
	text := fmt.Sprintf("pesan %x", rand.Uint64())
	id, err := send(text)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chats[chat] = append(l.chats[chat], Message{ID: id, Body: text, FromMe: fromMe})
	return nil
}

func (l *ledger) from(ctx context.Context, s *System, friend *sim.Contact, o sim.SendOptions) error {
	return l.add(friend.PN(), false, func(text string) (string, error) { return friend.Send(ctx, s.Phone, sim.Text(text), o) })
}

func (l *ledger) byOwner(ctx context.Context, s *System, friend *sim.Contact) error {
	return l.add(friend.PN(), true, func(text string) (string, error) {
		return s.Phone.SendFromPhone(ctx, friend.PN(), sim.Text(text), sim.SendOptions{})
	})
}

func (l *ledger) inGroup(ctx context.Context, g *sim.Group, friend *sim.Contact) error {
	return l.add(g.JID(), false, func(text string) (string, error) {
		return friend.SendGroup(ctx, g, sim.Text(text), sim.SendOptions{})
	})
}

func (l *ledger) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, messages := range l.chats {
		for _, m := range messages {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// check reads every chat that nobody cleared and finds all of it, once.
func (l *ledger) check(ctx context.Context, t *testing.T, s *System) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	cleared := map[types.JID]bool{}
	for i, friend := range s.Friends[talkers:] {
		cleared[friend.PN()] = i%3 == 2
	}
	for chat, want := range l.chats {
		if cleared[chat] {
			continue
		}
		have, err := s.Messages(ctx, chat.String())
		must(t, err)
		found := map[string]Message{}
		for _, m := range have {
			if _, twice := found[m.ID]; twice {
				t.Errorf("%s shows message %s twice", chat, m.ID)
			}
			found[m.ID] = m
		}
		unread := 0
		for _, m := range want {
			if got := found[m.ID]; got.Body != m.Body || got.FromMe != m.FromMe {
				t.Errorf("%s shows %+v, want %+v", chat, got, m)
			}
			delete(found, m.ID)
			if !m.FromMe {
				unread++
			}
		}
		if len(found) > 0 {
			t.Errorf("%s shows %d messages that nobody sent", chat, len(found))
		}
		if !slices.IsSortedFunc(have, func(a, b Message) int { return strings.Compare(a.Time, b.Time) }) {
			t.Errorf("%s isn't in the order of time", chat)
		}
		c, err := s.Chat(ctx, chat.String())
		must(t, err)
		if c.Unread != unread {
			t.Errorf("%s has %d unread, want %d", chat, c.Unread, unread)
		}
	}
	chats, err := s.Chats(ctx)
	must(t, err)
	if len(chats) != len(l.chats) {
		t.Errorf("%d chats, want %d", len(chats), len(l.chats))
	}
}
