// The Lambda of every path that has no endpoint.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.Unknown) }
