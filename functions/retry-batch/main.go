// The Lambda of retryBatch: it tries again what failed in a batch.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.RetryBatch, commander.Wire) }
