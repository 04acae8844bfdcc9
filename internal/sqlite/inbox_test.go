package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"pesan/internal/chat"
)

func inboxChat(i int) chat.JID { return chat.NewJID(fmt.Sprintf("62811%07d", i), chat.UserServer) }

// TestInboxFollows changes chats at random and finds after each change the same chats in the inbox as in the rows.
func TestInboxFollows(t *testing.T) {
	db, accounts := open(t, Options{}), 0
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		accounts++
		account := fmt.Sprint("account", accounts)
		set := func(jid chat.JID, at int64) {
			err := db.Update(ctx, account, jid, nil, func(th *chat.Thread) error {
				return th.Apply(chat.Change{Chat: jid, Messages: []chat.Message{text(fmt.Sprint("m", at), at, 0)}}, noon)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			set(inboxChat(i), int64(i+1))
		}
		person := rapid.Map(rapid.IntRange(0, 5), inboxChat)
		steps := map[string]func(*rapid.T){
			"message": func(rt *rapid.T) { set(person.Draw(rt, "chat"), rapid.Int64Range(1, 9).Draw(rt, "at")) },
			"archive": func(rt *rapid.T) {
				jid, on := person.Draw(rt, "chat"), rapid.Bool().Draw(rt, "on")
				err := db.Update(ctx, account, jid, nil, func(th *chat.Thread) error {
					th.Chat.Archived = chat.Register[bool]{Value: on, At: th.Chat.Archived.At + 1}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			},
			"delete": func(rt *rapid.T) {
				jid := person.Draw(rt, "chat")
				err := db.Update(ctx, account, jid, nil, func(th *chat.Thread) error {
					return th.Apply(chat.Change{Chat: jid, State: chat.Chat{Deleted: chat.Range{Through: th.Chat.Activity}}}, noon)
				})
				if err != nil {
					t.Fatal(err)
				}
			},
			"refuse": func(rt *rapid.T) {
				refused := errors.New("refused")
				err := db.Update(ctx, account, person.Draw(rt, "chat"), nil, func(th *chat.Thread) error {
					th.Chat.Activity++
					return refused
				})
				if err != refused {
					t.Fatal(err)
				}
			},
			"alias": func(rt *rapid.T) {
				from, to := person.Draw(rt, "from"), person.Draw(rt, "to")
				if from != to {
					if err := db.Alias(ctx, account, from, to); err != nil {
						t.Fatal(err)
					}
				}
			},
			"delete all": func(*rapid.T) {
				if err := db.DeleteChats(ctx, account); err != nil {
					t.Fatal(err)
				}
			},
			"drop": func(*rapid.T) { db.inboxes.forget(account) },
		}
		steps[""] = func(rt *rapid.T) {
			page := chat.Page{Limit: rapid.IntRange(1, 7).Draw(rt, "limit")}
			f := chat.Filter{}
			if rapid.Bool().Draw(rt, "filter") {
				f.Archived = new(rapid.Bool().Draw(rt, "archived"))
			}
			for {
				got, next, err := db.Chats(ctx, account, f, page, noon)
				if err != nil {
					t.Fatal(err)
				}
				kept := db.inboxes
				db.inboxes = newInboxes()
				want, wantNext, err := db.Chats(ctx, account, f, page, noon)
				db.inboxes = kept
				if err != nil || next != wantNext || !slices.Equal(got, want) {
					t.Fatalf("%+v, %q from the inbox, %+v, %q from the rows, %v", got, next, want, wantNext, err)
				}
				if page.Cursor = next; next == "" {
					return
				}
			}
		}
		rt.Repeat(steps)
	})
}

// TestInboxTogether lists while others write: what an Update has stored shows in every listing after it.
func TestInboxTogether(t *testing.T) {
	db := open(t, Options{})
	const writers, rounds = 4, 60
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			jid := inboxChat(i)
			for at := int64(1); at <= rounds; at++ {
				err := db.Update(t.Context(), testAccount, jid, nil, func(th *chat.Thread) error {
					th.Chat.Activity = at
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				if at%5 == int64(i) {
					db.inboxes.forget(testAccount)
				}
				views, _, err := db.Chats(t.Context(), testAccount, chat.Filter{}, chat.Page{Limit: 10}, noon)
				if err != nil {
					t.Error(err)
					return
				}
				if n := slices.IndexFunc(views, func(v chat.View) bool { return v.JID == jid }); n < 0 || views[n].Activity != at {
					t.Errorf("after an update to %d: %+v", at, views)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestInboxBound(t *testing.T) {
	k := newInboxes()
	big := chat.View{JID: inboxChat(1), Shows: true, Document: chat.JSON(strings.Repeat("x", maxInboxes/10))}
	for i := range 100 {
		account := fmt.Sprint(i % 20)
		in := k.begin(account)
		k.fill(in, []chat.View{big})
		k.end(in)
		k.change(account, big)
		size := 0
		for _, in := range k.all {
			size += in.size
		}
		if size != k.size || size > maxInboxes {
			t.Fatalf("%d bytes are kept and %d counted, of %d", size, k.size, maxInboxes)
		}
	}
	k.end(k.begin("unfilled"))
	if _, ok := k.all["unfilled"]; ok {
		t.Error("an inbox that nobody filled is kept")
	}
}
