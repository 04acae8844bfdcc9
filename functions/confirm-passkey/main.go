// The Lambda of confirmPasskey: it says that the codes on both sides are the same.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ConfirmPasskey, commander.Wire) }
