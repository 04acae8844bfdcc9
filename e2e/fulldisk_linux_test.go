package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"pesan/internal/sim"
)

// fill has no file of the program grow any more, as on a full disk; the returned function makes room again.
func (p *process) fill(t testing.TB) (room func()) {
	t.Helper()
	var old unix.Rlimit
	must(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 0, Max: unix.RLIM_INFINITY}, &old))
	return func() {
		t.Helper()
		must(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &old, nil))
	}
}

// TestFullDisk has the disk be full while messages stream in, for longer than a host's heartbeat lasts: it is said all the time what
// is wrong, and with room again everything goes on by itself, and nothing is missing.
func TestFullDisk(t *testing.T) {
	const people = talkers
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := newWorld(t, people)
	p := w.run(ctx, t)
	must(t, w.AddDevice(ctx))
	must(t, w.Link(ctx))
	sent := newLedger()
	for _, friend := range w.Friends {
		must(t, sent.from(ctx, w.System, friend, sim.SendOptions{}))
	}
	must(t, w.Device.WaitAcked(ctx, sent.ids()...))
	group, err := w.WhatsApp.NewGroup("Arisan", w.Friends[0], sim.GroupOptions{}, append(w.Friends[1:people:people], w.Phone.Contact)...)
	must(t, err)
	talking, quiet := context.WithCancel(ctx)
	defer quiet()
	var writers errgroup.Group
	for i, friend := range w.Friends {
		writers.Go(func() error { return talk(talking, w.System, sent, friend, group, i) })
	}
	room := p.fill(t)
	must(t, Until(ctx, "STORAGE_FAILING", func() (bool, error) {
		state, err := w.State(ctx)
		return state.Reason == "STORAGE_FAILING", err
	}))
	var since time.Time
	must(t, Until(ctx, "the end of the heartbeat", func() (bool, error) {
		state, err := w.State(ctx)
		if err != nil || state.Reason != "STORAGE_FAILING" {
			t.Errorf("with a full disk the state is %+v, %v", state, err)
			return true, nil
		}
		if since.IsZero() && strings.Contains(p.errors.String(), "heartbeat lost") {
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) > 2*time.Second, nil
	}))
	room()
	quiet()
	must(t, writers.Wait())
	must(t, w.Device.WaitAcked(ctx, sent.ids()...))
	must(t, w.Connected(ctx))
	t.Logf("%d messages", len(sent.ids()))
	sent.check(ctx, t, w.System)
	if took := p.stop(t); took > 10*time.Second {
		t.Errorf("ends after %v", took)
	}
}
