// The Lambda of clearMessageById: it empties a conversation.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() {
	function.Main(func(w *function.Wiring) httpapi.Endpoint {
		return httpapi.ClearMessageByID(w.Chats(), commander.New(w))
	})
}
