// The Lambda of unstarMessage: it takes the star off a message.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.UnstarMessage, commander.Wire) }
