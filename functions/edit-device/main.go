// The Lambda of editDevice: it renames a device.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
)

func main() { function.Main("editDevice", secret.Wire) }
