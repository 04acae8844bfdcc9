package e2e

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Run does the suite's steps in turn, without those that are named, and tells of each. It fails with the first step that does.
func Run(ctx context.Context, s *System, out io.Writer, without ...string) error {
	for _, step := range Steps() {
		if slices.Contains(without, step.Name) {
			fmt.Fprintf(out, "  not  %s\n", step.Name)
			continue
		}
		var o outcome
		began := time.Now()
		o.run(func() { step.Do(ctx, &o, s) })
		if len(o.failures) > 0 {
			fmt.Fprintf(out, "  FAIL %s\n", step.Name)
			return fmt.Errorf("%s: %s", step.Name, strings.Join(o.failures, "\n"))
		}
		fmt.Fprintf(out, "  ok   %-10s %6.1f s\n", step.Name, time.Since(began).Seconds())
	}
	return nil
}

// outcome is how a step went.
type outcome struct{ failures []string }

var _ T = (*outcome)(nil)

// run calls step in a goroutine of its own, which Fatalf ends.
func (o *outcome) run(step func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		step()
	}()
	<-ended
}

func (o *outcome) Helper() {}

func (o *outcome) Errorf(format string, args ...any) {
	o.failures = append(o.failures, fmt.Sprintf(format, args...))
}

func (o *outcome) Fatalf(format string, args ...any) {
	o.Errorf(format, args...)
	runtime.Goexit()
}
