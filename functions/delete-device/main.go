// The Lambda of deleteDevice: it deletes a device with all its data.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/function/secret"
)

func main() { function.Main("deleteDevice", commander.Wire, secret.Wire) }
