package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// TestNumbersFollowOneAnother: entries have numbers without a gap, whichever process of an owner appends; a new owner takes one,
// so that the former can't go on.
func TestNumbersFollowOneAnother(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	plain := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
	ctx, account, said := t.Context(), newAccount(t, plain), 0
	owner := func(token int64) *store.Store {
		return store.New(db, store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(token)
	}
	appends := func(s *store.Store) int64 {
		t.Helper()
		said++
		e := chat.FeedEntry{Kind: chat.FeedBatch, Batch: &chat.FeedProgress{ID: fmt.Sprint(said)}}
		if err := s.AppendFeed(ctx, account, e); err != nil {
			t.Fatal(err)
		}
		end, err := plain.End(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		return end.Seq
	}
	start, err := plain.End(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	same, again := owner(3), owner(0)
	last := appends(owner(0))
	for i, step := range []struct {
		by   *store.Store
		gap  int64
		what string
	}{
		{owner(0), 1, "another process without a lease"}, {same, 2, "an owner"}, {same, 1, "the same"},
		{owner(3), 1, "another process of his"}, {same, 1, "the same again"}, {owner(0), 1, "one without a lease"},
		{owner(4), 2, "a later owner"}, {again.WithToken(5), 2, "the next"}, {again, 1, "his process without a lease"},
		{again.WithToken(6), 2, "his next lease"}, {again.WithToken(6), 1, "the same again"},
	} {
		seq := appends(step.by)
		if seq != last+step.gap {
			t.Errorf("step %d: %s appends number %d behind %d", i, step.what, seq, last)
		}
		last = seq
	}
	if err := same.AppendFeed(ctx, account, chat.FeedEntry{Kind: chat.FeedWebhook}); chat.CodeOf(err) != chat.LeaseHeld {
		t.Errorf("the former owner: %v", err)
	}
	for limit := 1; limit <= said+1; limit++ { // the numbers that owners took aren't shown
		next, read := start, 0
		for {
			entries, after, err := plain.After(ctx, account, next, limit)
			if err != nil || len(entries) > limit {
				t.Fatalf("%d entries on a page of %d, %v", len(entries), limit, err)
			}
			for _, e := range entries {
				if read++; e.Batch == nil || e.Batch.ID != fmt.Sprint(read) {
					t.Fatalf("pages of %d: entry %d is %+v", limit, read, e)
				}
			}
			if next = after; len(entries) < limit {
				break
			}
		}
		if read != said {
			t.Errorf("pages of %d have %d of %d entries", limit, read, said)
		}
	}
}

// TestReadersWaitForWhatIsTold: whoever reads the feed while a change is being stored gets its entry once it is, and the change
// with it.
func TestReadersWaitForWhatIsTold(t *testing.T) {
	ctx := t.Context()
	for _, before := range []bool{false, true} { // whether the chat is there
		for piece := 0; ; piece++ {
			db := openFile(t, sqlite.Options{Now: storetest.Now})
			gate := &paused{Store: db, left: 1 << 30, reached: make(chan struct{}), resume: make(chan struct{})}
			s := store.New(gate, store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(3)
			reader := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
			account := newAccount(t, reader)
			if before {
				project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "before", 0)}})
			}
			client := &conversation{store: reader, account: account, jid: budi, has: map[string]bool{}}
			client.at.At = storetest.Now()
			late := &conversation{store: reader, account: account, jid: budi}
			gate.left = piece
			ended := make(chan error, 1)
			go func() {
				ended <- apply(ctx, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "a", 1)}})
			}()
			reached := true
			select {
			case <-gate.reached:
			case err := <-ended:
				reached = false
				ended <- err
			}
			var other sync.WaitGroup
			if before && reached { // another change is told and stored, behind the one that waits
				told := client.at
				other.Go(func() {
					err := apply(ctx, s, account, chat.Change{Chat: siti, Messages: []chat.Message{said(siti, "b", 1)}})
					entries, _, failed := reader.After(ctx, account, told, 10)
					is := func(e chat.FeedEntry) bool { return e.Chat == siti }
					if err != nil || failed != nil || !slices.ContainsFunc(entries, is) {
						t.Errorf("paused at piece %d: what is stored isn't told in %+v, %v, %v", piece, entries, err, failed)
					}
				})
				for _, err := reader.Chat(ctx, account, siti); err != nil; _, err = reader.Chat(ctx, account, siti) {
					runtime.Gosched()
				}
			}
			client.follow(t)
			end, err := reader.End(ctx, account)
			if err != nil {
				t.Fatal(err)
			}
			late.at, late.has = end, late.all(t)
			if seen := client.at.Seq; seen > end.Seq {
				t.Errorf("chat there %v, paused at piece %d: the feed ends at %d, and is read to %d", before, piece, end.Seq, seen)
			}
			close(gate.resume)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			other.Wait()
			if entries, _, err := reader.After(ctx, account, end, 10); err != nil || !late.has["a"] && len(entries) == 0 {
				t.Errorf("chat there %v, paused at piece %d: behind the end that was are %+v, %v", before, piece, entries, err)
			}
			for what, c := range map[string]*conversation{"the client": client, "who came late": late} {
				c.follow(t)
				if all := c.all(t); !maps.Equal(all, c.has) || !all["a"] {
					t.Errorf("chat there %v, paused at piece %d: %s has %v of %v", before, piece, what, c.has, all)
				}
			}
			if !reached {
				break
			}
		}
	}
}

