// Package sqs carries commands over SQS: FIFO queues, each for the shards that are equal modulo their number, whose groups are
// the accounts.
//
// Its promises: a command is on the queue when Send returns, once, however often its answer gets lost; an account's
// commands are handed out in their order, one at a time; what isn't done comes again, and after chat.MaxDeliveries goes to
// the dead letters, which is the redrive policy's business. The JSON of a command is public: docs/command.schema.json.
package sqs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/chat"
)

// Queues are the URLs of the queues. The commands of a shard go by the one whose number is the shard modulo their count.
type Queues []string

// ParseQueues reads the URLs from one with the queues' numbers in braces, such as https://sqs.example/1/pesan-{0,1,2,3}.fifo.
func ParseQueues(pattern string) (Queues, error) {
	head, rest, opened := strings.Cut(pattern, "{")
	numbers, tail, closed := strings.Cut(rest, "}")
	if !opened || !closed || strings.ContainsAny(tail, "{}") || !strings.HasPrefix(head, "https://") && !strings.HasPrefix(head, "http://") {
		return nil, errors.New("must be a URL with numbers from 0 on in braces, such as https://sqs.example/1/pesan-{0,1,2,3}.fifo")
	}
	var all Queues
	for i, number := range strings.Split(numbers, ",") {
		if strings.TrimSpace(number) != strconv.Itoa(i) {
			return nil, fmt.Errorf("the numbers in braces must be 0,1,2 and so on: number %d of them isn't", i+1)
		}
		all = append(all, head+strconv.Itoa(i)+tail)
	}
	return all, nil
}

func (q Queues) url(number int) (*string, error) {
	if number < 0 || number >= len(q) {
		return nil, fmt.Errorf("no queue %d of %d", number, len(q))
	}
	return &q[number], nil
}

// of is the queue of a shard.
func (q Queues) of(shard int) (*string, error) {
	if shard < 0 || len(q) == 0 {
		return nil, fmt.Errorf("no queue for shard %d", shard)
	}
	return q.url(shard % len(q))
}

// Sender implements chat.CommandSender.
type Sender struct {
	sqs    *sqs.Client
	queues Queues
}

var (
	_ chat.CommandSender = (*Sender)(nil)
	_ chat.BatchSender   = (*Sender)(nil)
)

// NewSender sends to the queues.
func NewSender(client *sqs.Client, queues Queues) *Sender { return &Sender{client, queues} }

// Send implements chat.CommandSender.
func (s *Sender) Send(ctx context.Context, shard int, c chat.Command) error {
	url, err := s.queues.of(shard)
	if err == nil {
		err = put(ctx, s.sqs, url, c.Account, c.Dispatch(), c)
	}
	return failed("send command", err)
}

// put has something stand on a queue behind all others of its group. Given again within minutes under the same id it isn't put
// twice.
func put(ctx context.Context, client *sqs.Client, url *string, group, id string, what any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(group + "\x00" + id)) // since two accounts may choose the same id
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String(string(body)), MessageGroupId: &group,
		MessageDeduplicationId: aws.String(hex.EncodeToString(sum[:])),
	})
	return err
}

// SendBatch implements chat.BatchSender. A chunk is a message, and some 500 operations, so one request each costs next to
// nothing.
func (s *Sender) SendBatch(ctx context.Context, shard int, messages ...chat.BatchMessage) error {
	url, err := s.queues.of(shard)
	for i := 0; i < len(messages) && err == nil; i++ {
		err = put(ctx, s.sqs, url, messages[i].Group(), messages[i].ID(), messages[i])
	}
	return failed("send batch", err)
}

const (
	attempts       = 12
	firstBackoff   = 25 * time.Millisecond
	lastBackoff    = 2 * time.Second
	attemptTimeout = 5 * time.Second
)

// Tuned makes a client try again what was throttled, failed or got no answer, until the context ends or some ten seconds
// have passed.
func Tuned(o *sqs.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return rand.N(min(firstBackoff<<min(attempt, 10), lastBackoff)), nil
		})
	})
	o.HTTPClient = withTimeout(o.HTTPClient, attemptTimeout)
}

// withTimeout leaves a client that isn't the SDK's own as it is.
func withTimeout(client sqs.HTTPClient, timeout time.Duration) sqs.HTTPClient {
	if client == nil {
		client = awshttp.NewBuildableClient()
	}
	if buildable, ok := client.(*awshttp.BuildableClient); ok {
		return buildable.WithTimeout(timeout)
	}
	return client
}

// failed says what was being done. A fault that may pass becomes Unavailable.
func failed(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
	case retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary:
		return fmt.Errorf("%s: %w: %w", doing, &chat.Error{Code: chat.Unavailable}, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
