// The Lambda of getChats: it lists the account's chats.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetChats) }
