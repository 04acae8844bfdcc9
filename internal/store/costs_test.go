package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
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

// counting counts what is asked of a store: each call costs DynamoDB a request at least.
type counting struct {
	kv.Store
	mu   sync.Mutex
	asks asked
}

type asked struct {
	reads   int // calls that read
	queries int // those of them that query
	writes  int // calls that write
	ops     int
	largest int    // operations of a step
	amiss   string // a query that says wrongly how many items are taken
}

func (c *counting) count(read, query, write int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks.reads, c.asks.queries, c.asks.writes = c.asks.reads+read, c.asks.queries+query, c.asks.writes+write
}

// took is what was asked since it was asked the last time.
func (c *counting) took() asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := c.asks
	c.asks = asked{}
	return took
}

func (c *counting) Get(ctx context.Context, k kv.Key, consistency kv.Consistency) (kv.Item, error) {
	c.count(1, 0, 0)
	return c.Store.Get(ctx, k, consistency)
}

func (c *counting) GetMany(ctx context.Context, keys []kv.Key) ([]*kv.Item, error) {
	c.count(min(len(keys), 1), 0, 0)
	return c.Store.GetMany(ctx, keys)
}

func (c *counting) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	c.count(1, 1, 0)
	return func(yield func(kv.Item, error) bool) {
		taken := 0
		for it, err := range c.Store.Query(ctx, q) {
			taken++
			if !yield(it, err) {
				break
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if taken > q.Expect {
			c.asks.amiss = fmt.Sprintf("of %s %s %d items are taken, %d expected", q.Collection, q.Partition, taken, q.Expect)
		}
	}
}

// Write counts none where there is no operation, which takes no adapter a call.
func (c *counting) Write(ctx context.Context, steps ...kv.Step) error {
	ops := 0
	c.mu.Lock()
	for _, step := range steps {
		ops += len(step.Ops)
		c.asks.largest = max(c.asks.largest, len(step.Ops))
	}
	c.asks.ops += ops
	c.mu.Unlock()
	c.count(0, 0, min(ops, 1))
	return c.Store.Write(ctx, steps...)
}

func openCounting(t *testing.T, sole bool) (*counting, *store.Store) {
	db := &counting{Store: openFile(t, sqlite.Options{Now: storetest.Now})}
	return db, store.New(db, store.Options{Compression: store.S2, SoleWriter: sole, Now: storetest.Now})
}

// said is a message of somebody in the chat with him.
func said(jid chat.JID, id string, second int64) chat.Message {
	return chat.Message{ID: id, Content: chat.Content{
		Sender: jid, Time: noon.Unix() - 5000 + second, Type: "conversation", Body: id, Message: `{"conversation":"x"}`,
	}}
}

// TestKnownIsNotReadAgain: what an account's owner has just read or written he changes without reading it again, unless somebody
// else has changed it; who isn't its owner reads it each time.
func TestKnownIsNotReadAgain(t *testing.T) {
	db, s := openCounting(t, false)
	ctx, account := t.Context(), newAccount(t, s)
	owner, other := s.WithToken(3), s.WithToken(3)
	another := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now}).WithToken(3)
	looked := errors.New("looked")
	mute := func(s *store.Store, jid chat.JID, at int64) func() error {
		return func() error {
			muted := chat.Register[int64]{Value: chat.MutedForEver, At: at}
			return apply(ctx, s, account, chat.Change{Chat: jid, State: chat.Chat{Mute: muted}})
		}
	}
	say := func(jid chat.JID, id string) func() error {
		return func() error {
			return apply(ctx, owner, account, chat.Change{Chat: jid, Messages: []chat.Message{said(jid, id, 1)}})
		}
	}
	rename := func(s *store.Store, name string) func() error {
		return func() error {
			return s.UpdateAccount(ctx, account, func(a *chat.Account) error { a.Name = name; return nil })
		}
	}
	command := chat.Command{Version: chat.CommandVersion, ID: "1", Account: account, Kind: chat.LogoutCommand, RequestedAt: noon}
	for _, step := range []struct {
		what  string
		do    func() error
		reads int // -1: any
	}{
		{"the owner's first message", say(budi, "a"), -1},
		{"a message to a chat that he has changed", say(budi, "b"), 1},
		{"a receipt for a message", func() error {
			return apply(ctx, owner, account, chat.Change{Chat: budi, Messages: []chat.Message{{ID: "b", Status: chat.Read}}})
		}, 2},
		{"a mute of it", mute(owner, budi, 5), 0},
		{"a mute that changes nothing", mute(owner, budi, 5), 0},
		{"a mute by another process", mute(another, budi, 6), -1},
		{"a mute of what another has changed", mute(owner, budi, 7), -1},
		{"a mute behind that", mute(owner, budi, 8), 0},
		{"a mute by who isn't the owner", mute(s, budi, 9), -1},
		{"another by who isn't", mute(s, budi, 10), -1},
		{"a message to another chat", say(siti, "a"), -1},
		{"a look that changes nothing", func() error {
			err := owner.Update(ctx, account, siti, nil, func(*chat.Thread) error { return looked })
			if err != looked {
				t.Errorf("it gives %v", err)
			}
			return nil
		}, 0},
		{"a mute of what was looked at", mute(owner, siti, 5), 0},
		{"the feed's end", func() error { _, err := s.End(ctx, account); return err }, 2}, // and whether that is stored
		{"a deletion of all", func() error { return owner.DeleteChats(ctx, account) }, -1},
		{"a message behind it", say(siti, "c"), 2},

		{"the account", func() error { _, err := owner.Account(ctx, account); return err }, 1},
		{"its name", rename(owner, "toko"), 0},
		{"the same name", rename(owner, "toko"), 1},
		{"another name", rename(owner, "kios"), 1},
		{"one more", rename(owner, "depot"), 0},
		{"a name by who isn't the owner", rename(s, "warung"), 1},
		{"a name over that", rename(owner, "toko"), 1},
		{"a name by who has no lease", rename(s, "kios"), 1},

		{"a command", func() error { _, _, err := s.PutCommand(ctx, command); return err }, 0},
		{"a look at it", func() error { _, err := owner.Command(ctx, account, "1"); return err }, 1},
		{"its end", func() error { _, err := owner.EndCommand(ctx, account, "1", chat.Outcome{At: noon}); return err }, 0},
		{"its end again", func() error { _, err := owner.EndCommand(ctx, account, "1", chat.Outcome{At: noon}); return err }, 1},
		{"a look at what has ended", func() error { _, err := owner.Command(ctx, account, "1"); return err }, 1},
		{"its end once more", func() error { _, err := owner.EndCommand(ctx, account, "1", chat.Outcome{At: noon}); return err }, 1},
	} {
		db.took()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if took := db.took(); step.reads >= 0 && took.reads != step.reads {
			t.Errorf("%s takes %d reads, want %d", step.what, took.reads, step.reads)
		} else if step.reads < 0 && took.reads == 0 {
			t.Errorf("%s takes no reads", step.what)
		}
	}
	v, err := other.Chat(ctx, account, siti)
	if err != nil || v.Last.ID != "c" || v.MuteEnd != 0 {
		t.Errorf("the chat is %+v, %v", v, err)
	}
}

