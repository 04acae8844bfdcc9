// The Lambda of listBatches: it shows the batches.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ListBatches) }
