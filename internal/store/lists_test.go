package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pesan/internal/chat"
	"pesan/internal/kv/kvtest"
	"pesan/internal/kv/sqlite"
	"pesan/internal/render"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

func listedJID(i int) chat.JID { return chat.NewJID(fmt.Sprintf("62811%07d", i), chat.UserServer) }

// changeAt changes a chat without messages.
func changeAt(ctx context.Context, s *store.Store, account string, jid chat.JID, change func(*chat.Chat)) error {
	return s.Update(ctx, account, jid, nil, func(th *chat.Thread) error { change(&th.Chat); return nil })
}

func moveTo(at int64) func(*chat.Chat) { return func(c *chat.Chat) { c.Activity = at } }

// TestListsFollow changes chats at random, while every third call fails, and finds the same chats in the list that is kept as
// in the database after each.
func TestListsFollow(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	plain := store.New(db, store.Options{Compression: store.S2})
	seed := uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		seed++
		ctx, account := t.Context(), newAccount(t, plain)
		limit := rapid.SampledFrom([]int{1 << 20, 1500}).Draw(rt, "cache")
		s := store.New(kvtest.NewFaulty(db, 0.3, seed), store.Options{Compression: store.S2, SoleWriter: true, CacheLimit: limit})
		person := rapid.Map(rapid.IntRange(0, 5), listedJID)
		bear := func(err error) { // a call that fails may have been made
			if err != nil && chat.CodeOf(err) != chat.Unavailable {
				rt.Fatal(err)
			}
		}
		steps := map[string]func(*rapid.T){
			"move": func(rt *rapid.T) {
				bear(changeAt(ctx, s, account, person.Draw(rt, "chat"), moveTo(rapid.Int64Range(1, 9).Draw(rt, "at"))))
			},
			"archive": func(rt *rapid.T) {
				on := rapid.Bool().Draw(rt, "on")
				bear(changeAt(ctx, s, account, person.Draw(rt, "chat"), func(c *chat.Chat) {
					c.Archived = chat.Register[bool]{Value: on, At: c.Archived.At + 1}
				}))
			},
			"delete": func(rt *rapid.T) {
				bear(changeAt(ctx, s, account, person.Draw(rt, "chat"), func(c *chat.Chat) { c.Deleted = chat.Range{Through: c.Activity} }))
			},
			"refuse": func(rt *rapid.T) {
				refused := errors.New("refused")
				err := s.Update(ctx, account, person.Draw(rt, "chat"), nil, func(th *chat.Thread) error { th.Chat.Activity++; return refused })
				if err != refused {
					bear(err)
				}
			},
			"alias": func(rt *rapid.T) {
				if from, to := person.Draw(rt, "from"), person.Draw(rt, "to"); from < to {
					bear(s.Alias(ctx, account, from, to))
				}
			},
			"prefetch": func(rt *rapid.T) {
				bear(s.Prefetch(ctx, account, rapid.SliceOf(person).Draw(rt, "chats")))
			},
			"delete all": func(*rapid.T) { bear(s.DeleteChats(ctx, account)) },
		}
		steps[""] = func(rt *rapid.T) {
			page := chat.Page{Limit: rapid.IntRange(1, 7).Draw(rt, "limit")}
			f := chat.Filter{}
			if rapid.Bool().Draw(rt, "filter") {
				f.Archived = new(rapid.Bool().Draw(rt, "archived"))
			}
			for {
				got, next, err := s.Chats(ctx, account, f, page, noon)
				if err != nil {
					bear(err)
					return
				}
				want, wantNext, err := plain.Chats(ctx, account, f, page, noon)
				if err != nil || next != wantNext || !slices.Equal(got, want) {
					rt.Fatalf("%+v, %q from the list, %+v, %q from the database, %v", got, next, want, wantNext, err)
				}
				if page.Cursor = next; next == "" {
					return
				}
			}
		}
		rt.Repeat(steps)
	})
}

// TestListsTogether lists while others write: what an Update has stored shows in every listing after it.
func TestListsTogether(t *testing.T) {
	s := storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), storetest.Now)
	account := newAccount(t, s)
	const writers, rounds = 4, 60
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			jid := listedJID(i)
			for at := int64(1); at <= rounds; at++ {
				if err := changeAt(t.Context(), s, account, jid, moveTo(at)); err != nil {
					t.Error(err)
					return
				}
				views, _, err := s.Chats(t.Context(), account, chat.Filter{}, chat.Page{Limit: 10}, noon)
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

// TestPanic has a change panic: nothing of it is stored or kept, and the next is none the worse.
func TestPanic(t *testing.T) {
	s := storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), storetest.Now)
	account, jid := newAccount(t, s), listedJID(1)
	for at := int64(1); at <= 2; at++ {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = changeAt(t.Context(), s, account, jid, func(c *chat.Chat) { c.Activity = 99; panic("a bug") })
		}()
		if err := changeAt(t.Context(), s, account, jid, moveTo(at)); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Chat(t.Context(), account, jid); err != nil || v.Activity != at {
			t.Errorf("the chat is %+v, %v", v, err)
		}
	}
}

// BenchmarkList lists the chats of a sole writer, and tells how many times as long as the floor it takes: the same bytes
// from memory, printed.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 1001, 10_000} {
		s := storetest.Open(b, filepath.Join(b.TempDir(), "pesan.db"), storetest.Now)
		account := newAccount(b, s)
		fill(b, s, account, n)
		muted, later := chat.Filter{Muted: new(true)}, noon.AddDate(1, 0, 0) // when no mute holds any more
		var out []byte
		list := func(f chat.Filter, limit int) []chat.View {
			views, _, err := s.Chats(b.Context(), account, f, chat.Page{Limit: limit}, later)
			if err != nil {
				b.Fatal(err)
			}
			return views
		}
		print := func(views []chat.View) {
			out = out[:0]
			for i := range views {
				out = render.AppendChat(out, &views[i], render.Listed, noon)
			}
		}
		all := list(chat.Filter{}, n)
		print(all)
		run := func(name string, call func()) {
			b.Run(fmt.Sprint(n, "/", name), func(b *testing.B) {
				var calls, floors time.Duration
				for b.Loop() {
					began := time.Now()
					call()
					called := time.Now()
					print(all) // in turn, so that what else the machine does counts for both
					calls, floors = calls+called.Sub(began), floors+time.Since(called)
				}
				b.ReportMetric(float64(calls)/float64(floors), "floors")
				b.ReportMetric(float64(calls.Microseconds())/1000/float64(b.N), "ms/call")
			})
		}
		run("all", func() { print(list(chat.Filter{}, n)) })
		run("first 1000", func() { print(list(chat.Filter{}, 1000)) })
		run("no hit", func() {
			if len(list(muted, 1000)) > 0 {
				b.Fatal("a hit")
			}
		})
		at := int64(0)
		run("first 1000 after a change", func() {
			at++
			if err := changeAt(b.Context(), s, account, all[int(at)%n].JID, func(c *chat.Chat) { c.Pin.Value = at }); err != nil {
				b.Fatal(err)
			}
			list(chat.Filter{}, 1000)
		})
	}
}
