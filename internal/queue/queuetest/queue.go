package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/chat"
)

// QueueFixture is a queue under test, with two empty shards.
type QueueFixture struct {
	chat.CommandSender
	chat.CommandQueue
	Shards     [2]int
	Visibility time.Duration // visibility timeout that the queue was opened with
	// Put puts a body on the queue as anybody with the right to the queue could.
	Put func(ctx context.Context, shard int, account, id, body string) error
	// DeadLetters counts what went to the dead letters of the shard.
	DeadLetters func(ctx context.Context, shard int) (int, error)
}

// Queue checks an adapter of the command queue. It waits for visibility timeouts to pass: where fake is set each test
// runs in a bubble of package synctest, in which that takes no time, and open must start and end in it all that the
// queue uses; else the queue should be opened with a short timeout.
func Queue(t *testing.T, fake bool, open func(*testing.T) QueueFixture) {
	for _, one := range []struct {
		name string
		run  func(*testing.T, queueTest)
	}{
		{"SendReceive", sendReceive},
		{"ReceiveWaits", receiveWaits},
		{"ReceiveEnds", receiveEnds},
		{"Order", queueOrder},
		{"Limit", receiveLimit},
		{"Shards", queueShards},
		{"SendAgain", sendAgain},
		{"SameIDOfTwoAccounts", sameIDOfTwoAccounts},
		{"Visibility", visibility},
		{"Extend", extendVisibility},
		{"Release", release},
		{"DeadLetters", deadLetters},
		{"NoCommand", noCommand},
		{"Together", receiveTogether},
	} {
		t.Run(one.name, func(t *testing.T) {
			run := func(t *testing.T) { one.run(t, queueTest{open(t), fake}) }
			if fake {
				synctest.Test(t, run)
			} else {
				run(t)
			}
		})
	}
}

type queueTest struct {
	QueueFixture
	fake bool
}

// patience bounds the wait for what must come.
func (q queueTest) patience() time.Duration { return 10*q.Visibility + 30*time.Second }

func (q queueTest) send(t *testing.T, shard int, commands ...chat.Command) {
	t.Helper()
	for _, c := range commands {
		ok(t, "send", q.Send(t.Context(), shard, c))
	}
}

// receive waits for a delivery.
func (q queueTest) receive(t *testing.T, shard, limit int) []chat.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), q.patience())
	defer cancel()
	deliveries, err := q.Receive(ctx, shard, limit)
	ok(t, "receive", err)
	if len(deliveries) == 0 || len(deliveries) > limit {
		t.Fatalf("received %d with limit %d", len(deliveries), limit)
	}
	return deliveries
}

// want receives the next command and checks which one it is.
func (q queueTest) want(t *testing.T, shard int, c chat.Command, attempt int) chat.Delivery {
	t.Helper()
	d := q.receive(t, shard, 1)[0]
	got, err := d.Command()
	ok(t, "command", err)
	wantSame(t, "the received command", got, c)
	if d.Attempt() != attempt {
		t.Fatalf("attempt %d, want %d", d.Attempt(), attempt)
	}
	return d
}

// quiet checks that nothing comes for some time.
func (q queueTest) quiet(t *testing.T, shard int, duration time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	deliveries, err := q.Receive(ctx, shard, 10)
	if len(deliveries) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("received %d, %v; want nothing until the deadline", len(deliveries), err)
	}
}

func sendReceive(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	c := muteCommand(newAccount(), "an.id~!/#?%")
	q.send(t, shard, c)
	ok(t, "done", q.want(t, shard, c, 1).Done(t.Context()))
	q.quiet(t, shard, q.Visibility*3/2)
	next := muteCommand(c.Account, "next")
	q.send(t, shard, next)
	ok(t, "done", q.want(t, shard, next, 1).Done(t.Context()))
}

func receiveWaits(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	q.quiet(t, shard, q.Visibility/4)
	c := muteCommand(newAccount(), "1")
	ctx, cancel := context.WithTimeout(t.Context(), q.patience())
	defer cancel()
	type result struct {
		deliveries []chat.Delivery
		err        error
	}
	results := make(chan result, 1)
	go func() {
		deliveries, err := q.Receive(ctx, shard, 10)
		results <- result{deliveries, err}
	}()
	if q.fake {
		synctest.Wait() // for it to wait
	}
	q.send(t, shard, c)
	got := <-results
	ok(t, "receive", got.err)
	if len(got.deliveries) != 1 {
		t.Fatalf("received %d", len(got.deliveries))
	}
	ok(t, "done", got.deliveries[0].Done(t.Context()))
}

func receiveEnds(t *testing.T, q queueTest) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := q.Receive(ctx, q.Shards[0], 10)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("receive ended with %v", err)
	}
	if _, err := q.Receive(ctx, q.Shards[0], 10); !errors.Is(err, context.Canceled) {
		t.Errorf("receive with an ended context: %v", err)
	}
}

func queueOrder(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	a, b := newAccount(), newAccount()
	a1, a2, a3, b1 := muteCommand(a, "9"), muteCommand(a, "5"), muteCommand(a, "7"), muteCommand(b, "1")
	q.send(t, shard, a1, a2, a3)
	first := q.receive(t, shard, 10)
	if len(first) != 1 {
		t.Fatalf("%d commands of one account were handed out at once", len(first))
	}
	q.quiet(t, shard, q.Visibility/4)
	q.send(t, shard, b1)
	other := q.want(t, shard, b1, 1)
	ok(t, "done", first[0].Done(t.Context()))
	ok(t, "done", q.want(t, shard, a2, 1).Done(t.Context()))
	ok(t, "done", other.Done(t.Context()))
	ok(t, "done", q.want(t, shard, a3, 1).Done(t.Context()))
	q.quiet(t, shard, q.Visibility/4)
}

