// Package caller wires what calls the endpoints of webhooks, for the functions that call or check one.
package caller

import (
	"io"
	"log"
	"time"

	"pesan/internal/function"
	"pesan/internal/webhook"
)

// Wire calls public addresses, and this machine's own where WEBHOOK_LOOPBACK says so, which is for a simulated AWS.
func Wire(w *function.Wiring) {
	log.SetOutput(io.Discard) // net/http writes there what an endpoint says behind its answer
	w.Deps.Caller = webhook.NewSender(webhook.Options{Loopback: w.String("WEBHOOK_LOOPBACK", "false") == "true", Now: time.Now})
}
