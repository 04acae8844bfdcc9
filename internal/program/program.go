// Package program is the frame of a command: its arguments, the signals that end it, its exit status.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// ErrUsage says that the arguments are wrong; how to use the program was printed.
var ErrUsage = errors.New("usage")

// Command is what a program does until it is done or ctx ends, which a signal does. Help that was asked for is
// flag.ErrHelp.
type Command func(ctx context.Context, args []string, out *os.File, errOut io.Writer) error

// Run runs a command with the process's arguments and returns the exit status: 0, 2 for wrong arguments, 1 for any other
// error, which is printed. After a first signal the command has patience to end orderly; a second one ends it at once.
func Run(name string, patience time.Duration, do Command) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // until the process ends
		<-signals
		signal.Stop(signals) // first, since the command may tell somebody that it ends
		cancel()
		time.AfterFunc(patience, func() {
			fmt.Fprintf(os.Stderr, "%s: ending takes too long\n", name)
			os.Exit(1)
		})
	}()
	err := do(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	return 1
}
