// The Lambda of serviceDestroy: it turns a device off.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
)

func main() { function.Main("serviceDestroy", commander.Wire) }
