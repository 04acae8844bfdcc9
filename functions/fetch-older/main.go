// The Lambda of fetchOlder: it asks the phone for older messages.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.FetchOlder, commander.Wire) }
