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
	limit := flags.Duration("limit", 5*time.Minute, "how long all may take")
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
	end, err := startHost(flags.Args(), reach, errOut)
	if err != nil {
		return err
	}
	system := &e2e.System{
		Client:   &e2e.Client{URL: *url, Secret: *secret, HTTP: newHTTP()},
		WhatsApp: server, Phone: phone, Friends: all,
	}
	err = e2e.Run(ctx, system, out)
	err = errors.Join(err, strict.err())
	return errors.Join(err, end(err != nil))
}

// newHTTP makes a client that finds names under localhost on this machine, which not every resolver does.
func newHTTP() *http.Client {
	var d net.Dialer
	return &http.Client{
		Timeout: 40 * time.Second, // an HTTP API gives up after 30 s
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return d.DialContext(ctx, network, address)
		}},
	}
}

// startHost starts the command. The returned function stops it, and shows what it printed if something has failed.
func startHost(command, reach []string, errOut io.Writer) (end func(failed bool) error, err error) {
	if len(command) == 0 {
		return func(bool) error { return nil }, nil
	}
	var printed bytes.Buffer
	host := exec.Command(command[0], command[1:]...)
	host.Env = append(os.Environ(), reach...)
	host.Stdout, host.Stderr = &printed, &printed
	host.WaitDelay = patience
	if err := host.Start(); err != nil {
		return nil, fmt.Errorf("start host: %w", err)
	}
	return func(failed bool) error {
		_ = host.Process.Signal(syscall.SIGTERM) // it may have ended
		err := host.Wait()
		if err != nil {
			err = fmt.Errorf("the host ends with %w", err)
		}
		if failed || err != nil {
			fmt.Fprintf(errOut, "the host has printed:\n%s\n", &printed)
		}
		return err
	}, nil
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
