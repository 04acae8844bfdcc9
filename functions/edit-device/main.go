// The Lambda of editDevice: it renames a device, and sets its proxy and its shard.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.EditDevice, commander.Wire, secret.Wire) }
