// Pesan serves the chats of linked WhatsApp accounts over HTTP, in one process.
package main

import (
	"context"
	"io"
	"os"
	"time"

	"pesan/internal/program"
	"pesan/internal/standalone"
	"pesan/internal/whatsapp"
)

// patience is how long an orderly end may take.
const patience = 10 * time.Second

func main() { os.Exit(program.Run("pesan", patience, command)) }

// command runs what the arguments name.
func command(ctx context.Context, args []string, out *os.File, errOut io.Writer) error {
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
