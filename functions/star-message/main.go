// The Lambda of starMessage: it stars a message.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.StarMessage, commander.Wire) }
