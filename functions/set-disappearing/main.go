// The Lambda of setDisappearing: it sets after which time the messages of a chat disappear.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.SetDisappearing, commander.Wire) }
