package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"pesan/e2e"
	"pesan/internal/sim"
)

// TestFollowOneCall: by the id that a call is answered with, its way is found: in the lines of the function and of the host, and in
// the report, which names the command.
func TestFollowOneCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newStack(t, 1, nil)
	s.start(nil)
	d := s.linked(ctx, 1)[0]
	_, err := d.Friends[0].Send(ctx, d.Phone, sim.Text("ada"), sim.SendOptions{})
	must(t, err)
	must(t, e2e.Until(ctx, "a chat", func() (bool, error) {
		chats, err := d.Chats(ctx)
		return len(chats) > 0, err
	}))
	answer, err := d.Call(ctx, "muteChat", "phone", d.Friends[0].PN().User, "second", "1000")
	must(t, err)
	if answer.Status != http.StatusOK || answer.Request == "" {
		t.Fatalf("muteChat answers %d %s as %q", answer.Status, answer.Body, answer.Request)
	}
	reports, err := d.Reports(ctx)
	must(t, err)
	of := slices.IndexFunc(reports, func(r e2e.Report) bool { return r.RequestID == answer.Request })
	if of < 0 || reports[of].Endpoint != "muteChat" || reports[of].CommandID == "" {
		t.Fatalf("no report of the call %s: %+v", answer.Request, reports)
	}
	way := func(all []string) (messages []string) {
		for _, line := range all {
			var fields struct{ Msg, Request, Command string }
			if json.Unmarshal([]byte(line), &fields) == nil && fields.Request == answer.Request {
				if messages = append(messages, fields.Msg); fields.Command != "" && fields.Command != reports[of].CommandID {
					t.Errorf("a line of another command: %s", line)
				}
			}
		}
		return messages
	}
	must(t, s.logs.wait(ctx, "the call and its command", func(all []string) bool {
		messages := way(all)
		return slices.Contains(messages, "call") && slices.Contains(messages, "command ended")
	}))
}
