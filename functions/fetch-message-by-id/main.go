// The Lambda of fetchMessageById: it shows a conversation.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.FetchMessageByID) }