// lost is a store that fails and keeps what it was to write: it may arrive later.
type lost struct {
	kv.Store
	armed bool
	steps []kv.Step
}

func (l *lost) Write(ctx context.Context, steps ...kv.Step) error {
	if !l.armed {
		return l.Store.Write(ctx, steps...)
	}
	l.armed, l.steps = false, steps
	return errDown
}

// TestLateWritesAreRefused: what was lost, and whose number isn't waited for any more, can't be stored later, told by nobody.
func TestLateWritesAreRefused(t *testing.T) {
	db := &lost{Store: openFile(t, sqlite.Options{Now: storetest.Now})}
	s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
	ctx, account := t.Context(), newAccount(t, s)
	say := func(jid chat.JID, id string) error {
		return apply(ctx, s, account, chat.Change{Chat: jid, Messages: []chat.Message{said(jid, id, 1)}})
	}
	if err := say(budi, "a"); err != nil {
		t.Fatal(err)
	}
	db.armed = true
	if err := say(budi, "b"); chat.CodeOf(err) != chat.Unavailable {
		t.Fatal(err)
	}
	if err := say(siti, "c"); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(ctx, db.steps...); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("what was lost arrives: %v", err)
	}
	if c, err := s.Messages(ctx, account, budi, chat.Page{Limit: 5}, noon); err != nil || len(c.Messages) != 1 {
		t.Errorf("the conversation is %+v, %v", c, err)
	}
}

