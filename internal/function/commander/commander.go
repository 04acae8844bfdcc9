// Package commander wires what sends commands, for the functions whose endpoints command a device.
package commander

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/env"
	"pesan/internal/function"
	sqsqueue "pesan/internal/queue/sqs"
)

// Wire sends commands over the queues that QUEUE_URL names.
func Wire(w *function.Wiring) {
	if w.Required("QUEUE_URL", "the URL of the command queues, with their numbers in braces") == "" {
		return
	}
	queues := env.Get(w.Reader, "QUEUE_URL", nil, sqsqueue.ParseQueues)
	sender := sqsqueue.NewSender(sqs.NewFromConfig(w.AWS, sqsqueue.Tuned), queues)
	w.Deps.Sender, w.Deps.BatchSender = sender, sender
}
