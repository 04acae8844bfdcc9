package whatsapp

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/chat"
	"pesan/internal/keystore"
	"pesan/internal/kv/dynamodb"
	"pesan/internal/sim"
	"pesan/internal/store"
	"pesan/internal/testkit/awsfault"
	"pesan/internal/testkit/dynamolocal"
)

// onDynamoDB has a new world keep everything as hosts on AWS do. What stands before DynamoDB fails as it is told; a call is tried
// twice, so that its faults come through.
func (w *world) onDynamoDB() *awsfault.Proxy {
	w.t.Helper()
	dynamolocal.Client(w.t) // skips, or fails in CI, without a server
	proxy, err := awsfault.New(os.Getenv("DYNAMODB_ENDPOINT"), 1, awsfault.Rates(0.12),
		func(_ string, f awsfault.Fault) bool { return f == awsfault.Hung }) // it takes as long as a client's patience
	w.ok(err)
	proxy.Plan(sound)
	server := httptest.NewServer(proxy)
	w.t.Cleanup(func() { server.CloseClientConnections(); server.Close(); proxy.Close() })
	tables := dynamolocal.CreateTables(w.t, fmt.Sprintf("whatsapp%d-", os.Getpid()))
	db := dynamodb.New(dynamolocal.Client(w.t, dynamodb.Tuned, func(o *awsdynamodb.Options) {
		o.BaseEndpoint = aws.String(server.URL)
		o.RetryMaxAttempts = 2
	}), tables, time.Now)
	w.store.Store = store.New(db, store.Options{Compression: store.Zstd})
	w.devices.Keys = keystore.New(db, keystore.Options{Log: w.logger})
	w.ok(w.store.CreateAccount(w.soon(), chat.Account{ID: account, Name: "toko", On: true, State: chat.ServiceOff}))
	return proxy
}

func sound(string) awsfault.Fault { return "" }

func writes(operation string) bool {
	return !strings.Contains(operation, "Get") && operation != "Query"
}

// TestDynamoDBFaults: whatever DynamoDB does to the calls that a stream leads to, of the key store and of the store, nothing is lost
// and nothing comes twice.
func TestDynamoDBFaults(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	proxy := w.onDynamoDB()
	w.link()
	w.fetched()
	s := newStream(w)
	s.send()
	s.whole()
	settle := func() {
		t.Helper()
		w.ok(w.linked.WaitDrained(w.soon()))
		s.muted(s.budi, s.sent%2 == 1)
	}
	kinds := []awsfault.Fault{awsfault.Throttled, awsfault.Lost, awsfault.Failed, awsfault.DoneFailed, awsfault.Refused}

	// Writes fail for good, each with its second try: every seventh, beginning at each, and all of several items.
	failed := map[string]int{}
	for begin := range 7 {
		seen, again, faults := 0, "", 0
		proxy.Plan(func(operation string) awsfault.Fault {
			if !writes(operation) {
				return ""
			}
			if operation == again {
				again = ""
				return kinds[seen%len(kinds)]
			}
			if seen++; seen%7 != begin && operation == "PutItem" || faults == 6 {
				return ""
			}
			faults, again = faults+1, operation
			failed[operation]++
			return kinds[seen%len(kinds)]
		})
		s.send()
		settle()
	}
	t.Log(failed)

	// Any call fails at times.
	proxy.Plan(nil)
	for range 5 {
		s.send()
	}
	w.ok(w.linked.WaitDrained(w.soon()))
	proxy.Plan(sound)
	t.Log(proxy.Counts())
	s.whole()

	// Nothing can be written for a while, or nothing at all works.
	for i, f := range kinds {
		proxy.Plan(func(operation string) awsfault.Fault {
			if i%2 == 0 || writes(operation) {
				return f
			}
			return ""
		})
		s.send()
		w.eventually("a store that fails", w.failing.Load)
		proxy.Plan(sound)
		settle()
	}
	s.whole()
}