func receiveLimit(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	want := map[string]bool{}
	for range 7 {
		c := muteCommand(newAccount(), "1")
		want[c.Account] = true
		q.send(t, shard, c)
	}
	for len(want) > 0 {
		for _, d := range q.receive(t, shard, 3) {
			c, err := d.Command()
			ok(t, "command", err)
			if !want[c.Account] {
				t.Fatalf("received %v twice", c)
			}
			delete(want, c.Account)
			ok(t, "done", d.Done(t.Context()))
		}
	}
}

func queueShards(t *testing.T, q queueTest) {
	c := muteCommand(newAccount(), "1")
	q.send(t, q.Shards[0], c)
	q.quiet(t, q.Shards[1], q.Visibility/4)
	ok(t, "done", q.want(t, q.Shards[0], c, 1).Done(t.Context()))
}

func sendAgain(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	c, next := muteCommand(newAccount(), "1"), muteCommand(newAccount(), "2")
	q.send(t, shard, c, c)
	d := q.want(t, shard, c, 1)
	q.send(t, shard, c)
	ok(t, "done", d.Done(t.Context()))
	q.send(t, shard, c, next)
	ok(t, "done", q.want(t, shard, next, 1).Done(t.Context()))
	q.quiet(t, shard, q.Visibility/4)
}

func sameIDOfTwoAccounts(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	a, b := muteCommand(newAccount(), "1"), muteCommand(newAccount(), "1")
	q.send(t, shard, a, b)
	got := map[string]bool{}
	for len(got) < 2 {
		for _, d := range q.receive(t, shard, 10) {
			c, err := d.Command()
			ok(t, "command", err)
			got[c.Account] = true
			ok(t, "done", d.Done(t.Context()))
		}
	}
}

func visibility(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	c := muteCommand(newAccount(), "1")
	next := muteCommand(c.Account, "2")
	q.send(t, shard, c, next)
	q.want(t, shard, c, 1)
	q.quiet(t, shard, q.Visibility/2)
	ok(t, "done", q.want(t, shard, c, 2).Done(t.Context()))
	ok(t, "done", q.want(t, shard, next, 1).Done(t.Context()))
}

func extendVisibility(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	c := muteCommand(newAccount(), "1")
	q.send(t, shard, c)
	d := q.want(t, shard, c, 1)
	for range 3 {
		q.quiet(t, shard, q.Visibility*6/10)
		ok(t, "extend", d.Extend(t.Context()))
	}
	ok(t, "done", q.want(t, shard, c, 2).Done(t.Context()))
}

func release(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	c := muteCommand(newAccount(), "1")
	next := muteCommand(c.Account, "2")
	q.send(t, shard, c, next)
	ok(t, "release", q.want(t, shard, c, 1).Release(t.Context(), 0))
	ok(t, "release", q.want(t, shard, c, 2).Release(t.Context(), 2*q.Visibility))
	q.quiet(t, shard, q.Visibility*3/2)
	ok(t, "done", q.want(t, shard, c, 3).Done(t.Context()))
	ok(t, "done", q.want(t, shard, next, 1).Done(t.Context()))
}

func deadLetters(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	c := muteCommand(newAccount(), "1")
	next := muteCommand(c.Account, "2")
	q.send(t, shard, c, next)
	for attempt := range chat.MaxDeliveries {
		ok(t, "release", q.want(t, shard, c, attempt+1).Release(t.Context(), 0))
	}
	ok(t, "done", q.want(t, shard, next, 1).Done(t.Context()))
	q.quiet(t, shard, q.Visibility*3/2)
	n, err := q.DeadLetters(t.Context(), shard)
	ok(t, "dead letters", err)
	if n != 1 {
		t.Errorf("%d dead letters", n)
	}
}

func noCommand(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	for i, body := range []string{" ", "{", "null", "[]", `"x"`, "☕", `{"version":"1"}`} {
		err := q.Put(t.Context(), shard, newAccount(), fmt.Sprint(i), body)
		ok(t, "put", err)
		d := q.receive(t, shard, 1)[0]
		_, err = d.Command()
		wantCode(t, "a body that is no command", err, chat.InvalidBody)
		ok(t, "done", d.Done(t.Context()))
	}
}

// receiveTogether has several receivers share the commands of some accounts; every third is released at first.
func receiveTogether(t *testing.T, q queueTest) {
	shard := q.Shards[0]
	const accounts, each = 6, 10
	var names []string
	for range accounts {
		names = append(names, newAccount())
	}
	for i := range each {
		for _, account := range names {
			c := muteCommand(account, fmt.Sprint(i))
			c.Seconds = int64(i)
			q.send(t, shard, c)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), q.patience()+30*time.Second)
	defer cancel()
	var mu sync.Mutex
	done, left := map[string][]int64{}, accounts*each
	handle := func(d chat.Delivery) error {
		c, err := d.Command()
		if err != nil {
			return err
		}
		if d.Attempt() == 1 && c.Seconds%3 == 0 {
			return d.Release(t.Context(), 0)
		}
		mu.Lock()
		done[c.Account] = append(done[c.Account], c.Seconds)
		left--
		last := left == 0
		mu.Unlock()
		err = d.Done(t.Context())
		if last {
			cancel()
			return nil
		}
		return err
	}
	ok(t, "receive", together(4, func(int) error {
		for {
			deliveries, err := q.Receive(ctx, shard, 3)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			if err != nil {
				return err
			}
			for _, d := range deliveries {
				if err := handle(d); err != nil {
					return err
				}
			}
		}
	}))
	for _, account := range names {
		if got := done[account]; len(got) != each || !slices.IsSorted(got) {
			t.Errorf("commands of an account were done in the order %v", got)
		}
	}
}
