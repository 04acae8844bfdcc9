// The Lambda of unmuteChat: it unmutes a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
)

func main() { function.Main("unmuteChat", commander.Wire) }
