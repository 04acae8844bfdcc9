package whatsapp

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// turns says how many devices connect at a time, from reading the keys to having caught up with the app state, and which comes
// next. Connecting waits for WhatsApp, for the most part, so the more the sooner, as long as there is CPU for them: then they
// would be ready no sooner, and leave behind a heap full of holes and high stacks, which the process keeps. So each that ends
// lets one more begin, and whenever the process's timers come late, some fewer. A command that is carried out takes places,
// too: somebody waits for it. So does a device that somebody waits for, which begins whatever the limit is: its end says
// nothing of how many there is room for. A few places are left to devices in any case.
type turns struct {
	fewest, most int

	mu      sync.Mutex
	limit   int
	busy    int
	working int // places of commands
	tickets int // drawn so far
	waiting waiters
	due     time.Time // of the next look at the timers, while any is busy
	behind  bool      // the last came late
}

const (
	fewestTurns = 32
	mostTurns   = 1024
	turnLimit   = 10 * time.Second // for those that WhatsApp, or the store, leaves waiting
	ofCommand   = 4                // places: in its fifth of the time it is about as much work as connecting
	lookEvery   = 10 * time.Millisecond
	late        = 10 * time.Millisecond
)

func newTurns(fewest, most int) *turns { return &turns{fewest: fewest, most: most, limit: fewest} }

// ticket is that of a device that was active then: of those that wait, the one with the lowest begins first. Devices that never
// were, or whose connection is made anew, draw theirs one after the other, behind the rest.
func (t *turns) ticket(active time.Time) int {
	if !active.IsZero() {
		return -int(active.UnixMilli())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tickets++
	return t.tickets
}

// take waits for a turn to connect; end ends it, and may be called again. Who is told to hurry doesn't wait for others.
func (t *turns) take(ctx context.Context, ticket int, hurry <-chan struct{}) (end func(), err error) {
	w := &waiter{ticket: ticket, turn: make(chan struct{})}
	hurried := false
	t.mu.Lock()
	heap.Push(&t.waiting, w)
	t.grant()
	t.mu.Unlock()
	select {
	case <-w.turn:
	case <-hurry:
		hurried = t.pass(w)
	case <-ctx.Done():
		t.leave(w)
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { t.end(hurried) })
	limit := time.AfterFunc(turnLimit, free)
	return func() { limit.Stop(); free() }, nil
}

// grant lets those begin that may; t is locked.
func (t *turns) grant() {
	for t.busy < max(t.limit-t.working, t.fewest/4) && len(t.waiting) > 0 {
		t.begin(t.waiting[0])
	}
}

// work has fewer begin until the function that it returns is called.
func (t *turns) work() (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working += ofCommand
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.working -= ofCommand
		t.grant()
	}
}

// begin lets one begin that waits; t is locked.
func (t *turns) begin(w *waiter) {
	if t.busy == 0 {
		t.due = time.Now().Add(lookEvery)
		time.AfterFunc(lookEvery, t.look)
	}
	t.busy++
	heap.Remove(&t.waiting, w.place)
	close(w.turn)
}

// pass lets one begin that still waits, past the others and the limit.
func (t *turns) pass(w *waiter) (passed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if passed = w.place >= 0; passed {
		t.begin(w)
	}
	return passed
}

// leave takes out who doesn't wait any more, or ends the turn that it got meanwhile.
func (t *turns) leave(w *waiter) {
	t.mu.Lock()
	if w.place >= 0 {
		heap.Remove(&t.waiting, w.place)
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	t.end(false)
}

func (t *turns) end(hurried bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy--
	if !t.behind && !hurried {
		t.limit = min(t.limit+1, t.most)
	}
	t.grant()
}

// look sees whether its timer was late, and comes again while any is busy.
func (t *turns) look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.behind = now.Sub(t.due) > late; t.behind {
		t.limit = max(t.limit-t.limit/8, t.fewest)
	}
	if t.busy > 0 {
		t.due = now.Add(lookEvery)
		time.AfterFunc(lookEvery, t.look)
	}
}

// waiter waits for its turn. Its place among the others is -1 when it waits no more.
type waiter struct {
	ticket, place int
	turn          chan struct{} // closed when it begins
}

// waiters are a heap by ticket.
type waiters []*waiter

func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].ticket < w[j].ticket }
func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].place, w[j].place = i, j
}

// Push implements heap.Interface.
func (w *waiters) Push(x any) {
	one := x.(*waiter)
	one.place = len(*w)
	*w = append(*w, one)
}

// Pop implements heap.Interface.
func (w *waiters) Pop() any {
	last := len(*w) - 1
	one := (*w)[last]
	(*w)[last], one.place = nil, -1
	*w = (*w)[:last]
	return one
}

// takeTurn waits for a turn unless the run has one.
func (r *run) takeTurn(ctx context.Context) error {
	r.mu.Lock()
	has := r.turn != nil
	r.mu.Unlock()
	if has {
		return nil
	}
	end, err := r.turns.take(ctx, r.turns.ticket(time.Time{}), r.hurry)
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
