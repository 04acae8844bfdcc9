// The Lambda of sendPasskey: it answers WhatsApp's request for a passkey.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.SendPasskey, commander.Wire) }
