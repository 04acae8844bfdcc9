// The Lambda of redeliverWebhook: it sends events again.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/caller"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.RedeliverWebhook, caller.Wire) }
