package store_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/kv/kvtest"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// TestFollow: a client that starts from all chats and follows has, after quiet, exactly what all chats are then, although
// processes end at any write, answers get lost, and another number is linked.
func TestFollow(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "follow.db"), sqlite.Options{Now: storetest.Now})
		if err != nil {
			t.Fatal(err)
		}
		plain := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
		account := newAccount(t, plain)
		has, at := map[chat.JID]chat.View{}, chat.Position{}
		all := func() map[chat.JID]chat.View {
			views, _, err := plain.Chats(t.Context(), account, chat.Filter{}, chat.Page{Limit: 1000}, noon)
			if err != nil {
				t.Fatal(err)
			}
			m := map[chat.JID]chat.View{}
			for _, v := range views {
				v.Seq = 0
				m[v.JID] = v
			}
			return m
		}
		follow := func() {
			for {
				d, err := plain.ChatsSince(t.Context(), account, at, chat.Filter{}, 1+r.IntN(4), noon)
				if chat.CodeOf(err) == chat.SinceTooOld {
					if at, err = plain.End(t.Context(), account); err != nil {
						t.Fatal(err)
					}
					has = all()
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.IntN(4) == 0 {
					continue // the answer got lost
				}
				for _, v := range d.Views {
					v.Seq = 0
					has[v.JID] = v
				}
				for _, jid := range d.Gone {
					delete(has, jid)
				}
				if at = d.Next; !d.More {
					return
				}
			}
		}
		owner := store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
		for n := range 40 {
			jid := chat.JID(fmt.Sprintf("62811111%d@s.whatsapp.net", r.IntN(4)))
			m := chat.Message{ID: fmt.Sprint("m", r.IntN(20)), Content: chat.Content{
				Sender: jid, Time: noon.Unix() - 1000 + int64(n), Type: "conversation", Body: "x", Message: `{"conversation":"x"}`}}
			change := func(s *store.Store) error {
				switch k := n % 13; {
				case k == 12 && seed%2 == 0:
					return s.DeleteChats(t.Context(), account)
				case k == 11:
					return s.Alias(t.Context(), account, jid, "628999@s.whatsapp.net")
				case k == 10:
					return apply(t.Context(), s, account, chat.Change{Chat: jid, State: chat.Chat{Deleted: chat.RangeOf(noon.Unix() - 1000 + int64(n))}})
				}
				return apply(t.Context(), s, account, chat.Change{Chat: jid, Messages: []chat.Message{m}})
			}
			if r.IntN(3) == 0 { // the process ends, and another takes over
				_ = change(store.New(kvtest.NewCrash(db, r.IntN(6), false), store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now}))
				owner = store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: storetest.Now})
			}
			if r.IntN(3) > 0 {
				follow()
			}
			if err := change(owner); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			follow()
		}
		want := all()
		if len(has) != len(want) {
			t.Fatalf("seed %d: the client has %d chats of %d", seed, len(has), len(want))
		}
		for jid, v := range want {
			if has[jid] != v {
				t.Fatalf("seed %d: the client has\n%+v\nof\n%+v", seed, has[jid], v)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
