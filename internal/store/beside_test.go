package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// aboutMine is a change about an own message in a group: a receipt, with what else.
func aboutMine(of chat.Message) chat.Change {
	of.ID = "MINE"
	return chat.Change{Chat: crowd, Messages: []chat.Message{of}}
}

func receipt(person int, r chat.Receipt) chat.Message {
	return chat.Message{Receipts: map[chat.JID]chat.Receipt{listedJID(person): r}}
}

func inCrowd() chat.Change {
	return aboutMine(chat.Message{Status: chat.ServerAck, Content: chat.Content{
		Sender: own, FromMe: true, Time: noon.Unix() - 50, Order: 7, Type: "conversation", Body: "halo", Message: `{"conversation":"halo"}`,
	}})
}

// shownOf is the document of the own message, read in each way that there is.
func shownOf(t *testing.T, s *store.Store, account string) string {
	t.Helper()
	page, err := s.Messages(t.Context(), account, crowd, chat.Page{Limit: 5}, noon)
	page.Messages = slices.DeleteFunc(page.Messages, func(m chat.MessageView) bool { return m.ID != "MINE" })
	if err != nil || len(page.Messages) != 1 {
		t.Fatal(page, err)
	}
	one, err := s.Message(t.Context(), account, crowd, "MINE", noon)
	if err != nil || one.Messages[0] != page.Messages[0] {
		t.Fatalf("by itself the message is\n%+v\namong others\n%+v\n%v", one, page, err)
	}
	return string(page.Messages[0].Document)
}

// TestReceiptsAreTold: whoever follows a conversation hears of each receipt, wherever the process that stores it ends, and
// whatever is told before it comes again, and once only of one that was told.
func TestReceiptsAreTold(t *testing.T) {
	for what, between := range map[string]*chat.Change{ // the two times that it comes
		"nothing":                  nil,
		"a message in another":     {Chat: budi, Messages: []chat.Message{said(budi, "other", 1)}},
		"another message in it":    {Chat: crowd, Messages: []chat.Message{said(budi, "other", 1)}},
		"a mute of the same group": {Chat: crowd, State: chat.Chat{Mute: chat.Register[int64]{Value: chat.MutedForEver, At: 5}}},
	} {
		t.Run(what, func(t *testing.T) { receiptsAreTold(t, between) })
	}
}

