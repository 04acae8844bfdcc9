// The Lambda of testWebhook: it tries the webhook.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/caller"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.TestWebhook, caller.Wire) }
