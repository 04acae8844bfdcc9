// The Lambda of serviceStart: it turns a device on.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() {
	function.Main(func(w *function.Wiring) httpapi.Endpoint {
		return httpapi.ServiceStart(w.Accounts(), commander.New(w))
	})
}
