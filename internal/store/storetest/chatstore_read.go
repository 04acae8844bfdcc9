package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/render"
)

var chatsTests = []test[chat.ChatStore]{
	{"Order", chatsOrder},
	{"Filters", chatsFilters},
	{"Shows", chatShows},
	{"Cursors", chatsCursors},
	{"Moves", chatMoves},
	{"Leads", chatLeads},
}

var messagesTests = []test[chat.ChatStore]{
	{"Order", messagesOrder},
	{"Lists", messagesLists},
	{"Expire", messagesExpire},
	{"FullPages", messagesFullPages},
	{"NotFound", messagesNotFound},
	{"One", messagesOne},
	{"Views", messagesViews},
	{"Cursors", messagesCursors},
}

func person(i int) chat.JID { return chat.NewJID(fmt.Sprintf("62812%07d", i), chat.UserServer) }

func chatsOrder(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	views, next, err := store.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 10}, noon)
	ok(t, "chats", err)
	if len(views) != 0 || next != "" {
		t.Fatalf("chats of a new account: %v, next %q", views, next)
	}
	var want []chat.View
	for i := range 40 {
		jid := person((i * 7) % 40)
		activity := int64(i / 4 * 10) // four chats in each second
		ok(t, "update", store.Update(ctx, account, jid, []string{fmt.Sprint("m", i)}, func(th *chat.Thread) error {
			err := th.Apply(chat.Change{Chat: jid, Messages: []chat.Message{message(fmt.Sprint("m", i), activity)}}, noon)
			if err == nil && i < 20 { // half of them with an empty conversation
				th.Chat.Last, th.Changed = chat.Last{}, nil
			}
			if err == nil {
				want = append(slices.DeleteFunc(want, func(v chat.View) bool { return v.JID == jid }), render.View(&th.Chat))
			}
			return err
		}))
	}
	slices.SortFunc(want, func(a, b chat.View) int {
		return cmp.Or(cmp.Compare(b.Activity, a.Activity), cmp.Compare(a.JID, b.JID))
	})
	for _, limit := range []int{1, 3, 8, 39, 40, 41, 1000} {
		got := allChats(t, ctx, store, account, chat.Filter{}, limit)
		wantSame(t, "the order of the chats", chatJIDs(got), chatJIDs(want))
		for i := range got {
			wantView(t, got[i], want[i])
		}
	}
}

func chatsFilters(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	var all []chat.View
	kinds := []chat.JID{"62812000%d@s.whatsapp.net", "12036300%d@g.us", "777000%d@newsletter", "888000%d@broadcast",
		"123456%d@lid"}
	for i := range 160 {
		jid := chat.JID(fmt.Sprintf(string(kinds[i%len(kinds)]), i+10))
		set := func(bit int) chat.Register[bool] { return chat.Register[bool]{Value: i>>bit&1 == 1, At: 1} }
		state := chat.Chat{Archived: set(0), MarkedUnread: set(1)}
		if i>>2&1 == 1 {
			state.Pin = chat.Register[int64]{Value: 5, At: 1}
		}
		ends := []int64{0, chat.MutedForEver, noon.UnixMilli() + 1, noon.UnixMilli(), noon.UnixMilli() - 1}
		state.Mute = chat.Register[int64]{Value: ends[i%7%5], At: 1}
		name := chat.Register[string]{Value: []string{"Élan Toko", "TOKO  maju", "Budi", ""}[i%11%4], At: 1}
		state.Subject, state.Contact = name, name
		state.Labels = map[string]chat.Register[bool]{"1": set(3), "12": set(4), "2": set(5)}
		m := message("m", noon.Unix()-int64(i%50)*40_000)
		m.Content.FromMe, m.Content.Sender = i%3 > 0, me
		put(t, ctx, store, account, jid, state, m)
		view, err := store.Chat(ctx, account, jid)
		ok(t, "chat", err)
		all = append(all, view)
	}
	slices.SortFunc(all, func(a, b chat.View) int {
		return cmp.Or(cmp.Compare(b.Activity, a.Activity), cmp.Compare(a.JID, b.JID))
	})
	either := []*bool{nil, new(true), new(false)}
	for i := range 81 * 5 {
		f := chat.Filter{
			Kind:   []chat.Kind{"", chat.Private, chat.Group, chat.Newsletter, chat.Broadcast}[i%5],
			Unread: either[i/5%3], Archived: either[i/15%3], Muted: either[i/45%3], Pinned: either[i/135%3],
			IdleDays: []int{0, 0, 1, 30}[i%4],
		}
		want := []chat.JID{}
		for _, v := range all {
			if f.Accepts(&v, noon) {
				want = append(want, v.JID)
			}
		}
		got := allChats(t, ctx, store, account, f, []int{3, 200}[i%2])
		wantSame(t, fmt.Sprintf("the chats of filter %s", text(f)), chatJIDs(got), want)
	}
	for i := range 4 * 4 {
		f := chat.Filter{
			Name: []string{"", "toko m", "elan", "budi"}[i%4], Label: []string{"", "1", "12", "3"}[i/4%4], Archived: either[i%2],
		}
		want := []chat.JID{}
		for _, v := range all {
			if f.Accepts(&v, noon) {
				want = append(want, v.JID)
			}
		}
		if (len(want) == 0) != (f.Label == "3") {
			t.Errorf("filter %s accepts %d chats", text(f), len(want))
		}
		wantSame(t, fmt.Sprintf("the chats of filter %s", text(f)),
			chatJIDs(allChats(t, ctx, store, account, f, []int{3, 200}[i%2])), want)
	}
	muted, _, err := store.Chats(ctx, account, chat.Filter{Muted: new(true)}, chat.Page{Limit: 200}, noon.Add(time.Second))
	ok(t, "chats", err)
	for _, v := range muted {
		if v.MuteEnd != chat.MutedForEver {
			t.Errorf("a mute that has run out is listed: %v", v.MuteEnd)
		}
	}
}

