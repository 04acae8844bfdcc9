// The Lambda of pinChat: it pins a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.PinChat, commander.Wire) }
