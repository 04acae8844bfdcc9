package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/kv/sqlite"
	"pesan/internal/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testVisibility = 2 * time.Second

func open(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "pesan.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dead(ctx context.Context, store kv.Store, number int) (n int, err error) {
	s := &shard{number: number}
	for _, err := range store.Query(ctx, kv.Query{Collection: kv.Work, Partition: s.partition("/dead")}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func TestQueue(t *testing.T) {
	queuetest.Queue(t, true, func(t *testing.T) queuetest.QueueFixture {
		store := open(t)
		q := New(store, 3, testVisibility)
		return queuetest.QueueFixture{
			CommandSender: q, CommandQueue: q, Shards: [2]int{1, 2}, Visibility: testVisibility,
			Put: func(ctx context.Context, shard int, account, id, body string) error {
				return q.enqueue(ctx, shard, account, id, []byte(body))
			},
			DeadLetters: func(ctx context.Context, shard int) (int, error) { return dead(ctx, store, shard) },
		}
	})
}

// command is the nth of an account, as its id says.
func command(account string, n int) chat.Command {
	return chat.Command{Version: 1, ID: fmt.Sprint(n), Account: account, Kind: chat.ConnectCommand,
		RequestedAt: time.Unix(1_800_000_000, 0).UTC()}
}

// receive takes what is there within a moment.
func receive(t *testing.T, q *Queue) []chat.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	got, err := q.Receive(ctx, 1, 10)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return got
}

func ids(t *testing.T, got []chat.Delivery) string {
	t.Helper()
	s := ""
	for _, d := range got {
		c, err := d.Command()
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf("%s%s:%d ", c.Account, c.ID, d.Attempt())
	}
	return s
}

// TestOpenedAgain leaves a queue as a killed process does: what it had handed out comes again at once, and its attempts count.
func TestOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t)
		q := New(store, 3, testVisibility)
		for i := range 3 {
			for _, account := range []string{"a", "b/c"} {
				if err := q.Send(t.Context(), 1, command(account, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := receive(t, q); ids(t, got) != "a0:1 b/c0:1 " || got[1].Done(t.Context()) != nil {
			t.Fatalf("received %s", ids(t, got))
		}
		for attempt := 2; attempt <= chat.MaxDeliveries; attempt++ {
			q = New(store, 3, testVisibility)
			if err := q.Send(t.Context(), 1, command("a", 0)); err != nil {
				t.Fatal(err)
			}
			got := receive(t, q)
			if want := fmt.Sprintf("a0:%d b/c1:%d ", attempt, attempt-1); ids(t, got) != want {
				t.Fatalf("received %s, want %s", ids(t, got), want)
			}
		}
		q = New(store, 3, testVisibility)
		if got := receive(t, q); ids(t, got) != fmt.Sprintf("b/c1:%d ", chat.MaxDeliveries) {
			t.Errorf("received %s", ids(t, got))
		}
		if got := receive(t, q); ids(t, got) != "a1:1 " {
			t.Errorf("received %s", ids(t, got))
		}
		if n, err := dead(t.Context(), store, 1); err != nil || n != 1 {
			t.Errorf("%d dead letters, %v", n, err)
		}
		if err := q.Send(t.Context(), 1, command("d", 0)); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, New(store, 3, testVisibility)); ids(t, got) != "a1:2 d0:1 " {
			t.Errorf("received %s", ids(t, got))
		}
	})
}

// TestDeadLettersStay has a command go to the dead letters each time that the queue is opened.
func TestDeadLettersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t)
		for i := range 3 {
			q := New(store, 3, testVisibility)
			if err := q.Send(t.Context(), 1, command("a", i)); err != nil {
				t.Fatal(err)
			}
			for range chat.MaxDeliveries {
				if err := receive(t, q)[0].Release(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
			}
			if got := receive(t, q); len(got) != 0 {
				t.Errorf("received %s", ids(t, got))
			}
			if n, err := dead(t.Context(), store, 1); err != nil || n != i+1 {
				t.Errorf("%d dead letters, %v, want %d", n, err, i+1)
			}
		}
	})
}

// TestStaleDelivery uses a delivery after the command was handed out again: only Done has an effect.
func TestStaleDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(open(t), 3, testVisibility)
		if err := q.Send(t.Context(), 1, command("a", 1)); err != nil {
			t.Fatal(err)
		}
		stale := receive(t, q)
		time.Sleep(testVisibility)
		if again := receive(t, q); len(stale) != 1 || ids(t, again) != "a1:2 " {
			t.Fatalf("received %s, then %s", ids(t, stale), ids(t, again))
		}
		if err := stale[0].Release(t.Context(), 0); err != nil {
			t.Error(err)
		}
		if got := receive(t, q); len(got) != 0 {
			t.Errorf("a stale release has an effect: %s", ids(t, got))
		}
		if err := errors.Join(stale[0].Extend(t.Context()), stale[0].Done(t.Context())); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if got := receive(t, q); len(got) != 0 {
			t.Errorf("a command that was done is handed out: %s", ids(t, got))
		}
	})
}

// TestSentAgainLater sends a command again when nobody remembers that it was sent.
func TestSentAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(open(t), 3, testVisibility)
		for i, want := range []string{"a1:1 ", "", "a1:1 "} {
			if err := q.Send(t.Context(), 1, command("a", 1)); err != nil {
				t.Fatal(err)
			}
			got := receive(t, q)
			if ids(t, got) != want {
				t.Errorf("sent for the %dth time, received %q, want %q", i, ids(t, got), want)
			}
			for _, d := range got {
				if err := d.Done(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(sendAgain/2 + time.Second)
		}
	})
}

// TestFaults has the store fail: no command is lost, none is handed out too often, and an account's keep their order.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t)
		faulty := kvtest.NewFaulty(store, 0.3, 7)
		q := New(faulty, 3, testVisibility)
		const n = 40
		retry := func(call func() error) {
			t.Helper()
			for range 100 {
				err := call()
				if err == nil {
					return
				}
				if !errors.Is(err, kv.ErrUnavailable) {
					t.Fatal(err)
				}
			}
			t.Fatal("it never succeeds")
		}
		for i := range n {
			retry(func() error { return q.Send(t.Context(), 1, command("a", i)) })
			if i == n/2 {
				q = New(faulty, 3, testVisibility)
			}
		}
		for i := range n {
			var got []chat.Delivery
			retry(func() (err error) {
				got, err = q.Receive(t.Context(), 1, 10)
				return err
			})
			if want := fmt.Sprintf("a%d:1 ", i); ids(t, got) != want {
				t.Fatalf("received %s, want %s", ids(t, got), want)
			}
			retry(func() error { return got[0].Done(t.Context()) })
		}
		if got := receive(t, New(store, 3, testVisibility)); len(got) != 0 || faulty.Failed() == 0 {
			t.Errorf("left over: %s, after %d faults", ids(t, got), faulty.Failed())
		}
	})
}
