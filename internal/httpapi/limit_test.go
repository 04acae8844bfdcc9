package httpapi

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := newLimiter(2, 3)
	for range 100 {
		if known, wait := l.take("wrong", now); known || wait != 0 {
			t.Fatal("a key that never opened is held back")
		}
	}
	l.admit("key", false, 0, now)
	for i := range 2 {
		if known, wait := l.take("key", now); !known || wait != 0 {
			t.Fatalf("call %d has to wait %v", i, wait)
		}
	}
	for range 10 { // asking again doesn't lengthen the wait
		if _, wait := l.take("key", now); wait != 500*time.Millisecond {
			t.Fatalf("wait %v, want 0.5 s", wait)
		}
	}
	l.admit("key", false, 0, now) // another call that was under way as the key was new
	if _, wait := l.take("key", now); wait == 0 {
		t.Fatal("a second admission gave a new allowance")
	}
	if _, wait := l.take("key", now.Add(time.Second/2)); wait != 0 {
		t.Fatalf("wait %v after the wait", wait)
	}
	l.admit("other", false, 0, now)
	if _, wait := l.take("other", now); wait != 0 {
		t.Fatal("one key holds back another")
	}
}

func TestLimiterIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := newLimiter(1, 1)
	for i := range 5 * maxRecent {
		l.admit(fmt.Sprint(i), false, 0, now)
		if i%1000 == 0 {
			l.take("0", now) // a key in use stays
		}
	}
	if n := len(l.keys.now) + len(l.keys.old); n > 2*maxRecent {
		t.Errorf("%d keys", n)
	}
	if known, wait := l.take("0", now); !known || wait == 0 {
		t.Error("a key in use was forgotten")
	}
}
