// The Lambda of deleteWebhook: it deletes the webhook.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.DeleteWebhook) }
