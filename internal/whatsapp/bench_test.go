package whatsapp

import (
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waLog "go.mau.fi/whatsmeow/util/log"

	"pesan/internal/sim"
)

// BenchmarkMessages is how fast a device takes what waited for it: decrypted, stored, acknowledged. "alone" is whatsmeow
// with a handler that does nothing, on the same settings.
func BenchmarkMessages(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		benchMessages(b, func(w *world) func() { return w.runAlone() })
	})
	b.Run("stored", func(b *testing.B) {
		benchMessages(b, func(w *world) func() {
			w.run()
			return func() { _ = w.halt() }
		})
	})
}

func benchMessages(b *testing.B, run func(*world) (stop func())) {
	const messages, people = 2000, 20
	w := linkedWorld(b)
	var contacts []*sim.Contact
	for i := range people {
		contacts = append(contacts, w.contact(fmt.Sprintf("62812000003%02d", i), "Orang"))
	}
	var total time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		w.ok(w.halt())
		w.ok(w.linked.WaitOffline(w.soon()))
		for i := range messages {
			_, err := contacts[i%people].Send(w.soon(), w.phone, sim.Text("pesan"), sim.SendOptions{})
			w.ok(err)
		}
		b.StartTimer()
		started := time.Now()
		stop := run(w)
		w.ok(w.linked.WaitOnline(w.soon()))
		w.ok(w.linked.WaitDrained(w.soon()))
		total += time.Since(started)
		n += messages
		b.StopTimer()
		stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(n)/total.Seconds(), "messages/s")
}

// runAlone runs the linked device without this package.
func (w *world) runAlone() (stop func()) {
	w.t.Helper()
	all, err := w.keys.GetAllDevices(w.soon())
	w.ok(err)
	c := whatsmeow.NewClient(all[0], waLog.Noop)
	http := Redirect(w.server.Address())
	c.SetMediaHTTPClient(http)
	c.SetWebsocketHTTPClient(http)
	c.SetPreLoginHTTPClient(http)
	c.SynchronousAck, c.EnableDecryptedEventBuffer, c.ManualHistorySyncDownload = true, true, true
	c.AddEventHandlerWithSuccessStatus(func(any) bool { return true })
	w.ok(c.Connect())
	return func() {
		c.Disconnect()
		http.CloseIdleConnections()
	}
}
