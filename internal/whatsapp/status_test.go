package whatsapp

import (
	"testing"
	"time"

	"pesan/internal/sim"
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
			s := newStatus(w.soon(), d, func(func()) bool { return true })
			for _, clock := range []time.Time{right, right.Add(jump), right.Add(time.Second), right.Add(jump)} {
				now = clock
				if got := asOf(s); !got.Equal(now) {
					t.Errorf("as of %s, the clock says %s", got, now)
				}
			}
			now = right.Add(2 * time.Second)
			if got := asOf(newStatus(w.soon(), d, func(func()) bool { return true })); !got.Equal(now) {
				t.Errorf("after a restart as of %s, the clock says %s", got, now)
			}
		})
	}
}
