// The Lambda of getUsage: it says what the account used.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetUsage) }
