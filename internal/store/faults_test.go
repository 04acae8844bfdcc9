package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// faulty makes a part of every fifth write and then tries again, as an adapter does whose service has failed in the middle.
type faulty struct {
	kv.Store
	mu     sync.Mutex
	random *rand.Rand
	faults int
}

func (f *faulty) Write(ctx context.Context, steps ...kv.Step) error {
	if part := f.part(steps); len(part) > 0 {
		if err := f.Store.Write(ctx, part...); err != nil {
			return err
		}
	}
	return f.Store.Write(ctx, steps...)
}

// part is what is made before the fault: nothing in four of five cases.
func (f *faulty) part(steps []kv.Step) []kv.Step {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.random.IntN(5) > 0 {
		return nil
	}
	f.faults++
	made := f.random.IntN(len(steps) + 1)
	part := slices.Clone(steps[:made])
	if made < len(steps) && !steps[made].All {
		ops := slices.Clone(steps[made].Ops)
		f.random.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
		if some := ops[:f.random.IntN(len(ops)+1)]; len(some) > 0 {
			part = append(part, kv.Each(some...))
		}
	}
	return part
}

// TestContractsUnderFaults: what was written although its answer got lost is known as one's own, and what wasn't is written.
func TestContractsUnderFaults(t *testing.T) {
	for _, sole := range []bool{true, false} {
		t.Run(fmt.Sprint("sole writer ", sole), func(t *testing.T) {
			db := &faulty{Store: openFile(t, sqlite.Options{Now: storetest.Now}), random: rand.New(rand.NewPCG(1, 2))}
			s := store.New(db, store.Options{Compression: store.S2, SoleWriter: sole, Now: storetest.Now})
			storetest.Contracts(t, func(*testing.T) storetest.Store { return s })
			if db.faults < 100 {
				t.Errorf("there were %d faults", db.faults)
			}
		})
	}
}

// everything is all that a store shows of a chat.
func everything(t *testing.T, s *store.Store, account string, jid chat.JID) string {
	t.Helper()
	ctx := t.Context()
	c, messages, _, err := s.Export(ctx, account, jid, chat.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]chat.Message{}
	for _, m := range messages {
		if _, twice := byID[m.ID]; twice {
			t.Errorf("message %s is stored twice", m.ID)
		}
		byID[m.ID] = m
	}
	views, _, err := s.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 10}, noon)
	if err != nil {
		t.Fatal(err)
	}
	conversation, err := s.Messages(ctx, account, jid, chat.Page{Limit: 100}, noon)
	if err != nil && chat.CodeOf(err) != chat.ChatNotFound {
		t.Fatal(err)
	}
	for i := range views {
		views[i].Seq = 0 // tells how often, and not what
	}
	state, err := json.Marshal([]any{c, byID})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(string(state), views, conversation)
}

// crashes are changes of which the last one is ended in the middle.
func crashes() map[string][]chat.Change {
	r := newInbox(9)
	pn, _ := r.person()
	at := noon.Unix() - 5000
	first, second := r.text(pn, at), r.text(own, at+10)
	ahead := chat.Message{ID: first.ID, Status: chat.Read, Starred: asSet(true)}
	earlier := first // claims the same id at another time
	earlier.Content.Time -= 100
	message := func(messages ...chat.Message) chat.Change { return chat.Change{Chat: pn, Messages: messages} }
	of := func(messages ...chat.Message) chat.Change {
		return chat.Change{Chat: crowd, State: chat.Chat{Subject: asSet("Kerabat")}, Messages: messages}
	}
	mine := r.text(own, at)
	mine.Receipts = nil
	read := func(from, to int) chat.Message {
		m := chat.Message{ID: mine.ID, Receipts: map[chat.JID]chat.Receipt{}}
		for i := from; i < to; i++ {
			m.Receipts[listedJID(i)] = chat.Receipt{Read: at + int64(i)}
		}
		return m
	}
	with := mine
	with.Receipts = read(0, 70).Receipts
	later := mine // from a history, in another order
	later.Content.Time -= 50
	return map[string][]chat.Change{
		"new chat":            {message(first)},
		"new message":         {message(second), message(first)},
		"two messages":        {message(second, first)},
		"placeholder":         {message(second), message(ahead)},
		"filled placeholder":  {message(ahead), message(first)},
		"changed message":     {message(first), message(ahead)},
		"moved message":       {message(first), message(earlier)},
		"clear":               {message(first, second), {Chat: pn, State: chat.Chat{Cleared: chat.RangeOf(at + 5)}}},
		"delete":              {message(first, second), {Chat: pn, State: chat.Chat{Deleted: chat.RangeOf(at + 50)}}},
		"receipts in a group": {of(mine), of(read(0, 40)), of(read(39, 80))},
		"receipts with it":    {of(r.text(own, at-1)), of(with)},
		"receipts ahead":      {of(r.text(own, at-1)), of(read(0, 40)), of(mine)},
		"receipts move":       {of(mine), of(read(0, 70)), of(later)},
		"receipts cleared":    {of(mine, r.text(own, at+9)), of(read(0, 70)), {Chat: crowd, State: chat.Chat{Cleared: chat.RangeOf(at + 5)}}},
		"comes to show":       {{Chat: pn, State: chat.Chat{Contact: asSet("Siti")}}, message(second, first)},
	}
}

