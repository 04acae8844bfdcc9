package dynamo

import (
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/testkit/awsfault"
	"pesan/internal/testkit/dynamolocal"
)

// TestContractsUnderFaults runs the suites while a fifth of the calls fail in some way: what was done although its answer
// got lost is known as one's own, and what wasn't is done again.
func TestContractsUnderFaults(t *testing.T) {
	t.Parallel()
	names := newTables(t)
	proxy, err := awsfault.New(os.Getenv("DYNAMODB_ENDPOINT"), 1, awsfault.Rates(0.2), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	server := httptest.NewServer(proxy)
	defer server.Close()
	faulty := dynamolocal.Client(t, Tuned, func(o *dynamodb.Options) {
		o.BaseEndpoint = aws.String(server.URL)
		o.HTTPClient = o.HTTPClient.(*awshttp.BuildableClient).WithTimeout(2 * time.Second)
	})
	contracts(t, faulty, names)
	for _, f := range []awsfault.Fault{awsfault.Throttled, awsfault.Failed, awsfault.Refused, awsfault.DoneFailed, awsfault.Lost, awsfault.Hung, awsfault.Partial} {
		if proxy.Counts()[f] == 0 {
			t.Errorf("no call was %s", f)
		}
	}
}
