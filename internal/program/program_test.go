package program

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain runs as the program that the tests start.
func TestMain(m *testing.M) {
	if os.Getenv("PROGRAM") == "" {
		os.Exit(m.Run())
	}
	patience := time.Hour
	if os.Getenv("PROGRAM") == "impatient" {
		patience = time.Millisecond
	}
	os.Exit(Run("example", patience, func(ctx context.Context, args []string, out *os.File, errOut io.Writer) error {
		switch args[0] {
		case "help":
			return errors.Join(ErrUsage, flag.ErrHelp)
		case "wrong":
			return fmt.Errorf("%w: too many", ErrUsage)
		case "fail":
			return errors.New("it failed")
		}
		fmt.Fprintln(out, "started")
		<-ctx.Done()
		if args[0] == "linger" {
			fmt.Fprintln(out, "lingers")
			select {}
		}
		return nil
	}))
}

func start(t *testing.T, kind, does string) (p *exec.Cmd, out *bufio.Reader, errOut *strings.Builder) {
	t.Helper()
	p, errOut = exec.CommandContext(t.Context(), os.Args[0], does), new(strings.Builder)
	p.Env, p.Stderr = append(os.Environ(), "PROGRAM="+kind), errOut
	pipe, err := p.StdoutPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return p, bufio.NewReader(pipe), errOut
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for does, want := range map[string]struct {
		status int
		prints string
	}{"help": {0, ""}, "wrong": {2, ""}, "fail": {1, "example: it failed\n"}} {
		p, _, errOut := start(t, "patient", does)
		_ = p.Wait() // the status is looked at
		if got := p.ProcessState.ExitCode(); got != want.status || errOut.String() != want.prints {
			t.Errorf("%s: status %d, %q", does, got, errOut)
		}
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind, does string
		signals    int
		status     int // -1: ended by the signal
	}{{"patient", "obey", 1, 0}, {"patient", "linger", 2, -1}, {"impatient", "linger", 1, 1}} {
		p, out, errOut := start(t, test.kind, test.does)
		for range test.signals {
			if _, err := out.ReadString('\n'); err != nil { // it has started, or lingers
				t.Fatal(err)
			}
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
		_ = p.Wait() // the status is looked at
		if got := p.ProcessState.ExitCode(); got != test.status {
			t.Errorf("%+v: status %d, %q", test, got, errOut)
		}
	}
}
