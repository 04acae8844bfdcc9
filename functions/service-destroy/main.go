// The Lambda of serviceDestroy: it turns a device off.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ServiceDestroy, commander.Wire) }
