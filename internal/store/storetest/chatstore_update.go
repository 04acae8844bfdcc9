package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/render"
)

var updateTests = []test[chat.ChatStore]{
	{"New", updateNew},
	{"Loads", updateLoads},
	{"Fails", updateFails},
	{"Newest", updateNewest},
	{"Each", updateEach},
	{"Prune", updatePrunes},
	{"PruneKeepsTheSameSecond", pruneKeepsTheSameSecond},
	{"MessageMoves", updateMovesMessage},
	{"Many", updateMany},
	{"Big", updateBig},
	{"Together", updateTogether},
	{"Accounts", updateAccounts},
	{"DeleteChats", deleteChats},
}

func updateNew(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	ok(t, "update", store.Update(ctx, account, budi, []string{"a", "b"}, func(th *chat.Thread) error {
		wantSame(t, "a chat that isn't stored", th.Chat, chat.Chat{JID: budi})
		if len(th.Messages) != 0 {
			t.Errorf("messages of a chat that isn't stored: %v", th.Messages)
		}
		newest, err := th.Newest(func(chat.MessageView) bool { return true })
		if newest != nil || err != nil {
			t.Errorf("newest of a chat that isn't stored: %v, %v", newest, err)
		}
		return nil
	}))
	_, err := store.Chat(ctx, account, budi)
	wantCode(t, "a chat that doesn't show", err, chat.ChatNotFound)
}

func fullState() chat.Chat {
	return chat.Chat{
		Fields: map[string]chat.Register[chat.JSON]{"ephemeralExpiration": {Value: "86400", At: 5},
			"wallpaper": {Value: `{"opacity":1}`, At: 1}},
		Subject:  chat.Register[string]{Value: "subject <&>", At: 5},
		Contact:  chat.Register[string]{Value: `Budi "☕"`, At: 6},
		PushName: chat.Register[string]{Value: "budi", At: 7},
		Members: map[chat.JID]chat.Register[chat.Rank]{siti: {Value: chat.RankAdmin, At: 1},
			budi: {Value: chat.RankLeft, At: 3}},
		Mute: chat.Register[int64]{Value: chat.MutedForEver, At: 8}, Pin: chat.Register[int64]{Value: 1772000000, At: 9},
		Archived: chat.Register[bool]{Value: true, At: 10}, MarkedUnread: chat.Register[bool]{Value: true, At: 11},
		Unread: chat.Unread{Count: 3, Mentions: 1, At: start - 10}, Read: chat.RangeOf(start-20, "r"),
		Cleared: chat.RangeOf(start-30, "x", "y"), ClearedUnstarred: chat.RangeOf(start - 29), ClearedAt: 12, Deleted: chat.RangeOf(start - 50),
		Activity: start + 5, Received: start + 4,
	}
}

func fullMessage(id string, second int64) chat.Message {
	m := starred(message(id, second))
	m.Content.Order, m.Content.Expires, m.Content.Ephemeral, m.Content.Media = 7, noon.Unix()+9, true, true
	m.Content.Mentions, m.Content.MentionMe = []chat.JID{me, siti}, true
	m.Content.Quoted, m.Content.Info = `{"conversation":"q"}`, `{"pushName":"budi"}`
	m.Edits = map[chat.JID]chat.Register[chat.Edit]{budi: {Value: chat.Edit{Type: "conversation", Body: "b",
		Message: `{"conversation":"b"}`}, At: 4}}
	m.Revoked = map[chat.JID]int64{siti: 1}
	m.Status = chat.Read
	m.Receipts = map[chat.JID]chat.Receipt{siti: {Received: 1, Read: 2, Played: 3}}
	m.Reactions = map[chat.JID]chat.Register[chat.Reaction]{siti: {Value: chat.Reaction{AddOn: chat.AddOn{ID: "R", Time: 3,
		Order: 1, Link: 2}, Text: "👍"}, At: 3}}
	m.Told = chat.Told{Whole: 2}
	m.Votes = map[chat.JID]chat.Register[chat.Vote]{budi: {Value: chat.Vote{AddOn: chat.AddOn{ID: "V"}, Options: "00ff"}, At: 3}}
	m.Answers = map[chat.JID]chat.Register[chat.Answer]{budi: {Value: chat.Answer{Response: "GOING", Guests: 1}, At: 3}}
	m.Comments = map[string]chat.Comment{"C": {By: siti, Type: "conversation", Body: "c", Message: `{"conversation":"c"}`}}
	m.Keeps = map[chat.JID]chat.Register[bool]{budi: {Value: true, At: 3}}
	m.Pin = chat.Register[chat.Pin]{Value: chat.Pin{By: siti, Pinned: true, Seconds: 86400}, At: noon.UnixMilli()}
	m.Options = map[string]bool{"added": true}
	m.Parts = map[string]chat.Part{"P": {Sender: budi, Time: 4, Type: "imageMessage", Body: "p", Message: `{"imageMessage":{}}`}}
	m.ReadHere = true
	return m
}

