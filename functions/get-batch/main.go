// The Lambda of getBatch: it shows how a batch is doing.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetBatch) }