// TestPrefetched: chats that are prefetched are read by one call for all, and changed without another.
func TestPrefetched(t *testing.T) {
	db, s := openCounting(t, false)
	ctx, account := t.Context(), newAccount(t, s)
	owner := s.WithToken(3)
	var jids []chat.JID
	for i := range 5 {
		jids = append(jids, listedJID(i))
		project(t, s, account, chat.Change{Chat: jids[i], Messages: []chat.Message{said(jids[i], "a", 1)}})
	}
	if err := s.Alias(ctx, account, "1@lid", jids[0]); err != nil {
		t.Fatal(err)
	}
	project(t, owner, account, chat.Change{Chat: siti, Messages: []chat.Message{said(siti, "a", 1)}})
	db.took()
	if err := s.Prefetch(ctx, account, jids); err != nil || db.took().reads != 0 {
		t.Errorf("who isn't the owner reads in advance, %v", err)
	}
	if err := owner.Prefetch(ctx, account, append(jids, jids[1], "1@lid", "9@lid")); err != nil {
		t.Fatal(err)
	}
	if took := db.took(); took.reads != 1 {
		t.Errorf("to prefetch takes %d reads", took.reads)
	}
	for _, jid := range jids {
		if err := changeAt(ctx, owner, account, jid, moveTo(noon.Unix())); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Chat(ctx, account, jid); err != nil || v.Last.ID != "a" || v.Activity != noon.Unix() {
			t.Errorf("the chat is %+v, %v", v, err)
		}
		if took := db.took(); took.reads != 1 { // by Chat
			t.Errorf("to change what was prefetched takes %d reads", took.reads-1)
		}
	}
}

