// The Lambda of getChatById: it shows one chat.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetChatByID) }