func updateLoads(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	messages := []chat.Message{fullMessage("a", 1), message("b", 2), {ID: "stub", Status: chat.Read}, message("c", 3)}
	var state chat.Chat
	var stored map[string]*chat.Message
	ok(t, "update", store.Update(ctx, account, budi, []string{"a", "b", "stub", "c"}, func(th *chat.Thread) error {
		err := th.Apply(chat.Change{Chat: budi, State: fullState(), Messages: messages}, noon)
		state, stored = th.Chat, th.Changed
		return err
	}))
	rendered := render.View(&state)
	if state.Last.ID != "c" || state.Last.Document == "" {
		t.Fatalf("last is %+v", state.Last)
	}
	view, err := store.Chat(ctx, account, budi)
	ok(t, "chat", err)
	wantView(t, view, rendered)
	ok(t, "update", store.Update(ctx, account, budi, []string{"a", "stub", "none", "b"}, func(th *chat.Thread) error {
		wantSame(t, "the loaded chat", th.Chat, state)
		if th.Chat.Last.Document != state.Last.Document {
			t.Errorf("the last message's document was %s, is %s", state.Last.Document, th.Chat.Last.Document)
		}
		want := map[string]*chat.Message{"a": stored["a"], "stub": stored["stub"], "b": stored["b"]}
		wantSame(t, "the loaded messages", th.Messages, want)
		return nil
	}))
	got, all := exported(t, ctx, store, account, budi, 2)
	wantSame(t, "the exported chat", got, state)
	wantSame(t, "the exported messages", all, stored)
	ok(t, "update", store.Update(ctx, account, budi, nil, func(th *chat.Thread) error {
		if len(th.Messages) != 0 {
			t.Errorf("messages that weren't asked for: %v", slices.Collect(maps.Keys(th.Messages)))
		}
		return nil
	}))
}

// wantView compares all fields, those without JSON too.
func wantView(t *testing.T, got, want chat.View) {
	t.Helper()
	if got.Seq <= 0 {
		t.Errorf("%s was never told of", got.JID)
	}
	if got.Seq = want.Seq; got != want {
		t.Fatalf("the view\n got %+v\nwant %+v", got, want)
	}
}

