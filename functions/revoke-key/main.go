// The Lambda of revokeKey: it takes a key of the account away.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.RevokeKey) }