func receiptsAreTold(t *testing.T, between *chat.Change) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	for writes := 0; ; writes++ {
		s := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
		account := newAccount(t, s)
		project(t, s, account, inCrowd())
		project(t, s, account, aboutMine(receipt(1, chat.Receipt{Received: 5})))
		start, err := s.End(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		comes := aboutMine(receipt(2, chat.Receipt{Received: 6}))
		dying := store.New(kvtest.NewCrash(db, writes, false), store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
		died := apply(t.Context(), dying, account, comes)
		if died != nil && !errors.Is(died, kvtest.ErrCrashed) {
			t.Fatal(died)
		}
		s = store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
		if between != nil {
			project(t, s, account, *between)
		}
		for range 3 {
			project(t, s, account, comes)
		}
		d, err := s.MessagesSince(t.Context(), account, crowd, start, 10, noon)
		d.Messages = slices.DeleteFunc(d.Messages, func(m chat.MessageView) bool { return m.ID != "MINE" })
		if err != nil || len(d.Messages) != 1 || string(d.Messages[0].Document) != shownOf(t, s, account) ||
			strings.Count(string(d.Messages[0].Document), "userJid") != 2 {
			t.Errorf("behind %d writes: %+v, %v", writes, d, err)
		}
		entries, _, err := s.After(t.Context(), account, start, 10)
		entries = slices.DeleteFunc(entries, func(e chat.FeedEntry) bool { return len(e.Messages) == 0 || e.Messages[0].ID != "MINE" })
		if err != nil || len(entries) != 1 || entries[0].Messages[0].What != chat.FeedAcked || !entries[0].Sure {
			t.Errorf("behind %d writes %d entries: %+v, %v", writes, len(entries), entries, err)
		}
		if died == nil {
			break
		}
	}
}

// TestTakenBackBeside: reactions of an earlier link that stand beside a message go when the next link's history doesn't tell
// them.
func TestTakenBackBeside(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	account := newAccount(t, s)
	reactions := func(from, to int) chat.Message {
		m := chat.Message{Reactions: map[chat.JID]chat.Register[chat.Reaction]{}}
		for i := from; i < to; i++ {
			on := chat.AddOn{ID: fmt.Sprint("X", i), Time: noon.Unix()}
			m.Reactions[listedJID(i)] = chat.Register[chat.Reaction]{Value: chat.Reaction{AddOn: on, Text: "👍"}, At: 5}
		}
		return m
	}
	in := func(epoch int64, c chat.Change, past bool) {
		c.Past = past
		c.In(epoch)
		project(t, s, account, c)
	}
	in(1, inCrowd(), false)
	in(1, aboutMine(reactions(0, 40)), false)
	told := inCrowd()
	told.Messages[0].Reactions = reactions(3, 6).Reactions
	in(2, told, true)
	in(2, aboutMine(reactions(39, 41)), false)
	if n := strings.Count(shownOf(t, s, account), "👍"); n != 5 {
		t.Errorf("%d reactions, want 5", n)
	}
}

// TestBeside: what many persons do about a message shows as if it stood in it, whatever comes first, and goes with it.
func TestBeside(t *testing.T) {
	const many, together = 200, 20
	var changes []chat.Change
	for from := 0; from < many; from += together {
		m := chat.Message{
			Receipts: map[chat.JID]chat.Receipt{}, Reactions: map[chat.JID]chat.Register[chat.Reaction]{},
			Answers: map[chat.JID]chat.Register[chat.Answer]{}, Votes: map[chat.JID]chat.Register[chat.Vote]{}, Comments: map[string]chat.Comment{},
		}
		for i := from; i < from+together; i++ {
			by, at := listedJID(i), int64(i+1)
			on := chat.AddOn{ID: fmt.Sprint("X", i), Time: noon.Unix()}
			m.Receipts[by] = chat.Receipt{Received: at, Read: at + 1}
			m.Reactions[by] = chat.Register[chat.Reaction]{Value: chat.Reaction{AddOn: on, Text: "👍"}, At: at}
			m.Answers[by] = chat.Register[chat.Answer]{Value: chat.Answer{AddOn: on, Response: "GOING"}, At: at}
			m.Votes[by] = chat.Register[chat.Vote]{Value: chat.Vote{AddOn: on, Options: fmt.Sprintf("%064x", i%3)}, At: at}
			m.Comments[on.ID] = chat.Comment{AddOn: on, By: by, Body: "wah"}
		}
		changes = append(changes, aboutMine(m))
	}
	var first string
	for at := range 3 { // where among them the message comes
		db := openFile(t, sqlite.Options{Now: storetest.Now})
		s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
		account := newAccount(t, s)
		all := slices.Clone(changes)
		slices.Reverse(all[:at*len(changes)/2])
		for _, c := range slices.Insert(all, at*len(changes)/2, inCrowd()) {
			project(t, s, account, c)
			project(t, s, account, c)
		}
		shows := shownOf(t, s, account)
		if first == "" {
			first = shows
		}
		for what, want := range map[string]int{"readTimestamp": many, `"text":"👍"`: many, "GOING": many, "selectedOptions": many, `"replyCount":200`: 1} {
			if got := strings.Count(shows, what); got != want {
				t.Errorf("%d times %s, want %d", got, what, want)
			}
		}
		if shows != first {
			t.Errorf("where the message comes behind %d changes it is\n%s\nelse\n%s", at*len(changes)/2, shows, first)
		}
		c, exported, _, err := s.Export(t.Context(), account, crowd, chat.Page{Limit: 10})
		if err != nil || len(exported) != 1 || len(exported[0].Votes) != many || c.JID != crowd {
			t.Fatal(c, len(exported), err)
		}
		views, _, err := s.Chats(t.Context(), account, chat.Filter{}, chat.Page{Limit: 10}, noon)
		if err != nil || len(views) != 1 || len(views[0].Last.Document) > 2000 {
			t.Errorf("the list has %d chats with a line of %d bytes, %v", len(views), len(views[0].Last.Document), err)
		}
		revoke := aboutMine(chat.Message{Revoked: map[chat.JID]int64{own: noon.Unix()}})
		project(t, s, account, revoke)
		if shows = shownOf(t, s, account); strings.Contains(shows, "👍") || strings.Contains(shows, "GOING") || strings.Count(shows, "readTimestamp") != many {
			t.Errorf("revoked it shows %s", shows)
		}
		project(t, s, account, chat.Change{Chat: crowd, State: chat.Chat{Cleared: chat.RangeOf(noon.Unix())}})
		if _, left, _, err := s.Export(t.Context(), account, crowd, chat.Page{Limit: 10}); err != nil || len(left) != 0 {
			t.Errorf("cleared, %d messages are left, %v", len(left), err)
		}
		for it, err := range db.Query(t.Context(), kv.Query{Collection: kv.Messages, Partition: account + "/" + string(crowd)}) {
			t.Errorf("cleared, %q is left, %v", it.Sort, err)
		}
	}
}

// TestOldReceiptsAreToldOnce: a receipt that comes again when the feed doesn't go back to it any more is told, and not each time.
func TestOldReceiptsAreToldOnce(t *testing.T) {
	now := noon
	clock := func() time.Time { return now }
	s := store.New(openFile(t, sqlite.Options{Now: clock}), store.Options{Compression: store.S2, Now: clock})
	account, read := newAccount(t, s), aboutMine(receipt(1, chat.Receipt{Read: 5}))
	project(t, s, account, inCrowd())
	project(t, s, account, read)
	now = now.Add(2 * chat.FeedAge)
	start, err := s.End(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		project(t, s, account, read)
	}
	if entries, _, err := s.After(t.Context(), account, start, 10); err != nil || len(entries) != 1 {
		t.Errorf("it is told %d times, %v", len(entries), err)
	}
}

// TestBlocksOfNothing: what stands beside a message that is no more, as a clear leaves it that was ended in the middle, is nobody
// else's.
func TestBlocksOfNothing(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	s := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
	account := newAccount(t, s)
	later := inCrowd()
	later.Messages[0].ID, later.Messages[0].Content.Time = "later", noon.Unix()
	later.Messages[0].Receipts = receipt(1, chat.Receipt{Read: 5}).Receipts
	project(t, s, account, later)
	project(t, s, account, inCrowd())
	project(t, s, account, aboutMine(receipt(2, chat.Receipt{Read: 5})))
	q := kv.Query{Collection: kv.Messages, Partition: account + "/" + string(crowd), Reverse: true}.Prefix("t/")
	for it, err := range db.Query(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(it.Sort, " ") {
			continue
		}
		if err := db.Write(t.Context(), kv.Each(kv.Delete(it.Key, kv.Present(), 0))); err != nil {
			t.Fatal(err)
		}
		break
	}
	if shows := shownOf(t, s, account); strings.Count(shows, "readTimestamp") != 1 {
		t.Errorf("it shows %s", shows)
	}
	_, all, _, err := s.Export(t.Context(), account, crowd, chat.Page{Limit: 5})
	if err != nil || len(all) != 1 || len(all[0].Receipts) != 1 {
		t.Errorf("exported is %+v, %v", all, err)
	}
}

// TestClearKeepsReceipts: a message that a clear doesn't cover, in whose last second it is, keeps what stands beside it.
func TestClearKeepsReceipts(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	account, mine := newAccount(t, s), inCrowd()
	project(t, s, account, mine)
	project(t, s, account, aboutMine(receipt(1, chat.Receipt{Read: 5})))
	cleared := chat.RangeOf(mine.Messages[0].Content.Time, "another")
	project(t, s, account, chat.Change{Chat: crowd, State: chat.Chat{Cleared: cleared}})
	if shows := shownOf(t, s, account); strings.Count(shows, "readTimestamp") != 1 {
		t.Errorf("it shows %s", shows)
	}
}

// TestLastHasItsPersons: the line of a chat whose newest message goes is that of the one before, with what stands beside it: the
// reaction to an own message is its line.
func TestLastHasItsPersons(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	account := newAccount(t, s)
	reactions := map[chat.JID]chat.Register[chat.Reaction]{}
	for i := range 20 {
		on := chat.AddOn{ID: fmt.Sprint("X", i), Time: noon.Unix() + int64(i)}
		reactions[listedJID(i)] = chat.Register[chat.Reaction]{Value: chat.Reaction{AddOn: on, Text: "👍"}, At: noon.UnixMilli()}
	}
	project(t, s, account, inCrowd())
	project(t, s, account, aboutMine(chat.Message{Reactions: reactions}))
	before, err := s.Chat(t.Context(), account, crowd)
	if err != nil || !strings.Contains(string(before.Last.Document), "👍") {
		t.Fatalf("%+v, %v", before, err)
	}
	newer := said(budi, "newer", 6000)
	for _, m := range []chat.Message{newer, {ID: newer.ID, Gone: true}} {
		project(t, s, account, chat.Change{Chat: crowd, Messages: []chat.Message{m}})
		v, err := s.Chat(t.Context(), account, crowd)
		if err != nil || (v.Last == before.Last) != m.Gone {
			t.Errorf("behind %+v the line is %+v, %v", m, v.Last, err)
		}
	}
}

// TestPinsEnd: a message isn't shown as pinned once its pin has ended, without a write, and who asks again hears of that.
func TestPinsEnd(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", storetest.Now)
	account := newAccount(t, s)
	project(t, s, account, inCrowd())
	pin := chat.Register[chat.Pin]{Value: chat.Pin{By: own, Pinned: true, Seconds: 86400}, At: noon.UnixMilli() - 1000}
	project(t, s, account, aboutMine(chat.Message{Pin: pin}))
	project(t, s, account, aboutMine(receipt(1, chat.Receipt{Received: 5})))
	for _, c := range []struct {
		at    time.Time
		shows bool
	}{{noon, true}, {noon.Add(86398 * time.Second), true}, {noon.Add(86399 * time.Second), false}, {noon.Add(1000 * time.Hour), false}} {
		page, err := s.Messages(t.Context(), account, crowd, chat.Page{Limit: 5}, c.at)
		if err != nil {
			t.Fatal(err)
		}
		one, err := s.Message(t.Context(), account, crowd, "MINE", c.at)
		if err != nil || one.Messages[0] != page.Messages[0] {
			t.Errorf("by itself it is %+v, %v", one, err)
		}
		document := string(page.Messages[0].Document)
		if strings.Contains(document, "pinInChat") != c.shows || !strings.Contains(document, "userReceipt") {
			t.Errorf("at %v it is %s", c.at, document)
		}
		if until := page.Until(); c.shows != (until == noon.Unix()+86399) {
			t.Errorf("at %v it holds until %d", c.at, until)
		}
	}
	v, err := s.Chat(t.Context(), account, crowd)
	if err != nil || strings.Contains(string(v.Last.Document), "pinInChat") {
		t.Errorf("the chat's line is %s, %v", v.Last.Document, err)
	}
}
