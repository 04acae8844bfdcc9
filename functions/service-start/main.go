// The Lambda of serviceStart: it turns a device on.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
)

func main() { function.Main("serviceStart", commander.Wire) }
