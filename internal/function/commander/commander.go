// Package commander wires what commands a device, for the functions that do.
package commander

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/dynamo"
	"pesan/internal/function"
	"pesan/internal/httpapi"
	"pesan/internal/sqsqueue"
)

// New commands over the queues that QUEUE_URLS names, with records in COMMANDS_TABLE, and waits COMMAND_WAIT for an outcome.
func New(w *function.Wiring) httpapi.Commander {
	return httpapi.Commander{
		Commands: dynamo.NewCommands(w.DynamoDB, w.Table("COMMANDS_TABLE"), time.Now),
		Sender:   sqsqueue.NewSender(sqs.NewFromConfig(w.AWS, sqsqueue.Tuned), w.Queues()),
		Reports:  dynamo.NewReports(w.DynamoDB, w.Table("REPORTS_TABLE"), time.Now),
		Wait:     w.Duration("COMMAND_WAIT", 8*time.Second, 0, 20*time.Second),
	}
}
