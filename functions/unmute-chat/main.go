// The Lambda of unmuteChat: it unmutes a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.UnmuteChat, commander.Wire) }
