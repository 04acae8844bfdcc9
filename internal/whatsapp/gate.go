package whatsapp

import (
	"context"
	"sync"
)

// gate counts those inside. Once closed it lets nobody in.
type gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	empty  chan struct{} // closed when the last leaves; nil while nobody waits
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// wait returns when nobody is inside, or with ctx's error.
func (g *gate) wait(ctx context.Context) error {
	for {
		g.mu.Lock()
		if g.inside == 0 {
			g.mu.Unlock()
			return nil
		}
		if g.empty == nil {
			g.empty = make(chan struct{})
		}
		empty := g.empty
		g.mu.Unlock()
		select {
		case <-empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// errand is work that one goroutine does at a time, when there is some. What is asked for meanwhile is done after it.
type errand struct {
	spawn func(func()) bool // false: too late
	do    func()

	wanted chan struct{} // has an element when the work was asked for while it was being done

	mu      sync.Mutex
	running bool
	again   bool
}

func newErrand(spawn func(func()) bool, do func()) *errand {
	return &errand{spawn: spawn, do: do, wanted: make(chan struct{}, 1)}
}

// start has the work done, soon.
func (e *errand) start() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		e.again = true
		select {
		case e.wanted <- struct{}{}:
		default:
		}
		return
	}
	e.running = e.spawn(e.loop)
}

func (e *errand) loop() {
	for {
		e.do()
		e.mu.Lock()
		if !e.again {
			e.running = false
			e.mu.Unlock()
			return
		}
		e.again = false
		select {
		case <-e.wanted:
		default:
		}
		e.mu.Unlock()
	}
}
