package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"pesan/internal/chat"
	"pesan/internal/devicedb"
	"pesan/internal/sim"
	"pesan/internal/testkit/powercut"
)

// power is that of the disk and of the network: they end at the same moment.
type power struct {
	disk   *powercut.Disk
	chance float64 // that what wasn't synced is there
	random *rand.Rand
	moves  bool // each Flush moves the log into the database

	mu   sync.RWMutex
	lost int // how often it was cut
}

var errNoPower = errors.New("the power is gone")

// flush is what a device does before it sends, as long as there is power.
func (p *power) flush(keys *devicedb.DB) func() error {
	if p == nil {
		return nil
	}
	keys.Disk = p.disk
	if p.moves {
		keys.CheckpointAfter = 1
	}
	born := p.lost
	return func() error {
		err := keys.Flush()
		p.mu.RLock()
		defer p.mu.RUnlock()
		if p.lost > born {
			return errNoPower
		}
		return err
	}
}

// cut cuts the power, and starts what the disk has kept.
func (w *world) cut() {
	w.t.Helper()
	next := w.t.TempDir()
	w.power.mu.Lock()
	w.power.lost++
	err := w.power.disk.Cut(w.folder, next, w.power.chance, w.power.random)
	w.power.mu.Unlock()
	w.ok(err)
	_ = w.halt()
	w.folder = next
	w.open()
	w.run()
}

// undecryptable counts what the library says of messages that it can't decrypt.
type undecryptable struct {
	slog.Handler
	count *atomic.Int64
}

func (u undecryptable) Handle(ctx context.Context, r slog.Record) error {
	text := strings.ToLower(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		text += " " + strings.ToLower(a.String())
		return true
	})
	if strings.Contains(text, "decrypt") {
		u.count.Add(1)
	}
	return u.Handler.Handle(ctx, r)
}

func (u undecryptable) WithAttrs(attrs []slog.Attr) slog.Handler {
	return undecryptable{u.Handler.WithAttrs(attrs), u.count}
}

func (u undecryptable) WithGroup(name string) slog.Handler {
	return undecryptable{u.Handler.WithGroup(name), u.count}
}

// TestPowerCut cuts the power right after the device was linked, and again and again while messages stream in and are
// answered from the phone. The device stays linked, no message is lost or shown twice, and none has to be sent again since
// its key is gone.
func TestPowerCut(t *testing.T) {
	for _, chance := range []float64{0, 0.5} {
		t.Run(fmt.Sprint(chance), func(t *testing.T) {
			p := &power{disk: powercut.Use(t), chance: chance, random: rand.New(rand.NewPCG(3, 4))}
			var failed atomic.Int64
			w := newWorldWith(t, sim.Options{}, sim.PhoneOptions{}, func(w *world) {
				w.power, w.logger = p, slog.New(undecryptable{testLogger().Handler(), &failed})
			})
			w.run()
			a := w.until("a QR code", func(a chat.Account) bool { return a.QR != "" })
			var err error
			w.linked, err = w.phone.ScanQR(w.soon(), a.QR)
			w.ok(err)
			w.cut()
			w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected && a.Linked() })
			w.quiet()
			const people, each, cuts = 3, 40, 8
			var contacts []*sim.Contact
			for i := range people {
				contacts = append(contacts, w.contact(fmt.Sprintf("62812000002%02d", i), "Orang"))
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for n := range each {
					for _, c := range contacts {
						text := fmt.Sprint("pesan ", n)
						if _, err := c.Send(context.Background(), w.phone, &waE2E.Message{Conversation: &text},
							sim.SendOptions{}); err != nil {
							t.Error(err)
						}
					}
				}
			}()
			for n := range cuts {
				w.eventually("more messages", func() bool { return len(w.messages(jid(contacts[0]))) >= n*each/cuts/2 })
				w.cut()
			}
			<-sent
			w.ok(w.linked.WaitOnline(w.soon()))
			w.ok(w.linked.WaitDrained(w.soon()))
			for _, c := range contacts {
				all := w.messages(jid(c))
				if len(all) != each {
					t.Errorf("%d messages, want %d", len(all), each)
				}
				for n, m := range all {
					says(t, m, fmt.Sprintf(`"body":"pesan %d"`, n))
				}
			}
			if n := failed.Load(); n > 0 {
				t.Errorf("%d messages couldn't be decrypted", n)
			}
		})
	}
}

// poweredStream is what comes in at a disk of which a test makes what it likes.
func poweredStream(t *testing.T, moves bool) (*stream, *power) {
	p := &power{disk: powercut.Use(t), random: rand.New(rand.NewPCG(5, 6)), moves: moves}
	w := newWorldWith(t, sim.Options{}, sim.PhoneOptions{}, func(w *world) { w.power = p })
	w.link()
	w.fetched()
	s := newStream(w)
	s.send()
	s.whole()
	return s, p
}

// TestFailedSync has a wait for the disk fail once, of each file, at each of those that a message leads to. Everything goes on by
// itself, and what was acknowledged outlives a power cut though the system has forgotten what it couldn't write.
func TestFailedSync(t *testing.T) {
	s, p := poweredStream(t, true)
	for file, times := range map[string]int{"pesan.db-wal": 4, "devices.db-wal": 4, "devices.db": 2} {
		for n := range times {
			var waits atomic.Int64
			p.disk.Waits(func(name string) (time.Duration, bool) {
				if filepath.Base(name) != file {
					return 0, false
				}
				return 0, waits.Add(1) == int64(n+1)
			})
			for range 10 { // how many share a wait is the scheduler's
				s.send()
				s.ok(s.linked.WaitDrained(s.soon()))
				s.muted(s.budi, s.sent%2 == 1)
				if waits.Load() > int64(n) {
					break
				}
			}
			p.disk.Waits(nil)
			if waits.Load() <= int64(n) {
				t.Errorf("%s was waited for %d times", file, waits.Load())
			}
		}
	}
	s.whole()
	s.cut()
	s.whole()
}

// TestSlowDisk has each wait for the disk take its time, and some take longer than WhatsApp waits for an answer.
func TestSlowDisk(t *testing.T) {
	s, p := poweredStream(t, false)
	var waits atomic.Int64
	p.disk.Waits(func(string) (time.Duration, bool) {
		if waits.Add(1)%20 == 7 {
			return whatsmeow.KeepAliveResponseDeadline * 3 / 2, false
		}
		return 10 * time.Millisecond, false
	})
	for waits.Load() < 27 { // the second long one; how many messages share a wait is the scheduler's
		for range 3 {
			s.send()
		}
		s.ok(s.linked.WaitDrained(s.soon()))
	}
	p.disk.Waits(nil)
	s.whole()
	s.cut()
	s.whole()
}
