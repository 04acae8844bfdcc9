package sqs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pesan/internal/chat"
	"pesan/internal/sleep"
)

// Receiver implements chat.CommandQueue. Close it when nothing is received any more.
type Receiver struct {
	sqs        *sqs.Client
	queues     Queues
	visibility time.Duration
	polling    func(*sqs.Options)
	polls      sync.WaitGroup
}

var _ chat.CommandQueue = (*Receiver)(nil)

const longestPoll = 20 * time.Second // what SQS allows

// NewReceiver receives from the queues. visibility is chat.VisibilityTimeout, in whole seconds; the queues' own doesn't
// count.
func NewReceiver(client *sqs.Client, queues Queues, visibility time.Duration) *Receiver {
	poller := withTimeout(client.Options().HTTPClient, longestPoll+attemptTimeout)
	return &Receiver{
		sqs: client, queues: queues, visibility: visibility,
		polling: func(o *sqs.Options) { o.HTTPClient = poller },
	}
}

// Close waits for the polls that Receive has left, at most as long as one takes.
func (r *Receiver) Close() { r.polls.Wait() }

// Receive implements chat.CommandQueue. It asks for one command at a time: with more, SQS prefers to hand out several of
// one account together.
//
// A poll can't be taken back: SQS hands a command to one whose caller has hung up, and hides it for the visibility timeout,
// with the account's group behind it. So when ctx ends, Receive returns, but its poll goes on, and the command that it still
// brings is released at once.
func (r *Receiver) Receive(ctx context.Context, queue, _ int) ([]chat.Delivery, error) {
	url, err := r.queues.url(queue)
	if err != nil {
		return nil, err
	}
	for ctx.Err() == nil {
		wait := longestPoll
		if deadline, ok := ctx.Deadline(); ok {
			if wait = min(wait, time.Until(deadline)-margin); wait < 0 {
				_ = sleep.For(ctx, margin)
				continue
			}
		}
		polled := make(chan poll, 1)
		r.polls.Go(func() { polled <- r.poll(context.WithoutCancel(ctx), url, wait) })
		var p poll
		select {
		case p = <-polled:
		case <-ctx.Done():
			r.polls.Go(func() { r.giveBack(<-polled) })
			return nil, ctx.Err()
		}
		switch {
		case p.command != nil:
			return []chat.Delivery{p.command}, nil
		case p.err != nil:
			return nil, failed("receive command", p.err)
		case wait < time.Second:
			_ = sleep.For(ctx, margin/5)
		}
	}
	return nil, ctx.Err()
}

// poll is what a request brought: neither when there was no command.
type poll struct {
	command *delivery
	err     error
}

func (r *Receiver) poll(ctx context.Context, url *string, wait time.Duration) poll {
	out, err := r.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:            url,
		MaxNumberOfMessages: 1,
		VisibilityTimeout:   seconds(r.visibility),
		WaitTimeSeconds:     int32(wait / time.Second),
		// With the same id a call that is made again, since its answer got lost, gets the same message.
		ReceiveRequestAttemptId:     aws.String(rand.Text()),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	}, r.polling)
	if err != nil || len(out.Messages) == 0 {
		return poll{err: err}
	}
	return poll{command: &delivery{r, url, &out.Messages[0]}}
}

// giveBack releases a command that nobody waits for any more. If that fails, the visibility timeout does it.
func (r *Receiver) giveBack(p poll) {
	if p.command == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	defer cancel()
	_ = p.command.Release(ctx, 0)
}

// margin is how long before the context's deadline the last poll ends.
const margin = 500 * time.Millisecond

// seconds rounds up: less would hand a command out again too early.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

type delivery struct {
	*Receiver
	url     *string
	message *types.Message
}

// Command implements chat.Delivery. Fields that this version doesn't know are skipped: within one version of the format a later
// release may add some, and its functions run before its hosts do. What a command must have, Validate checks.
func (d *delivery) Command() (chat.Command, error) {
	var c *chat.Command
	if err := json.Unmarshal([]byte(aws.ToString(d.message.Body)), &c); err != nil || c == nil {
		return chat.Command{}, &chat.Error{Code: chat.InvalidBody}
	}
	return *c, nil
}

// Batch implements chat.Delivery.
func (d *delivery) Batch() (chat.BatchMessage, bool) {
	return chat.BatchMessageOf([]byte(aws.ToString(d.message.Body)))
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
	return failed("release command", unlessGone(d.hide(ctx, min(max(after, 0), longestHidden))))
}

func (d *delivery) hide(ctx context.Context, timeout time.Duration) error {
	_, err := d.sqs.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: d.url, ReceiptHandle: d.message.ReceiptHandle, VisibilityTimeout: seconds(timeout),
	})
	return err
}

// Done implements chat.Delivery.
func (d *delivery) Done(ctx context.Context) error {
	_, err := d.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: d.url, ReceiptHandle: d.message.ReceiptHandle})
	return failed("delete command", unlessGone(err))
}

// unlessGone leaves out that a command isn't held any more. A call whose answer got lost was made again and finds it so; if
// instead the visibility timeout has ended, the command comes again whatever is done here, and its record says that it is done.
func unlessGone(err error) error {
	var invalid *types.ReceiptHandleIsInvalid
	var free *types.MessageNotInflight
	if errors.As(err, &invalid) || errors.As(err, &free) {
		return nil
	}
	return err
}
