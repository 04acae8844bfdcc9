// The Lambda of readChat: it marks a chat as read.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ReadChat, commander.Wire) }
