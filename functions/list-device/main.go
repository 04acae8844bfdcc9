// The Lambda of listDevice: it lists the devices.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
)

func main() { function.Main("listDevice", secret.Wire) }