func updateFails(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	refused := errors.New("refused")
	spoil := func(th *chat.Thread) error {
		if err := th.Apply(chat.Change{Chat: budi, State: fullState(),
			Messages: []chat.Message{message("a", 50), message("new", 60)}}, noon); err != nil {
			return err
		}
		for jid := range th.Chat.Members {
			th.Chat.Members[jid] = chat.Register[chat.Rank]{Value: chat.RankSuperAdmin, At: 99}
		}
		return refused
	}
	if err := store.Update(ctx, account, budi, []string{"a", "new"}, spoil); err != refused {
		t.Errorf("the error of change came back as %v", err)
	}
	_, _, _, err := store.Export(ctx, account, budi, chat.Page{Limit: 10})
	wantCode(t, "a chat after a refused change", err, chat.ChatNotFound)

	put(t, ctx, store, account, budi, fullState(), message("a", 1), message("b", 2))
	state, messages := exported(t, ctx, store, account, budi, 10)
	before, err := store.Chat(ctx, account, budi)
	ok(t, "chat", err)
	if err := store.Update(ctx, account, budi, []string{"a", "new"}, spoil); err != refused {
		t.Errorf("the error of change came back as %v", err)
	}
	after, err := store.Chat(ctx, account, budi)
	ok(t, "chat", err)
	wantView(t, after, before)
	gotState, gotMessages := exported(t, ctx, store, account, budi, 10)
	wantSame(t, "the chat after a refused change", gotState, state)
	wantSame(t, "the messages after a refused change", gotMessages, messages)
}

func updateNewest(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	second := message("e", 20)
	second.Content.Order = 1
	put(t, ctx, store, account, budi, chat.Chat{}, message("d", 20), second, message("c", 20), message("a", 30),
		message("z", 10), chat.Message{ID: "stub", Status: chat.Read})
	put(t, ctx, store, account, siti, chat.Chat{}, message("other", 90))
	var seen []string
	find := func(ids []string, shows func(chat.MessageView) bool) *chat.Message {
		t.Helper()
		var found *chat.Message
		seen = nil
		ok(t, "update", store.Update(ctx, account, budi, ids, func(th *chat.Thread) error {
			seen = nil
			var err error
			found, err = th.Newest(func(v chat.MessageView) bool {
				if v.Listed {
					seen = append(seen, v.ID)
				}
				return shows(v)
			})
			return err
		}))
		return found
	}
	newest := find(nil, func(v chat.MessageView) bool { return v.Listed })
	wantSame(t, "the newest", *newest, message("a", 30))
	newest = find([]string{"a", "e"}, func(v chat.MessageView) bool { return v.Listed })
	wantSame(t, "the newest but those loaded", *newest, message("d", 20))
	newest = find(nil, func(v chat.MessageView) bool { return v.ID == "c" && v.Time == start+20 })
	wantSame(t, "the newest by id", *newest, message("c", 20))
	wantSame(t, "the order of the search", seen, []string{"a", "e", "d", "c"})
	if newest = find(nil, func(chat.MessageView) bool { return false }); newest != nil {
		t.Errorf("the newest of none is %v", newest)
	}
}

func updateEach(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	put(t, ctx, store, account, budi, chat.Chat{}, message("d", 20), message("c", 19), message("a", 30),
		chat.Message{ID: "stub", Status: chat.Read})
	put(t, ctx, store, account, siti, chat.Chat{}, message("other", 90))
	var seen []string
	ok(t, "update", store.Update(ctx, account, budi, []string{"a"}, func(th *chat.Thread) error {
		seen = nil
		return th.Each(start+20, func(m *chat.Message) {
			wantSame(t, "a visited message", *m, message(m.ID, 20))
			seen = append(seen, m.ID)
		})
	}))
	wantSame(t, "those from a second on that aren't loaded", seen, []string{"d"})
}

func updatePrunes(t *testing.T, ctx context.Context, store chat.ChatStore) {
	for _, state := range []chat.Chat{{Cleared: chat.RangeOf(start + 400)}, {Deleted: chat.RangeOf(start + 400)}} {
		account := newTenant(t, store)
		var messages []chat.Message
		for i := range int64(300) {
			messages = append(messages, message(fmt.Sprint("old", i), i))
		}
		messages = append(messages, message("new", 500), chat.Message{ID: "stub", Status: chat.Read})
		put(t, ctx, store, account, budi, chat.Chat{}, messages...)
		put(t, ctx, store, account, siti, chat.Chat{}, message("old1", 1))
		put(t, ctx, store, account, budi, state)
		wantMessages(t, ctx, store, account, budi, "new")
		wantMessages(t, ctx, store, account, siti, "old1")
		_, left := exported(t, ctx, store, account, budi, 1000)
		wantSame(t, "what is left", slices.Sorted(maps.Keys(left)), []string{"new", "stub"})
	}
}

