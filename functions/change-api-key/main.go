// The Lambda of changeApiKey: it gives a device a new key.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
)

func main() { function.Main("changeApiKey", secret.Wire) }
