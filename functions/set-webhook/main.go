// The Lambda of setWebhook: it sets where events are sent.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/caller"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.SetWebhook, caller.Wire) }
