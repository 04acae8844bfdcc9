package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// failsOnce is a store of which one call fails, counted from 0, before it does anything.
type failsOnce struct {
	kv.Store
	mu        sync.Mutex
	at, calls int
}

func (f *failsOnce) fails() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls-1 == f.at
}

var errDown = fmt.Errorf("the database is down: %w", kv.ErrUnavailable)

func (f *failsOnce) Get(ctx context.Context, k kv.Key, c kv.Consistency) (kv.Item, error) {
	if f.fails() {
		return kv.Item{}, errDown
	}
	return f.Store.Get(ctx, k, c)
}

func (f *failsOnce) GetMany(ctx context.Context, keys []kv.Key) ([]*kv.Item, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.Store.GetMany(ctx, keys)
}

func (f *failsOnce) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	if f.fails() {
		return func(yield func(kv.Item, error) bool) { yield(kv.Item{}, errDown) }
	}
	return f.Store.Query(ctx, q)
}

func (f *failsOnce) Write(ctx context.Context, steps ...kv.Step) error {
	if f.fails() {
		return errDown
	}
	return f.Store.Write(ctx, steps...)
}

// situation is what the calls of TestFailuresAreSaid are about.
type situation struct {
	account, batch, report string
	start                  chat.Position
	hook                   chat.Hook
	lease                  chat.Lease
}

// prepare makes an account with something of everything.
func prepare(t *testing.T, s *store.Store) (x situation) {
	t.Helper()
	ctx := t.Context()
	x.account, x.batch, x.report = newAccount(t, s), ulid.Make().String(), ulid.Make().String()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	x.start, err = s.End(ctx, x.account)
	must(err)
	part := said(budi, "part", 3)
	part.Content.Parent = "a"
	project(t, s, x.account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "a", 1), said(budi, "b", 2), part}})
	project(t, s, x.account, inCrowd())
	project(t, s, x.account, aboutMine(receipt(1, chat.Receipt{Read: 5})))
	project(t, s, x.account, chat.Change{Chat: siti, State: chat.Chat{Contact: chat.Register[string]{Value: "Siti", At: 5}}})
	must(s.Alias(ctx, x.account, "1@lid", budi))
	_, _, err = s.PutCommand(ctx, chat.Command{Version: chat.CommandVersion, ID: "1", Account: x.account, Kind: chat.LogoutCommand})
	must(err)
	must(s.PutOperations(ctx, x.account, x.batch, []chat.Operation{{Op: chat.MuteCommand, Chat: budi}}))
	_, _, err = s.CreateBatch(ctx, chat.Batch{ID: x.batch, Account: x.account, Key: "key", Total: 1, Chunk: chat.BatchChunk,
		State: chat.BatchQueued, RequestedAt: noon}, noon)
	must(err)
	must(s.Overtake(ctx, x.account, noon, chat.Wish{Chat: budi, Setting: chat.MuteSetting}))
	must(s.AddReport(ctx, chat.Report{ID: x.report, Account: x.account, Status: 202, CommandID: "1", Command: chat.CommandPending}))
	must(s.PutBacklog(ctx, x.account, "work", []byte("x")))
	must(s.SetHook(ctx, x.account, chat.Hook{URL: "https://example.com"}, "whsec_x"))
	x.hook, _, err = s.Hook(ctx, x.account)
	must(err)
	must(s.PutDeadEvent(ctx, x.account, x.hook, chat.DeadEvent{Event: chat.Event{ID: chat.EventID(x.account, 1, 0), Number: 1}}))
	must(s.PutHookCursor(ctx, x.account, chat.HookCursor{Number: 1}))
	must(s.PutUsage(ctx, x.account, "2026-03-01", "x", map[string]chat.Usage{"main": {Calls: 1}}))
	_, err = s.JoinLabels(ctx, x.account, chat.Labels{Epoch: 1, All: map[string]chat.Register[chat.Label]{"1": {At: 1}}})
	must(err)
	_, err = s.Beat(ctx, chat.Heartbeat{Host: "host"}, noon, time.Minute)
	must(err)
	x.lease, err = s.AcquireLease(ctx, []int{1}, "host", noon)
	must(err)
	return x
}

