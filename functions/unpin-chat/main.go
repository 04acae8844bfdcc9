// The Lambda of unpinChat: it takes the pin off a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.UnpinChat, commander.Wire) }
