package store_test

import (
	"fmt"
	"strings"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// TestMembersBeside: the members of a large group are shown wherever they are asked for, whoever comes, leaves or is made an
// admin, and follow the chat where it stands.
func TestMembersBeside(t *testing.T) {
	for _, size := range []int{40, 100, 2200} { // inside, beside, and in more blocks than are written together
		for _, sole := range []bool{true, false}[min(size/1000, 1):] {
			db := openFile(t, sqlite.Options{Now: storetest.Now})
			s := store.New(db, store.Options{Compression: store.S2, SoleWriter: sole, Now: storetest.Now})
			account := newAccount(t, s)
			rank := func(of chat.Rank, at int64, members ...int) chat.Change {
				c := chat.Change{Chat: crowd}
				c.State.Members, c.State.Since = map[chat.JID]chat.Register[chat.Rank]{}, map[chat.JID]chat.Register[int64]{}
				for _, i := range members {
					c.State.Members[listedJID(i)] = chat.Register[chat.Rank]{Value: of, At: at}
					c.State.Since[listedJID(i)] = chat.Register[int64]{Value: 7, At: at}
				}
				return c
			}
			var everyone []int
			for i := range size {
				everyone = append(everyone, i)
			}
			shows := func(when string, members, admins int) {
				t.Helper()
				when = fmt.Sprintf("%d members, sole writer %v, %s", size, sole, when)
				ctx := t.Context()
				whole, err := s.WholeChat(ctx, account, crowd)
				if err != nil {
					t.Fatal(when, err)
				}
				listed, _, err := s.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 5}, noon)
				if err != nil || len(listed) != 1 || listed[0].Document != whole.Document {
					t.Fatalf("%s: listed it is %.500s, by itself %.300s, %v", when, fmt.Sprint(listed), whole.Document, err)
				}
				document := string(whole.Document)
				n, a := strings.Count(document, "62811"), strings.Count(document, `"`+string(chat.RankAdmin)+`"`)
				if n != members || a != admins {
					t.Errorf("%s: %d members are shown, %d of them admins; want %d, %d: %.300s", when, n, a, members, admins, document)
				}
				c, err := s.State(ctx, account, crowd)
				exported, _, _, failed := s.Export(ctx, account, crowd, chat.Page{Limit: 5})
				for what, c := range map[string]chat.Chat{"state": c, "export": exported} {
					if err != nil || failed != nil || len(c.Members) < members || len(c.Since) != len(c.Members) {
						t.Errorf("%s: the %s has %d members, %d since then, %v, %v", when, what, len(c.Members), len(c.Since), err, failed)
					}
				}
			}
			project(t, s, account, rank(chat.RankMember, 5, everyone...))
			if _, err := s.WholeChat(t.Context(), account, crowd); chat.CodeOf(err) != chat.ChatNotFound {
				t.Errorf("a group without a message: %v", err)
			}
			start, err := s.End(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			project(t, s, account, chat.Change{Chat: crowd, Messages: []chat.Message{said(listedJID(1), "a", 1)}})
			shows("with a message", size, 0)
			project(t, s, account, rank(chat.RankAdmin, 6, 3, size+1))
			shows("with two admins", size+1, 2)
			project(t, s, account, rank(chat.RankLeft, 7, 3, 4))
			shows("without two", size-1, 1)
			d, err := s.ChatsSince(t.Context(), account, start, chat.Filter{}, 10, noon)
			whole, _ := s.WholeChat(t.Context(), account, crowd)
			if err != nil || len(d.Views) != 1 || d.Views[0].Document != whole.Document {
				t.Errorf("who follows %d members gets %.500s, %v", size, fmt.Sprint(d.Views), err)
			}
			project(t, s, account, chat.Change{Chat: crowd, State: chat.Chat{Deleted: chat.RangeOf(noon.Unix() - 1000)}})
			if _, err := s.WholeChat(t.Context(), account, crowd); chat.CodeOf(err) != chat.ChatNotFound {
				t.Errorf("a deleted group: %v", err)
			}
			project(t, s, account, chat.Change{Chat: crowd, Messages: []chat.Message{said(listedJID(1), "b", 4500)}})
			shows("deleted, with a new message", size-1, 1)
			for it, err := range db.Query(t.Context(), kv.Query{Collection: kv.Chats, Partition: account}.Prefix("h/")) {
				t.Errorf("%s is left behind, %v", it.Key, err)
			}
			if err := s.DeleteChats(t.Context(), account); err != nil {
				t.Fatal(err)
			}
			for it, err := range db.Query(t.Context(), kv.Query{Collection: kv.Chats, Partition: account}) {
				t.Errorf("%s is left, %v", it.Key, err)
			}
		}
	}
}

// TestManyReceiptsMove: a message that moves to an earlier place takes along what stands beside it, however much that is.
func TestManyReceiptsMove(t *testing.T) {
	for _, n := range []int{40, 2200} {
		db := openFile(t, sqlite.Options{Now: storetest.Now})
		s := store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
		account := newAccount(t, s)
		mine, read := inCrowd(), chat.Message{Receipts: map[chat.JID]chat.Receipt{}}
		for i := range n {
			read.Receipts[listedJID(i)] = chat.Receipt{Read: noon.Unix() + int64(i)}
		}
		project(t, s, account, mine)
		project(t, s, account, aboutMine(read))
		mine.Messages[0].Content.Time -= 9
		mine.Messages[0].Content.Order++
		project(t, s, account, mine)
		if got := strings.Count(shownOf(t, s, account), "readTimestamp"); got != n {
			t.Errorf("%d of %d receipts have moved", got, n)
		}
		place := ""
		q := kv.Query{Collection: kv.Messages, Partition: account + "/" + string(crowd)}
		for it, err := range db.Query(t.Context(), q.Prefix("t/")) {
			owner, _, _ := strings.Cut(it.Sort, " ")
			if place == "" {
				place = owner
			}
			if owner != place || err != nil {
				t.Fatalf("%s is left behind, %v", it.Key, err)
			}
		}
	}
}
