package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"go.mau.fi/whatsmeow/types"
)

// Batch is what the tests look at of a batch.
type Batch struct {
	BatchID string `json:"batchId"`
	State   string `json:"state"`
	Error   string `json:"error"`
	Total   int    `json:"total"`
	Counts  struct {
		Pending   int `json:"pending"`
		Done      int `json:"done"`
		Failed    int `json:"failed"`
		Cancelled int `json:"cancelled"`
		Overtaken int `json:"overtaken"`
	} `json:"counts"`
}

// operations are some kinds of changes of chats, each of every chat.
func operations(chats []types.JID, kinds ...string) string {
	var all []map[string]any
	for _, kind := range kinds {
		for _, jid := range chats {
			all = append(all, map[string]any{"op": kind, "phone": jid.String(), "receipts": false})
		}
	}
	b, _ := json.Marshal(all) // texts always marshal
	return string(b)
}

// Begin makes a batch of so many operations a second.
func (s *System) Begin(ctx context.Context, operations string, rate int) (id string, err error) {
	answer, err := s.Call(ctx, "createBatch", "operations", operations, "rate", strconv.Itoa(rate))
	if err != nil {
		return "", err
	}
	var made struct{ BatchID string }
	if err := unmarshal(answer.Results, &made); err != nil || answer.Status != http.StatusAccepted || made.BatchID == "" {
		return "", fmt.Errorf("createBatch answers %d %s: %v", answer.Status, answer.Body, err)
	}
	return made.BatchID, nil
}

// Ends waits until a batch is as it is wanted, and holds its counts together meanwhile. A call that gets no answer is made again:
// the program may just have been killed.
func (s *System) Ends(ctx context.Context, id string, wanted func(Batch) bool) (b Batch, err error) {
	err = Until(ctx, "batch "+id, func() (bool, error) {
		var now Batch
		if _, err := s.Get(ctx, &now, "getBatch", "batchId", id, "limit", "1"); err != nil {
			return false, err
		}
		b = now
		if sum := b.Counts.Pending + b.Counts.Done + b.Counts.Failed + b.Counts.Cancelled + b.Counts.Overtaken; sum != b.Total {
			return false, fmt.Errorf("counts don't add up: %+v", b)
		}
		return wanted(b), nil
	})
	return b, err
}

func over(b Batch) bool { return b.State != "queued" && b.State != "running" }

// changes is how often the phone has taken a change of each index, from the nth on.
func (s *System) changes(from int) map[string]int {
	counts := make(map[string]int)
	for _, e := range s.Phone.AppState().Log()[from:] {
		counts[fmt.Sprint(e.Index)]++
	}
	return counts
}

// batch changes the chats of all friends together; where the host can be killed, it is, in the middle. Each change is made once.
func batch(ctx context.Context, t T, s *System) {
	var chats []types.JID
	for _, friend := range s.Friends {
		chats = append(chats, friend.PN())
	}
	before := len(s.Phone.AppState().Log())
	id, err := s.Begin(ctx, operations(chats, "mute", "archive", "unread"), 1)
	must(t, err)
	if s.Kill != nil {
		_, err := s.Ends(ctx, id, func(b Batch) bool { return b.Counts.Done > 0 })
		must(t, err)
		must(t, s.Kill(ctx))
	}
	b, err := s.Ends(ctx, id, over)
	must(t, err)
	if b.State != "done" || b.Counts.Done != 3*len(chats) {
		t.Errorf("batch %+v", b)
	}
	for index, n := range s.changes(before) {
		if n != 1 {
			t.Errorf("the phone has taken %s %d times", index, n)
		}
	}
	for _, jid := range chats {
		chat, err := s.Chat(ctx, jid.User)
		must(t, err)
		if _, muted := Muted(s.Phone, jid); !muted || !chat.Muted || !chat.Archived {
			t.Errorf("the phone has mute %v; the chat is %+v", muted, chat)
		}
	}
	must(t, s.Connected(ctx))
	id, err = s.Begin(ctx, operations(chats, "unmute", "unarchive", "read"), 10)
	must(t, err)
	if b, err = s.Ends(ctx, id, over); err != nil || b.Counts.Done != 3*len(chats) {
		t.Errorf("batch %+v, %v", b, err)
	}
}
