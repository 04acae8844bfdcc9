// The Lambda of addDevice: it makes a device with its key.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
)

func main() { function.Main("addDevice", secret.Wire) }
