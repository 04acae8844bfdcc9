package sqs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pesan/internal/chat"
	"pesan/internal/testkit/sqslocal"
)

// slow makes a batcher whose sends take a second each; refuse tells which entries are refused.
func slow(sends *[][]string, refuse func(entry string) bool) *batcher[string] {
	return newBatcher(func(ctx context.Context, entries []string) ([]types.BatchResultErrorEntry, error) {
		*sends = append(*sends, entries)
		var refused []types.BatchResultErrorEntry
		for i, e := range entries {
			if refuse != nil && refuse(e) {
				refused = append(refused, types.BatchResultErrorEntry{Id: aws.String(strconv.Itoa(i)), Code: aws.String("No"), SenderFault: true})
			}
		}
		select {
		case <-time.After(time.Second):
			return refused, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func named(name string) func(string) string { return func(string) string { return name } }

func TestBatcherGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sends [][]string
		b := slow(&sends, func(e string) bool { return e == "7" })
		var group sync.WaitGroup
		for i := range 25 {
			group.Go(func() {
				err := b.do(t.Context(), named(fmt.Sprint(i)))
				if (err != nil) != (i == 7) {
					t.Errorf("%d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		if len(sends) != 4 || len(sends[0]) != 1 || len(sends[1]) != 10 || len(sends[2]) != 10 || len(sends[3]) != 4 {
			t.Errorf("sent %v", sends)
		}
	})
}

func TestBatcherOfThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sends [][]string
		b := slow(&sends, nil)
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%2*10)*time.Second/2) // every other one leaves early
				defer cancel()
				if err := b.do(ctx, named(fmt.Sprint(i))); errors.Is(err, context.DeadlineExceeded) != (i%2 == 0 && i > 0) {
					t.Errorf("%d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		if len(sends) != 2 || fmt.Sprint(sends[1]) != "[1 3 5]" {
			t.Errorf("sent %v", sends)
		}
		if err := b.do(t.Context(), named("last")); err != nil {
			t.Error(err)
		}
	})
}

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
