package httpapi

import "sync"

// waits bounds how many calls and streams of an account wait for a change at the same time.
type waits struct {
	mu  sync.Mutex
	all map[string]int
}

const maxWaits = 16

func newWaits() *waits { return &waits{all: make(map[string]int)} }

func (w *waits) enter(account string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[account] >= maxWaits {
		return false
	}
	w.all[account]++
	return true
}

func (w *waits) leave(account string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[account]--; w.all[account] == 0 {
		delete(w.all, account)
	}
}
