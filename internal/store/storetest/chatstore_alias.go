package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pesan/internal/chat"
)

var addressTests = []test[chat.ChatStore]{
	{"Alias", alias},
	{"AliasDeletes", aliasDeletes},
	{"AliasMoves", aliasMoves},
	{"AliasWhileRead", aliasWhileRead},
}

func alias(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	ok(t, "alias", store.Alias(ctx, account, budiLID, budi)) // before there is a chat
	_, err := store.Chat(ctx, account, budiLID)
	wantCode(t, "a chat that is only an alias", err, chat.ChatNotFound)
	ok(t, "update", store.Update(ctx, account, budiLID, []string{"a"}, func(th *chat.Thread) error {
		wantSame(t, "the chat behind an alias", th.Chat.JID, budi)
		return th.Apply(chat.Change{Chat: budiLID, Messages: []chat.Message{message("a", 1)}}, noon)
	}))
	put(t, ctx, store, account, budi, chat.Chat{}, message("b", 2))
	for range 2 {
		for _, jid := range []chat.JID{budi, budiLID} {
			v, err := store.Chat(ctx, account, jid)
			ok(t, "chat", err)
			if v.JID != budi || v.Last.ID != "b" {
				t.Errorf("the chat by %s is %+v", jid, v)
			}
			c, err := store.Messages(ctx, account, jid, chat.Page{Limit: 10}, noon)
			ok(t, "messages", err)
			wantSame(t, "messages", messageIDs(c.Messages), []string{"a", "b"})
			wantSame(t, "the conversation's chat", c.Chat, budi)
			wantMessages(t, ctx, store, account, jid, "a", "b")
		}
		wantSame(t, "the chats", chatJIDs(allChats(t, ctx, store, account, chat.Filter{}, 10)), []chat.JID{budi})
		_, _, _, err := store.Export(ctx, account, budiLID, chat.Page{Limit: 10})
		wantCode(t, "export of an alias", err, chat.ChatNotFound)
		ok(t, "alias again", store.Alias(ctx, account, budiLID, budi))
	}
}

func aliasDeletes(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	var messages []chat.Message
	for i := range int64(60) {
		messages = append(messages, message(fmt.Sprint("lid", i), i))
	}
	put(t, ctx, store, account, budiLID, chat.Chat{}, messages...)
	put(t, ctx, store, account, budi, chat.Chat{}, message("pn", 1))
	ok(t, "alias", store.Alias(ctx, account, budiLID, budi))
	wantMessages(t, ctx, store, account, budiLID, "pn")
	wantSame(t, "the chats", chatJIDs(allChats(t, ctx, store, account, chat.Filter{}, 10)), []chat.JID{budi})
	_, left := exported(t, ctx, store, account, budi, 100)
	wantSame(t, "the messages", len(left), 1)
}

// aliasMoves gives a LID to another number, as when a person changes it.
func aliasMoves(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	put(t, ctx, store, account, budi, chat.Chat{}, message("old", 1))
	put(t, ctx, store, account, siti, chat.Chat{}, message("new", 2))
	ok(t, "alias", store.Alias(ctx, account, budiLID, budi))
	ok(t, "alias", store.Alias(ctx, account, budiLID, siti))
	wantMessages(t, ctx, store, account, budiLID, "new")
	wantMessages(t, ctx, store, account, budi, "old")
}

// aliasWhileRead moves conversations to the other address while others read them: they never look empty.
func aliasWhileRead(t *testing.T, ctx context.Context, store chat.ChatStore) {
	const conversations, messages = 10, 3
	for i := range conversations {
		account := newTenant(t, store)
		var stored []chat.Message
		for j := range messages {
			stored = append(stored, message(fmt.Sprintf("m%d", j), int64(j)))
		}
		put(t, ctx, store, account, budiLID, chat.Chat{}, stored...)
		moved := make(chan struct{})
		ok(t, "move and read", together(3, func(reader int) error {
			if reader == 0 {
				defer close(moved)
				return chat.NewProjector(store, func() time.Time { return noon }).Apply(ctx, account, chat.Change{Chat: budi, Alt: budiLID})
			}
			for done := false; !done; {
				select {
				case <-moved:
					done = true
				default:
				}
				c, err := store.Messages(ctx, account, budiLID, chat.Page{Limit: 10}, noon)
				if err != nil || len(c.Messages) != messages {
					return fmt.Errorf("conversation %d has %d messages: %w", i, len(c.Messages), err)
				}
			}
			return nil
		}))
	}
}
