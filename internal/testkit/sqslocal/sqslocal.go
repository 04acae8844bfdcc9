// Package sqslocal gives tests an SQS of their own: the server that SQS_ENDPOINT names, else an ElasticMQ that lives as
// long as the test binary. With CI=true a missing server is a failure; without it, it skips the tests that need one.
package sqslocal

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pesan/internal/testkit/localserver"
)

var program = localserver.Program{
	Name:     "ElasticMQ",
	Variable: "SQS_ENDPOINT",
	Script:   "elasticmq",
	Arguments: func(_ string, port int) []string {
		return []string{"-Drest-sqs.enabled=true", "-Drest-sqs.bind-hostname=127.0.0.1",
			"-Drest-sqs.bind-port=" + strconv.Itoa(port),
			"-Drest-sqs.sqs-limits=strict", "-Drest-stats.enabled=false",
			"-Dnode-address.protocol=http", "-Dnode-address.host=127.0.0.1", "-Dnode-address.port=" + strconv.Itoa(port),
			"org.elasticmq.server.Main"}
	},
}

// Run is the body of a package's TestMain: it starts a server if none is given, does the rest, ends the server and gives
// the exit code.
func Run(rest func() int) int { return program.Run(rest) }

// Start starts a server for a program that isn't a test, which ends it with Stop.
func Start() (*localserver.Server, error) { return program.Start() }

// Client returns a client of the server, or skips the test (fails it in CI) when there is none.
func Client(t testing.TB, options ...func(*sqs.Options)) *sqs.Client {
	t.Helper()
	return sqs.New(sqs.Options{
		Region:       "local",
		BaseEndpoint: aws.String(program.URL(t)),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	}, options...)
}

// CreateQueue makes a FIFO queue with a dead-letter queue, as the template does, and returns both URLs.
func CreateQueue(
	t testing.TB, client *sqs.Client, name string, visibility time.Duration, attempts int,
) (queue, deadLetters string) {
	t.Helper()
	fifo := func(name string, attributes map[string]string) string {
		attributes[string(types.QueueAttributeNameFifoQueue)] = "true"
		out, err := client.CreateQueue(t.Context(),
			&sqs.CreateQueueInput{QueueName: aws.String(name + ".fifo"), Attributes: attributes})
		if err != nil {
			t.Fatalf("create queue %s: %v", name, err)
		}
		return *out.QueueUrl
	}
	deadLetters = fifo(name+"-dead", map[string]string{})
	out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &deadLetters, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatalf("find queue %s: %v", name, err)
	}
	queue = fifo(name, map[string]string{
		string(types.QueueAttributeNameVisibilityTimeout): strconv.Itoa(int(visibility / time.Second)),
		string(types.QueueAttributeNameRedrivePolicy): fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`,
			out.Attributes[string(types.QueueAttributeNameQueueArn)], attempts),
	})
	return queue, deadLetters
}
