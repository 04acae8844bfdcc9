// The Lambda of serviceDestroy: it turns a device off.
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
	return httpapi.ServiceDestroy(dynamo.NewAccounts(w.DynamoDB, w.Table("ACCOUNTS_TABLE")), commander.New(w)), nil
}
