// The Lambda of getQR: it shows what links a phone.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
)

func main() { function.Main("getQR", commander.Wire) }
