package httpapi

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestSecretIsReadAgain(t *testing.T) {
	now, stored, reads, broken := time.Unix(1772366400, 0), "old", 0, false
	s := &secret{value: "old", at: now, read: func(context.Context) (string, error) {
		reads++
		if broken {
			return "", errors.New("broken")
		}
		return stored, nil
	}}
	failures := 0
	for _, step := range []struct {
		what   string
		after  time.Duration
		change func()
		given  string
		opens  bool
		reads  int // so far
	}{
		{"the secret", 0, nil, "old", true, 0},
		{"a guess", time.Second, nil, "guess", false, 1},
		{"many guesses", time.Second, nil, "guess2", false, 1},
		{"the old secret, for some time after a change", time.Second, func() { stored = "new" }, "old", true, 1},
		{"a new secret", secretPause, nil, "new", true, 2},
		{"the old secret, once the new one was seen", 0, nil, "old", false, 2},
		{"the secret while it can't be read", secretAge, func() { broken = true }, "new", true, 3},
		{"the old secret without the new one", secretAge, func() { broken, stored = false, "newer" }, "new", false, 4},
		{"an empty secret opens nothing", secretAge, func() { stored = "" }, "", false, 5},
	} {
		now = now.Add(step.after)
		if step.change != nil {
			step.change()
		}
		if got := s.opens(t.Context(), step.given, now, func(error) { failures++ }); got != step.opens || reads != step.reads {
			t.Errorf("%s: opens %v after %d readings, want %v after %d", step.what, got, reads, step.opens, step.reads)
		}
	}
	if failures != 1 {
		t.Errorf("%d failures were told", failures)
	}
	if (&secret{value: "x"}).opens(t.Context(), "y", now, nil) {
		t.Error("a wrong secret opens")
	}
}
