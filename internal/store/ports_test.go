package store_test

import (
	"errors"
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

// TestShowOthers: a chat whose last message has disappeared shows the one before, from that second on.
func TestShowOthers(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", storetest.Now)
	ctx, account := t.Context(), newAccount(t, s)
	end := noon.Add(time.Hour)
	for i, jid := range []chat.JID{budi, siti, listedJID(1)} {
		m := said(jid, "ends", 5)
		if i < 2 {
			m.Content.Expires = end.Add(time.Duration(i) * time.Second).Unix()
		}
		project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{said(jid, "stays", 1), m}})
	}
	for _, step := range []struct {
		after time.Duration
		want  [3]string
	}{
		{-time.Second, [3]string{"ends", "ends", "ends"}}, {0, [3]string{"stays", "ends", "ends"}},
		{time.Second, [3]string{"stays", "stays", "ends"}},
	} {
		if err := s.ShowOthers(ctx, account, end.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		for i, jid := range []chat.JID{budi, siti, listedJID(1)} {
			if v, err := s.Chat(ctx, account, jid); err != nil || v.Last.ID != step.want[i] {
				t.Errorf("%v after the end %s shows %q, want %q, %v", step.after, jid, v.Last.ID, step.want[i], err)
			}
		}
	}
}

// TestGlance: a glance finds what Chat does.
func TestGlance(t *testing.T) {
	db, s := openCounting(t, true)
	ctx, account := t.Context(), newAccount(t, s)
	project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "a", 1)}})
	project(t, s, account, chat.Change{Chat: siti, State: chat.Chat{Contact: chat.Register[string]{Value: "Siti", At: 5}}})
	moved := changeAt(ctx, s, account, listedJID(1), func(c *chat.Chat) { c.Moved = budi })
	if err := errors.Join(moved, s.Alias(ctx, account, "1@lid", budi)); err != nil {
		t.Fatal(err)
	}
	for jid, want := range map[chat.JID]chat.JID{budi: budi, "1@lid": budi, listedJID(1): budi, siti: "", listedJID(2): ""} {
		db.took()
		v, err := s.Glance(ctx, account, jid)
		if took := db.took(); jid == budi && took.reads != 1 {
			t.Errorf("a glance takes %d reads", took.reads)
		}
		other, otherErr := s.Chat(ctx, account, jid)
		code := chat.CodeOf(err)
		if v != other || v.JID != want || code != chat.CodeOf(otherErr) || (want == "") != (code == chat.ChatNotFound) {
			t.Errorf("a glance at %s gives %+v, %v; a look %+v, %v", jid, v, err, other, otherErr)
		}
	}
}

// TestHalfStored: of a message whose storing was ended in the middle nothing is found, or all.
func TestHalfStored(t *testing.T) {
	kvtest.Crashes(t, func(when string, wrap func(kv.Store) kv.Store) {
		db := openFile(t, sqlite.Options{Now: storetest.Now})
		s := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
		ctx, account := t.Context(), newAccount(t, s)
		project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "a", 1)}})
		dying := store.New(wrap(db), store.Options{Compression: store.S2, Now: storetest.Now})
		_ = apply(ctx, dying, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "b", 2)}})
		c, err := s.Message(ctx, account, budi, "b", noon)
		if chat.CodeOf(err) != chat.MessageNotFound && (err != nil || len(c.Messages) != 1) {
			t.Errorf("%s: the message is %+v, %v", when, c, err)
		}
	})
}

// TestReportsOfBatches: of several batches each entry ends as its batch does.
func TestReportsOfBatches(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", func() time.Time { return noon })
	ctx, account := t.Context(), newAccount(t, s)
	for i := range 3 {
		id := ulid.MustNew(ulid.Timestamp(noon)+uint64(i), ulid.DefaultEntropy()).String()
		b := chat.Batch{ID: id, Account: account, Total: 1, State: chat.BatchCancelled, RequestedAt: noon, EndedAt: noon}
		_, _, err := s.CreateBatch(ctx, b, noon)
		r := chat.Report{ID: id, Account: account, At: noon, Status: 202, Batch: id, Command: chat.CommandPending}
		if err := errors.Join(err, s.AddReport(ctx, r)); err != nil {
			t.Fatal(err)
		}
	}
	reports, _, err := s.ListReports(ctx, account, chat.Page{Limit: 5})
	if err != nil || len(reports) != 3 {
		t.Fatal(reports, err)
	}
	for _, r := range reports {
		if r.Command != chat.CommandDone || !r.EndedAt.Equal(noon) {
			t.Errorf("%+v", r)
		}
	}
}

// TestSystemCommandsAreNotTold: what belongs to no account is told in no feed.
func TestSystemCommandsAreNotTold(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
	ctx := t.Context()
	for _, account := range []string{chat.SystemAccount, newAccount(t, s)} {
		c := chat.Command{Version: chat.CommandVersion, ID: "1", Account: account, Kind: chat.LogoutCommand, RequestedAt: noon}
		if _, _, err := s.PutCommand(ctx, c); err != nil {
			t.Fatal(err)
		}
		r, err := s.EndCommand(ctx, account, "1", chat.Outcome{At: noon})
		if err != nil || r.State != chat.CommandDone {
			t.Errorf("%+v, %v", r, err)
		}
		told := 0
		for _, err := range db.Query(ctx, kv.Query{Collection: kv.Chats, Partition: "feed/" + account}) {
			if err != nil {
				t.Fatal(err)
			}
			told++
		}
		if (told == 0) != (account == chat.SystemAccount) {
			t.Errorf("the feed of %q has %d items", account, told)
		}
	}
}

