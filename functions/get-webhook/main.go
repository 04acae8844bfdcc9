// The Lambda of getWebhook: it shows the webhook.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetWebhook) }
