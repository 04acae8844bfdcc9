// Pesan serves the chats of linked WhatsApp accounts over HTTP, in one process.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"pesan/internal/batchcmd"
	"pesan/internal/mcp"
	"pesan/internal/program"
	"pesan/internal/standalone"
	"pesan/internal/whatsapp"
)

// patience is how long an orderly end may take.
const patience = 10 * time.Second

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "batch":
			os.Exit(batch(os.Args[2:]))
		case "mcp":
			os.Exit(assist(os.Args[2:]))
		}
	}
	log.SetOutput(io.Discard) // net/http writes there what a webhook's endpoint says behind its answer
	os.Exit(program.Run("pesan", patience, command))
}

// batch runs pesan batch, for which an interrupt is a question.
func batch(args []string) int {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return batchcmd.Run(ctx, args, batchcmd.Env{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: isTerminal(os.Stdin) && isTerminal(os.Stdout),
		Lookup: os.LookupEnv, Interrupted: interrupted, Now: time.Now,
	})
}

// assist runs pesan mcp, whose standard input and output are an assistant's.
func assist(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return mcp.Run(ctx, args, mcp.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Lookup: os.LookupEnv, Now: time.Now})
}

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
	switch s.command {
	case "demo":
		return standalone.Demo(ctx, c, globals)
	case "backup":
		return standalone.Backup(ctx, c, s.file)
	case "restore":
		return standalone.Restore(ctx, c, s.file)
	}
	if c.WhatsApp, err = globals.Set(); err != nil {
		return err
	}
	if s.command == "doctor" {
		return standalone.Doctor(ctx, c, s.mend)
	}
	return standalone.Run(ctx, c)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
