// The Lambda of changeApiKey: it gives a device a new key.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ChangeAPIKey, secret.Wire) }
