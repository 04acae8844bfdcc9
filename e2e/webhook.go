package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pesan/internal/sim"
)

// hook is an event that a receiver took.
type hook struct {
	ID, Type string
	Results  struct {
		ID, To, Body string
	}
}

// receiver takes webhooks on this machine, and answers them with a status.
type receiver struct {
	*httptest.Server
	secret string // set before anything is sent

	mu     sync.Mutex
	status int
	got    []hook
	errs   []error
}

func newReceiver() *receiver {
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(r)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	signature, broken := standardwebhooks.NewWebhook(r.secret)
	var h hook
	switch {
	case err != nil:
		return // it will come again
	case broken != nil:
		err = broken
	default:
		if err = signature.Verify(body, request.Header); err == nil {
			err = json.Unmarshal(body, &h)
		}
	}
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("a webhook that isn't: %w: %s", err, body))
	}
	if w.WriteHeader(r.status); r.status == http.StatusOK {
		r.got = append(r.got, h)
	}
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// has tells whether the receiver took an event of a message.
func (r *receiver) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.got {
		if h.Type == "message" && h.Results.ID == id {
			return true
		}
	}
	return false
}

// webhook sets one, has it deliver, fail, and keep what it couldn't deliver, and sends that again. Where webhooks may not go to
// this machine, all that can be seen is that they are refused.
func webhook(ctx context.Context, t T, s *System) {
	r := newReceiver()
	defer r.Close()
	answer, err := s.Call(ctx, "setWebhook", "url", r.URL, "events", "message")
	must(t, err)
	if answer.Status == http.StatusBadRequest {
		return
	}
	var set struct{ Secret string }
	if err := unmarshal(answer.Results, &set); err != nil || answer.Status != http.StatusOK || set.Secret == "" {
		t.Fatalf("setWebhook answers %s", answer.Body)
	}
	r.mu.Lock()
	r.secret = set.Secret
	r.mu.Unlock()
	answer, err = s.Call(ctx, "testWebhook")
	must(t, err)
	var tried struct {
		Delivered bool
		Status    int
	}
	if err := unmarshal(answer.Results, &tried); err != nil || !tried.Delivered || tried.Status != http.StatusOK {
		t.Fatalf("testWebhook answers %s", answer.Body)
	}
	say := func(text string) string {
		id, err := s.Friends[0].Send(ctx, s.Phone, sim.Text(text), sim.SendOptions{Time: time.Now().Add(7 * time.Second)})
		must(t, err)
		must(t, s.Device.WaitAcked(ctx, id))
		return id
	}
	first := say("terkirim")
	must(t, Until(ctx, "a webhook", func() (bool, error) { return r.has(first), nil }))

	r.answer(http.StatusGone) // which needs no day until it is given up
	second := say("gagal")
	var dead []struct{ ID string }
	must(t, Until(ctx, "a dead letter", func() (bool, error) {
		_, err := s.Get(ctx, &dead, "listDeadLetters")
		return len(dead) == 1, err
	}))
	var state struct{ State, Reason string }
	if _, err := s.Get(ctx, &state, "getWebhook"); err != nil || state.State != "OFF" || state.Reason != "GONE" {
		t.Errorf("getWebhook says %+v, %v", state, err)
	}
	r.answer(http.StatusOK)
	if answer, err = s.Call(ctx, "setWebhook", "url", r.URL, "events", "message"); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("setWebhook answers %s, %v", answer.Body, err)
	}
	answer, err = s.Call(ctx, "redeliverWebhook", "id", dead[0].ID)
	must(t, err)
	if answer.Status != http.StatusOK || !r.has(second) {
		t.Errorf("redeliverWebhook answers %s", answer.Body)
	}
	if _, err := s.Get(ctx, &dead, "listDeadLetters"); err != nil || len(dead) > 0 {
		t.Errorf("dead letters after they were sent: %v, %v", dead, err)
	}
	third := say("lagi")
	must(t, Until(ctx, "a webhook after it was off", func() (bool, error) { return r.has(third), nil }))
	if answer, err = s.Call(ctx, "deleteWebhook"); err != nil || answer.Status != http.StatusOK {
		t.Errorf("deleteWebhook answers %s, %v", answer.Body, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.errs {
		t.Errorf("%v", err)
	}
}
