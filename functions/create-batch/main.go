// The Lambda of createBatch: it accepts many changes of chats.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.CreateBatch, commander.Wire) }
