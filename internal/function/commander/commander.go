// Package commander wires what sends commands, for the functions whose endpoints command a device.
package commander

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/function"
	sqsqueue "pesan/internal/queue/sqs"
)

// Wire sends commands over the queues that QUEUE_URLS names, in the order of the shards.
func Wire(w *function.Wiring) {
	queues := strings.Split(w.Required("QUEUE_URLS", "the URLs of the shards' queues, separated by commas"), ",")
	w.Deps.Sender = sqsqueue.NewSender(sqs.NewFromConfig(w.AWS, sqsqueue.Tuned), queues)
}
