package whatsapp

import (
	"context"
	"sync"
	"time"
)

// turns is how many devices connect at a time, from reading the keys to having caught up with the app state. All at once
// they would be ready no sooner, and leave behind a heap full of holes and high stacks, which the process keeps. turnLimit
// is for those that WhatsApp, or the store, leaves waiting.
const (
	turns     = 32
	turnLimit = 10 * time.Second
)

// takeTurn waits for a turn to connect; end ends it, and may be called again.
func (ds *Devices) takeTurn(ctx context.Context) (end func(), err error) {
	select {
	case ds.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-ds.turns })
	limit := time.AfterFunc(turnLimit, free)
	return func() { limit.Stop(); free() }, nil
}

// takeTurn waits for a turn unless the run has one.
func (r *run) takeTurn(ctx context.Context) error {
	r.mu.Lock()
	has := r.turn != nil
	r.mu.Unlock()
	if has {
		return nil
	}
	end, err := r.Devices.takeTurn(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn = end
	return err
}

// endTurn ends the turn, if the run has one.
func (r *run) endTurn() {
	r.mu.Lock()
	end := r.turn
	r.turn = nil
	r.mu.Unlock()
	if end != nil {
		end()
	}
}
