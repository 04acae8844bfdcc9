// The Lambda of muteChat: it mutes a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.MuteChat, commander.Wire) }
