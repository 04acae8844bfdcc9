package sqs

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"pesan/internal/chat"
)

// batcher sends requests of one kind to one queue, at most one at a time: what is asked for meanwhile goes together in
// the next. Nothing waits for company, and no goroutine runs: whoever finds nobody sending sends for all.
type batcher[Entry any] struct {
	send func(context.Context, []Entry) ([]types.BatchResultErrorEntry, error)

	mu      sync.Mutex
	sending bool
	waiting []*request[Entry]
}

type request[Entry any] struct {
	entry func(id string) Entry
	turn  chan struct{} // gets one when this request's caller is to send
	done  chan error    // has room for one
}

func newBatcher[Entry any](send func(context.Context, []Entry) ([]types.BatchResultErrorEntry, error)) *batcher[Entry] {
	return &batcher[Entry]{send: send}
}

// sendTimeout bounds a batch, which isn't to end with the context of the one who happens to send it.
const sendTimeout = 10 * time.Second

// do sends an entry, which is made with an id that tells it apart within its batch, and waits for its result. When ctx
// ends first it may still be sent.
func (b *batcher[Entry]) do(ctx context.Context, entry func(id string) Entry) error {
	r := &request[Entry]{entry, make(chan struct{}, 1), make(chan error, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, r)
	if !b.sending {
		b.sending = true
		r.turn <- struct{}{}
	}
	b.mu.Unlock()
	select {
	case err := <-r.done:
		return err
	case <-r.turn:
		b.sendWaiting(context.WithoutCancel(ctx))
		return <-r.done
	case <-ctx.Done():
		b.leave(r)
		return ctx.Err()
	}
}

// batchMax is what SQS takes at once.
const batchMax = 10

// sendWaiting sends the caller's request, which stands first, with those that wait, and passes the turn on.
func (b *batcher[Entry]) sendWaiting(ctx context.Context) {
	b.mu.Lock()
	n := min(len(b.waiting), batchMax)
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.mu.Unlock()
	entries := make([]Entry, n)
	for i, r := range batch {
		entries[i] = r.entry(strconv.Itoa(i))
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	refused, err := b.send(ctx, entries)
	results := make([]error, n)
	for i := range results {
		results[i] = err
	}
	for _, f := range refused {
		if i, bad := strconv.Atoi(aws.ToString(f.Id)); bad == nil && i >= 0 && i < n {
			results[i] = fmt.Errorf("refused: %s", aws.ToString(f.Code))
			if !f.SenderFault {
				results[i] = fmt.Errorf("%w: %w", &chat.Error{Code: chat.Unavailable}, results[i])
			}
		}
	}
	for i, r := range batch {
		r.done <- results[i]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass()
}

// pass gives the turn to the first who waits.
func (b *batcher[Entry]) pass() {
	b.sending = len(b.waiting) > 0
	if b.sending {
		b.waiting[0].turn <- struct{}{}
	}
}

// leave takes out a request whose caller has gone, and passes on its turn if it got one at the last moment.
func (b *batcher[Entry]) leave(r *request[Entry]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.waiting {
		if other == r {
			b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
			break
		}
	}
	select {
	case <-r.turn:
		b.pass()
	default:
	}
}
