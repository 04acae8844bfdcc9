package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"time"
)

// The system secret may be replaced while a process lives. A new one opens at once, but for those who tried wrong ones within
// secretPause; an old one opens for secretAge at most.
const (
	secretPause = time.Minute     // between two readings because one didn't fit
	secretAge   = 5 * time.Minute // of what was read, when one fits
)

// secret is the system secret as it was read last.
type secret struct {
	read func(context.Context) (string, error) // nil when it doesn't change

	mu     sync.Mutex
	value  string
	at     time.Time // when it was read
	missed time.Time // when it was read last because one didn't fit
}

// opens tells whether given is the secret. When it can't be read, the one that was read last counts.
func (s *secret) opens(ctx context.Context, given string, now time.Time, failed func(error)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits := same(given, s.value)
	switch {
	case s.read == nil, fits && now.Sub(s.at) < secretAge, !fits && now.Sub(s.missed) < secretPause:
		return fits
	case !fits:
		s.missed = now
	}
	s.at = now
	value, err := s.read(ctx)
	if err != nil {
		failed(err)
		return fits
	}
	s.value = value
	return same(given, s.value)
}

// same compares in a time that tells nothing of either. An empty secret is none.
func same(given, want string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && want != ""
}
