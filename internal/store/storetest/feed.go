package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pesan/internal/chat"
)

// FeedStore is a feed with what fills it.
type FeedStore interface {
	chat.Feed
	chat.FeedAppender
	chat.FeedWatcher
	chat.ChatStore
	chat.Accounts
}

// Feed checks an adapter of the feed.
func Feed(t *testing.T, open func(*testing.T) FeedStore) { runAll(t, open, feedTests) }

var feedTests = []test[FeedStore]{
	{"Tells", feedTells},
	{"Pages", feedPages},
	{"Together", feedTogether},
	{"TooOld", feedTooOld},
	{"Emptied", feedEmptied},
	{"Heard", feedHeard},
}

// newest are the entries behind a position, all of them, and the position behind them.
func newest(
	t *testing.T, ctx context.Context, store chat.Feed, account string, p chat.Position,
) ([]chat.FeedEntry, chat.Position) {
	t.Helper()
	var all []chat.FeedEntry
	for {
		entries, next, err := store.After(ctx, account, p, 7)
		ok(t, "read feed", err)
		for _, e := range entries {
			if e.Seq <= p.Seq {
				t.Fatalf("entry %d comes behind %d", e.Seq, p.Seq)
			}
			p.Seq = e.Seq
		}
		all = append(all, entries...)
		if next.Seq == p.Seq && len(entries) < 7 {
			return all, next
		}
		p = next
	}
}