const crowd chat.JID = "120363041234567890@g.us"

// disturbance is another change about the messages of crashes.
func disturbance() chat.Change { return crashes()["moved message"][1] }

// TestCrash ends the process at each write of a change. The change, made again, completes what was stored, also when another
// one about the same message comes between.
func TestCrash(t *testing.T) {
	open := func() kv.Store { return openFile(t, sqlite.Options{Now: storetest.Now}) }
	for name := range crashes() {
		t.Run(name, func(t *testing.T) { crashEverywhere(t, open(), store.S2, name) })
	}
}

func crashEverywhere(t *testing.T, db kv.Store, how store.Compression, name string) {
	changes := crashes()[name]
	last := changes[len(changes)-1]
	for _, disturbed := range []bool{false, true} {
		fresh := func() (string, *store.Store) {
			s := store.New(db, store.Options{Compression: how, Now: storetest.Now})
			account := newAccount(t, s)
			return account, s
		}
		account, s := fresh()
		if disturbed {
			project(t, s, account, disturbance())
		}
		for _, c := range changes {
			project(t, s, account, c)
		}
		want := everything(t, s, account, last.Chat)
		for writes := 0; ; writes++ {
			account, s := fresh()
			for _, c := range changes[:len(changes)-1] {
				project(t, s, account, c)
			}
			// The one that dies is a sole writer, whose memory goes with it.
			dying := store.New(kvtest.NewCrash(db, writes, false), store.Options{Compression: how, SoleWriter: true, Now: storetest.Now})
			err := apply(t.Context(), dying, account, last)
			if err != nil && !errors.Is(err, kvtest.ErrCrashed) {
				t.Fatal(err)
			}
			if disturbed {
				project(t, s, account, disturbance())
			}
			project(t, s, account, last)
			if got := everything(t, s, account, last.Chat); got != want {
				t.Errorf("crashed behind %d writes, disturbed %v: the store shows\n%s\nwant\n%s", writes, disturbed, got, want)
			}
			if err == nil {
				if writes == 0 {
					t.Error("the change writes nothing")
				}
				break
			}
		}
	}
}

