package httpapi_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// TestFollow: clients that start from getChats or fetchMessageById and follow since have, after quiet, exactly what a fresh call gives,
// whatever has happened meanwhile: answers got lost, pages came twice, chats were cleared, deleted, moved, another number was linked,
// messages were edited, deleted, filled in, disappeared, and mutes ended. FOLLOWS says how many worlds are tried.
func TestFollow(t *testing.T) {
	worlds := 12
	if n, err := strconv.Atoi(os.Getenv("FOLLOWS")); err == nil {
		worlds = n
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := &followed{world: newWorld(t), Rand: rand.New(rand.NewPCG(seed, 7)), epoch: 1}
			f.handler = httpapi.New(f.config).Handler(f.endpoints()...)
			for _, query := range []string{"", "muted=true", "muted=false&archived=false", "unread=true", "name=ibu", "idleDays=1"} {
				f.clients = append(f.clients, &client{f: f, query: "getChats?" + query})
			}
			for _, jid := range f.people() {
				f.clients = append(f.clients, &client{f: f, query: "fetchMessageById?limit=1000&phone=" + url.QueryEscape(string(jid))})
			}
			for range 60 {
				f.event()
				for _, c := range f.clients {
					if f.IntN(3) == 0 {
						c.follow()
					}
				}
			}
			for _, c := range f.clients {
				c.lossless = true
				c.follow()
				c.check()
			}
		})
	}
}

// followed is a world in which things happen at random.
type followed struct {
	*world
	*rand.Rand
	handler http.Handler
	clients []*client
	epoch   int64
	order   int64
}

// people are the chats that there may be; the first two are one person's addresses.
func (f *followed) people() []chat.JID { return []chat.JID{budi, lid, siti, family} }

// event has something happen.
func (f *followed) event() {
	jid := f.people()[f.IntN(len(f.people()))]
	now := f.clock()
	c := chat.Change{Chat: jid, Epoch: f.epoch}
	id := fmt.Sprint("M", f.IntN(12))
	at := func() int64 { return now.UnixMilli() + f.Int64N(3) }
	switch n := f.IntN(24); n {
	case 0:
		c.State.Mute = chat.Register[int64]{Value: []int64{0, chat.MutedForEver, now.Add(time.Duration(f.IntN(100)) * time.Second).UnixMilli()}[f.IntN(3)], At: at()}
	case 1:
		c.State.Archived = chat.Register[bool]{Value: f.IntN(2) == 0, At: at()}
	case 2:
		c.State.Contact = chat.Register[string]{Value: []string{"Ibu Budi", "Budi"}[f.IntN(2)], At: at()}
	case 3:
		c.State.Cleared = chat.RangeOf(now.Unix() - f.Int64N(60))
	case 4:
		c.State.ClearedUnstarred = chat.RangeOf(now.Unix() - f.Int64N(60))
	case 5:
		c.State.Deleted = chat.RangeOf(now.Unix() - f.Int64N(60))
	case 6:
		c.State.Read = chat.RangeOf(now.Unix() - f.Int64N(60))
	case 7:
		c.Messages = []chat.Message{{ID: id, Status: chat.Status(1 + f.IntN(int(chat.Played)))}}
	case 8:
		c.Messages = []chat.Message{{ID: id, Gone: true}}
	case 9:
		c.Messages = []chat.Message{{ID: id, Revoked: map[chat.JID]int64{jid: now.Unix()}}}
	case 10:
		c.Messages = []chat.Message{{ID: id, Starred: chat.Register[bool]{Value: f.IntN(2) == 0, At: at()}}}
	case 11:
		edit := chat.Edit{Kind: chat.TextEdit, Type: "conversation", Body: fmt.Sprint("diubah ", f.IntN(9))}
		edit.Message = chat.JSON(`{"conversation":` + strconv.Quote(edit.Body) + `}`)
		c.Messages = []chat.Message{{ID: id, Edits: map[chat.JID]chat.Register[chat.Edit]{jid: {Value: edit, At: at()}}}}
	case 12:
		added := chat.AddOn{ID: "R", Time: now.Unix()}
		c.Messages = []chat.Message{{ID: id, Reactions: map[chat.JID]chat.Register[chat.Reaction]{
			jid: {Value: chat.Reaction{AddOn: added, Text: []string{"", "👍"}[f.IntN(2)]}, At: at()}}}}
	case 13: // the addresses turn out to be one person's
		if c.Chat = budi; f.IntN(2) == 0 {
			c.Chat, c.Alt = budi, lid
		}
		c.Messages = f.messages(c.Chat, now, 1)
	case 14: // a history
		c.Past, c.Messages = true, f.messages(jid, now.Add(-time.Hour), 1+f.IntN(5))
	case 15: // more than an answer names
		c.Past = true
		for range 60 {
			m := f.messages(jid, now.Add(-time.Hour), 1)[0]
			m.ID = fmt.Sprint("H", f.IntN(200))
			c.Messages = append(c.Messages, m)
		}
	case 16:
		if f.IntN(4) > 0 {
			return
		}
		f.epoch++ // another number is linked
		f.must("delete chats", f.db.DeleteChats(f.Context(), f.toko.ID))
		f.change(func(a *chat.Account) { a.EmptiedAt = now })
		return
	case 17:
		f.pass(time.Duration(f.IntN(90)) * time.Second)
		return
	case 18:
		if f.IntN(6) == 0 { // most positions are too old then
			f.pass(time.Duration(1+f.IntN(8*24)) * time.Hour)
		}
		return
	default:
		c.Messages = f.messages(jid, now, 1+f.IntN(2))
	}
	f.project(f.toko.ID, c)
	f.pass(time.Duration(f.IntN(3)) * time.Second)
}

