// Package stableid makes ids of what is told about something, so that telling it again gives the same id.
package stableid

import (
	"crypto/sha256"
	"time"

	"github.com/oklog/ulid/v2"
)

// New is the ULID of a moment, in milliseconds since 1970, and of a text that tells what it is about.
func New(at time.Time, about string) string {
	sum := sha256.Sum256([]byte(about))
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(at)) // of our times, none is too big
	_ = id.SetEntropy(sum[:10])        // it has the right length
	return id.String()
}
