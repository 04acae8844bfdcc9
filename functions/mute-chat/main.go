// The Lambda of muteChat: it mutes a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() {
	function.Main(func(w *function.Wiring) httpapi.Endpoint {
		return httpapi.MuteChat(w.Chats(), commander.New(w))
	})
}
