package whatsapp

import "sync"

// answers hands what comes to who waits for it, by the id of what asked.
type answers[V any] struct {
	mu   sync.Mutex
	open map[string]chan V
}

// expect is given the answer. Who doesn't wait any more forgets it.
func (a *answers[V]) expect(id string) <-chan V {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = make(map[string]chan V)
	}
	answer := make(chan V, 1)
	a.open[id] = answer
	return answer
}

func (a *answers[V]) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, id)
}

// ended hands an answer over; "" and unknown ids are nobody's.
func (a *answers[V]) ended(id string, v V) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer, ok := a.open[id]; ok {
		answer <- v
		delete(a.open, id)
	}
}
