// The Lambda of addDevice: it makes a device with its key.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() {
	function.Main(func(w *function.Wiring) httpapi.Endpoint {
		secret.Read(w)
		return httpapi.AddDevice(w.Accounts(), w.Int("SHARDS", 1, 1, 1000))
	})
}
