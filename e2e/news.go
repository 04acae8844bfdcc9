package e2e

import (
	"context"
	"net/http"
	"time"

	"pesan/internal/sim"
)

// news has a call wait for what is new, and hear it.
func news(ctx context.Context, t T, s *System) {
	start, err := s.Call(ctx, "getChanges")
	must(t, err)
	if start.Status != http.StatusOK || start.NextSince == "" {
		t.Fatalf("getChanges answers %s", start.Body)
	}
	waits := make(chan heard, 1)
	go func() { waits <- s.hear(ctx, start.NextSince) }()
	id, err := s.Friends[0].Send(ctx, s.Phone, sim.Text("ada kabar"), sim.SendOptions{Time: time.Now().Add(6 * time.Second)})
	must(t, err)
	must(t, s.Device.WaitAcked(ctx, id))
	for range 10 { // something else may be heard before
		r := <-waits
		must(t, r.err)
		if len(r.changes) == 0 {
			t.Fatalf("who waited heard nothing")
		}
		for _, c := range r.changes {
			for _, m := range c.Messages {
				if m.ID == id && m.Change == "new" {
					return
				}
			}
		}
		go func() { waits <- s.hear(ctx, r.next) }()
	}
	t.Errorf("who waited didn't hear of the message")
}

// heard is what a call that waited was told.
type heard struct {
	changes []struct {
		Messages []struct{ ID, Change string }
	}
	next string
	err  error
}

// hear waits for changes.
func (s *System) hear(ctx context.Context, since string) (h heard) {
	answer, err := s.Get(ctx, &h.changes, "getChanges", "since", since, "wait", "20")
	h.next, h.err = answer.NextSince, err
	return h
}
