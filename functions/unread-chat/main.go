// The Lambda of unreadChat: it marks a chat as unread.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.UnreadChat, commander.Wire) }
