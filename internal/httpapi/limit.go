package httpapi

import (
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// recent remembers what was noted of late, in bounded memory: what hasn't been looked up since as many others came is forgotten.
type recent[V any] struct {
	seed     maphash.Seed
	now, old map[uint64]V // noted of late, and before; by hash, since keys are secrets
}

// maxRecent is how many values each of its two maps holds.
const maxRecent = 10_000

func newRecent[V any]() recent[V] {
	return recent[V]{seed: maphash.MakeSeed(), now: make(map[uint64]V)}
}

// find looks a value up.
func (r *recent[V]) find(key string) (v V, ok bool) {
	hash := maphash.String(r.seed, key)
	if v, ok = r.now[hash]; ok {
		return v, true
	}
	if v, ok = r.old[hash]; ok {
		r.keep(hash, v)
	}
	return v, ok
}

func (r *recent[V]) note(key string, v V) { r.keep(maphash.String(r.seed, key), v) }

func (r *recent[V]) keep(hash uint64, v V) {
	if len(r.now) >= maxRecent {
		r.old, r.now = r.now, make(map[uint64]V)
	}
	r.now[hash] = v
}

// suspects are the accounts that a wrong key was tried for of late.
type suspects struct {
	mu  sync.Mutex
	all recent[time.Time]
}

// suspicion is how long it lasts.
const suspicion = time.Minute

func newSuspects() *suspects { return &suspects{all: newRecent[time.Time]()} }

func (s *suspects) add(account string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.note(account, now.Add(suspicion))
}

func (s *suspects) has(account string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.all.find(account)
	return ok && now.Before(until)
}

// limiter holds back keys that call too often. It remembers only keys that have opened, so wrong ones can't fill it,
// and forgets those that have rested for long.
type limiter struct {
	rate  rate.Limit
	burst int

	mu   sync.Mutex
	keys recent[*bucket]
}

// bucket is what is left to a key.
type bucket struct {
	*rate.Limiter
	reported time.Time // when it was last too much, as the report has it
}

// reportEvery is how often the report says of a key that it calls too often.
const reportEvery = time.Minute

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, keys: newRecent[*bucket]()}
}

// take counts a call. It tells whether the key has opened before, and how long it has to wait, 0 when it may go on.
func (l *limiter) take(key string, now time.Time) (known bool, wait time.Duration) {
	l.mu.Lock()
	b, ok := l.keys.find(key)
	l.mu.Unlock()
	if !ok {
		return false, 0
	}
	r := b.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return true, wait
}

// report tells whether the report shall say now that the key calls too often.
func (l *limiter) report(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.keys.find(key)
	if !ok || now.Sub(b.reported) < reportEvery {
		return false
	}
	b.reported = now
	return true
}

// admit counts the call of a key that has opened, with a limit of its own, 0 for none, and remembers a new one. It tells how long
// the key has to wait, 0 when it may go on.
func (l *limiter) admit(key string, known bool, own int, now time.Time) (wait time.Duration) {
	limit, burst := l.rate, l.burst
	if own > 0 && (limit <= 0 || rate.Limit(own) < limit) {
		limit, burst = rate.Limit(own), 2*own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.keys.find(key)
	switch {
	case !ok && limit <= 0:
		return 0
	case !ok:
		b = &bucket{Limiter: rate.NewLimiter(limit, burst)}
		l.keys.note(key, b)
	case limit <= 0:
		b.SetLimitAt(now, rate.Inf)
	case b.Limit() != limit: // it was changed
		b.SetLimitAt(now, limit)
		b.SetBurstAt(now, burst)
	}
	if known && ok { // take has counted it
		return 0
	}
	r := b.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
