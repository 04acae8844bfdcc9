// The Lambda of getState: it shows where the link of a device stands.
package main

import (
	"fmt"
	"os"

	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() {
	if err := function.Serve(endpoint); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func endpoint(_ *function.Wiring) (httpapi.Endpoint, error) {
	return httpapi.GetState(), nil
}
