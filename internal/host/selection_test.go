package host_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/chat"
)

// selects puts a batch on the queue as others than the API do: an operation on all chats that are selected.
func (w *world) selects(account, id string, s chat.Selection, change ...func(*chat.BatchMessage)) {
	w.t.Helper()
	m := chat.BatchMessage{
		Version: chat.BatchVersion, Account: account, Batch: id, Op: chat.MuteCommand, Seconds: 9 * 3600, Selection: &s, RequestedAt: time.Now(),
		Rate: chat.MaxBatchRate,
	}
	for _, c := range change {
		c(&m)
	}
	w.ok(w.queue.SendBatch(w.t.Context(), 0, m))
	synctest.Wait()
}

// groups gives an account n groups and a person.
func (w *world) groups(account string, n int) {
	w.t.Helper()
	changes := []chat.Change{{Chat: "6281234567890@s.whatsapp.net", State: chat.Chat{Activity: 5}}}
	for i := range n {
		changes = append(changes, chat.Change{Chat: groupJID(i), State: chat.Chat{Activity: int64(i + 10)}})
	}
	w.ok(chat.NewProjector(w.store, time.Now).Apply(w.t.Context(), account, changes...))
}

func groupJID(i int) chat.JID { return chat.JID(fmt.Sprintf("1203630000000%05d@g.us", i)) }

// TestBatchOfSelection: a schedule's message mutes what is there when it comes, in as many chunks as that needs, once however often
// it comes, and until the end that was meant when it was sent.
func TestBatchOfSelection(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		const n = 2*chat.BatchChunk + 7
		w.groups(a, n)
		c := w.config("host")
		c.MaxRate = chat.MaxBatchRate
		began := time.Now()
		w.selects(a, "execution-1", chat.Selection{Kind: chat.Group, Except: []chat.JID{groupJID(3), "120363999999999999@g.us"}})
		stop := w.start(c)
		pass(time.Minute)
		w.selects(a, "execution-1", chat.Selection{Kind: chat.Group}, func(m *chat.BatchMessage) { m.Again, m.RequestedAt = "twice", began })
		pass(time.Minute)
		all, _, err := w.store.ListBatches(w.t.Context(), a, chat.Page{Limit: 10})
		w.ok(err)
		if len(all) != 1 || all[0].State != chat.BatchDone || all[0].Done != n-1 || all[0].Total != n-1 {
			t.Fatalf("batches %+v", all)
		}
		calls := w.device(a).said()
		if len(calls) != n-1 || slices.Contains(calls, fmt.Sprintf("mute %s %d", groupJID(3), began.Add(9*time.Hour).UnixMilli())) ||
			!slices.Contains(calls, fmt.Sprintf("mute %s %d", groupJID(4), began.Add(9*time.Hour).UnixMilli())) {
			t.Errorf("%d calls, such as %v", len(calls), calls[:min(3, len(calls))])
		}
		if reports := w.reports(a); len(reports) != 1 || reports[0].Batch != all[0].ID {
			t.Errorf("reports %+v", reports)
		}
		w.selects(a, "execution-2", chat.Selection{Kind: chat.Newsletter})
		pass(time.Second)
		if all, _, err = w.store.ListBatches(w.t.Context(), a, chat.Page{Limit: 10}); err != nil || len(all) != 2 || all[0].State != chat.BatchDone || all[0].Total != 0 {
			t.Errorf("an empty selection: %+v, %v", all, err)
		}
		if open, err := w.store.OpenBatches(w.t.Context(), a); err != nil || len(open) > 0 {
			t.Errorf("open: %+v, %v", open, err)
		}
		stop()
	})
}

// TestBatchOfBadSelection: what nobody can mean is refused once, reported, and leaves the queue.
func TestBatchOfBadSelection(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account()
		w.groups(a, 3)
		stop := w.start(w.config("host"))
		for i, change := range []func(*chat.BatchMessage){
			func(m *chat.BatchMessage) { m.Op = "explode" },
			func(m *chat.BatchMessage) { m.Op = chat.StarCommand },
			func(m *chat.BatchMessage) { m.Op, m.Seconds = chat.DisappearCommand, 5 },
			func(m *chat.BatchMessage) { m.Selection = &chat.Selection{} },
			func(m *chat.BatchMessage) { m.Selection.Kind = "groups" },
			func(m *chat.BatchMessage) { m.Selection.Except = []chat.JID{"x"} },
			func(m *chat.BatchMessage) { m.Selection.IdleDays = -1 },
		} {
			w.selects(a, fmt.Sprint("bad-", i), chat.Selection{Kind: chat.Group}, change)
			pass(time.Second)
			if reports := w.reports(a); len(reports) != i+1 || reports[0].Error == "" {
				t.Errorf("message %d: reports %+v", i, reports)
			}
		}
		if calls := w.device(a).said(); len(calls) > 0 {
			t.Errorf("calls %v", calls)
		}
		stop()
	})
}
