// The Lambda of clearMessageById: it empties a conversation.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
)

func main() { function.Main("clearMessageById", commander.Wire) }
