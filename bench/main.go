// Bench measures Pesan as its users meet it: the built binary, over HTTP, with a simulated WhatsApp behind it; the functions
// and the session host on DynamoDB Local; and beside them, in the same run, whatsmeow alone doing the same work.
//
//	go run ./bench                # everything
//	go run ./bench reads messages # some of it
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is a line of the table.
type row struct {
	what, got, goal string
	met             bool
}

// bench holds what the measurements share.
type bench struct {
	binary string // the built program
	folder string // for everything temporary
}

type measurement struct {
	name string
	run  func(*bench, context.Context) ([]row, error)
	java bool // needs DynamoDB Local
}

// measurements, in the order of the table.
var measurements = []measurement{
	{"demo", (*bench).runDemo, false},
	{"reads", (*bench).runReads, false},
	{"door", (*bench).runDoor, false},
	{"mute", (*bench).runMute, false},
	{"batch", (*bench).runBatch, false},
	{"awsbatch", (*bench).runCloudBatch, true},
	{"messages", (*bench).runMessages, false},
	{"flood", (*bench).runFlood, false},
	{"history", (*bench).runHistory, false},
	{"functions", (*bench).runFunctions, true},
	{"incoming", (*bench).runIncoming, true},
	{"webhooks", (*bench).runWebhooks, false},
	{"hosted", (*bench).runHosted, true},
	{"fleet", (*bench).runFleet, true},
	{"memory", (*bench).runMemory, true},
	{"page", (*bench).runPage, false},
}

// progress says what a measurement is at.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }

func (b *bench) names() (names []string) {
	for _, m := range measurements {
		names = append(names, m.name)
	}
	return names
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && (os.Args[1] == clientCommand || os.Args[1] == durableClientCommand) {
		if err := runClients(ctx, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench client:", err)
			os.Exit(1)
		}
		return
	}
	if err := runAll(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var errMissed = errors.New("some goals were missed")

func runAll(ctx context.Context, args []string) error {
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&b.binary, "binary", "bin/pesan", "the built program")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "bench [flags] [%s]\n", strings.Join(b.names(), " | "))
		flags.PrintDefaults()
	}
	_ = flags.Parse(args) // exits by itself
	binary, err := exec.LookPath(b.binary)
	if err != nil {
		return fmt.Errorf("%w; `make build` makes it", err)
	}
	if b.binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp("", "pesan-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)

	chosen := slices.Clone(measurements)
	if flags.NArg() > 0 {
		chosen = slices.DeleteFunc(chosen, func(m measurement) bool { return !slices.Contains(flags.Args(), m.name) })
	}
	if slices.ContainsFunc(chosen, func(m measurement) bool { return m.java }) {
		if err := checkJava(); err != nil {
			return err
		}
	}
	var rows []row
	for _, m := range chosen {
		fmt.Fprintf(os.Stderr, "%s …\n", m.name)
		got, err := m.run(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rows = append(rows, got...)
	}
	return print(rows)
}

func print(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\tgoal\t")
	missed := false
	for _, r := range rows {
		verdict := ""
		if !r.met {
			verdict, missed = "missed", true
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.got, r.goal, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if missed {
		return errMissed
	}
	return nil
}
