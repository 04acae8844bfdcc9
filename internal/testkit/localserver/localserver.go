// Package localserver runs servers written in Java for the tests of one package, or for another program: the server comes
// from Maven the first time, and its process ends with the one that started it, whatever way that ends.
package localserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Program is a server that answers HTTP on a port.
type Program struct {
	Name     string
	Variable string // of the environment: the URL of a running one, for the tests and for the processes that they start
	Script   string // in scripts/: prints the folder of the program's jars
	// Arguments of Java after the class path, for the folder and the port.
	Arguments func(jars string, port int) []string
}

// Run is the body of a package's TestMain: it starts the program if none is given, then does the rest, and gives its exit
// code.
func (p Program) Run(rest func() int) int {
	if os.Getenv(p.Variable) != "" {
		return rest()
	}
	if _, err := exec.LookPath("java"); err != nil {
		return rest() // URL skips, or fails in CI
	}
	s, err := p.Start()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		return 1
	}
	defer s.Stop()
	os.Setenv(p.Variable, s.URL)
	return rest()
}

// URL is where the program answers. Without it the test is skipped, or fails where CI=true.
func (p Program) URL(t testing.TB) string {
	t.Helper()
	url := os.Getenv(p.Variable)
	if url == "" {
		hint := "needs " + p.Name + ": install Java 17 and Maven, or set " + p.Variable
		if os.Getenv("CI") == "true" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	return url
}

// Server is a program that runs.
type Server struct {
	URL string
	PID int // of Java

	stdin io.Closer
	cmd   *exec.Cmd
}

// Start starts the program; who does ends it with Stop. Options of Java override those that suit tests.
func (p Program) Start(java ...string) (*Server, error) {
	jars, err := p.fetch()
	if err != nil {
		return nil, err
	}
	const attempts = 3 // somebody else may take the port between our look and Java's
	for range attempts {
		var s *Server
		if s, err = p.startIn(jars, java); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func (p Program) fetch() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the module's root isn't above the working directory")
		}
	}
	cmd := exec.Command(filepath.Join(dir, "scripts", p.Script))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (p Program) startIn(jars string, java []string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	// The shell ends the server when our end of its input closes.
	arguments := []string{"-c", `java "$@" >&2 & echo $!; trap 'kill $! 2>/dev/null' EXIT; cat`, "sh", "-Xmx512m",
		"-XX:TieredStopAtLevel=1"}
	arguments = slices.Concat(arguments, java, []string{"-cp", filepath.Join(jars, "*")}, p.Arguments(jars, port))
	cmd := exec.Command("sh", arguments...)
	var log tail
	cmd.Stderr = &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{URL: "http://127.0.0.1:" + strconv.Itoa(port), stdin: stdin, cmd: cmd}
	if _, err = fmt.Fscanln(stdout, &s.PID); err == nil {
		err = s.waitReady(3 * time.Minute)
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("%w; its output: %s", err, log.String())
	}
	return s, nil
}

func (s *Server) waitReady(limit time.Duration) error {
	client := http.Client{Timeout: time.Second}
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// Any answer will do; a request without a signature gets 400.
		if resp, err := client.Get(s.URL); err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("no answer on %s within %s", s.URL, limit)
		}
	}
}

// Stop ends the program and waits for its end.
func (s *Server) Stop() {
	s.stdin.Close()
	_ = s.cmd.Wait()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
