// Package commander wires what commands a device, for the functions that do.
package commander

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/dynamo"
	"pesan/internal/function"
	"pesan/internal/httpapi"
	sqsqueue "pesan/internal/queue/sqs"
)

// New commands over the queues that QUEUE_URLS names, with records in COMMANDS_TABLE, and waits COMMAND_WAIT for an outcome.
func New(w *function.Wiring) httpapi.Commander {
	return httpapi.Commander{
		Commands: dynamo.NewCommands(w.DynamoDB, w.Table("COMMANDS_TABLE"), time.Now),
		Sender:   sqsqueue.NewSender(sqs.NewFromConfig(w.AWS, sqsqueue.Tuned), queues(w)),
		Reports:  w.Reports(),
		Wait:     w.Duration("COMMAND_WAIT", 8*time.Second, 0, 20*time.Second),
	}
}

// queues are the URLs of the shards' queues, in the order of the shards.
func queues(w *function.Wiring) []string {
	return strings.Split(w.Required("QUEUE_URLS", "the URLs of the shards' queues, separated by commas"), ",")
}
