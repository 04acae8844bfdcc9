// The Lambda of unarchiveChat: it takes a chat out of the archive.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.UnarchiveChat, commander.Wire) }
