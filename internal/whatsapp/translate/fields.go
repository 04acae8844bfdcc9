package translate

import (
	"go.mau.fi/whatsmeow/proto/waHistorySync"

	"pesan/internal/chat"
	"pesan/internal/render/wajson"
)

// placed are the fields of a Conversation that have a place of their own in a chat, or that a chat reckons itself.
var placed = []string{
	"id", "messages", "name", "archived", "participant", "unreadCount", "unreadMentionCount", "lidJid", "pnJid",
	"markedAsUnread", "pinned", "muteEndTime", "conversationTimestamp", "lastMsgTimestamp", "username",
}

// fields are the others, as they show in the chat's document, set at a time in ms since 1970.
func fields(c *waHistorySync.Conversation, at int64) map[string]chat.Register[chat.JSON] {
	rendered := wajson.Conversation(c, placed...)
	set := make(map[string]chat.Register[chat.JSON], len(rendered))
	for _, f := range rendered {
		set[f.Name] = chat.Register[chat.JSON]{Value: chat.JSON(f.JSON), At: at}
	}
	return set
}