// chatLeads: a number that was given up leads to another until a chat of its own shows.
func chatLeads(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	old, now := person(1), person(2)
	put(t, ctx, store, account, now, chat.Chat{}, message("a", 1))
	err := store.Update(ctx, account, old, nil, func(th *chat.Thread) error { th.Chat.Moved = now; return nil })
	ok(t, "lead", err)
	leads := func(want chat.JID) {
		t.Helper()
		v, err := store.Chat(ctx, account, old)
		ok(t, "chat", err)
		c, err := store.Messages(ctx, account, old, chat.Page{Limit: 10}, noon)
		ok(t, "messages", err)
		if v.JID != want || c.Chat != want || len(c.Messages) != 1 {
			t.Errorf("it leads to %s, its messages to %d of %s, want %s", v.JID, len(c.Messages), c.Chat, want)
		}
	}
	leads(now)
	put(t, ctx, store, account, old, chat.Chat{}, message("b", 2))
	leads(old)
}

func chatShows(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	_, err := store.Chat(ctx, account, budi)
	wantCode(t, "an unknown chat", err, chat.ChatNotFound)
	put(t, ctx, store, account, budi, chat.Chat{Contact: chat.Register[string]{Value: "Budi", At: 1}})
	hidden := func(what string) {
		t.Helper()
		_, err := store.Chat(ctx, account, budi)
		wantCode(t, what, err, chat.ChatNotFound)
		if views := allChats(t, ctx, store, account, chat.Filter{}, 10); len(views) != 0 {
			t.Errorf("%s is listed", what)
		}
	}
	shown := func(what string) {
		t.Helper()
		_, err := store.Chat(ctx, account, budi)
		ok(t, what, err)
		wantSame(t, what, chatJIDs(allChats(t, ctx, store, account, chat.Filter{}, 10)), []chat.JID{budi})
	}
	hidden("a chat without message")
	put(t, ctx, store, account, budi, chat.Chat{}, message("a", 1))
	shown("a chat with a message")
	put(t, ctx, store, account, budi, chat.Chat{Cleared: chat.RangeOf(start + 1)})
	shown("a cleared chat")
	put(t, ctx, store, account, budi, chat.Chat{Deleted: chat.RangeOf(start + 1)})
	hidden("a deleted chat")
	put(t, ctx, store, account, budi, chat.Chat{}, message("b", 2))
	shown("a chat with a message after its deletion")
}

