// The Lambda of editDevice: it renames a device.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.EditDevice, secret.Wire) }
