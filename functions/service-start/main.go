// The Lambda of serviceStart: it turns a device on.
package main

import (
	"fmt"
	"os"

	"pesan/internal/dynamo"
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() {
	if err := function.Serve(endpoint); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func endpoint(w *function.Wiring) (httpapi.Endpoint, error) {
	return httpapi.ServiceStart(dynamo.NewAccounts(w.DynamoDB, w.Table("ACCOUNTS_TABLE")), commander.New(w)), nil
}
