package sqs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"

	"pesan/internal/chat"
)

// Receiver implements chat.CommandQueue.
type Receiver struct {
	sqs        *sqs.Client
	queues     Queues
	visibility time.Duration
	polling    func(*sqs.Options)
	deletes    []*batcher[types.DeleteMessageBatchRequestEntry] // by shard
	changes    []*batcher[types.ChangeMessageVisibilityBatchRequestEntry]
}

var _ chat.CommandQueue = (*Receiver)(nil)

const longestPoll = 20 * time.Second // what SQS allows

// NewReceiver receives from the queues. visibility is chat.VisibilityTimeout, in whole seconds; the queues' own doesn't
// count.
func NewReceiver(client *sqs.Client, queues Queues, visibility time.Duration) *Receiver {
	r := &Receiver{sqs: client, queues: queues, visibility: visibility}
	poller := withTimeout(client.Options().HTTPClient, longestPoll+attemptTimeout)
	r.polling = func(o *sqs.Options) { o.HTTPClient = poller }
	for i := range queues {
		r.deletes = append(r.deletes, newBatcher(func(ctx context.Context, entries []types.DeleteMessageBatchRequestEntry) ([]types.BatchResultErrorEntry, error) {
			out, err := client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &queues[i], Entries: entries})
			if err != nil {
				return nil, err
			}
			return butGone(out.Failed, out.ResultMetadata), nil
		}))
		r.changes = append(r.changes, newBatcher(func(ctx context.Context, entries []types.ChangeMessageVisibilityBatchRequestEntry) ([]types.BatchResultErrorEntry, error) {
			out, err := client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &queues[i], Entries: entries})
			if err != nil {
				return nil, err
			}
			return butGone(out.Failed, out.ResultMetadata), nil
		}))
	}
	return r
}

// butGone leaves out what we don't hold any more, if an answer got lost before: then it was deleted or released by that
// call.
func butGone(refused []types.BatchResultErrorEntry, metadata middleware.Metadata) []types.BatchResultErrorEntry {
	if tries, ok := retry.GetAttemptResults(metadata); !ok || len(tries.Results) < 2 {
		return refused
	}
	return slices.DeleteFunc(refused, func(f types.BatchResultErrorEntry) bool {
		code := aws.ToString(f.Code)
		return code == new(types.ReceiptHandleIsInvalid).ErrorCode() || code == new(types.MessageNotInflight).ErrorCode()
	})
}

// Receive implements chat.CommandQueue. It asks for one command at a time: with more, SQS prefers to hand out several of
// one account together.
func (r *Receiver) Receive(ctx context.Context, shard, _ int) ([]chat.Delivery, error) {
	url, err := r.queues.url(shard)
	if err != nil {
		return nil, err
	}
	for ctx.Err() == nil {
		wait := longestPoll
		if deadline, ok := ctx.Deadline(); ok {
			if wait = min(wait, time.Until(deadline)-margin); wait < 0 {
				pause(ctx, margin)
				continue
			}
		}
		out, err := r.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:            url,
			MaxNumberOfMessages: 1,
			VisibilityTimeout:   seconds(r.visibility),
			WaitTimeSeconds:     int32(wait / time.Second),
			// With the same id a call that is made again, since its answer got lost, gets the same message.
			ReceiveRequestAttemptId:     aws.String(rand.Text()),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		}, r.polling)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return nil, failed("receive command", err)
		case len(out.Messages) > 0:
			return []chat.Delivery{&delivery{r, shard, &out.Messages[0]}}, nil
		case wait < time.Second:
			pause(ctx, margin/5)
		}
	}
	return nil, ctx.Err()
}

// margin is how long before the context's deadline the last poll ends. A message that is handed to a poll which nobody waits
// for any more stays hidden until its visibility timeout ends.
const margin = 500 * time.Millisecond

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// seconds rounds up: less would hand a command out again too early.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

type delivery struct {
	*Receiver
	shard   int
	message *types.Message
}

// Command implements chat.Delivery. A field that no command has is refused: it is a misspelt one.
func (d *delivery) Command() (chat.Command, error) {
	var c *chat.Command
	decoder := json.NewDecoder(bytes.NewReader([]byte(aws.ToString(d.message.Body))))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil || c == nil {
		return chat.Command{}, &chat.Error{Code: chat.InvalidBody}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return chat.Command{}, &chat.Error{Code: chat.InvalidBody}
	}
	return *c, nil
}

// Attempt implements chat.Delivery.
func (d *delivery) Attempt() int {
	n, err := strconv.Atoi(d.message.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// Extend implements chat.Delivery.
func (d *delivery) Extend(ctx context.Context) error {
	return failed("extend command", d.hide(ctx, d.visibility))
}

// longestHidden is what SQS allows.
const longestHidden = 12 * time.Hour

// Release implements chat.Delivery.
func (d *delivery) Release(ctx context.Context, after time.Duration) error {
	return failed("release command", d.hide(ctx, min(max(after, 0), longestHidden)))
}

func (d *delivery) hide(ctx context.Context, timeout time.Duration) error {
	return d.changes[d.shard].do(ctx, func(id string) types.ChangeMessageVisibilityBatchRequestEntry {
		return types.ChangeMessageVisibilityBatchRequestEntry{
			Id: &id, ReceiptHandle: d.message.ReceiptHandle, VisibilityTimeout: seconds(timeout),
		}
	})
}

// Done implements chat.Delivery.
func (d *delivery) Done(ctx context.Context) error {
	return failed("delete command", d.deletes[d.shard].do(ctx, func(id string) types.DeleteMessageBatchRequestEntry {
		return types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: d.message.ReceiptHandle}
	}))
}
