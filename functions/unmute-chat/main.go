// The Lambda of unmuteChat: it unmutes a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() {
	function.Main(func(w *function.Wiring) httpapi.Endpoint {
		return httpapi.UnmuteChat(w.Chats(), commander.New(w))
	})
}
