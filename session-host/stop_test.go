package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"pesan/e2e"
	"pesan/internal/chat"
	"pesan/internal/sim"
)

// TestStopHidesNoCommand stops a host while commands come, before and after its last poll was left, and starts another: each is
// done soon after, in its first attempt or the one that the stop has cost it, and never when a visibility timeout has ended. A
// machine that others use may make one stop slow, so that soon is what one of some stops has to hold.
func TestStopHidesNoCommand(t *testing.T) {
	t.Parallel()
	const soon, never, stops = 3 * time.Second, chat.VisibilityTimeout / 2, 5
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newStack(t, 2, nil)
	host := s.start(nil)
	must(t, host.says(ctx, "shards taken", 2))
	all := s.linked(ctx, 4)
	for _, d := range all {
		_, err := d.Friends[0].Send(ctx, d.Phone, sim.Text("ada"), sim.SendOptions{})
		must(t, err)
		must(t, e2e.Until(ctx, "a chat", func() (bool, error) {
			chats, err := d.Chats(ctx)
			return len(chats) > 0, err
		}))
	}
	var took []time.Duration
	for n := range stops {
		var slowest time.Duration
		host, slowest = s.stopUnderCommands(ctx, t, host, all, 1000+2*n)
		switch {
		case slowest > never:
			t.Fatalf("a command was done %v after the new host's start", slowest)
		case slowest <= soon:
			return
		}
		took = append(took, slowest)
	}
	t.Errorf("the slowest commands were done %v after the new host's start", took)
}

// stopUnderCommands stops a host and starts the next one. It returns that, and when the last command was done after its start.
func (s *stack) stopUnderCommands(ctx context.Context, t *testing.T, old *process, all []*driven, second int) (
	next *process, slowest time.Duration,
) {
	t.Helper()
	old.signal(syscall.SIGTERM)
	var calls errgroup.Group
	done := make(chan time.Time, 2*len(all))
	mute := func(second int) {
		for _, d := range all {
			calls.Go(func() error {
				answer, err := d.Call(ctx, "muteChat", "phone", d.Friends[0].PN().User, "second", fmt.Sprint(second))
				switch {
				case err != nil:
				case answer.Status == http.StatusAccepted: // no host was there to wait for
					err = ended(ctx, d.Client, answer)
				case answer.Status != http.StatusOK:
					err = fmt.Errorf("muteChat answers %s", answer.Body)
				}
				done <- time.Now()
				return err
			})
		}
	}
	mute(second)
	must(t, old.says(ctx, "shards released", 2))
	mute(second + 1)
	began := time.Now()
	next = s.start(nil)
	must(t, next.says(ctx, "shards taken", 2))
	must(t, calls.Wait())
	close(done)
	for at := range done {
		slowest = max(slowest, at.Sub(began))
	}
	if <-old.ended; old.err != nil {
		t.Errorf("the host that was stopped ends with %v", old.err)
	}
	return next, slowest
}

// ended waits until the report says that the command of an answer was done.
func ended(ctx context.Context, c *e2e.Client, answer e2e.Answer) error {
	var a struct {
		CommandID string `json:"commandId"`
	}
	if err := json.Unmarshal(answer.Body, &a); err != nil {
		return err
	}
	return e2e.Until(ctx, "the end of a command", func() (bool, error) {
		all, err := c.Reports(ctx)
		for _, r := range all {
			if r.CommandID == a.CommandID && r.Code == http.StatusOK && r.Command != "pending" {
				return true, err
			}
		}
		return false, err
	})
}
