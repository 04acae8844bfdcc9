// The Lambda of getQR: it shows what links a phone.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetQR, commander.Wire) }
