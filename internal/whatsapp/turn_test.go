package whatsapp

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/sim"
)

// free tells whether a turn can be had at once.
func (t *turns) free() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.busy < t.limit
}

func TestTurnsEndOnce(t *testing.T) {
	all := newTurns(1, 1)
	first, err := all.take(t.Context(), 1, nil)
	if err != nil || all.free() {
		t.Fatalf("the only turn is free after it was taken; error %v", err)
	}
	first()
	second, err := all.take(t.Context(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if first(); all.free() {
		t.Error("a turn that ends twice ends that of another")
	}
	if second(); !all.free() {
		t.Error("a turn that has ended isn't free")
	}
}

// TestTurnsGoByTicket: who has the lower ticket begins first, whoever came first; who leaves is passed over.
func TestTurnsGoByTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 1)
		end, _ := all.take(t.Context(), 0, nil)
		var order []int
		var wg sync.WaitGroup
		gone, leave := context.WithCancel(t.Context())
		for _, ticket := range []int{4, 2, 5, 1, 3} {
			ctx := t.Context()
			if ticket == 2 {
				ctx = gone
			}
			wg.Go(func() {
				end, err := all.take(ctx, ticket, nil)
				if err != nil {
					return
				}
				order = append(order, ticket)
				end()
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		end()
		wg.Wait()
		if !slices.Equal(order, []int{1, 3, 4, 5}) || !all.free() {
			t.Errorf("began in the order %v", order)
		}
	})
}

// TestTicketsOfDevices: who was active last has the lowest, whoever asked first; who never was comes behind, in the order of
// asking.
func TestTicketsOfDevices(t *testing.T) {
	all := newTurns(1, 1)
	now := time.Now()
	tickets := []int{
		all.ticket(now), all.ticket(now.Add(-time.Second)), all.ticket(time.UnixMilli(1)),
		all.ticket(time.Time{}), all.ticket(time.Time{}),
	}
	if !slices.IsSorted(tickets) || len(slices.Compact(tickets)) != 5 {
		t.Errorf("tickets %v", tickets)
	}
}

// TestWhoHurriesWaitsForNobody: neither for those that wait before it nor for those that have begun, which count as before.
func TestWhoHurriesWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 1)
		first, _ := all.take(t.Context(), 0, nil)
		var began []int
		var wg sync.WaitGroup
		hurry, done := make(chan struct{}), make(chan struct{})
		for ticket := range 3 {
			wg.Go(func() {
				var mine chan struct{}
				if ticket == 2 {
					mine = hurry
				}
				end, err := all.take(t.Context(), ticket, mine)
				if err != nil {
					t.Error(err)
					return
				}
				began = append(began, ticket)
				<-done
				end()
			})
		}
		synctest.Wait()
		hurry <- struct{}{}
		synctest.Wait()
		first()
		synctest.Wait()
		if !slices.Equal(began, []int{2}) {
			t.Errorf("%v have begun with the first, which has ended", began)
		}
		close(done)
		wg.Wait()
		if !slices.Equal(began, []int{2, 0, 1}) || !all.free() {
			t.Errorf("began in the order %v", began)
		}
	})
}

// TestWhoHurriesLeavesTheLimit: those that begin past it tell nothing of the room when they end.
func TestWhoHurriesLeavesTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(1, 8)
		first, _ := all.take(t.Context(), 0, nil)
		hurry := make(chan struct{})
		for range 5 {
			go func() {
				if end, err := all.take(t.Context(), 1, hurry); err == nil {
					end()
				}
			}()
			hurry <- struct{}{}
		}
		synctest.Wait()
		if all.busy != 1 || all.limit != 1 {
			t.Errorf("after those that hurried %d of %d turns are taken", all.busy, all.limit)
		}
		if first(); all.limit != 2 {
			t.Errorf("after one that waited for its turn there are %d", all.limit)
		}
	})
}

// TestCommandsTakeTurns: for each that is carried out four devices fewer begin, but for a few that always may.
func TestCommandsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(32, 32)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var began atomic.Int64
		var ends []func()
		for range 5 {
			ends = append(ends, all.work())
		}
		for range 64 {
			go func() {
				if _, err := all.take(ctx, all.ticket(time.Time{}), nil); err == nil {
					began.Add(1)
				}
			}()
		}
		synctest.Wait()
		if n := began.Load(); n != 12 {
			t.Errorf("%d begin beside five commands", n)
		}
		for _, end := range ends {
			end()
		}
		synctest.Wait()
		if n := began.Load(); n != 32 {
			t.Errorf("%d have begun after them", n)
		}
		few := newTurns(8, 8)
		for range 100 {
			defer few.work()()
		}
		for range 2 {
			if _, err := few.take(ctx, few.ticket(time.Time{}), nil); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestTurnsGrow: while timers are in time, as they always are here, each that ends lets one more begin.
func TestTurnsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(fewestTurns, mostTurns)
		began := time.Now()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				end, err := all.take(t.Context(), all.ticket(time.Time{}), nil)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(1700 * time.Millisecond) // what a device takes whose round trips take 150 ms
				end()
			})
		}
		wg.Wait()
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("1,000 devices took %v", took)
		}
		all.mu.Lock()
		defer all.mu.Unlock()
		all.due = time.Now().Add(-time.Second)
		most := all.limit
		all.mu.Unlock()
		all.look()
		all.mu.Lock()
		if all.limit >= most || all.limit < fewestTurns {
			t.Errorf("after a late timer %d may begin, after %d before", all.limit, most)
		}
	})
}

// TestTurnToConnect: a device connects in a turn, which it gives back when it has caught up, or shows a code.
func TestTurnToConnect(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.devices.turns = newTurns(1, 1)
	take := func() (end func()) {
		t.Helper()
		end, err := w.devices.turns.take(w.soon(), w.devices.turns.ticket(time.Time{}), nil)
		w.ok(err)
		return end
	}
	w.link()
	w.ok(w.halt())
	end := take()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // a login takes some milliseconds
	defer cancel()
	before := w.linked.Logins()
	w.ok(w.device.Run(ctx))
	if got := w.linked.Logins(); got != before {
		t.Errorf("%d logins out of turn", got-before)
	}
	end()

	w.run()
	w.ok(w.linked.WaitLogins(w.soon(), before+1))
	w.quiet()
	take()() // it has caught up
	w.linked.Drop()
	w.ok(w.linked.WaitLogins(w.soon(), before+2))
	take()()
}

// TestADeviceHurries: it connects while another has the only turn.
func TestADeviceHurries(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.devices.turns = newTurns(1, 1)
	w.link()
	w.ok(w.halt())
	end, err := w.devices.turns.take(w.soon(), w.devices.turns.ticket(time.Time{}), nil)
	w.ok(err)
	defer end()
	before := w.linked.Logins()
	w.device.Hurry() // which doesn't run yet
	w.run()
	w.eventually("a login out of turn", func() bool {
		w.device.Hurry()
		return w.linked.Logins() > before
	})
}

func TestNoTurnWhileACodeIsShown(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.devices.turns = newTurns(1, 1)
	w.run()
	w.eventually("a QR code", func() bool {
		a, err := w.store.Account(context.Background(), account)
		return err == nil && a.QR != ""
	})
	end, err := w.devices.turns.take(w.soon(), w.devices.turns.ticket(time.Time{}), nil)
	w.ok(err)
	end()
}
