// The Lambda of clearMessageById: it empties a conversation.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ClearMessageByID, commander.Wire) }
