// The Lambda of deleteDevice: it deletes a device with all its data.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.DeleteDevice, commander.Wire, secret.Wire) }
