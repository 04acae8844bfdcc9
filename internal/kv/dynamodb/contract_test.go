package dynamodb

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/testkit/dynamolocal"
)

func contract(t *testing.T, db *dynamodb.Client) {
	tables := newTables(t)
	kvtest.Contract(t, func(_ *testing.T, now func() time.Time) kv.Store { return New(db, tables, now) })
}

func TestContract(t *testing.T) {
	t.Parallel()
	contract(t, dynamolocal.Client(t, Tuned))
}
