package wasim

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Text is a plain text message.
func Text(text string) *waE2E.Message { return &waE2E.Message{Conversation: &text} }

// Edit replaces the content of the sender's own message id in chat.
func Edit(chat types.JID, id string, content *waE2E.Message) *waE2E.Message { return nil }

// Revoke deletes the sender's own message id in chat for everyone.
func Revoke(chat types.JID, id string) *waE2E.Message { return nil }

// React reacts to a message; an empty emoji takes the reaction back.
func React(m MessageRef, emoji string) *waE2E.Message { return nil }
