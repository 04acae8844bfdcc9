// Pesan serves the chats of linked WhatsApp accounts over HTTP, in one process.
package main

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

	"pesan/internal/standalone"
	"pesan/internal/whatsapp"
)

// patience is how long an orderly end may take.
const patience = 10 * time.Second

func main() {
	err := command(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "pesan:", err)
		os.Exit(1)
	}
}

// command runs what the arguments name until it ends or a signal ends it.
func command(args []string, out *os.File, errOut io.Writer) error {
	s, err := parse(args, os.LookupEnv, out, errOut)
	if err != nil {
		return err
	}
	logger, closeLog, err := s.logger(errOut)
	if err != nil {
		return err
	}
	defer closeLog()
	c := s.config
	c.Out, c.Terminal, c.Logger = out, isTerminal(out), logger

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends at once
		time.AfterFunc(patience, func() {
			fmt.Fprintln(errOut, "pesan: ending takes too long")
			os.Exit(1)
		})
	})
	globals := whatsapp.Globals{Address: s.whatsAppAddress, RootKey: s.whatsAppRootKey, Logger: logger}
	if s.demo {
		return standalone.Demo(ctx, c, globals)
	}
	if c.WhatsApp, err = globals.Set(); err != nil {
		return err
	}
	return standalone.Run(ctx, c)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
