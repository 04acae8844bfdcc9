// The Lambda of listDevice: it lists the devices.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ListDevice, secret.Wire) }
