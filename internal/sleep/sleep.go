// Package sleep has the one way to wait that a context ends.
package sleep

import (
	"context"
	"time"
)

// For waits, unless ctx ends before; then it returns its error.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
