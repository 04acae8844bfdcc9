// The Lambda of serviceStart: it turns a device on.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ServiceStart, commander.Wire) }
