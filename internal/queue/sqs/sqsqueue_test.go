package sqs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pesan/internal/chat"
	"pesan/internal/queue/queuetest"
	"pesan/internal/testkit/sqslocal"
)

func TestMain(m *testing.M) { os.Exit(sqslocal.Run(m.Run)) }

var queues atomic.Int64

// fixture makes two shards of their own for a test. through is the client of what is tested.
func fixture(t *testing.T, through *sqs.Client, visibility time.Duration) queuetest.QueueFixture {
	direct := sqslocal.Client(t)
	var urls, dead Queues
	for range 2 {
		queue, deadLetters := sqslocal.CreateQueue(t, direct, fmt.Sprintf("t%d-%d", os.Getpid(), queues.Add(1)), visibility, chat.MaxDeliveries)
		urls, dead = append(urls, queue), append(dead, deadLetters)
	}
	receiver := NewReceiver(through, urls, visibility)
	t.Cleanup(receiver.Close)
	return queuetest.QueueFixture{
		CommandSender: NewSender(through, urls),
		CommandQueue:  receiver,
		Shards:        [2]int{0, 1},
		Visibility:    visibility,
		Put: func(ctx context.Context, shard int, account, id, body string) error {
			_, err := direct.SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: &urls[shard], MessageBody: &body, MessageGroupId: &account, MessageDeduplicationId: aws.String(account + id),
			})
			return err
		},
		DeadLetters: func(ctx context.Context, shard int) (int, error) {
			out, err := direct.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
				QueueUrl: &dead[shard], AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
			})
			if err != nil {
				return 0, err
			}
			return strconv.Atoi(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])
		},
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	client := sqslocal.Client(t, Tuned)
	queuetest.Queue(t, false, func(t *testing.T) queuetest.QueueFixture { return fixture(t, client, 4*time.Second) })
}

func TestParseQueues(t *testing.T) {
	got, err := ParseQueues("https://sqs.example/1/pesan-{0,1,2}.fifo")
	if want := (Queues{"https://sqs.example/1/pesan-0.fifo", "https://sqs.example/1/pesan-1.fifo", "https://sqs.example/1/pesan-2.fifo"}); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, wrong := range []string{
		"", "https://sqs.example/1/pesan.fifo", "https://sqs.example/{}.fifo", "https://sqs.example/{1,2}.fifo", "https://sqs.example/{0,2}.fifo",
		"https://sqs.example/{0,0}.fifo", "https://sqs.example/{00}.fifo", "https://sqs.example/{0", "https://sqs.example/{0}{0}", "sqs.example/{0,1}.fifo",
		"{0,1}",
	} {
		if got, err := ParseQueues(wrong); err == nil {
			t.Errorf("%q is taken for %v", wrong, got)
		}
	}
}