// TestListsAreRead: a sole writer reads all chats once, and behind a change what has changed.
func TestListsAreRead(t *testing.T) {
	db, s := openCounting(t, true)
	ctx, account := t.Context(), newAccount(t, s)
	for i := range 3 {
		project(t, s, account, chat.Change{Chat: listedJID(i), Messages: []chat.Message{said(listedJID(i), "a", int64(i))}})
	}
	list := func(f chat.Filter) {
		t.Helper()
		if _, _, err := s.Chats(ctx, account, f, chat.Page{Limit: 2}, noon); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(what string, reads, queries int) {
		t.Helper()
		if took := db.took(); took.reads != reads || took.queries != queries {
			t.Errorf("%s takes %d reads, %d of them queries; want %d, %d", what, took.reads, took.queries, reads, queries)
		}
	}
	db.took()
	list(chat.Filter{})
	wants("the first list", 1, 1)
	list(chat.Filter{})
	list(chat.Filter{Unread: new(true)})
	wants("the same list", 0, 0)
	project(t, s, account, chat.Change{Chat: siti, Messages: []chat.Message{said(siti, "a", 7)}})
	db.took()
	list(chat.Filter{})
	wants("a list with a new chat", 1, 0)
	list(chat.Filter{})
	wants("the same list", 0, 0)
	if err := s.DeleteChats(ctx, account); err != nil {
		t.Fatal(err)
	}
	db.took()
	list(chat.Filter{})
	wants("a list behind a deletion of all", 1, 1)
}

// TestUnchangedIsNotWritten: a change that says nothing new writes nothing, and a chat comes into being by one write, or together
// with its first messages by two.
func TestUnchangedIsNotWritten(t *testing.T) {
	db, s := openCounting(t, true)
	account := newAccount(t, s)
	contact := chat.Change{Chat: budi, State: chat.Chat{Contact: chat.Register[string]{Value: "Budi", At: 5}}}
	message := chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "a", 1)}}
	ahead := chat.Change{Chat: siti, Messages: []chat.Message{{ID: "b", Status: chat.Read}}}
	cleared := chat.Change{Chat: budi, State: chat.Chat{Cleared: chat.RangeOf(noon.Unix())}}
	for _, c := range []chat.Change{contact, message, ahead, inCrowd(), aboutMine(receipt(1, chat.Receipt{Read: 5})), cleared} {
		project(t, s, account, c)
		db.took()
		project(t, s, account, c)
		if took := db.took(); took.writes != 0 {
			t.Errorf("%+v, made again, is written", c)
		}
	}
	db.took()
	project(t, s, account, chat.Change{Chat: listedJID(1), State: contact.State})
	if took := db.took(); took.writes != 1 || took.ops != 3 { // with checks of the account and of the other place
		t.Errorf("a chat without messages takes %d writes, %d operations", took.writes, took.ops)
	}
	project(t, s, account, chat.Change{Chat: listedJID(1), Messages: []chat.Message{said(listedJID(1), "a", 1)}})
	if took := db.took(); took.writes != 1 {
		t.Errorf("a message in a chat that is there takes %d writes", took.writes)
	}
	project(t, s, account, chat.Change{Chat: listedJID(2), Messages: []chat.Message{said(listedJID(2), "a", 1)}})
	if took := db.took(); took.writes != 1 || took.ops != 7 { // these and the entry, the claim, the message, and the chat
		t.Errorf("a chat with a message takes %d writes, %d operations", took.writes, took.ops)
	}
}