func chatsCursors(t *testing.T, ctx context.Context, store chat.ChatStore) {
	mine, foreign := newTenant(t, store), newTenant(t, store)
	for i := range 6 {
		put(t, ctx, store, mine, person(i), chat.Chat{}, message("a", int64(i)))
		put(t, ctx, store, foreign, person(100+i), chat.Chat{}, message("a", int64(i)))
	}
	for _, cursor := range madeUpCursors {
		_, _, err := store.Chats(ctx, mine, chat.Filter{}, chat.Page{Limit: 2, Cursor: cursor}, noon)
		wantCode(t, "a made-up cursor", err, chat.InvalidCursor)
	}
	_, next, err := store.Chats(ctx, foreign, chat.Filter{}, chat.Page{Limit: 2}, noon)
	ok(t, "chats", err)
	views, _, err := store.Chats(ctx, mine, chat.Filter{}, chat.Page{Limit: 10, Cursor: next}, noon)
	if err != nil {
		wantCode(t, "another account's cursor", err, chat.InvalidCursor)
	}
	for _, v := range views {
		if v.JID >= person(100) {
			t.Errorf("another account's cursor shows its chat %s", v.JID)
		}
	}
	conversation, err := store.Messages(ctx, mine, person(1), chat.Page{Limit: 1, Cursor: next}, noon)
	wantCode(t, "a cursor of the chats for messages", err, chat.InvalidCursor)
	wantSame(t, "its messages", len(conversation.Messages), 0)
}

// chatMoves has a chat get a message: it is listed once, first.
func chatMoves(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	for i := range 3 {
		put(t, ctx, store, account, person(i), chat.Chat{}, message("a", int64(i)))
	}
	put(t, ctx, store, account, person(0), chat.Chat{}, message("b", 10))
	got := chatJIDs(allChats(t, ctx, store, account, chat.Filter{}, 2))
	wantSame(t, "the chats", got, []chat.JID{person(0), person(2), person(1)})
}

func messagesOrder(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	var all []*chat.Message
	for i := range 60 {
		m := message(fmt.Sprint("m", (i*13)%60), int64(i/5))
		m.Content.Order = int64(i % 5 / 2)
		all = append(all, &m)
	}
	for i := range all {
		put(t, ctx, store, account, budi, chat.Chat{}, *all[(i*7)%60])
	}
	chat.SortMessages(all)
	want := []string{}
	for _, m := range all {
		want = append(want, m.ID)
	}
	for _, limit := range []int{1, 7, 59, 60, 61} {
		got := allMessages(t, ctx, store, account, budi, limit)
		wantSame(t, "the order of the messages", messageIDs(got), want)
	}
	c, err := store.Messages(ctx, account, budi, chat.Page{Limit: 7}, noon)
	ok(t, "messages", err)
	wantSame(t, "the newest messages", messageIDs(c.Messages), want[53:])
	put(t, ctx, store, account, budi, chat.Chat{}, message("new", 5000))
	older, err := store.Messages(ctx, account, budi, chat.Page{Limit: 7, Cursor: c.Next}, noon)
	ok(t, "messages", err)
	wantSame(t, "the page before, after a new message", messageIDs(older.Messages), want[46:53])
}

func messagesLists(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	gone := message("gone", 42)
	gone.Gone = true
	put(t, ctx, store, account, budi, chat.Chat{},
		message("a", 10), starred(message("b", 20)), message("c", 30), message("d", 30), starred(message("e", 30)),
		message("f", 40),
		gone, chat.Message{ID: "stub", Status: chat.Read}, message("g", 50))
	wantMessages(t, ctx, store, account, budi, "a", "b", "c", "d", "e", "f", "g")
	put(t, ctx, store, account, budi, chat.Chat{ClearedUnstarred: chat.RangeOf(start+30, "c")})
	wantMessages(t, ctx, store, account, budi, "b", "d", "e", "f", "g")
	put(t, ctx, store, account, budi, chat.Chat{ClearedUnstarred: chat.RangeOf(start + 30)})
	wantMessages(t, ctx, store, account, budi, "b", "e", "f", "g")
	put(t, ctx, store, account, budi, chat.Chat{}, chat.Message{ID: "a", Starred: chat.Register[bool]{Value: true, At: 1}})
	wantMessages(t, ctx, store, account, budi, "a", "b", "e", "f", "g")
	later := noon.UnixMilli() // than the stars
	put(t, ctx, store, account, budi, chat.Chat{ClearedUnstarred: chat.RangeOf(start + 30), ClearedAt: later + 5},
		unstarred("a", later+4), unstarred("b", later+6))
	wantMessages(t, ctx, store, account, budi, "b", "e", "f", "g")
	put(t, ctx, store, account, budi, chat.Chat{ClearedUnstarred: chat.RangeOf(start + 30), ClearedAt: later + 7}, unstarred("e", later+8))
	wantMessages(t, ctx, store, account, budi, "e", "f", "g")
	put(t, ctx, store, account, budi, chat.Chat{Deleted: chat.RangeOf(start+30, "e")})
	wantMessages(t, ctx, store, account, budi, "f", "g")
	put(t, ctx, store, account, budi, chat.Chat{Cleared: chat.RangeOf(start+50, "g")})
	wantMessages(t, ctx, store, account, budi)
}