// TestCrashOfDeletion ends the process at each write of a deletion, which made again leaves nothing.
func TestCrashOfDeletion(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	for writes := 0; ; writes++ {
		s := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
		account := newAccount(t, s)
		for _, c := range crashes()["new message"] {
			project(t, s, account, c)
		}
		if err := s.Alias(t.Context(), account, "1@lid", disturbance().Chat); err != nil {
			t.Fatal(err)
		}
		if err := s.PutBacklog(t.Context(), account, "long", make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		remove := func(s *store.Store) error {
			if err := s.DeleteChats(t.Context(), account); err != nil {
				return err
			}
			return s.DeleteAccount(t.Context(), account)
		}
		err := remove(store.New(kvtest.NewCrash(db, writes, false), store.Options{Compression: store.S2, Now: storetest.Now}))
		if err != nil && !errors.Is(err, kvtest.ErrCrashed) {
			t.Fatal(err)
		}
		if err := remove(s); err != nil {
			t.Fatal(err)
		}
		for _, partition := range []struct {
			c    kv.Collection
			name string
		}{
			{kv.Chats, account}, {kv.Chats, "feed/" + account}, {kv.Messages, account + "/" + string(disturbance().Chat)}, {kv.Messages, account + "/1@lid"},
			{kv.Work, "backlog/" + account}, {kv.Accounts, "account/" + account},
		} {
			for it, err := range db.Query(t.Context(), kv.Query{Collection: partition.c, Partition: partition.name}) {
				t.Fatalf("crashed behind %d writes, %s is left: %v", writes, it.Key, err)
			}
		}
		if err == nil {
			return
		}
	}
}

// TestNothingOutlivesItsAccount makes changes after the account was deleted.
func TestNothingOutlivesItsAccount(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
	account := newAccount(t, s)
	jid := disturbance().Chat
	project(t, s, account, disturbance())
	if err := s.DeleteAccount(t.Context(), account); err != nil { // a chat is left, as another host may have
		t.Fatal(err)
	}
	if err := s.DeleteChats(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"a message": apply(t.Context(), s, account, disturbance()),
		"a chat":    apply(t.Context(), s, account, chat.Change{Chat: jid, State: chat.Chat{Contact: asSet("Siti")}}),
		"an alias":  s.Alias(t.Context(), account, "1@lid", jid),
		"work":      s.PutBacklog(t.Context(), account, "1", []byte("x")),
		"a webhook": s.SetHook(t.Context(), account, chat.Hook{URL: "https://example.com"}, "whsec_x"),
		"a cursor":  s.PutHookCursor(t.Context(), account, chat.HookCursor{Number: 7}),
	} {
		if chat.CodeOf(err) != chat.DeviceNotFound {
			t.Errorf("%s of a deleted account: %v", what, err)
		}
	}
	for _, q := range []kv.Query{
		{Collection: kv.Chats, Partition: account}, {Collection: kv.Chats, Partition: "feed/" + account},
		{Collection: kv.Messages, Partition: account + "/" + string(jid)}, {Collection: kv.Work, Partition: "backlog/" + account},
		{Collection: kv.Hooks, Partition: account}, {Collection: kv.Secrets, Partition: account},
	} {
		for it, err := range db.Query(t.Context(), q) {
			t.Errorf("%s is stored: %v", it.Key, err)
		}
	}
}

// TestFencing: who has lost an account to a later owner changes nothing that is the owner's alone.
func TestFencing(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	ctx, account := t.Context(), newAccount(t, s)
	former, owner := s.WithToken(3), s.WithToken(4)
	rename := func(name string) func(*chat.Account) error {
		return func(a *chat.Account) error { a.Name = name; return nil }
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(former.UpdateAccount(ctx, account, rename("former")))
	must(former.PutBacklog(ctx, account, "1", []byte("x")))
	must(owner.UpdateAccount(ctx, account, rename("owner")))
	must(s.UpdateAccount(ctx, account, rename("a person")))
	must(owner.PutBacklog(ctx, account, "2", []byte("x")))
	for what, err := range map[string]error{
		"a change of the account":     former.UpdateAccount(ctx, account, rename("late")),
		"a deletion of the account":   former.DeleteAccount(ctx, account),
		"a deletion of chats":         former.DeleteChats(ctx, account),
		"new work":                    former.PutBacklog(ctx, account, "3", make([]byte, 1<<20)),
		"the end of the owner's work": former.DeleteBacklog(ctx, account, "2"),
	} {
		if chat.CodeOf(err) != chat.LeaseHeld {
			t.Errorf("%s by the former owner: %v", what, err)
		}
	}
	a, err := s.Account(ctx, account)
	must(err)
	work, err := s.ListBacklog(ctx, account)
	must(err)
	if a.Name != "a person" || len(work) != 2 {
		t.Errorf("the account is %+v with %d items of work", a, len(work))
	}
	must(owner.DeleteBacklog(ctx, account, "1"))
	later := s.WithToken(5)
	must(later.UpdateAccount(ctx, account, func(*chat.Account) error { return nil })) // it is his all the same
	for what, err := range map[string]error{
		"a change of the account": owner.UpdateAccount(ctx, account, rename("late")),
		"new work":                owner.PutBacklog(ctx, account, "4", []byte("x")),
	} {
		if chat.CodeOf(err) != chat.LeaseHeld {
			t.Errorf("%s by who was the owner: %v", what, err)
		}
	}
	must(later.DeleteAccount(ctx, account))

	fresh := ulid.Make().String() // of which nothing was told yet
	must(owner.CreateAccount(ctx, chat.Account{ID: fresh, CreatedAt: noon}))
	if err := former.DeleteChats(ctx, fresh); chat.CodeOf(err) != chat.LeaseHeld {
		t.Errorf("a deletion of a new account's chats by who isn't its owner: %v", err)
	}
}

// TestChangeAmidHandOver: who changes an account without owning it, as a call of the API does, isn't refused when it gets its
// next owner at that moment.
func TestChangeAmidHandOver(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	ctx, account := t.Context(), newAccount(t, s)
	epoch := int64(3)
	handOver := func() {
		t.Helper()
		epoch++
		err := s.WithToken(epoch).UpdateAccount(ctx, account, func(a *chat.Account) error { a.PushName += "x"; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	handOver()
	for times := range 3 {
		left := times
		err := s.UpdateAccount(ctx, account, func(a *chat.Account) error {
			if left--; left >= 0 {
				handOver()
			}
			a.On = times%2 == 0
			return nil
		})
		if err != nil {
			t.Errorf("a change amid %d hand-overs: %v", times, err)
		}
		if a, err := s.Account(ctx, account); err != nil || a.On != (times%2 == 0) || len(a.PushName) != int(epoch-3) {
			t.Errorf("after %d hand-overs more the account is %+v, %v", times, a, err)
		}
	}
	if err := s.WithToken(epoch-1).DeleteAccount(ctx, account); chat.CodeOf(err) != chat.LeaseHeld {
		t.Errorf("the last owner but one deletes it: %v", err)
	}
}

// TestExpired: what has expired is still stored for a while.
func TestExpired(t *testing.T) {
	now := noon
	clock := func() time.Time { return now }
	s := store.New(openFile(t, sqlite.Options{Now: clock}), store.Options{Compression: store.S2, Now: clock})
	ctx, account := t.Context(), newAccount(t, s)
	c := chat.Command{Version: chat.CommandVersion, ID: "1", Account: account, Kind: chat.LogoutCommand, RequestedAt: noon}
	r := chat.Report{ID: "01KXQZ5T9W4Y8N2M6P3R7V1B0D", Account: account, At: noon, Status: 200}
	if _, _, err := s.PutCommand(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := s.AddReport(ctx, r); err != nil {
		t.Fatal(err)
	}
	b := chat.Batch{ID: ulid.Make().String(), Account: account, Total: 1, State: chat.BatchDone, RequestedAt: noon}
	if _, _, err := s.CreateBatch(ctx, b, noon); err != nil {
		t.Fatal(err)
	}
	with := c // whose entry stands with it
	with.ID = ulid.MustNew(ulid.Timestamp(noon), ulid.DefaultEntropy()).String()
	if _, _, err := s.PutReported(ctx, with, chat.Report{ID: with.ID, Account: account, At: noon, Status: 202}); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		age             time.Duration
		command, report bool
	}{
		{chat.ReportAge - time.Second, true, true}, {chat.ReportAge, true, false}, {chat.ReportAge + time.Hour, false, false},
	} {
		now = noon.Add(one.age)
		if _, err := s.Command(ctx, account, "1"); (err == nil) != one.command || !one.command && chat.CodeOf(err) != chat.CommandNotFound {
			t.Errorf("a command at the age of %v: %v", one.age, err)
		}
		_, err := s.Batch(ctx, account, b.ID)
		if (err == nil) != one.command || !one.command && chat.CodeOf(err) != chat.BatchNotFound {
			t.Errorf("a batch at the age of %v: %v", one.age, err)
		}
		listed, _, err := s.ListReports(ctx, account, chat.Page{Limit: 10})
		if err != nil || (len(listed) == 2) != one.report || !one.report && len(listed) != 0 {
			t.Errorf("reports at the age of %v: %v, %v", one.age, listed, err)
		}
	}
	c.Kind = chat.DisconnectCommand
	stored, created, err := s.PutCommand(ctx, c)
	if err != nil || !created || stored.Kind != c.Kind {
		t.Errorf("a command in the place of one that has expired: %+v, %v, %v", stored, created, err)
	}
	if stored, err = s.Command(ctx, account, "1"); err != nil || stored.Kind != c.Kind {
		t.Errorf("it is stored as %+v, %v", stored, err)
	}
}