func feedTells(t *testing.T, ctx context.Context, store FeedStore) {
	account := newTenant(t, store)
	at, err := store.End(ctx, account)
	ok(t, "end", err)
	tells := func(what string, want ...string) {
		t.Helper()
		var entries []chat.FeedEntry
		entries, at = newest(t, ctx, store, account, at)
		var got []string
		for _, e := range entries {
			s := fmt.Sprintf("%s shows %v", e.Chat, e.Shows)
			if e.Cleared {
				s += ", cleared"
			}
			if e.Moved != "" {
				s += ", moved to " + string(e.Moved)
			}
			for _, m := range e.Messages {
				s += fmt.Sprintf(", %s %s", m.ID, m.What)
				if m.Status != 0 {
					s += " " + m.Status.String()
				}
			}
			got = append(got, s)
			if e.Shows != (e.View != nil) {
				t.Errorf("%s: the entry has the view %v", what, e.View)
			}
			if e.View == nil {
				continue
			}
			v, err := store.Chat(ctx, account, e.Chat)
			ok(t, "chat", err)
			if v != *e.View {
				t.Errorf("%s: the feed tells\n%+v\nof\n%+v", what, *e.View, v)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s tells %q, want %q", what, got, want)
		}
		still, err := store.Still(ctx, account, at)
		if ok(t, "still", err); !still {
			t.Fatalf("%s: the end isn't the end", what)
		}
	}
	shown := string(budi) + " shows true"
	mine := message("b", 2)
	mine.Content.FromMe, mine.Content.Sender, mine.Status = true, me, chat.ServerAck
	change := func(c chat.Change) {
		t.Helper()
		c.Chat = budi
		ok(t, "update", project(ctx, store, account, c))
	}

	change(chat.Change{State: chat.Chat{Contact: chat.Register[string]{Value: "Budi", At: 1}}})
	tells("a name of somebody without a chat")
	change(chat.Change{Messages: []chat.Message{message("a", 1)}})
	tells("a message", shown+", a new")
	change(chat.Change{Messages: []chat.Message{message("a", 1)}})
	tells("the same message")
	change(chat.Change{Messages: []chat.Message{mine}})
	tells("an own message", shown+", b new SERVER_ACK")
	change(chat.Change{Messages: []chat.Message{message("0", 0)}, Past: true})
	tells("an old message", shown+", 0 added")
	change(chat.Change{Messages: []chat.Message{{ID: "b", Status: chat.Read}}})
	tells("a receipt", shown+", b acked READ")
	change(chat.Change{Messages: []chat.Message{{ID: "b", Status: chat.DeliveryAck}}})
	tells("a receipt that comes too late")
	change(chat.Change{Messages: []chat.Message{{ID: "a",
		Reactions: map[chat.JID]chat.Register[chat.Reaction]{budi: {Value: chat.Reaction{Text: "👍"}, At: 5}}}}})
	tells("a reaction", shown+", a changed")
	change(chat.Change{Messages: []chat.Message{{ID: "b",
		Reactions: map[chat.JID]chat.Register[chat.Reaction]{budi: {Value: chat.Reaction{Text: "👍"}, At: 5}}}}})
	tells("a reaction to what was read", shown+", b changed")
	change(chat.Change{Messages: []chat.Message{{ID: "later", Status: chat.Read}}})
	tells("a receipt ahead of its message")
	change(chat.Change{Messages: []chat.Message{{ID: "0", Gone: true}}})
	tells("a message deleted", shown+", 0 gone")
	change(chat.Change{State: chat.Chat{Mute: chat.Register[int64]{Value: chat.MutedForEver, At: 7}}})
	tells("a mute", shown)
	change(chat.Change{State: chat.Chat{ClearedUnstarred: chat.RangeOf(start + 1)}})
	tells("a clear that keeps starred messages", shown+", cleared")
	change(chat.Change{Messages: []chat.Message{{ID: "a", Starred: chat.Register[bool]{Value: true, At: 8}}}})
	tells("a star of a message that was cleared", shown+", a added")
	change(chat.Change{State: chat.Chat{Cleared: chat.RangeOf(start + 1)}})
	tells("a clear", shown+", cleared")
	ok(t, "alias", store.Alias(ctx, account, budiLID, budi))
	tells("an alias of nothing")
	ok(t, "update", project(ctx, store, account, chat.Change{Chat: siti, Messages: []chat.Message{message("s", 5)}}))
	tells("another chat", string(siti)+" shows true, s new")
	ok(t, "alias", store.Alias(ctx, account, siti, budi))
	tells("a chat that moves", string(siti)+" shows false, moved to "+string(budi))
	change(chat.Change{State: chat.Chat{Deleted: chat.RangeOf(start + 10)}})
	tells("a chat deleted", string(budi)+" shows false, cleared")
	change(chat.Change{Messages: []chat.Message{message("d", 20)}})
	tells("a deleted chat's next message", shown+", d new")
	ok(t, "append", store.AppendFeed(ctx, account,
		chat.FeedEntry{Kind: chat.FeedBatch, Batch: &chat.FeedProgress{ID: "1", State: "done", Total: 3}}))
	entries, _ := newest(t, ctx, store, account, at)
	if len(entries) != 1 || entries[0].Batch == nil ||
		*entries[0].Batch != (chat.FeedProgress{ID: "1", State: "done", Total: 3}) || !entries[0].At.Equal(Now()) {
		t.Errorf("the batch's entry is %+v", entries)
	}
}

func feedPages(t *testing.T, ctx context.Context, store FeedStore) {
	account, other := newTenant(t, store), newTenant(t, store)
	from, err := store.End(ctx, account)
	ok(t, "end", err)
	for i := range 10 {
		put(t, ctx, store, account, budi, chat.Chat{}, message(fmt.Sprint("m", i), int64(i)))
	}
	entries, _ := newest(t, ctx, store, account, from)
	if len(entries) != 10 {
		t.Fatalf("%d entries", len(entries))
	}
	for limit := 1; limit <= 11; limit++ {
		p, seen := from, 0
		for {
			some, next, err := store.After(ctx, account, p, limit)
			ok(t, "read feed", err)
			if len(some) == 0 {
				break
			}
			for _, e := range some {
				if e.Seq != entries[seen].Seq || e.Messages[0].ID != fmt.Sprint("m", seen) {
					t.Fatalf("limit %d: entry %d is %+v", limit, seen, e)
				}
				seen++
			}
			p = next
		}
		if seen != 10 {
			t.Fatalf("limit %d: %d entries", limit, seen)
		}
	}
	if foreign, _ := newest(t, ctx, store, other, from); len(foreign) != 0 {
		t.Errorf("another account's feed has %+v", foreign)
	}
}

// feedTogether changes many chats at once. Who reads to the end has seen all that had been stored when he began, and never has
// to look back.
func feedTogether(t *testing.T, ctx context.Context, store FeedStore) {
	account := newTenant(t, store)
	var mu sync.Mutex
	stored := map[string]bool{}
	const chats, each = 8, 12
	done := make(chan struct{})
	var read sync.WaitGroup
	for range 2 {
		p, err := store.End(ctx, account)
		ok(t, "end", err)
		read.Go(func() {
			seen, last := map[string]bool{}, false
			for {
				select {
				case <-done:
					last = true
				default:
				}
				mu.Lock()
				before := maps.Clone(stored)
				mu.Unlock()
				for {
					entries, next, err := store.After(ctx, account, p, 5)
					if err != nil {
						t.Error("read feed:", err)
						return
					}
					for _, e := range entries {
						for _, m := range e.Messages {
							seen[m.ID] = true
						}
					}
					if p = next; len(entries) == 0 {
						break
					}
				}
				for id := range before {
					if !seen[id] {
						t.Errorf("%s was stored before and isn't seen", id)
						return
					}
				}
				if last {
					if len(seen) != chats*each {
						t.Errorf("%d messages are seen", len(seen))
					}
					return
				}
			}
		})
	}
	err := together(chats, func(i int) error {
		for n := range each {
			id := fmt.Sprintf("%d/%d", i, n)
			c := chat.Change{Chat: chat.JID(fmt.Sprintf("62811111%d@s.whatsapp.net", i)),
				Messages: []chat.Message{message(id, int64(n))}}
			if err := project(ctx, store, account, c); err != nil {
				return err
			}
			mu.Lock()
			stored[id] = true
			mu.Unlock()
		}
		return nil
	})
	close(done)
	read.Wait()
	ok(t, "update", err)
}

func feedTooOld(t *testing.T, ctx context.Context, store FeedStore) {
	account := newTenant(t, store)
	put(t, ctx, store, account, budi, chat.Chat{}, message("a", 1))
	end, err := store.End(ctx, account)
	ok(t, "end", err)
	for what, p := range map[string]chat.Position{
		"from before it is kept":        {Seq: end.Seq, At: Now().Add(-chat.FeedAge - time.Second)},
		"from nowhere":                  {},
		"from the future":               {Seq: end.Seq, At: Now().Add(48 * time.Hour)},
		"from further in the future":    {Seq: end.Seq, At: Now().Add(time.Hour + time.Second)},
		"of a feed that was longer":     {Seq: end.Seq + 5, At: Now()},
		"of a feed a little longer":     {Seq: end.Seq + 1, At: Now()},
		"of a feed that goes backwards": {Seq: -1, At: Now()},
	} {
		_, _, err := store.After(ctx, account, p, 10)
		wantCode(t, "a position "+what, err, chat.SinceTooOld)
	}
	for _, at := range []time.Time{Now().Add(-chat.FeedAge), Now().Add(time.Hour)} { // whose clock differs
		p := chat.Position{Seq: end.Seq - 1, At: at}
		if entries, _ := newest(t, ctx, store, account, p); len(entries) != 1 {
			t.Errorf("a position that is kept gives %+v", entries)
		}
		p.Seq = end.Seq
		still, err := store.Still(ctx, account, p)
		if ok(t, "still", err); !still {
			t.Error("the end isn't the end")
		}
	}
	still, err := store.Still(ctx, account, chat.Position{Seq: end.Seq, At: Now().Add(-chat.FeedAge - time.Second)})
	if ok(t, "still", err); still {
		t.Error("a position from before it is kept is the end")
	}
}

func feedEmptied(t *testing.T, ctx context.Context, store FeedStore) {
	account := newTenant(t, store)
	start, err := store.End(ctx, account)
	ok(t, "end", err)
	put(t, ctx, store, account, budi, chat.Chat{}, message("a", 1))
	before, err := store.End(ctx, account)
	ok(t, "end", err)
	ok(t, "delete chats", store.DeleteChats(ctx, account))
	for _, p := range []chat.Position{start, before} {
		_, _, err := store.After(ctx, account, p, 10)
		wantCode(t, "a position of a former number", err, chat.SinceTooOld)
		still, err := store.Still(ctx, account, p)
		if ok(t, "still", err); still && p != start {
			t.Error("nothing has changed for a former number")
		}
	}
	after, err := store.End(ctx, account)
	if ok(t, "end", err); after.Seq <= before.Seq {
		t.Errorf("the feed goes from %d to %d", before.Seq, after.Seq)
	}
	put(t, ctx, store, account, siti, chat.Chat{}, message("b", 1))
	if entries, _ := newest(t, ctx, store, account, after); len(entries) != 1 || entries[0].Chat != siti {
		t.Errorf("the new number's feed has %+v", entries)
	}
}

func feedHeard(t *testing.T, ctx context.Context, store FeedStore) {
	account, other := newTenant(t, store), newTenant(t, store)
	var mu sync.Mutex
	heard := map[string]int{}
	watch := func(of string) (stop func()) {
		return store.WatchFeed(of, func(a string) {
			mu.Lock()
			defer mu.Unlock()
			heard[of+"<"+a]++
		})
	}
	stop, stopAll := watch(account), watch("")
	stays := 0
	stopLast := store.WatchFeed(account, func(string) { mu.Lock(); defer mu.Unlock(); stays++ })
	put(t, ctx, store, account, budi, chat.Chat{}, message("a", 1))
	put(t, ctx, store, other, budi, chat.Chat{}, message("a", 1))
	stop()
	stopAll()
	put(t, ctx, store, account, budi, chat.Chat{}, message("b", 2))
	stopLast()
	put(t, ctx, store, account, budi, chat.Chat{}, message("c", 3))
	mu.Lock()
	defer mu.Unlock()
	if stays != 2 {
		t.Errorf("who watches for longer hears %d times", stays)
	}
	if heard[account+"<"+account] != 1 || heard["<"+account] != 1 || heard["<"+other] != 1 || heard[account+"<"+other] != 0 {
		t.Errorf("heard %v", heard)
	}
}