func pruneKeepsTheSameSecond(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	put(t, ctx, store, account, budi, chat.Chat{}, message("a", 1), message("b", 2), message("c", 2), message("d", 2),
		message("e", 3))
	put(t, ctx, store, account, budi, chat.Chat{Cleared: chat.RangeOf(start+2, "b", "d", "e")}) // e is later
	wantMessages(t, ctx, store, account, budi, "c", "e")
	_, left := exported(t, ctx, store, account, budi, 1000)
	wantSame(t, "what is left", slices.Sorted(maps.Keys(left)), []string{"c", "e"})
	put(t, ctx, store, account, budi, chat.Chat{Cleared: chat.RangeOf(start + 3)})
	wantMessages(t, ctx, store, account, budi)
	_, left = exported(t, ctx, store, account, budi, 1000)
	wantSame(t, "what is left", len(left), 0)
}

func updateMovesMessage(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	put(t, ctx, store, account, budi, chat.Chat{}, message("a", 10), message("b", 20), message("c", 30),
		chat.Message{ID: "d", Status: chat.Read})
	put(t, ctx, store, account, budi, chat.Chat{}, message("c", 5), message("d", 15)) // the earlier content stays
	wantMessages(t, ctx, store, account, budi, "c", "a", "d", "b")
	_, all := exported(t, ctx, store, account, budi, 3)
	wantSame(t, "the messages", slices.Sorted(maps.Keys(all)), []string{"a", "b", "c", "d"})

	var first, second []chat.Message // more than are moved together with the chat
	var want []string
	for i := range int64(60) {
		id := fmt.Sprintf("m%02d", i)
		first, second, want = append(first, message(id, 200-i)), append(second, message(id, i)), append(want, id)
	}
	put(t, ctx, store, account, siti, chat.Chat{}, first...)
	put(t, ctx, store, account, siti, chat.Chat{}, second...)
	wantMessages(t, ctx, store, account, siti, want...)
	_, all = exported(t, ctx, store, account, siti, 100)
	wantSame(t, "the messages that have moved", len(all), len(want))
}

func updateMany(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	const many = 500 // a page of history
	var messages []chat.Message
	var want []string
	for i := range int64(many) {
		id := fmt.Sprintf("m%03d", i)
		messages = append(messages, message(id, i))
		want = append(want, id)
	}
	for range 2 {
		put(t, ctx, store, account, budi, chat.Chat{}, messages...)
		wantMessages(t, ctx, store, account, budi, want...)
	}
	view, err := store.Chat(ctx, account, budi)
	ok(t, "chat", err)
	if view.Last.ID != want[many-1] || view.Activity != start+many-1 {
		t.Errorf("the chat is %+v", view)
	}
}

func updateBig(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	m := message("big", 1)
	m.Content.Body = strings.Repeat("☕ and more. ", 5000) // 65,536 characters is WhatsApp's limit of a text
	m.Content.Message = chat.JSON(`{"conversation":"` + m.Content.Body + `"}`)
	put(t, ctx, store, account, budi, chat.Chat{}, m)
	_, got := exported(t, ctx, store, account, budi, 10)
	wantSame(t, "a big message", got["big"], m)
	c, err := store.Messages(ctx, account, budi, chat.Page{Limit: 1}, noon)
	ok(t, "messages", err)
	if want := render.MessageView(&chat.Chat{JID: budi}, &m); c.Messages[0] != want {
		t.Error("the view of a big message came back changed")
	}
}

