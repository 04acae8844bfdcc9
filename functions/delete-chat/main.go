// The Lambda of deleteChat: it deletes a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.DeleteChat, commander.Wire) }
