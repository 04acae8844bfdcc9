// The Lambda of getChats: it lists the account's chats.
package main

import (
	"fmt"
	"os"

	"pesan/internal/dynamo"
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() {
	if err := function.Serve(endpoint); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func endpoint(w *function.Wiring) (httpapi.Endpoint, error) {
	return httpapi.GetChats(dynamo.NewChatReader(w.DynamoDB, w.Table("CHATS_TABLE"))), nil
}
