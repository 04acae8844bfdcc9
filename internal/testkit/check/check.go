// Package check has the assertions that the suites of the ports share. A message begins with what was tried.
package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pesan/internal/chat"
)

// OK fails the test on an error.
func OK(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// Code wants an error with this code; "" for none.
func Code(t testing.TB, what string, err error, want chat.Code) {
	t.Helper()
	if chat.CodeOf(err) != want {
		t.Fatalf("%s: error %v, want code %q", what, err, want)
	}
}

// Same wants two values with the same JSON.
func Same(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := Text(got), Text(want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// Text is a value as JSON, to compare and to show.
func Text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v (%v)", v, err)
	}
	return string(b)
}

// Together makes n calls at the same time and returns their errors.
func Together(n int, call func(i int) error) error {
	errs := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	group.Wait()
	return errors.Join(errs...)
}
