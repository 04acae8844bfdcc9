package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"pesan/internal/chat"
	"pesan/internal/sleep"
)

// receiving at a time is what a queue hands out at most.
const receiving = 10

// consume carries out what the queue hands out until the shard is to be drained. It returns when every command that was
// received is done or back on the queue.
func (s *shard) consume(held context.Context) {
	working, abort := context.WithCancel(held)
	defer abort()
	slots := make(chan struct{}, s.Parallel)
	var wg sync.WaitGroup
	wait := firstWait
	for s.ctx.Err() == nil {
		free := s.reserve(slots)
		if free == 0 {
			break
		}
		deliveries, err := s.Queue.Receive(s.ctx, s.queue, free)
		for _, d := range deliveries {
			free--
			m, ok := d.Batch()
			if ok {
				<-slots // there is one of an account at most, and commands don't wait for batches
				wg.Go(func() { s.deliver(working, d, func(ctx context.Context) error { return s.handleBatch(ctx, d, m) }) })
				continue
			}
			wg.Go(func() {
				free := sync.OnceFunc(func() { <-slots })
				defer free()
				s.deliver(working, d, func(ctx context.Context) error { return s.handle(ctx, d, free) })
			})
		}
		for range free {
			<-slots
		}
		if err == nil {
			wait = firstWait
			continue
		}
		if s.ctx.Err() == nil {
			s.Logger.Error("receive commands", "queue", s.queue, "error", err)
		}
		_ = sleep.For(s.ctx, wait)
		wait = longer(wait)
	}
	patience := time.AfterFunc(s.Drain, abort)
	defer patience.Stop()
	wg.Wait()
}

// reserve takes at least one slot, waiting for it, and up to as many as may be received at a time. It takes none when the
// shard is to be drained.
func (s *shard) reserve(slots chan struct{}) int {
	select {
	case slots <- struct{}{}:
	case <-s.ctx.Done():
		return 0
	}
	for n := 1; n < receiving; n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n
		}
	}
	return receiving
}

// deliver works on what the queue hands out and gives it back to the queue, or takes it off.
func (s *shard) deliver(ctx context.Context, d chat.Delivery, handle func(context.Context) error) {
	stop := s.extend(ctx, d)
	err := caught(func() error { return handle(ctx) })
	stop()
	if lost := s.hold.Check(); lost != nil {
		return // the shard's next host gets the command when its visibility timeout ends
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.TTL/5)
	defer cancel()
	if err == nil {
		if err := d.Done(end); err != nil {
			s.Logger.Warn("take command off the queue", "error", err)
		}
		return
	}
	again := time.Second << min(d.Attempt()-1, 5)
	switch {
	case errors.Is(err, errDraining):
		again = 0
	case errors.Is(err, errNoBatch):
		again *= 5
	case ctx.Err() != nil || errors.As(err, &dead{}):
		again = 0
	default:
		s.Logger.Warn("command goes back to the queue", "attempt", d.Attempt(), "again", again, "error", err)
	}
	if err := d.Release(end, again); err != nil {
		s.Logger.Warn("give command back", "error", err)
	}
}

// extend keeps the command hidden from other receivers until the returned function is called.
func (s *shard) extend(ctx context.Context, d chat.Delivery) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for sleep.For(ctx, chat.VisibilityTimeout/3) == nil {
			if err := d.Extend(ctx); err != nil && ctx.Err() == nil {
				s.Logger.Warn("extend visibility", "error", err)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
