// The Lambda of addKey: it makes a further key of the account.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.AddKey) }
