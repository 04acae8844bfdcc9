// The Lambda of getPasskey: it shows the passkey that WhatsApp asks for.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetPasskey) }
