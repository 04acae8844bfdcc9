package whatsapp

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// TestAsOfFollowsAClockThatIsSetRight: the clock jumps in a stream of events, and what it says at the end is stored, over a
// restart too.
func TestAsOfFollowsAClockThatIsSetRight(t *testing.T) {
	for _, jump := range []time.Duration{2 * time.Hour, -2 * time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			right := time.Now()
			now := right
			w.device = nil
			d := &device{Devices: w.devices, Stores: w.stores(lease{}), account: account, log: testLogger()}
			d.Devices.Now = func() time.Time { return now }
			asOf := func(s *status) time.Time {
				t.Helper()
				s.touch()
				_, err := s.flush(w.soon())
				w.ok(err)
				a, err := w.store.Account(w.soon(), account)
				w.ok(err)
				return a.AsOf
			}
			s := newStatus(w.soon(), d, new(atomic.Int64).Load, func(func()) bool { return true })
			for _, clock := range []time.Time{right, right.Add(jump), right.Add(time.Second), right.Add(jump)} {
				now = clock
				if got := asOf(s); !got.Equal(now) {
					t.Errorf("as of %s, the clock says %s", got, now)
				}
			}
			now = right.Add(2 * time.Second)
			if got := asOf(newStatus(w.soon(), d, new(atomic.Int64).Load, func(func()) bool { return true })); !got.Equal(now) {
				t.Errorf("after a restart as of %s, the clock says %s", got, now)
			}
		})
	}
}

// TestClockJumpsInAStream: this side's clock jumps while messages and settings come; nothing of it shows, then or
// over a restart.
func TestClockJumpsInAStream(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	var off atomic.Int64
	restart := func() {
		w.ok(w.halt())
		w.open()
		w.devices.Now = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
		w.run()
	}
	restart()
	const year = 365 * 24 * time.Hour
	sent := time.Now()
	var want []string
	for i, jump := range []time.Duration{0, 2 * time.Hour, -2 * time.Hour, year, 0, -year, 2 * time.Hour, 0} {
		off.Store(int64(jump))
		if i == 4 {
			restart()
		}
		text := fmt.Sprint("pesan ", i)
		want = append(want, text)
		w.from(budi, sim.Text(text), sim.SendOptions{Time: sent.Add(time.Duration(i/4) * time.Second)})
		end := int64(chat.MutedForEver) * int64(i%2)
		if i == 0 { // else what the phone sets is there before it has come, and a wish that it meets on the way gives way
			w.ok(w.device.Mute(w.soon(), b, chat.MutedForEver))
		}
		w.change("mute", b, func(v chat.View, _ bool) bool { return v.MuteEnd == end }, appstate.Mute(budi.PN(), end))
		w.ok(w.device.Mute(w.soon(), b, chat.MutedForEver))
		if v, _ := w.shown(b); v.MuteEnd != chat.MutedForEver {
			t.Errorf("%s off, muted here and shown as %d", jump, v.MuteEnd)
		}
	}
	restart()
	all := w.messages(b)
	if len(all) != len(want) {
		t.Fatalf("%d messages", len(all))
	}
	for i, text := range want {
		says(t, all[i], field("body", `"`+text+`"`))
	}
	says(t, w.row(b), field("unreadCount", len(want)))
	w.until("the right time", func(a chat.Account) bool { return time.Since(a.AsOf).Abs() < time.Hour })
}
