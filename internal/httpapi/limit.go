package httpapi

import (
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter holds back keys that call too often. It remembers only keys that have opened, so wrong ones can't fill it,
// and forgets those that have rested for long.
type limiter struct {
	rate  rate.Limit
	burst int
	seed  maphash.Seed

	mu       sync.Mutex
	now, old map[uint64]*rate.Limiter // keys used of late, and before; by hash, since keys are secrets
}

// maxLimited is how many keys each of the limiter's two maps holds.
const maxLimited = 10_000

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, seed: maphash.MakeSeed(), now: make(map[uint64]*rate.Limiter)}
}

// take counts a call. It tells whether the key has opened before, and how long it has to wait, 0 when it may go on.
func (l *limiter) take(key string, now time.Time) (known bool, wait time.Duration) {
	if l.rate <= 0 {
		return true, 0
	}
	bucket := l.find(maphash.String(l.seed, key))
	if bucket == nil {
		return false, 0
	}
	r := bucket.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return true, wait
}

// admit remembers a key that has opened, and counts its call.
func (l *limiter) admit(key string, now time.Time) {
	bucket := rate.NewLimiter(l.rate, l.burst)
	bucket.AllowN(now, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if hash := maphash.String(l.seed, key); l.now[hash] == nil {
		l.keep(hash, bucket)
	}
}

func (l *limiter) find(hash uint64) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.now[hash]
	if bucket == nil && l.old[hash] != nil {
		bucket = l.old[hash]
		l.keep(hash, bucket)
	}
	return bucket
}

func (l *limiter) keep(hash uint64, bucket *rate.Limiter) {
	if len(l.now) >= maxLimited {
		l.old, l.now = l.now, make(map[uint64]*rate.Limiter)
	}
	l.now[hash] = bucket
}
