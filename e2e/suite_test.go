package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Suite runs all steps as tests, up to the first that fails.
func Suite(t *testing.T, s *System) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, step := range Steps() {
		if !t.Run(step.Name, func(t *testing.T) { step.Do(ctx, t, s) }) {
			return
		}
	}
}

// TestRunFails: a suite against nothing says so.
func TestRunFails(t *testing.T) {
	w := newWorld(t, 3)
	w.URL = "http://127.0.0.1:1"
	var out strings.Builder
	err := Run(t.Context(), w.System, &out)
	if err == nil || !strings.Contains(err.Error(), "Doors: ") || !strings.Contains(out.String(), "FAIL Doors") {
		t.Errorf("says %v, prints %q", err, &out)
	}
}
