// The Lambda of archiveChat: it archives a chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ArchiveChat, commander.Wire) }