// messages are new ones, of which some disappear soon, and some can't be read yet.
func (f *followed) messages(from chat.JID, at time.Time, n int) (all []chat.Message) {
	for range n {
		if from.Kind() == chat.Group {
			from = siti
		}
		f.order++
		m := text(fmt.Sprint("M", f.IntN(12)), from, at.Unix(), fmt.Sprint("halo ", f.order))
		m.Content.Order, m.Content.Editable = f.order, chat.TextEdit
		switch f.IntN(6) {
		case 0:
			m.Content.Expires, m.Content.Ephemeral = at.Unix()+f.Int64N(100), true
		case 1:
			m.Content.Type, m.Content.Body, m.Content.Message = "messageStubType", "", ""
			m.Content.Info = `{"messageStubType":"CIPHERTEXT"}`
		case 2:
			m.Content.Sender, m.Content.FromMe, m.Status = me, true, chat.ServerAck
		}
		all = append(all, m)
	}
	return all
}

// client has what an endpoint has told it.
type client struct {
	f        *followed
	query    string
	lossless bool // no answer gets lost any more

	since string
	has   map[string]string // by id
}

type listed struct {
	Results   []json.RawMessage
	Deleted   []string
	Complete  bool
	More      bool
	NextSince string
}

// get asks for what has changed since a position, or for all.
func (c *client) get(since string) (status int, l listed) {
	c.f.Helper()
	r := httptest.NewRequest(http.MethodGet, "/api/"+c.query+"&since="+since, nil)
	r.Header.Set("X-Api-Key", c.f.tokoKey)
	w := httptest.NewRecorder()
	c.f.handler.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		c.f.must("decode", json.Unmarshal(w.Body.Bytes(), &l))
	}
	return w.Code, l
}

// all is what a fresh call gives.
func (c *client) all() (map[string]string, listed) {
	c.f.Helper()
	status, l := c.get("")
	if status == http.StatusNotFound { // the chat isn't there
		return map[string]string{}, l
	}
	if status != http.StatusOK || l.NextSince == "" {
		c.f.Fatalf("%s answers %d", c.query, status)
	}
	return byID(c.f, l.Results), l
}

func byID(t testing.TB, results []json.RawMessage) map[string]string {
	t.Helper()
	all := make(map[string]string, len(results))
	for _, r := range results {
		var one struct{ ID string }
		if err := json.Unmarshal(r, &one); err != nil || one.ID == "" || all[one.ID] != "" {
			t.Fatalf("result %s, %v", r, err)
		}
		all[one.ID] = string(r)
	}
	return all
}

// follow takes what has changed, page by page.
func (c *client) follow() {
	for range 100 {
		if c.since == "" {
			l := listed{}
			c.has, l = c.all()
			c.since = l.NextSince
			return
		}
		status, l := c.get(c.since)
		switch status {
		case http.StatusOK:
		case http.StatusGone, http.StatusNotFound: // start over
			c.since = ""
			continue
		default:
			c.f.Fatalf("%s answers %d", c.query, status)
		}
		if !c.lossless && c.f.IntN(4) == 0 {
			continue // the answer got lost
		}
		if l.Complete {
			clear(c.has)
		}
		maps.Copy(c.has, byID(c.f, l.Results))
		for _, id := range l.Deleted {
			delete(c.has, id)
		}
		if !c.lossless && c.f.IntN(4) == 0 {
			continue // it is forgotten how far this went
		}
		if c.since = l.NextSince; !l.More {
			return
		}
	}
	c.f.Fatalf("%s never comes to an end", c.query)
}

// check holds what the client has against a fresh answer.
func (c *client) check() {
	want, _ := c.all()
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if c.has[id] != want[id] {
			c.f.Errorf("%s: the client has\n%s\nof\n%s", c.query, cmp.Or(c.has[id], "nothing"), want[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.has)) {
		if want[id] == "" {
			c.f.Errorf("%s: the client has %s, which isn't there", c.query, c.has[id])
		}
	}
}
