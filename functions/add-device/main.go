// The Lambda of addDevice: it makes a device with its key.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.AddDevice, secret.Wire) }