func updateTogether(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	const many, each = 6, 5
	ok(t, "update", together(many, func(i int) error {
		for j := range each {
			id := fmt.Sprintf("%d-%d", i, j)
			err := untilAvailable(func() error {
				return store.Update(ctx, account, budi, []string{id, "shared"}, func(th *chat.Thread) error {
					seen := th.Chat.Subject
					if mark := " " + id; !strings.Contains(seen.Value, mark) {
						seen = chat.Register[string]{Value: seen.Value + mark, At: seen.At + 1}
					}
					return th.Apply(chat.Change{
						Chat: budi, State: chat.Chat{Subject: seen},
						Messages: []chat.Message{message(id, int64(j)),
							{ID: "shared", Receipts: map[chat.JID]chat.Receipt{chat.JID(id): {Read: 1}}}},
					}, noon)
				})
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	state, messages := exported(t, ctx, store, account, budi, 100)
	if n := len(strings.Fields(state.Subject.Value)); n != many*each {
		t.Errorf("%d of %d updates of the chat were stored", n, many*each)
	}
	if len(messages) != many*each+1 || len(messages["shared"].Receipts) != many*each {
		t.Errorf("%d messages, %d receipts", len(messages), len(messages["shared"].Receipts))
	}
}

func updateAccounts(t *testing.T, ctx context.Context, store chat.ChatStore) {
	mine, foreign := newTenant(t, store), newTenant(t, store)
	put(t, ctx, store, foreign, budi, fullState(), message("a", 1))
	ok(t, "alias", store.Alias(ctx, foreign, budiLID, budi))
	for _, jid := range []chat.JID{budi, budiLID} {
		_, err := store.Chat(ctx, mine, jid)
		wantCode(t, "another account's chat", err, chat.ChatNotFound)
		_, err = store.Messages(ctx, mine, jid, chat.Page{Limit: 10}, noon)
		wantCode(t, "another account's messages", err, chat.ChatNotFound)
		_, _, _, err = store.Export(ctx, mine, jid, chat.Page{Limit: 10})
		wantCode(t, "another account's export", err, chat.ChatNotFound)
		ok(t, "update", store.Update(ctx, mine, jid, []string{"a"}, func(th *chat.Thread) error {
			wantSame(t, "another account's chat", th.Chat, chat.Chat{JID: jid})
			wantSame(t, "another account's messages", len(th.Messages), 0)
			return nil
		}))
	}
	if views := allChats(t, ctx, store, mine, chat.Filter{}, 10); len(views) != 0 {
		t.Errorf("another account's chats are listed: %v", views)
	}
	state, messages := exported(t, ctx, store, foreign, budi, 10)
	put(t, ctx, store, mine, budi, chat.Chat{Cleared: chat.RangeOf(start + 10)}, message("a", 0), message("b", 50))
	ok(t, "delete", store.DeleteChats(ctx, mine))
	gotState, gotMessages := exported(t, ctx, store, foreign, budi, 10)
	wantSame(t, "the other account's chat", gotState, state)
	wantSame(t, "the other account's messages", gotMessages, messages)
	_, err := store.Chat(ctx, foreign, budiLID)
	ok(t, "the other account's alias", err)
}

func deleteChats(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	var messages []chat.Message
	for i := range int64(60) {
		messages = append(messages, message(fmt.Sprint(i), i))
	}
	put(t, ctx, store, account, budi, chat.Chat{}, messages...)
	put(t, ctx, store, account, siti, chat.Chat{}, message("a", 1))
	ok(t, "alias", store.Alias(ctx, account, budiLID, budi))
	ok(t, "delete", store.DeleteChats(ctx, account))
	if views := allChats(t, ctx, store, account, chat.Filter{}, 10); len(views) != 0 {
		t.Errorf("chats are left: %v", views)
	}
	ok(t, "delete again", store.DeleteChats(ctx, account))
	for _, jid := range []chat.JID{budi, budiLID} {
		ok(t, "update", store.Update(ctx, account, jid, []string{"1"}, func(th *chat.Thread) error {
			wantSame(t, "a deleted chat", th.Chat, chat.Chat{JID: jid})
			wantSame(t, "its messages", len(th.Messages), 0)
			return nil
		}))
	}
}