func unstarred(id string, at int64) chat.Message {
	return chat.Message{ID: id, Starred: chat.Register[bool]{At: at}}
}

func messagesExpire(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	m := message("b", 20)
	m.Content.Expires = start + 100
	put(t, ctx, store, account, budi, chat.Chat{}, message("a", 10), m)
	for second, want := range map[int64][]string{99: {"a", "b"}, 100: {"a"}, 101: {"a"}} {
		c, err := store.Messages(ctx, account, budi, chat.Page{Limit: 10}, at(second))
		ok(t, "messages", err)
		wantSame(t, fmt.Sprintf("the conversation at second %d", second), messageIDs(c.Messages), want)
	}
	c, err := store.Messages(ctx, account, budi, chat.Page{Limit: 1}, at(100))
	ok(t, "messages", err)
	wantSame(t, "the newest that hasn't expired", messageIDs(c.Messages), []string{"a"})
}

// messagesFullPages has many messages that aren't listed among those that are.
func messagesFullPages(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	var messages []chat.Message
	want := []string{}
	for i := range int64(400) {
		m := message(fmt.Sprintf("m%03d", i), i)
		switch {
		case i%40 == 7:
			want = append(want, m.ID)
		case i%3 == 0:
			m.Gone = true
		default:
			m.Content.Expires = noon.Unix()
		}
		messages = append(messages, m)
	}
	put(t, ctx, store, account, budi, chat.Chat{}, messages...)
	for _, limit := range []int{1, 3, 10, 11} {
		wantSame(t, "the conversation", messageIDs(allMessages(t, ctx, store, account, budi, limit)), want)
	}
}

func messagesNotFound(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	for _, cursor := range []string{"", "x"} {
		_, err := store.Messages(ctx, account, budi, chat.Page{Limit: 10, Cursor: cursor}, noon)
		if cursor == "" || chat.CodeOf(err) != chat.InvalidCursor {
			wantCode(t, "messages of an unknown chat", err, chat.ChatNotFound)
		}
	}
	put(t, ctx, store, account, budi, chat.Chat{}, chat.Message{ID: "stub", Status: chat.Read})
	_, err := store.Messages(ctx, account, budi, chat.Page{Limit: 10}, noon)
	wantCode(t, "messages of a chat that doesn't show", err, chat.ChatNotFound)
	put(t, ctx, store, account, budi, chat.Chat{Activity: start})
	c, err := store.Messages(ctx, account, budi, chat.Page{Limit: 10}, noon)
	ok(t, "messages of a chat without any", err)
	if c.Chat != budi || len(c.Messages) != 0 || c.Next != "" {
		t.Errorf("an empty conversation is %+v", c)
	}
}

func messagesViews(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	full := fullMessage("full", 10)
	put(t, ctx, store, account, budi, chat.Chat{}, full, message("plain", 20))
	c, err := store.Messages(ctx, account, budi, chat.Page{Limit: 10}, noon)
	ok(t, "messages", err)
	if len(c.Messages) != 2 {
		t.Fatalf("%d messages", len(c.Messages))
	}
	state, messages := exported(t, ctx, store, account, budi, 10)
	for _, v := range c.Messages {
		m := messages[v.ID]
		if want := render.MessageView(&state, &m); v != want {
			t.Errorf("the view of a message\n got %+v\nwant %+v", v, want)
		}
	}
}

