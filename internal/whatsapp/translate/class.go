package translate

import (
	"go.mau.fi/whatsmeow/proto/waWeb"

	"pesan/internal/chat"
)

// classOf is the class of a message that has no content but says that something happened. Those that aren't named move
// nothing and count nothing: WhatsApp's default is for messages, and a new kind of notice is no message.
func classOf(stub waWeb.WebMessageInfo_StubType) chat.Class {
	switch stub {
	case waWeb.WebMessageInfo_CIPHERTEXT:
		return chat.Ambient
	}
	return chat.Ignored
}
