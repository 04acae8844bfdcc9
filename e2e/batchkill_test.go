package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim"
	"pesan/internal/sleep"
)

// setting is a number that the environment may set otherwise.
func setting(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// TestBatchKilled kills the program again and again in the middle of a batch: every operation ends once, and the phone takes every
// change once; what is changed by hand meanwhile isn't undone. PESAN_BATCH_CHATS=1700 PESAN_BATCH_KILLS=20 makes it 5,100 operations and 20 kills.
func TestBatchKilled(t *testing.T) {
	chats, kills := setting(t, "PESAN_BATCH_CHATS", 60), setting(t, "PESAN_BATCH_KILLS", 4)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(kills+chats/10)*5*time.Second)
	defer cancel()
	w := newWorld(t, chats)
	run := w.restartable(ctx, t)
	p := run()
	must(t, w.AddDevice(ctx))
	must(t, w.Link(ctx))
	var all []types.JID
	var ids []string
	for _, friend := range w.Friends {
		id, err := friend.Send(ctx, w.Phone, sim.Text("halo"), sim.SendOptions{})
		must(t, err)
		ids, all = append(ids, id), append(all, friend.PN())
	}
	must(t, w.Device.WaitAcked(ctx, ids...))
	before := len(w.Phone.AppState().Log())
	id, err := w.Begin(ctx, operations(all, "mute", "archive", "unread"), min(50, 6*chats/max(kills, 1)))
	must(t, err)
	// The last operation of the batch marks this chat as unread.
	byHand := all[len(all)-1]
	answer, err := w.Call(ctx, "readChat", "phone", byHand.User, "receipts", "false")
	must(t, err)
	if answer.Status != http.StatusOK {
		t.Fatalf("readChat answers %d %s", answer.Status, answer.Body)
	}
	had := 0
	for range kills {
		_ = sleep.For(ctx, time.Duration(50+rand.IntN(900))*time.Millisecond)
		p.kill()
		p = run()
		// It is killed when it has gone on, wherever that is.
		b, err := w.Ends(ctx, id, func(b Batch) bool { return b.Counts.Done > had || over(b) })
		must(t, err)
		had = b.Counts.Done
	}
	b, err := w.Ends(ctx, id, over)
	must(t, err)
	t.Logf("%d operations, %d kills, %d done at the last", b.Total, kills, had)
	if b.State != "done" || b.Counts.Done != 3*chats-1 || b.Counts.Overtaken != 1 {
		t.Errorf("batch %+v", b)
	}
	counts := w.changes(before)
	for index, n := range counts {
		if n != 1 {
			t.Errorf("the phone has taken %s %d times", index, n)
		}
	}
	shown, err := w.Chats(ctx, "muted", "true", "archived", "true", "unread", "true")
	must(t, err)
	if len(shown) != chats-1 {
		t.Errorf("%d of %d chats are as they were wanted", len(shown), chats-1)
	}
	for _, jid := range all {
		if counts[fmt.Sprint([]string{"mute", jid.String()})] != 1 {
			t.Errorf("the mute of %s is missing", jid)
		}
	}
	p.stop(t)
}
