package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pesan/internal/chat"
)

// ChatStore checks an adapter of the chats and messages.
func ChatStore(t *testing.T, open func(*testing.T) chat.ChatStore) {
	t.Run("Update", func(t *testing.T) { runAll(t, open, updateTests) })
	t.Run("Chats", func(t *testing.T) { runAll(t, open, chatsTests) })
	t.Run("Messages", func(t *testing.T) { runAll(t, open, messagesTests) })
	t.Run("Addresses", func(t *testing.T) { runAll(t, open, addressTests) })
	t.Run("Labels", func(t *testing.T) { runAll(t, open, labelTests) })
}

const (
	budi    chat.JID = "6281111111111@s.whatsapp.net"
	budiLID chat.JID = "111111111111111@lid"
	siti    chat.JID = "6282222222222@s.whatsapp.net"
	group   chat.JID = "120363041234567890@g.us"
	me      chat.JID = "6280000000000@s.whatsapp.net"
)

// start is the second of the first message of the tests.
var start = noon.Unix() - 100_000

// message is a text of somebody, second seconds after start.
func message(id string, second int64) chat.Message {
	return chat.Message{ID: id, News: 1, Content: chat.Content{
		Sender: budi, Time: start + second, Type: "conversation", Body: "text " + id, Editable: chat.TextEdit,
		Message: chat.JSON(fmt.Sprintf(`{"conversation":"text %s"}`, id)),
	}}
}

func starred(m chat.Message) chat.Message {
	m.Starred = chat.Register[bool]{Value: true, At: noon.UnixMilli()}
	return m
}

// project applies a change as a projector does, without links.
func project(ctx context.Context, store chat.ChatStore, account string, c chat.Change) error {
	var ids []string
	for _, m := range c.Messages {
		ids = append(ids, m.ID)
	}
	return store.Update(ctx, account, c.Chat, ids, func(t *chat.Thread) error { return t.Apply(c, noon) })
}

func put(t *testing.T, ctx context.Context, store chat.ChatStore, account string, jid chat.JID, state chat.Chat,
	messages ...chat.Message) {
	t.Helper()
	ok(t, "update", project(ctx, store, account, chat.Change{Chat: jid, State: state, Messages: messages}))
}

func allChats(t *testing.T, ctx context.Context, store chat.ChatReader, account string, f chat.Filter, limit int) []chat.View {
	t.Helper()
	return walk(t, limit, func(p chat.Page) ([]chat.View, string, error) { return store.Chats(ctx, account, f, p, noon) })
}

func chatJIDs(views []chat.View) []chat.JID {
	jids := []chat.JID{}
	for _, v := range views {
		jids = append(jids, v.JID)
	}
	return jids
}

// allMessages walks through a conversation, newest page first, and returns it in its order.
func allMessages(
	t *testing.T, ctx context.Context, store chat.MessageReader, account string, jid chat.JID, limit int,
) []chat.MessageView {
	t.Helper()
	pages := walk(t, limit, func(p chat.Page) ([]chat.MessageView, string, error) {
		c, err := store.Messages(ctx, account, jid, p, noon)
		slices.Reverse(c.Messages)
		return c.Messages, c.Next, err
	})
	slices.Reverse(pages)
	return pages
}

func messageIDs(views []chat.MessageView) []string {
	ids := []string{}
	for _, v := range views {
		ids = append(ids, v.ID)
	}
	return ids
}

func wantMessages(t *testing.T, ctx context.Context, store chat.MessageReader, account string, jid chat.JID, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	wantSame(t, "the conversation", messageIDs(allMessages(t, ctx, store, account, jid, 100)), want)
}

// exported reads the state of a chat with all its messages by id.
func exported(
	t *testing.T, ctx context.Context, store chat.ChatStore, account string, jid chat.JID, limit int,
) (chat.Chat, map[string]chat.Message) {
	t.Helper()
	messages := map[string]chat.Message{}
	var state chat.Chat
	cursor := ""
	for {
		c, page, next, err := store.Export(ctx, account, jid, chat.Page{Limit: limit, Cursor: cursor})
		ok(t, "export", err)
		for _, m := range page {
			if _, twice := messages[m.ID]; twice {
				t.Fatalf("message %s was exported twice", m.ID)
			}
			messages[m.ID] = m
		}
		if len(page) > limit {
			t.Fatalf("a page of %d messages with limit %d", len(page), limit)
		}
		state = c
		if cursor = next; cursor == "" {
			return state, messages
		}
	}
}

func now() time.Time { return noon }

func at(second int64) time.Time { return time.Unix(start+second, 0) }