// TestTakeOver: what a process held that was killed is free for the next one.
func TestTakeOver(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	ctx := t.Context()
	for _, host := range []string{"killed", "next"} {
		if _, err := s.Beat(ctx, chat.Heartbeat{Host: host}, noon, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if last, err := s.LastBeat(ctx); err != nil || !last.Equal(noon) {
		t.Errorf("the last beat was at %v, %v", last, err)
	}
	first, err := s.AcquireLease(ctx, []int{1, 2}, "killed", noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AcquireLease(ctx, []int{2}, "next", noon); chat.CodeOf(err) != chat.LeaseHeld {
		t.Errorf("what is held: %v", err)
	}
	if err := s.TakeOver(ctx); err != nil {
		t.Fatal(err)
	}
	if last, err := s.LastBeat(ctx); err != nil || !last.IsZero() {
		t.Errorf("without hosts the last beat was at %v, %v", last, err)
	}
	if l, err := s.AcquireLease(ctx, []int{1, 2}, "next", noon); err != nil || l.Epoch <= first.Epoch {
		t.Errorf("what is free: %+v, %v", l, err)
	}
}

// TestOwned: whoever works under a lease writes nothing once it doesn't hold, and is told so.
func TestOwned(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	ctx, account := t.Context(), newAccount(t, s)
	o := &ownership{}
	owner := s.Owned(o)
	message := chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "a", 1)}}
	project(t, owner, account, message)
	o.lost = errors.New("the lease has expired")
	for what, err := range map[string]error{
		"a message": apply(ctx, owner, account, chat.Change{Chat: siti, Messages: []chat.Message{said(siti, "a", 1)}}),
		"an alias":  owner.Alias(ctx, account, "1@lid", budi),
		"a name":    owner.UpdateAccount(ctx, account, func(a *chat.Account) error { a.Name = "x"; return nil }),
	} {
		if chat.CodeOf(err) != chat.LeaseHeld || !errors.Is(err, o.lost) {
			t.Errorf("%s: %v", what, err)
		}
	}
	views, _, err := s.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 5}, noon)
	if err != nil || len(views) != 1 {
		t.Errorf("the chats are %+v, %v", views, err)
	}
	project(t, s.WithToken(4), account, message)
}

// ownership is that of a lease of epoch 3.
type ownership struct{ lost error }

func (o *ownership) Token() int64 { return 3 }
func (o *ownership) Check() error { return o.lost }

// TestEventual: what reads for half the price finds what there is, and says as clearly what there isn't.
func TestEventual(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", storetest.Now)
	ctx, account := t.Context(), newAccount(t, s)
	c := chat.Command{Version: chat.CommandVersion, ID: "1", Account: account, Kind: chat.LogoutCommand, RequestedAt: noon}
	if _, _, err := s.PutCommand(ctx, c); err != nil {
		t.Fatal(err)
	}
	accounts, commands := s.EventualAccounts(), s.EventualCommands()
	if a, err := accounts.Account(ctx, account); err != nil || a.ID != account {
		t.Errorf("account %+v, %v", a, err)
	}
	if _, err := accounts.Account(ctx, "other"); chat.CodeOf(err) != chat.DeviceNotFound {
		t.Errorf("another account: %v", err)
	}
	if r, err := commands.Command(ctx, account, "1"); err != nil || r.Kind != c.Kind {
		t.Errorf("command %+v, %v", r, err)
	}
	if _, err := commands.Command(ctx, account, "2"); chat.CodeOf(err) != chat.CommandNotFound {
		t.Errorf("another command: %v", err)
	}
}

// TestAllUsage: what senders of events count is told together with what calls count, and to nobody who asks for calls alone.
func TestAllUsage(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", storetest.Now)
	ctx := t.Context()
	if err := errors.Join(
		s.PutUsage(ctx, "a", "2026-03-01", "x", map[string]chat.Usage{"main": {Calls: 1}}),
		s.HookUsage().PutUsage(ctx, "a", "2026-03-01", "x", map[string]chat.Usage{"main": {Deliveries: 2}, "": {Deliveries: 3}}),
		s.HookUsage().PutUsage(ctx, "a", "2026-03-02", "x", map[string]chat.Usage{"main": {Deliveries: 4}}),
	); err != nil {
		t.Fatal(err)
	}
	for what, one := range map[string]struct {
		reader chat.UsageReader
		want   chat.Usage
		days   int
	}{
		"calls": {s, chat.Usage{Calls: 1}, 1}, "all": {s.AllUsage(), chat.Usage{Calls: 1, Deliveries: 9}, 3},
	} {
		days, err := one.reader.Usage(ctx, "a", "2026-03-01", "2026-03-02")
		var sum chat.Usage
		for i, d := range days {
			sum.Add(d.Usage)
			if i > 0 && (d.Day < days[i-1].Day || d.Day == days[i-1].Day && d.Key <= days[i-1].Key) {
				t.Errorf("%s: %+v comes behind %+v", what, d, days[i-1])
			}
		}
		if err != nil || sum != one.want || len(days) != one.days {
			t.Errorf("%s: %+v, %v", what, days, err)
		}
	}
}
