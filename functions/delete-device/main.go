// The Lambda of deleteDevice: it deletes a device with all its data.
package main

import (
	"fmt"
	"os"

	"pesan/internal/dynamo"
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() {
	if err := function.Serve(endpoint); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func endpoint(w *function.Wiring) (httpapi.Endpoint, error) {
	err := secret.Read(w)
	return httpapi.DeleteDevice(dynamo.NewAccounts(w.DynamoDB, w.Table("ACCOUNTS_TABLE")), commander.New(w)), err
}
