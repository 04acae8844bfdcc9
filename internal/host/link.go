package host

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
	"pesan/internal/sleep"
)

// link is the device of one account on this host. Who starts, stops or commands it holds its lock.
type link struct {
	shard   *shard
	account string
	lock    *semaphore.Weighted // can be waited for with a context

	commanded bool      // a command has started or stopped it
	active    time.Time // when its device was active, as it was listed; by its lock

	free func() // lets another account's command begin; of the command under way, by its lock

	overtakes bool // a command may have set what an open batch was to set before; by its lock

	rested time.Time     // until then its batches rest; by the one chunk that is worked on
	parked chan struct{} // has an element when a batch began to wait for the device

	device Device // nil before the first start
	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned for good
}

// running tells whether the device is meant to be connected. It isn't before the first start, and not after the link was
// found to be over.
func (l *link) running() bool {
	if l.device == nil {
		return false
	}
	select {
	case <-l.ended:
		return false
	default:
		return true
	}
}

// started tells whether the device has been run on this host.
func (l *link) started() bool { return l.device != nil }

// start runs the device unless it runs.
func (l *link) start(ctx context.Context) error {
	if l.running() {
		return nil
	}
	device, err := l.shard.Devices.Open(ctx, l.account, l.shard.hold, l.active)
	if err != nil {
		return fmt.Errorf("open device: %w", err)
	}
	run, cancel := context.WithCancel(l.shard.devices)
	ended := make(chan struct{})
	l.device, l.cancel, l.ended = device, cancel, ended
	l.shard.running.Go(func() {
		defer close(ended)
		defer cancel()
		l.run(run, device)
	})
	l.shard.running.Go(func() { l.resume(run, device) })
	return nil
}

// run keeps the device running until ctx ends or the link is over. A crash is neither.
func (l *link) run(ctx context.Context, device Device) {
	log := l.shard.Logger.With("account", l.account)
	for wait := firstWait; ; wait = longer(wait) {
		started := time.Now()
		err := caught(func() error { return device.Run(ctx) })
		crash, crashed := err.(*crashError)
		switch {
		case ctx.Err() != nil:
			log.Debug("device stopped")
			return
		case !crashed:
			log.Info("device's link ended", "error", err)
			return
		}
		if time.Since(started) > maxWait {
			wait = firstWait
		}
		log.Error("device crashed", "error", crash, "stack", crash.stack, "again", wait)
		if sleep.For(ctx, wait) != nil {
			return
		}
	}
}

// stop disconnects the device and waits for it.
func (l *link) stop() {
	if l.device == nil {
		return
	}
	l.cancel()
	<-l.ended
	l.device = nil
}

// lookAgain is how often it is seen whether a device is connected by now that is waited for, and is told again to hurry: it hears
// that only while it waits for its turn. A look costs next to nothing.
const lookAgain = 10 * time.Millisecond

// retryUntilConnected commands the device. A device that runs but isn't connected is waited for: after a start it still connects,
// and then before those for which nobody waits. Such a command doesn't count among those at a time: devices that can't connect
// don't hold up others.
func (l *link) retryUntilConnected(ctx context.Context, do func(Device) error) error {
	patience := time.NewTimer(l.shard.Patience)
	defer patience.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		err := do(l.device)
		if chat.CodeOf(err) != chat.DeviceNotConnected || !l.running() {
			return err
		}
		l.free()
		l.device.Hurry()
		select {
		case <-again.C:
		case <-l.ended:
		case <-patience.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// crashError is a panic that was recovered.
type crashError struct {
	text  string
	stack string
}

func (e *crashError) Error() string { return "panic: " + e.text }

// caught makes an error of a panic in f. The text of a panic that isn't the runtime's own may hold what no log should.
func caught(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = &crashError{p.Error(), string(debug.Stack())}
		default:
			err = &crashError{fmt.Sprintf("%T", p), string(debug.Stack())}
		}
	}()
	return f()
}
