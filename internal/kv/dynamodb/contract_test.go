package dynamodb

import (
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/testkit/awsfault"
	"pesan/internal/testkit/dynamolocal"
)

func TestContract(t *testing.T) {
	t.Parallel()
	db, tables := dynamolocal.Client(t, Tuned), newTables(t)
	kvtest.Contract(t, func(_ *testing.T, now func() time.Time) kv.Store { return New(db, tables, now) })
}

// TestFaults runs the suite while a fifth of the calls fail in some way: what was done although its answer got lost is known
// as one's own, and what wasn't is done again.
func TestFaults(t *testing.T) {
	t.Parallel()
	db, tables := dynamolocal.Client(t, Tuned), newTables(t)
	proxy, err := awsfault.New(os.Getenv("DYNAMODB_ENDPOINT"), 1, awsfault.Rates(0.2), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	server := httptest.NewServer(proxy)
	defer server.Close()
	shaky := dynamolocal.Client(t, Tuned, func(o *dynamodb.Options) {
		o.BaseEndpoint = aws.String(server.URL)
		o.HTTPClient = o.HTTPClient.(*awshttp.BuildableClient).WithTimeout(2 * time.Second)
	})
	kvtest.Faults(t, func(_ *testing.T, now func() time.Time) (faulty, sound kv.Store) {
		return New(shaky, tables, now), New(db, tables, now)
	})
	for _, f := range []awsfault.Fault{
		awsfault.Throttled, awsfault.Failed, awsfault.Refused, awsfault.DoneFailed, awsfault.Lost, awsfault.Partial,
	} {
		if proxy.Counts()[f] == 0 {
			t.Errorf("no call was %s", f)
		}
	}
}
