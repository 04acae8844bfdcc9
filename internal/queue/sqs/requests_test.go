package sqs

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"pesan/internal/chat"
	"pesan/internal/testkit/sqslocal"
)

// counting counts the requests that a client makes.
type counting struct {
	http.RoundTripper
	requests *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// TestRequests holds what a command costs: it is sent, received and deleted.
func TestRequests(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	client := sqslocal.Client(t, Tuned, func(o *sqs.Options) {
		o.HTTPClient = &http.Client{Transport: counting{awshttp.NewBuildableClient().GetTransport(), &requests}}
	})
	q := fixture(t, client, 30*time.Second)
	c := chat.Command{Version: chat.CommandVersion, ID: "1", Account: "01KXQZ5T9W4Y8N2M6P3R7V1B0C", Kind: chat.LogoutCommand, RequestedAt: time.Unix(1772366400, 0)}
	if err := q.Send(t.Context(), 0, c); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := deliveries[0].Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestNoSuchShard(t *testing.T) {
	client := sqs.New(sqs.Options{Region: "local"})
	for _, shard := range []int{-1, 2} {
		if err := NewSender(client, Queues{"a", "b"}).Send(t.Context(), shard, chat.Command{}); err == nil {
			t.Errorf("sent to shard %d of 2", shard)
		}
		if _, err := NewReceiver(client, Queues{"a", "b"}, time.Second).Receive(t.Context(), shard, 1); err == nil {
			t.Errorf("received from shard %d of 2", shard)
		}
	}
}
