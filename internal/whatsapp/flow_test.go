package whatsapp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// TestUndecryptableHoldsUpNobody: while WhatsApp doesn't answer the question for messages that can't be decrypted, those
// behind them pass.
func TestUndecryptableHoldsUpNobody(t *testing.T) {
	for name, o := range map[string]sim.SendOptions{"spoilt": {Spoil: true}, "absent": {Absent: true}} {
		t.Run(name, func(t *testing.T) {
			w := linkedWorld(t)
			budi := w.contact("6281200000002", "Budi")
			deaf := w.linked.Inject(sim.Fault{Kind: sim.LoseRequest, For: "message"})
			for range 5 {
				_, err := budi.Send(w.soon(), w.phone, sim.Text("rahasia"), o)
				w.ok(err)
			}
			id, err := budi.Send(w.soon(), w.phone, sim.Text("biasa"), sim.SendOptions{})
			w.ok(err)
			w.ok(w.linked.WaitAcked(w.soon(), id))
			v, _ := w.shown(jid(budi))
			says(t, string(v.Document), field("unreadCount", 6))
			deaf.Remove()
			if name == "absent" {
				w.ok(w.halt()) // the question under way ends with the connection
				w.run()
			}
			w.eventually("all messages", func() bool {
				return !slices.ContainsFunc(w.messages(jid(budi)), func(m string) bool { return strings.Contains(m, "CIPHERTEXT") })
			})
			v, _ = w.shown(jid(budi))
			says(t, string(v.Document), field("unreadCount", 6))
		})
	}
}

// TestViewOnceIsNotAskedFor: the simulator's phone takes offence.
func TestViewOnceIsNotAskedFor(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	id, err := budi.Send(w.soon(), w.phone, sim.Text("sekali"), sim.SendOptions{Absent: true, Why: string(events.UnavailableTypeViewOnce)})
	w.ok(err)
	w.ok(w.linked.WaitAcked(w.soon(), id))
	w.says1(jid(budi), `"messageStubParameters"`)
	items, err := w.store.ListBacklog(w.soon(), account)
	w.ok(err)
	if slices.ContainsFunc(items, func(i chat.BacklogItem) bool { return strings.HasPrefix(i.ID, copyPrefix) }) {
		t.Error("the phone is to be asked for it")
	}
}

// TestUndecryptableIsStoredFirst: what nobody can decrypt isn't acknowledged before its placeholder is stored.
func TestUndecryptableIsStoredFirst(t *testing.T) {
	for name, o := range map[string]sim.SendOptions{"spoilt": {Spoil: true}, "absent": {Absent: true}, "view once": {Absent: true, Why: "view_once"}} {
		t.Run(name, func(t *testing.T) {
			w := linkedWorld(t)
			budi := w.contact("6281200000002", "Budi")
			w.store.breaks(func(what string) error {
				if what == "chat" {
					return errDisk
				}
				return nil
			})
			id, err := budi.Send(w.soon(), w.phone, sim.Text("rahasia"), o)
			w.ok(err)
			w.eventually("a store that fails", w.failing.Load)
			if w.linked.Acked(id) {
				t.Error("acknowledged, and not stored")
			}
			w.store.breaks(nil)
			w.ok(w.linked.WaitAcked(w.soon(), id))
			w.says1(jid(budi), `"id":"`+id+`"`)
		})
	}
}

// TestReadingWaits: no more is read than fits into the queue of a handler that is at work, but for one that may wait for an answer.
func TestReadingWaits(t *testing.T) {
	f := newFlow()
	r := &run{flow: f}
	release := make(chan struct{})
	handle := r.around(func(context.Context, *waBinary.Node) { <-release })
	node := func(i int) *waBinary.Node {
		return &waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": fmt.Sprint(i)}}
	}
	handled := make(chan struct{})
	first := node(-1)
	f.received(first, nil, nil)
	go func() { handle(context.Background(), first); close(handled) }()
	var queue []*waBinary.Node
	for i := range maxQueued {
		queue = append(queue, node(i))
		f.received(queue[i], nil, nil)
	}
	gone := make(chan struct{})
	returned := make(chan time.Duration, 1)
	last := node(maxQueued)
	go func() { f.received(last, gone, nil); returned <- time.Since(f.began) }()
	if took := <-returned; took < slowHandler {
		t.Errorf("a full queue took another stanza when its handler was at work for %s", took)
	}
	for i := range mostQueued - maxQueued - 1 { // while the handler seems to wait for an answer
		f.received(node(10_000+i), gone, nil)
	}
	go func() { f.received(node(20_000), gone, nil); returned <- 0 }()
	select {
	case <-returned:
		t.Error("more is read than whatsmeow keeps in order")
	case <-time.After(2 * slowHandler):
	}
	close(gone)
	<-returned
	f.reset()
	f.received(node(30_000), nil, nil)
	close(release)
	<-handled
}

// TestFloodKeepsOrder has more messages wait than whatsmeow's queue holds, while the store is slow.
func TestFloodKeepsOrder(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.ok(w.halt())
	w.ok(w.linked.WaitOffline(w.soon()))
	const many = 6000
	at := time.Now().Truncate(time.Second)
	var last string
	for i := range many {
		var err error
		last, err = budi.Send(w.soon(), w.phone, sim.Text(fmt.Sprint("pesan ", i)), sim.SendOptions{Time: at.Add(time.Duration(i/2000) * time.Second)})
		w.ok(err)
	}
	w.run()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	w.ok(w.linked.WaitAcked(ctx, last))
	w.ok(w.linked.WaitDrained(ctx))
	v, _ := w.shown(jid(budi))
	says(t, string(v.Document), field("unreadCount", many))
	n := many
	for cursor := ""; ; {
		page, err := w.store.Messages(ctx, account, jid(budi), chat.Page{Limit: 500, Cursor: cursor}, time.Now())
		w.ok(err)
		for _, m := range slices.Backward(page.Messages) {
			n--
			if !strings.Contains(string(m.Document), fmt.Sprintf(`"body":"pesan %d"`, n)) {
				t.Fatalf("in the place of message %d is %s", n, m.Document)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if n != 0 {
		t.Errorf("%d messages are missing", n)
	}
}
