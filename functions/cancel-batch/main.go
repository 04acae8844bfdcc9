// The Lambda of cancelBatch: it cancels a batch.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.CancelBatch) }
