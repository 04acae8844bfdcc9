// The Lambda of deleteDevice: it deletes a device with all its data.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() {
	function.Main(func(w *function.Wiring) httpapi.Endpoint {
		secret.Read(w)
		return httpapi.DeleteDevice(w.Accounts(), commander.New(w))
	})
}
