// The Lambda of setLimit: it bounds what a key may use.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/secret"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.SetLimit, secret.Wire) }
