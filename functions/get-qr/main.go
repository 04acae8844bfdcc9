// The Lambda of getQR: it shows what links a phone.
package main

import (
	"fmt"
	"os"

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
	return httpapi.GetQR(commander.New(w)), nil
}
