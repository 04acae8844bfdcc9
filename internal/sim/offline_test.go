package sim_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/sim"
)

func TestOfflineQueue(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	check(t, c.device.WaitDrained(soon(t)))
	c.Disconnect()
	check(t, c.device.WaitOffline(soon(t)))
	c.forget()
	var ids []string
	for i := range 10 {
		ids = append(ids, must(budi.Send(soon(t), w.phone, sim.Text(fmt.Sprint(i)), sim.SendOptions{}))(t))
	}
	check(t, budi.SendReceipt(soon(t), w.phone, sim.Receipt{IDs: []string{"x"}}))
	check(t, w.phone.Mute(soon(t), budi.PN(), forever))
	equal(t, "pending", c.device.Pending(), 12)
	check(t, c.Connect())
	preview := wait[*events.OfflineSyncPreview](c, nil)
	equal(t, "preview", *preview, events.OfflineSyncPreview{Total: 12, Messages: 10, Notifications: 1, Receipts: 1})
	equal(t, "count", wait[*events.OfflineSyncCompleted](c, nil).Count, 12)
	check(t, c.device.WaitAcked(soon(t), ids...))
	check(t, c.device.WaitDrained(soon(t)))
	equal(t, "order", fmt.Sprint(texts(c)), "[0 1 2 3 4 5 6 7 8 9]")
}

func texts(c *client) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, e := range c.events {
		if m, ok := e.(*events.Message); ok && m.Message.GetConversation() != "" {
			all = append(all, m.Message.GetConversation())
		}
	}
	return all
}

// What isn't acknowledged comes again, with the same ciphertext: the client knows it from its buffer.
func TestRedeliveryUntilAcknowledged(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	var mu sync.Mutex
	fail := true
	c.setHandle(func(evt any) bool {
		mu.Lock()
		defer mu.Unlock()
		m, ok := evt.(*events.Message)
		return !ok || !fail || m.Message.GetConversation() != "penting"
	})
	id := must(budi.Send(soon(t), w.phone, sim.Text("penting"), sim.SendOptions{}))(t)
	later := must(budi.Send(soon(t), w.phone, sim.Text("lain"), sim.SendOptions{}))(t)
	waitMessage(c, id)
	check(t, c.device.WaitAcked(soon(t), later))
	equal(t, "acknowledged", c.device.Acked(id), false)
	equal(t, "pending", c.device.Pending() > 0, true)
	mu.Lock()
	fail = false
	mu.Unlock()
	c.device.Drop()
	check(t, c.device.WaitLogins(soon(t), 2))
	check(t, c.device.WaitAcked(soon(t), id))
	equal(t, "events", count(c, func(m *events.Message) bool { return m.Info.ID == id }), 2)
	equal(t, "undecryptable", count[*events.UndecryptableMessage](c, nil), 0)
	acks := c.device.Acks()
	order := func(id string) int {
		return slices.IndexFunc(acks, func(a sim.Ack) bool { return a.ID == id })
	}
	if order(later) > order(id) {
		t.Error("acks aren't in the order of their arrival")
	}
}

// Messages go on while the connection breaks again and again; each is seen.
func TestDropsUnderTraffic(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	var ids []string
	for range 5 {
		for range 30 {
			ids = append(ids, must(budi.Send(soon(t), w.phone, sim.Text("x"), sim.SendOptions{}))(t))
		}
		check(t, c.device.WaitAcked(soon(t), ids[len(ids)-20]))
		c.dropAndReturn()
	}
	check(t, c.device.WaitAcked(soon(t), ids...))
	for _, id := range ids {
		if count(c, func(m *events.Message) bool { return m.Info.ID == id }) == 0 {
			t.Fatalf("message %s was lost", id)
		}
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.linked()
	ctx, cancel := context.WithCancel(soon(t))
	cancel()
	if err := c.device.WaitAcked(ctx, "never"); err == nil {
		t.Error("no error")
	}
	if _, err := w.phone.WaitReceived(ctx, func(sim.Message) bool { return false }); err == nil {
		t.Error("no error")
	}
}
