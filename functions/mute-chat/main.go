// The Lambda of muteChat: it mutes a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
)

func main() { function.Main("muteChat", commander.Wire) }
