package httpapi

import (
	"sync"
	"time"
)

// guesses hold back who guesses at the system secret. Each wrong one makes its source wait longer, up to a minute; before that
// is over nothing of the source is compared, not even the right secret, so a guess more tells nothing.
type guesses struct {
	mu      sync.Mutex
	sources recent[*source]
	all     int // wrong ones so far
}

// source is where calls come from.
type source struct {
	wrong int
	until time.Time // it waits
}

const (
	freeGuesses = 5 // which anybody may get wrong
	maxWait     = time.Minute
	forgetGuess = 15 * time.Minute // after which a source begins anew
)

func newGuesses() *guesses { return &guesses{sources: newRecent[*source]()} }

// wait is how long a source must wait before its next try counts; 0 when it may try.
func (g *guesses) wait(from string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sources.find(from)
	if !ok {
		return 0
	}
	return max(0, s.until.Sub(now))
}

// wrong counts a wrong guess.
func (g *guesses) wrong(from string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sources.find(from)
	if !ok || now.Sub(s.until) > forgetGuess {
		s = &source{until: now}
		g.sources.note(from, s)
	}
	s.wrong++
	g.all++
	if over := s.wrong - freeGuesses; over >= 0 {
		s.until = now.Add(min(maxWait, time.Second<<min(over, 10)))
	}
}

// count is how many wrong ones there were.
func (g *guesses) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all
}

// right forgives a source.
func (g *guesses) right(from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s, ok := g.sources.find(from); ok {
		*s = source{}
	}
}