// TestFailuresAreSaid: a call fails whichever of its calls to the database does, and succeeds when it is made again.
func TestFailuresAreSaid(t *testing.T) {
	ctx, ten := t.Context(), chat.Page{Limit: 10}
	reads := map[string]func(s *store.Store, x situation) error{
		"Account":    func(s *store.Store, x situation) error { _, err := s.Account(ctx, x.account); return err },
		"Accounts":   func(s *store.Store, _ situation) error { _, _, err := s.Accounts(ctx, ten); return err },
		"AccountsOf": func(s *store.Store, _ situation) error { _, err := s.AccountsOf(ctx, []int{0}); return err },
		"Chats": func(s *store.Store, x situation) error {
			_, _, err := s.Chats(ctx, x.account, chat.Filter{Name: "x"}, ten, noon)
			return err
		},
		"Chat":      func(s *store.Store, x situation) error { _, err := s.Chat(ctx, x.account, "1@lid"); return err },
		"WholeChat": func(s *store.Store, x situation) error { _, err := s.WholeChat(ctx, x.account, crowd); return err },
		"State":     func(s *store.Store, x situation) error { _, err := s.State(ctx, x.account, crowd); return err },
		"Messages": func(s *store.Store, x situation) error {
			_, err := s.Messages(ctx, x.account, crowd, ten, noon)
			return err
		},
		"Message": func(s *store.Store, x situation) error {
			_, err := s.Message(ctx, x.account, crowd, "MINE", noon)
			return err
		},
		"Around": func(s *store.Store, x situation) error {
			_, err := s.Around(ctx, x.account, budi, "part", noon)
			return err
		},
		"Oldest": func(s *store.Store, x situation) error { _, err := s.Oldest(ctx, x.account, budi); return err },
		"Export": func(s *store.Store, x situation) error {
			_, _, _, err := s.Export(ctx, x.account, crowd, ten)
			return err
		},
		"Labels":   func(s *store.Store, x situation) error { _, err := s.Labels(ctx, x.account); return err },
		"Prefetch": func(s *store.Store, x situation) error { return s.Prefetch(ctx, x.account, []chat.JID{budi}) },
		"ChatsSince": func(s *store.Store, x situation) error {
			p := x.start
			p.Until = noon.Unix()
			_, err := s.ChatsSince(ctx, x.account, p, chat.Filter{}, 10, noon)
			return err
		},
		"MessagesSince": func(s *store.Store, x situation) error {
			_, err := s.MessagesSince(ctx, x.account, crowd, x.start, 10, noon)
			return err
		},
		"MessagesSince, all": func(s *store.Store, x situation) error {
			p := x.start
			p.Until = 1
			_, err := s.MessagesSince(ctx, x.account, crowd, p, 10, noon)
			return err
		},
		"After":       func(s *store.Store, x situation) error { _, _, err := s.After(ctx, x.account, x.start, 10); return err },
		"End":         func(s *store.Store, x situation) error { _, err := s.End(ctx, x.account); return err },
		"Still":       func(s *store.Store, x situation) error { _, err := s.Still(ctx, x.account, x.start); return err },
		"Command":     func(s *store.Store, x situation) error { _, err := s.Command(ctx, x.account, "1"); return err },
		"BatchOf":     func(s *store.Store, x situation) error { _, err := s.BatchOf(ctx, x.account, "key"); return err },
		"ListBatches": func(s *store.Store, x situation) error { _, _, err := s.ListBatches(ctx, x.account, ten); return err },
		"OpenBatches": func(s *store.Store, x situation) error { _, err := s.OpenBatches(ctx, x.account); return err },
		"Operations": func(s *store.Store, x situation) error {
			_, _, err := s.Operations(ctx, x.account, x.batch, 0)
			return err
		},
		"ListReports": func(s *store.Store, x situation) error { _, _, err := s.ListReports(ctx, x.account, ten); return err },
		"ListBacklog": func(s *store.Store, x situation) error { _, err := s.ListBacklog(ctx, x.account); return err },
		"Overtaken": func(s *store.Store, x situation) error {
			_, err := s.Overtaken(ctx, x.account, []chat.Wish{{Chat: siti, Setting: chat.MuteSetting}})
			return err
		},
		"Overtakes":  func(s *store.Store, x situation) error { _, err := s.Overtakes(ctx, x.account, noon); return err },
		"Hosts":      func(s *store.Store, _ situation) error { _, err := s.Hosts(ctx, noon); return err },
		"LastBeat":   func(s *store.Store, _ situation) error { _, err := s.LastBeat(ctx); return err },
		"Hook":       func(s *store.Store, x situation) error { _, _, err := s.Hook(ctx, x.account); return err },
		"Hooked":     func(s *store.Store, x situation) error { _, err := s.Hooked(ctx, []string{x.account}); return err },
		"HookSecret": func(s *store.Store, x situation) error { _, err := s.HookSecret(ctx, x.account); return err },
		"DeadEvents": func(s *store.Store, x situation) error { _, _, err := s.DeadEvents(ctx, x.account, ten); return err },
		"DeadEvent": func(s *store.Store, x situation) error {
			_, err := s.DeadEvent(ctx, x.account, chat.EventID(x.account, 1, 0))
			return err
		},
		"HookCursor": func(s *store.Store, x situation) error { _, err := s.HookCursor(ctx, x.account); return err },
		"Usage": func(s *store.Store, x situation) error {
			_, err := s.Usage(ctx, x.account, "2026-03-01", "2026-03-02")
			return err
		},
	}
	changes := map[string]func(s *store.Store, x situation) error{
		"DeleteAccount": func(s *store.Store, x situation) error { return s.DeleteAccount(ctx, x.account) },
		"UpdateAccount": func(s *store.Store, x situation) error {
			return s.UpdateAccount(ctx, x.account, func(a *chat.Account) error { a.State, a.Shard = chat.Pairing, a.Shard+1; return nil })
		},
		"Update, new": func(s *store.Store, x situation) error {
			return apply(ctx, s, x.account, chat.Change{Chat: listedJID(1), Messages: []chat.Message{said(listedJID(1), "a", 1)}})
		},
		"Update, an alias": func(s *store.Store, x situation) error {
			return apply(ctx, s, x.account, chat.Change{Chat: "1@lid", Messages: []chat.Message{said(budi, "c", 9)}})
		},
		"Update, a receipt": func(s *store.Store, x situation) error {
			return apply(ctx, s, x.account, aboutMine(receipt(2, chat.Receipt{Read: 5})))
		},
		"Update, a last message": func(s *store.Store, x situation) error {
			return apply(ctx, s, x.account, chat.Change{Chat: budi, Messages: []chat.Message{{ID: "b", Gone: true}}})
		},
		"Update, a clear": func(s *store.Store, x situation) error {
			return apply(ctx, s, x.account, chat.Change{Chat: crowd, State: chat.Chat{Cleared: chat.RangeOf(noon.Unix())}})
		},
		"ShowOthers": func(s *store.Store, x situation) error { return s.ShowOthers(ctx, x.account, noon) },
		"Alias":      func(s *store.Store, x situation) error { return s.Alias(ctx, x.account, "2@lid", budi) },
		"Alias, of a chat": func(s *store.Store, x situation) error {
			return s.Alias(ctx, x.account, budi, siti)
		},
		"DeleteChats": func(s *store.Store, x situation) error { return s.DeleteChats(ctx, x.account) },
		"JoinLabels": func(s *store.Store, x situation) error {
			_, err := s.JoinLabels(ctx, x.account, chat.Labels{Epoch: 2})
			return err
		},
		"AppendFeed": func(s *store.Store, x situation) error {
			return s.AppendFeed(ctx, x.account, chat.FeedEntry{Kind: chat.FeedWebhook})
		},
		"PutCommand": func(s *store.Store, x situation) error {
			_, _, err := s.PutCommand(ctx, chat.Command{ID: "1", Account: x.account})
			return err
		},
		"EndCommand": func(s *store.Store, x situation) error {
			_, err := s.EndCommand(ctx, x.account, "1", chat.Outcome{At: noon})
			return err
		},
		"DeleteCommands": func(s *store.Store, x situation) error { return s.DeleteCommands(ctx, x.account) },
		"PutOperations": func(s *store.Store, x situation) error {
			return s.PutOperations(ctx, x.account, "other", make([]chat.Operation, 3))
		},
		"CreateBatch": func(s *store.Store, x situation) error {
			_, _, err := s.CreateBatch(ctx, chat.Batch{ID: "other", Account: x.account, Key: "other", State: chat.BatchQueued,
				RequestedAt: noon}, noon)
			return err
		},
		"ClearReports": func(s *store.Store, x situation) error { return s.ClearReports(ctx, x.account, false, noon) },
		"UpdateBatch": func(s *store.Store, x situation) error {
			return s.UpdateBatch(ctx, x.account, x.batch, func(b *chat.Batch) error { b.Stop(chat.BatchCancelled, nil, noon); return nil })
		},
		"EndOperations": func(s *store.Store, x situation) error {
			_, err := s.EndOperations(ctx, x.account, x.batch, 0, map[int]chat.Result{0: {State: chat.OperationDone, At: noon}})
			return err
		},
		"Overtake": func(s *store.Store, x situation) error {
			return s.Overtake(ctx, x.account, noon, chat.Wish{Chat: siti, Setting: chat.MuteSetting})
		},
		"AddReport": func(s *store.Store, x situation) error {
			return s.AddReport(ctx, chat.Report{ID: ulid.Make().String(), Account: x.account})
		},
		"Beat": func(s *store.Store, x situation) error {
			_, err := s.Beat(ctx, chat.Heartbeat{Host: x.lease.Host}, noon, time.Minute)
			return err
		},
		"Leave": func(s *store.Store, x situation) error { return s.Leave(ctx, x.lease.Host) },
		"AcquireLease": func(s *store.Store, x situation) error {
			_, err := s.AcquireLease(ctx, x.lease.Shards, "other", noon.Add(time.Hour))
			return err
		},
		"ReleaseLease": func(s *store.Store, x situation) error { return s.ReleaseLease(ctx, x.lease) },
		"TakeOver":     func(s *store.Store, _ situation) error { return s.TakeOver(ctx) },
		"PutBacklog": func(s *store.Store, x situation) error {
			return s.PutBacklog(ctx, x.account, "other", make([]byte, 400<<10))
		},
		"DeleteBacklog": func(s *store.Store, x situation) error { return s.DeleteBacklog(ctx, x.account, "work") },
		"SetHook":       func(s *store.Store, x situation) error { return s.SetHook(ctx, x.account, x.hook, "") },
		"DeleteHook":    func(s *store.Store, x situation) error { return s.DeleteHook(ctx, x.account) },
		"PutHookHealth": func(s *store.Store, x situation) error {
			return s.PutHookHealth(ctx, x.account, x.hook, chat.HookHealth{Failures: 1})
		},
		"PutDeadEvent": func(s *store.Store, x situation) error {
			return s.PutDeadEvent(ctx, x.account, x.hook, chat.DeadEvent{Event: chat.Event{ID: chat.EventID(x.account, 2, 0), Number: 2}})
		},
		"DeleteDeadEvent": func(s *store.Store, x situation) error {
			return s.DeleteDeadEvent(ctx, x.account, chat.EventID(x.account, 1, 0))
		},
		"PutHookCursor": func(s *store.Store, x situation) error {
			return s.PutHookCursor(ctx, x.account, chat.HookCursor{Number: 2})
		},
		"EmptyHook": func(s *store.Store, x situation) error { return s.EmptyHook(ctx, x.account, 9) },
		"PutUsage": func(s *store.Store, x situation) error {
			return s.PutUsage(ctx, x.account, "2026-03-01", "y", map[string]chat.Usage{"main": {Calls: 1}})
		},
	}
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	fresh := func() situation {
		return prepare(t, store.New(db, store.Options{Compression: store.S2, Now: storetest.Now}))
	}
	one := fresh()
	for name, call := range reads {
		failsEverywhere(t, name, db, func() situation { return one }, call)
	}
	for name, call := range changes {
		failsEverywhere(t, name, db, fresh, call)
	}
}

// failsEverywhere makes a call that fails at each of its calls to the database, one after the other.
func failsEverywhere(
	t *testing.T, name string, db kv.Store, fresh func() situation, call func(*store.Store, situation) error,
) {
	t.Helper()
	for at := 0; ; at++ {
		x, failing := fresh(), &failsOnce{Store: db, at: at}
		s := store.New(failing, store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(3)
		err := call(s, x)
		if failing.calls <= at { // none has failed
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		if chat.CodeOf(err) != chat.Unavailable || !errors.Is(err, errDown) {
			t.Errorf("%s, whose call %d fails: %v", name, at, err)
		}
		if err := call(s, x); err != nil {
			t.Errorf("%s, whose call %d has failed, made again: %v", name, at, err)
		}
	}
}
