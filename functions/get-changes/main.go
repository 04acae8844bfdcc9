// The Lambda of getChanges: it gives the account's feed.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetChanges) }