// TestToldGroupsAreMended: of a large group that was told and isn't stored, the next owner tells what is, with all its members.
func TestToldGroupsAreMended(t *testing.T) {
	kvtest.Crashes(t, func(when string, wrap func(kv.Store) kv.Store) {
		db := openFile(t, sqlite.Options{Now: storetest.Now})
		s := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
		ctx, account := t.Context(), newAccount(t, s)
		group := chat.Change{Chat: crowd, Messages: []chat.Message{said(listedJID(1), "a", 1)}}
		group.State.Members = map[chat.JID]chat.Register[chat.Rank]{}
		for i := range 100 {
			group.State.Members[listedJID(i)] = chat.Register[chat.Rank]{Value: chat.RankMember, At: 5}
		}
		project(t, s, account, group)
		start, err := s.End(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		made := chat.Change{Chat: crowd, State: chat.Chat{Subject: chat.Register[string]{Value: "Kerabat", At: 6}}}
		made.State.Members = map[chat.JID]chat.Register[chat.Rank]{listedJID(7): {Value: chat.RankAdmin, At: 6}}
		_ = apply(ctx, store.New(wrap(db), store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(3), account, made)
		next := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(4)
		if err := next.AppendFeed(ctx, account, chat.FeedEntry{Kind: chat.FeedWebhook}); err != nil {
			t.Fatal(when, err)
		}
		d, err := s.ChatsSince(ctx, account, start, chat.Filter{}, 10, noon)
		whole, failed := s.WholeChat(ctx, account, crowd)
		if err != nil || failed != nil || len(d.Views) > 0 && d.Views[0].Document != whole.Document {
			t.Errorf("%s: %.300s is told of %.300s, %v, %v", when, fmt.Sprint(d.Views), whole.Document, err, failed)
		}
	})
}

// TestToldBeforeItGoes: messages that are cleared don't go before the feed says so.
func TestToldBeforeItGoes(t *testing.T) {
	kvtest.Crashes(t, func(when string, wrap func(kv.Store) kv.Store) {
		db := openFile(t, sqlite.Options{Now: storetest.Now})
		s := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
		account := newAccount(t, s)
		project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "a", 1), said(budi, "b", 2)}})
		count := func(c kv.Collection, partition string) (n int) {
			for _, err := range db.Query(t.Context(), kv.Query{Collection: c, Partition: partition}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			return n
		}
		messages, entries := count(kv.Messages, account+"/"+string(budi)), count(kv.Chats, "feed/"+account)
		clear := chat.Change{Chat: budi, State: chat.Chat{Cleared: chat.RangeOf(noon.Unix())}}
		_ = apply(t.Context(), store.New(wrap(db), store.Options{Compression: store.S2, Now: storetest.Now}), account, clear)
		gone := count(kv.Messages, account+"/"+string(budi)) < messages
		if gone && count(kv.Chats, "feed/"+account) == entries {
			t.Errorf("%s messages have gone, and nothing is told", when)
		}
	})
}

// TestToldStatesAreMended: where a state was told and isn't stored, as the process ended in between, the next owner tells the
// truth.
func TestToldStatesAreMended(t *testing.T) {
	for _, change := range []func(*chat.Account){
		func(a *chat.Account) { a.State = chat.Pairing }, func(a *chat.Account) { a.Reason = "x" },
	} {
		kvtest.Crashes(t, func(when string, wrap func(kv.Store) kv.Store) {
			db := openFile(t, sqlite.Options{Now: storetest.Now})
			plain := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
			ctx, account := t.Context(), newAccount(t, plain)
			start, err := plain.End(ctx, account)
			if err != nil {
				t.Fatal(err)
			}
			dying := store.New(wrap(db), store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(3)
			_ = dying.UpdateAccount(ctx, account, func(a *chat.Account) error { change(a); return nil })
			next := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(4)
			for range 2 {
				if err := next.AppendFeed(ctx, account, chat.FeedEntry{Kind: chat.FeedWebhook}); err != nil {
					t.Fatal(when, err)
				}
			}
			a, err := plain.Account(ctx, account)
			if err != nil {
				t.Fatal(err)
			}
			entries, _, err := plain.After(ctx, account, start, 10)
			var told []string
			for _, e := range entries {
				if e.Kind == chat.FeedState {
					told = append(told, fmt.Sprint(e.State, " ", e.Reason))
				}
			}
			is := fmt.Sprint(a.State, " ", a.Reason)
			stored := is != fmt.Sprint(chat.Connected, " ")
			if err != nil || len(told) > 0 && told[len(told)-1] != is || stored && len(told) != 1 || len(told) > 2 {
				t.Errorf("%s the feed tells %s of an account that is %s, %v", when, strings.Join(told, ", "), is, err)
			}
		})
	}
}