func messagesCursors(t *testing.T, ctx context.Context, store chat.ChatStore) {
	mine, foreign := newTenant(t, store), newTenant(t, store)
	for i := range int64(6) {
		put(t, ctx, store, mine, budi, chat.Chat{}, message(fmt.Sprint("mine", i), i))
		put(t, ctx, store, mine, siti, chat.Chat{}, message(fmt.Sprint("siti", i), i))
		put(t, ctx, store, foreign, budi, chat.Chat{}, message(fmt.Sprint("foreign", i), i))
	}
	for _, cursor := range madeUpCursors {
		_, err := store.Messages(ctx, mine, budi, chat.Page{Limit: 2, Cursor: cursor}, noon)
		wantCode(t, "a made-up cursor", err, chat.InvalidCursor)
	}
	for _, from := range []struct {
		account string
		jid     chat.JID
	}{{mine, siti}, {foreign, budi}} {
		c, err := store.Messages(ctx, from.account, from.jid, chat.Page{Limit: 2}, noon)
		ok(t, "messages", err)
		got, err := store.Messages(ctx, mine, budi, chat.Page{Limit: 10, Cursor: c.Next}, noon)
		if err != nil {
			wantCode(t, "a foreign cursor", err, chat.InvalidCursor)
		}
		for _, v := range got.Messages {
			if v.ID[:4] != "mine" {
				t.Errorf("a foreign cursor shows message %s", v.ID)
			}
		}
	}
}

// messagesOne finds exactly the messages that the conversation lists.
func messagesOne(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account, foreign := newTenant(t, store), newTenant(t, store)
	expired := message("expired", 3)
	expired.Content.Expires = noon.Unix()
	long := message(strings.Repeat("x", 300), 6)
	album, part, orphan, hidden := message("album", 7), message("part", 8), message("orphan", 9), message("hidden", 10)
	part.Content.Parent, orphan.Content.Parent, hidden.Content.Parent = "album", "nothing", "cleared"
	gone, self := message("gone", 11), message("self", 12)
	gone.Content.Parent, gone.Gone, self.Content.Parent = "album", true, "self"
	put(t, ctx, store, account, budi, chat.Chat{ClearedUnstarred: chat.RangeOf(start + 2)}, message("cleared", 1),
		starred(message("starred", 2)), expired,
		message("a", 4), message("b", 4), long, album, part, orphan, hidden, gone, self, chat.Message{ID: "stub", ReadHere: true})
	ok(t, "alias", store.Alias(ctx, account, budiLID, budi))
	for _, jid := range []chat.JID{budi, budiLID} {
		listed := map[string]chat.MessageView{}
		for _, v := range allMessages(t, ctx, store, account, jid, 100) {
			listed[v.ID] = v
		}
		for _, id := range []string{"cleared", "starred", "expired", "a", "b", long.ID, "album", "part", "stub", "nothing", "#", "t/", ""} {
			found, err := store.Message(ctx, account, jid, id, noon)
			want, lists := listed[id]
			if !lists {
				wantCode(t, "message "+id, err, chat.MessageNotFound)
				continue
			}
			ok(t, "message "+id, err)
			wantSame(t, "message "+id, found, chat.Conversation{Chat: budi, Messages: []chat.MessageView{want}})
		}
		if len(listed) != 5 {
			t.Errorf("%d messages are listed", len(listed))
		}
		around, err := store.Around(ctx, account, jid, "part", noon)
		ok(t, "what is around a part", err)
		wantSame(t, "what is around a part", around, chat.Conversation{Chat: budi, Messages: []chat.MessageView{listed["album"]}})
		for _, id := range []string{"orphan", "hidden", "gone", "self", "album", "a", "stub", "nothing", ""} {
			_, err := store.Around(ctx, account, jid, id, noon)
			wantCode(t, "what is around "+id, err, chat.MessageNotFound)
		}
		_, err = store.Around(ctx, foreign, jid, "part", noon)
		wantCode(t, "another account's part", err, chat.ChatNotFound)
		oldest, err := store.Oldest(ctx, account, jid)
		ok(t, "oldest", err)
		wantSame(t, "the oldest message", oldest.ID, "cleared")
		_, err = store.Oldest(ctx, foreign, jid)
		wantCode(t, "another account's oldest message", err, chat.ChatNotFound)
		_, err = store.Message(ctx, foreign, jid, "a", noon)
		wantCode(t, "another account's message", err, chat.ChatNotFound)
		state, err := store.State(ctx, account, jid)
		ok(t, "state", err)
		wantSame(t, "the chat's state", state.ClearedUnstarred, chat.RangeOf(start+2))
		_, err = store.State(ctx, foreign, jid)
		wantCode(t, "another account's chat", err, chat.ChatNotFound)
	}
}
