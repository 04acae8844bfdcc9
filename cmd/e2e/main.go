// E2e tests a running Pesan as its clients see it, whatever it runs on: it plays WhatsApp, starts the session host that
// is to reach it when one is given, and calls the API under a base URL.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pesan/e2e"
	"pesan/internal/program"
	"pesan/internal/sim"
)

func main() { os.Exit(program.Run("e2e", patience, command)) }

const usage = `E2e runs the end-to-end suite against the Pesan under a base URL.

  e2e -url <base URL> -secret <system secret> [-- <host> <argument>…]

It plays WhatsApp. The command after -- is started with WHATSAPP_ADDRESS and WHATSAPP_ROOT_KEY in its environment, and
stopped in the end. Without a command it prints the two and waits for a host to connect with them.

`

// friends of the phone, which the suite needs.
const friends = 3

// patience is how long the host may take to end.
const patience = 40 * time.Second

// command runs the suite.
func command(ctx context.Context, args []string, out *os.File, errOut io.Writer) error {
	flags := flag.NewFlagSet("e2e", flag.ContinueOnError)
	flags.SetOutput(errOut)
	url := flags.String("url", os.Getenv("PESAN_URL"), "base `URL` of the API, without /api; or PESAN_URL")
	secret := flags.String("secret", os.Getenv("PESAN_SECRET"), "the system `secret`; or PESAN_SECRET")
	listen := flags.String("whatsapp", "127.0.0.1:0", "`host:port` where WhatsApp is played")
	without := flags.String("without", "", "`steps` that aren't done, with commas between them")
	here := flags.String("here", "", "`names` that stand for this machine, with commas between them, as those under localhost do")
	limit := flags.Duration("limit", 10*time.Minute, "how long all may take")
	flags.Usage = func() { fmt.Fprint(errOut, usage); flags.PrintDefaults() }
	if err := flags.Parse(args); err != nil {
		return errors.Join(program.ErrUsage, err)
	}
	if *url == "" || *secret == "" {
		flags.Usage()
		return program.ErrUsage
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()

	var strict violations
	server, err := sim.New(sim.Options{Address: *listen, OnViolation: strict.add})
	if err != nil {
		return fmt.Errorf("play WhatsApp: %w", err)
	}
	defer server.Close()
	phone, all, err := e2e.Populate(server, friends)
	if err != nil {
		return fmt.Errorf("play WhatsApp: %w", err)
	}
	root := server.RootKey()
	reach := []string{"WHATSAPP_ADDRESS=" + server.Address(), "WHATSAPP_ROOT_KEY=" + hex.EncodeToString(root[:])}
	if flags.NArg() == 0 {
		fmt.Fprintf(out, "start the host with\n  %s\n  %s\n", reach[0], reach[1])
	}
	h, err := startHost(flags.Args(), reach)
	if err != nil {
		return err
	}
	system := &e2e.System{
		Client:   &e2e.Client{URL: *url, Secret: *secret, HTTP: newHTTP(strings.Split(*here, ","))},
		WhatsApp: server, Phone: phone, Friends: all,
	}
	if h != nil {
		system.Kill = h.kill
	}
	err = e2e.Run(ctx, system, out, strings.Split(*without, ",")...)
	err = errors.Join(err, strict.err())
	return errors.Join(err, h.end(err != nil, errOut))
}

// newHTTP makes a client that finds names under localhost on this machine, which not every resolver does, and these.
func newHTTP(here []string) *http.Client {
	var d net.Dialer
	return &http.Client{
		Timeout: 40 * time.Second, // an HTTP API gives up after 30 s
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, port, err := net.SplitHostPort(address); err == nil && (strings.HasSuffix(host, ".localhost") || slices.Contains(here, host)) {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return d.DialContext(ctx, network, address)
		}},
	}
}

// host is a session host that runs.
type host struct {
	command, env []string
	printed      bytes.Buffer
	cmd          *exec.Cmd
}

// startHost starts the command, if there is one.
func startHost(command, reach []string) (*host, error) {
	if len(command) == 0 {
		return nil, nil
	}
	h := &host{command: command, env: append(os.Environ(), reach...)}
	return h, h.start()
}

func (h *host) start() error {
	h.cmd = exec.Command(h.command[0], h.command[1:]...)
	h.cmd.Env, h.cmd.Stdout, h.cmd.Stderr, h.cmd.WaitDelay = h.env, &h.printed, &h.printed, patience
	if err := h.cmd.Start(); err != nil {
		return fmt.Errorf("start host: %w", err)
	}
	return nil
}

// kill ends the host at once, and starts it anew.
func (h *host) kill(context.Context) error {
	_ = h.cmd.Process.Kill() // it may have ended
	_ = h.cmd.Wait()
	return h.start()
}

// end stops the host, and shows what it printed if something has failed.
func (h *host) end(failed bool, errOut io.Writer) error {
	if h == nil {
		return nil
	}
	_ = h.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	err := h.cmd.Wait()
	if err != nil {
		err = fmt.Errorf("the host ends with %w", err)
	}
	if failed || err != nil {
		fmt.Fprintf(errOut, "the host has printed:\n%s\n", &h.printed)
	}
	return err
}

// violations are what a device did that WhatsApp would not accept.
type violations struct {
	mu   sync.Mutex
	errs []error
}

func (v *violations) add(violation sim.Violation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.errs = append(v.errs, fmt.Errorf("violation: %v", violation))
}

func (v *violations) err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return errors.Join(v.errs...)
}
