package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pesan/internal/chat"
)

// EventQueue carries events of accounts to the function that sends them to webhooks: a FIFO queue whose groups are the accounts.
type EventQueue struct {
	sqs *sqs.Client
	url string
}

// NewEventQueue is the queue at a URL.
func NewEventQueue(client *sqs.Client, url string) *EventQueue { return &EventQueue{client, url} }

// EventMessage is an event as it stands on the queue.
type EventMessage struct {
	Account string     `json:"account"`
	Event   chat.Event `json:"event"`
}

// ParseEvent reads what stands on the queue.
func ParseEvent(body string) (m EventMessage, err error) {
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Account == "" || m.Event.ID == "" {
		return m, fmt.Errorf("read event: it is none")
	}
	return m, nil
}

// Deliver puts events on the queue, one after the other, so that they stand there in their order: of several that are sent
// together SQS may refuse one and take those after it. An event that is given again within minutes isn't put twice.
func (q *EventQueue) Deliver(
	ctx context.Context, account string, events []chat.Event,
) (finished int, pause time.Duration, err error) {
	for _, e := range events {
		if err := put(ctx, q.sqs, &q.url, account, e.ID, EventMessage{account, e}); err != nil {
			return finished, 0, failed("send event", err)
		}
		finished++
	}
	return finished, 0, nil
}

// Done deletes received messages, by their receipts, at most ten.
func (q *EventQueue) Done(ctx context.Context, receipts []string) error {
	var entries []types.DeleteMessageBatchRequestEntry
	for i, r := range receipts {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: &r})
	}
	_, err := q.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.url, Entries: entries})
	return failed("delete events", err)
}

// Hide has received messages be handed out again after a while, at most ten.
func (q *EventQueue) Hide(ctx context.Context, receipts []string, pause time.Duration) error {
	var entries []types.ChangeMessageVisibilityBatchRequestEntry
	for i, r := range receipts {
		entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(fmt.Sprint(i)), ReceiptHandle: &r, VisibilityTimeout: seconds(min(pause, longestHidden)),
		})
	}
	_, err := q.sqs.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url, Entries: entries})
	return failed("hide events", err)
}
