package keystore_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"

	"pesan/internal/keystore"
)

// BenchmarkMessage does what the store does for a text message: look for the event, step the session, keep the secret, write the step.
func BenchmarkMessage(b *testing.B) {
	for _, devices := range []int{1, 20} {
		b.Run(fmt.Sprint(devices, " devices"), func(b *testing.B) {
			db := table(b)
			var ds []*store.Device
			for range devices {
				ds = append(ds, newKeys(b, db, keystore.Options{}).device)
			}
			work := make(chan int)
			failed := make(chan error, devices)
			for i := range devices {
				go func() {
					for n := range work {
						if err := message(b.Context(), ds[i], n); err != nil {
							failed <- err
							return
						}
					}
					failed <- nil
				}()
			}
			b.ResetTimer()
			for n := range b.N {
				work <- n
			}
			close(work)
			for range devices {
				if err := <-failed; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

func message(ctx context.Context, d *store.Device, n int) error {
	var hash [32]byte
	copy(hash[:], fmt.Sprint(n))
	if _, err := d.EventBuffer.GetBufferedEvent(ctx, hash); err != nil {
		return err
	}
	err := d.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		if _, err := d.Sessions.GetSession(ctx, "11:0"); err != nil {
			return err
		}
		if err := d.Sessions.PutSession(ctx, "11:0", fill(700, byte(n))); err != nil {
			return err
		}
		return d.EventBuffer.PutBufferedEvent(ctx, hash, fill(100, 1), time.Now())
	})
	if err != nil {
		return err
	}
	if err := d.MsgSecrets.PutMessageSecret(ctx, pnA, pnA, fmt.Sprint("ID", n), fill(32, 1)); err != nil {
		return err
	}
	return d.EventBuffer.ClearBufferedEventPlaintext(ctx, hash)
}

var opened atomic.Int64

// BenchmarkOpenDevice tells how much memory a device takes that was opened, and asked what whatsmeow asks when it logs in.
func BenchmarkOpenDevice(b *testing.B) {
	c := keystore.New(table(b), keystore.Options{})
	var keep []*store.Device
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range 20 { // clients, buffers
		keep = append(keep, openOne(b, c))
	}
	before, start := heap(), len(keep)
	b.ResetTimer()
	for range b.N {
		keep = append(keep, openOne(b, c))
	}
	b.StopTimer()
	b.ReportMetric(float64(int64(heap())-int64(before))/float64(len(keep)-start), "heap-B/device")
	runtime.KeepAlive(keep)
}

func openOne(b *testing.B, c *keystore.Container) *store.Device {
	b.Helper()
	a, err := c.Open(b.Context(), fmt.Sprint("idle-", opened.Add(1)), lease(1))
	if err != nil {
		b.Fatal(err)
	}
	d := a.NewDevice()
	link(b, d)
	if _, err := d.PreKeys.UploadedPreKeyCount(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"critical_block", "critical_unblock_low", "regular", "regular_high", "regular_low"} {
		if _, _, err := d.AppState.GetAppStateVersion(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
	return d
}
