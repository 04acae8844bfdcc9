package sim_test

import (
	"runtime"
	"testing"

	"pesan/internal/sim"
)

// BenchmarkQueue is what one message costs the simulator up to the device's queue: encrypted, marshalled, kept.
func BenchmarkQueue(b *testing.B) {
	w := newWorld(b, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	waitMessage(c, must(budi.Send(soon(b), w.phone, sim.Text("halo"), sim.SendOptions{}))(b))
	check(b, c.device.WaitDrained(soon(b)))
	c.Disconnect()
	check(b, c.device.WaitOffline(soon(b)))
	before := heap()
	for b.Loop() {
		must(budi.Send(b.Context(), w.phone, sim.Text("pesan biasa dengan beberapa kata di dalamnya"), sim.SendOptions{}))(b)
	}
	b.ReportMetric(float64(heap()-before)/float64(b.N), "B/kept")
}

// BenchmarkDeliver is one message from its sender to whatsmeow's acknowledgement, many at a time.
func BenchmarkDeliver(b *testing.B) {
	w := newWorld(b, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	waitMessage(c, must(budi.Send(soon(b), w.phone, sim.Text("halo"), sim.SendOptions{}))(b))
	for b.Loop() {
		must(budi.Send(b.Context(), w.phone, sim.Text("pesan biasa dengan beberapa kata di dalamnya"), sim.SendOptions{}))(b)
	}
	check(b, c.device.WaitDrained(b.Context()))
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