// TestWritesAreBounded: what deletes much does so a part at a time, and each part at once.
func TestWritesAreBounded(t *testing.T) {
	db, s := openCounting(t, false)
	ctx, account := t.Context(), newAccount(t, s)
	const bound = 500
	id := func(i int) string {
		return ulid.MustNew(ulid.Timestamp(storetest.Now().Add(time.Duration(i)*time.Second)), ulid.DefaultEntropy()).String()
	}
	fill := func(c kv.Collection, partition string, n int, item func(i int) (sort string, data string)) {
		t.Helper()
		var ops []kv.Op
		for i := range n {
			sort, data := item(i)
			key := kv.Key{Collection: c, Partition: partition, Sort: sort}
			ops = append(ops, kv.Put(kv.Item{Key: key, Data: []byte(data)}, kv.Always()))
		}
		if err := db.Store.Write(ctx, kv.Each(ops...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{bound, 2*bound + 1} {
		jid := listedJID(n)
		messages := []chat.Message{said(jid, "last", 5000)}
		for i := range n / 2 { // each takes two deletes
			messages = append(messages, said(jid, fmt.Sprint(i), int64(i)))
		}
		project(t, s, account, chat.Change{Chat: jid, Messages: messages})
		fill(kv.Commands, account, n, func(i int) (string, string) { return fmt.Sprint(i), "{}" })
		reports := func() {
			fill(kv.Reports, account, n, func(i int) (string, string) {
				return id(i), fmt.Sprintf(`{"id":%q,"account":%q,"status":200}`, id(i), account)
			})
		}
		for what, do := range map[string]func() error{
			"commands":    func() error { return s.DeleteCommands(ctx, account) },
			"all reports": func() error { reports(); return s.ClearReports(ctx, account, true, noon) },
			"reports":     func() error { reports(); return s.ClearReports(ctx, account, false, noon) },
			"a clear": func() error {
				return apply(ctx, s, account, chat.Change{Chat: jid, State: chat.Chat{Cleared: chat.RangeOf(noon.Unix() - 1)}})
			},
		} {
			db.took()
			if err := do(); err != nil {
				t.Fatal(err)
			}
			least := (n + bound - 1) / bound
			if took := db.took(); took.largest > bound || took.writes < least || took.writes > least+2 {
				t.Errorf("of %d items, %s takes %d writes of up to %d operations", n, what, took.writes, took.largest)
			}
		}
		if _, left, _, err := s.Export(ctx, account, jid, chat.Page{Limit: 10}); err != nil || len(left) != 1 {
			t.Errorf("behind the clear %d messages are left, %v", len(left), err)
		}
	}
	fill(kv.Chats, account, 2*bound+1, func(i int) (string, string) { return fmt.Sprintf("h/%d@s.whatsapp.net", i), "\x00x@lid" })
	db.took()
	if err := s.DeleteChats(ctx, account); err != nil {
		t.Fatal(err)
	}
	if took := db.took(); took.largest > bound || took.writes > 20 {
		t.Errorf("to delete %d chats takes %d writes of up to %d operations", 2*bound+1, took.writes, took.largest)
	}
}

// TestPagesExpectWhatTheyTake: who asks for a page says how many items it takes, so that DynamoDB reads these at once.
func TestPagesExpectWhatTheyTake(t *testing.T) {
	db, s := openCounting(t, false)
	ctx, account := t.Context(), newAccount(t, s)
	start, err := s.End(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetHook(ctx, account, chat.Hook{URL: "https://example.com", CreatedAt: noon}, "whsec_x"); err != nil {
		t.Fatal(err)
	}
	hook, _, err := s.Hook(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		newAccount(t, s)
		project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, fmt.Sprint(i), int64(i))}})
		at := storetest.Now().Add(time.Duration(i) * time.Second)
		id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
		r := chat.Report{ID: id, Account: account, At: at, Status: 200}
		event := chat.DeadEvent{Event: chat.Event{ID: chat.EventID(account, int64(i+1), 0), Number: int64(i + 1), At: noon}}
		b := chat.Batch{ID: id, Account: account, Total: 1, Chunk: chat.BatchChunk, State: chat.BatchQueued, RequestedAt: noon}
		_, _, err := s.CreateBatch(ctx, b, noon)
		if err := errors.Join(err, s.AddReport(ctx, r), s.PutDeadEvent(ctx, account, hook, event)); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{1, 3} {
		p := chat.Page{Limit: limit}
		for what, page := range map[string]func() (int, error){
			"accounts":    func() (int, error) { all, _, err := s.Accounts(ctx, p); return len(all), err },
			"messages":    func() (int, error) { c, err := s.Messages(ctx, account, budi, p, noon); return len(c.Messages), err },
			"export":      func() (int, error) { _, all, _, err := s.Export(ctx, account, budi, p); return len(all), err },
			"reports":     func() (int, error) { all, _, err := s.ListReports(ctx, account, p); return len(all), err },
			"batches":     func() (int, error) { all, _, err := s.ListBatches(ctx, account, p); return len(all), err },
			"dead events": func() (int, error) { all, _, err := s.DeadEvents(ctx, account, p); return len(all), err },
			"the feed":    func() (int, error) { all, _, err := s.After(ctx, account, start, limit); return len(all), err },
			"the end":     func() (int, error) { _, err := s.End(ctx, account); return limit, err },
			"the oldest":  func() (int, error) { _, err := s.Oldest(ctx, account, budi); return limit, err },
		} {
			db.took()
			n, err := page()
			if took := db.took(); err != nil || n != limit || took.queries == 0 || took.amiss != "" {
				t.Errorf("%s: %d of %d, %v; %d queries, %s", what, n, limit, err, took.queries, took.amiss)
			}
		}
	}
}

// TestWhatStandsBeside: what few persons do stands in a message or a chat, and costs no item of its own; receipts in a group, and
// what more persons do, stand beside it.
func TestWhatStandsBeside(t *testing.T) {
	db, s := openCounting(t, false)
	reactions := func(from, to int) map[chat.JID]chat.Register[chat.Reaction] {
		all := map[chat.JID]chat.Register[chat.Reaction]{}
		for i := from; i < to; i++ {
			on := chat.AddOn{ID: fmt.Sprint(i), Time: 5}
			all[listedJID(i)] = chat.Register[chat.Reaction]{Value: chat.Reaction{AddOn: on, Text: "x"}, At: 5}
		}
		return all
	}
	answers := map[chat.JID]chat.Register[chat.Answer]{listedJID(1): {Value: chat.Answer{Response: "GOING"}, At: 5}}
	votes := map[chat.JID]chat.Register[chat.Vote]{listedJID(1): {Value: chat.Vote{Options: "00ff"}, At: 5}}
	comments := map[string]chat.Comment{"C": {By: listedJID(1), Body: "wah"}}
	each := func(n int) chat.Message {
		return chat.Message{Reactions: reactions(0, n), Answers: answers, Votes: votes, Comments: comments}
	}
	read := receipt(1, chat.Receipt{Read: 5})
	many := chat.Message{Reactions: reactions(0, 9), Receipts: read.Receipts}
	members := func(n int) chat.Chat {
		c := chat.Chat{Members: map[chat.JID]chat.Register[chat.Rank]{}}
		for i := range n {
			c.Members[listedJID(i)] = chat.Register[chat.Rank]{Value: chat.RankMember, At: 5}
		}
		return c
	}
	for what, one := range map[string]struct {
		jid    chat.JID
		m      chat.Message
		state  chat.Chat
		blocks int
	}{
		"a message":                  {crowd, chat.Message{}, chat.Chat{}, 0},
		"8 reactions":                {crowd, chat.Message{Reactions: reactions(0, 8)}, chat.Chat{}, 0},
		"9 reactions":                {crowd, chat.Message{Reactions: reactions(0, 9)}, chat.Chat{}, 1},
		"8 of each kind":             {crowd, each(5), chat.Chat{}, 0},
		"9 of each kind":             {crowd, each(6), chat.Chat{}, 4},
		"a receipt":                  {crowd, read, chat.Chat{}, 1},
		"9 reactions to a broadcast": {"5@broadcast", chat.Message{Reactions: reactions(0, 9)}, chat.Chat{}, 1},
		"9 reactions, one person":    {budi, many, chat.Chat{}, 0},
		"48 members":                 {crowd, chat.Message{}, members(48), 0},
		"49 members":                 {crowd, chat.Message{}, members(49), 3},
		"13 reactions":               {crowd, chat.Message{Reactions: reactions(0, 13)}, chat.Chat{}, 2},
	} {
		account := newAccount(t, s)
		m := one.m
		m.ID, m.Content = "A", said(listedJID(1), "A", 1).Content
		project(t, s, account, chat.Change{Chat: one.jid, State: one.state, Messages: []chat.Message{m}})
		blocks, marked := 0, 0
		for _, q := range []kv.Query{
			{Collection: kv.Chats, Partition: account}, {Collection: kv.Messages, Partition: account + "/" + string(one.jid)},
		} {
			for it, err := range db.Query(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(it.Sort, " ") {
					blocks++
				}
				if it.Fields["beside"] != 0 {
					marked++
				}
			}
		}
		if blocks != one.blocks || marked != min(one.blocks, 1) {
			t.Errorf("%s: %d blocks beside %d items, want %d", what, blocks, marked, one.blocks)
		}
	}
}

// TestNothingOfWorkIsLeft: what was too large for an item goes with it, also where somebody else has put it meanwhile.
func TestNothingOfWorkIsLeft(t *testing.T) {
	db, s := openCounting(t, false)
	ctx, account := t.Context(), newAccount(t, s)
	large := make([]byte, 1<<20)
	for range 2 {
		if err := s.PutBacklog(ctx, account, "1", large); err != nil {
			t.Fatal(err)
		}
	}
	items := func() (n int) {
		for _, err := range db.Store.Query(ctx, kv.Query{Collection: kv.Work, Partition: "backlog/" + account}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	if n := items(); n != 3 {
		t.Errorf("a megabyte is stored in %d items", n)
	}
	if err := s.DeleteBacklog(ctx, account, "1"); err != nil || items() != 0 {
		t.Errorf("%d items are left, %v", items(), err)
	}
	if err := s.PutBacklog(ctx, ulid.Make().String(), "1", large); chat.CodeOf(err) != chat.DeviceNotFound {
		t.Errorf("work of no account: %v", err)
	}
}
