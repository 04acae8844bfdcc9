package sqs

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/queue/queuetest"
	"pesan/internal/testkit/awsfault"
	"pesan/internal/testkit/sqslocal"
)

// TestContractUnderFaults runs the suite while a fifth of the calls fail in some way. Only what SQS has handed out isn't
// lost here: ElasticMQ doesn't hand it out again for the same attempt id, as SQS does.
func TestContractUnderFaults(t *testing.T) {
	t.Parallel()
	sqslocal.Client(t) // skips, or fails in CI, without a server
	spare := func(operation string, f awsfault.Fault) bool {
		return operation == "ReceiveMessage" && (f == awsfault.Lost || f == awsfault.DoneFailed || f == awsfault.Hung)
	}
	proxy, err := awsfault.New(os.Getenv("SQS_ENDPOINT"), 1, awsfault.Rates(0.2), spare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	faulty := sqslocal.Client(t, Tuned, func(o *sqs.Options) {
		o.BaseEndpoint = aws.String(server.URL)
		o.HTTPClient = o.HTTPClient.(*awshttp.BuildableClient).WithTimeout(2 * time.Second)
	})
	queuetest.Queue(t, false, func(t *testing.T) queuetest.QueueFixture {
		visibility := 6 * time.Second // longer than a few failures in a row
		if strings.HasSuffix(t.Name(), "/Together") {
			visibility = 20 * time.Second // no command may come again there, however often the call that deletes it fails
		}
		return fixture(t, faulty, visibility)
	})
	for _, f := range []awsfault.Fault{awsfault.Throttled, awsfault.Failed, awsfault.Refused, awsfault.DoneFailed, awsfault.Lost} {
		if proxy.Counts()[f] == 0 {
			t.Errorf("no call was %s", f)
		}
	}
}
