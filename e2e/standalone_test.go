package e2e

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pesan/internal/sim"
	"pesan/internal/testkit/syncbuf"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == curl {
		if err := runCurl(os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	dir, err := os.MkdirTemp("", "pesan-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "pesan")
	build := exec.Command("go", "build", "-o", binary, "pesan/cmd/pesan")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	err = build.Run()
	code := 1
	if err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	if err == nil && code == 0 {
		if err = goleak.Find(); err != nil {
			code = 1
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// process is a running program.
type process struct {
	cmd    *exec.Cmd
	lines  chan string // what it prints for people
	ended  chan struct{}
	err    error // once ended
	errors *syncbuf.Buffer
}

// start starts the program; it is killed at the end of the test if it still runs.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), lines: make(chan string, 10_000), ended: make(chan struct{}), errors: new(syncbuf.Buffer)}
	p.cmd.Env = append(env, "LC_ALL=C", "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
	p.cmd.Stderr = p.errors
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			select {
			case p.lines <- scanner.Text():
			default:
			}
		}
		p.err = p.cmd.Wait()
		close(p.lines)
	}()
	t.Cleanup(p.kill)
	return p
}

// find waits for a line that matches, and returns the match and its first group if it has one.
func (p *process) find(ctx context.Context, pattern *regexp.Regexp) (string, error) {
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return "", fmt.Errorf("the program has ended (%v) before it printed %s: %s", p.err, pattern, p.errors)
			}
			if found := pattern.FindStringSubmatch(line); found != nil {
				return found[len(found)-1], nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("the program doesn't print %s: %s", pattern, p.errors)
		}
	}
}

// kill ends it at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// stop asks it to end and returns how long that took.
func (p *process) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("the program doesn't end: %s", p.errors)
	}
	if p.err != nil {
		t.Errorf("the program ends with %v: %s", p.err, p.errors)
	}
	return time.Since(began)
}

var (
	urlLine = regexp.MustCompile(`http://[0-9.:]+`)
	keyLine = regexp.MustCompile(`pk_[0-9A-Za-z_]+`)
)

// world is a simulated WhatsApp and a data folder, in which the program is started and ended.
type world struct {
	*System
	folder string
	env    []string
}

// linkedWorld is a world whose program runs with its device linked.
func linkedWorld(ctx context.Context, t testing.TB, friends int) (*world, *process) {
	t.Helper()
	w := newWorld(t, friends)
	return w, w.runLinked(ctx, t)
}

// runLinked runs the program and links a device.
func (w *world) runLinked(ctx context.Context, t testing.TB) *process {
	t.Helper()
	p := w.run(ctx, t)
	must(t, w.AddDevice(ctx))
	must(t, w.Link(ctx))
	return p
}

// restartable returns what runs the program at one address and with one secret, where it is found again once it was killed.
func (w *world) restartable(ctx context.Context, t testing.TB) (run func() *process) {
	t.Helper()
	address := freeAddress(t)
	w.URL, w.Secret = "http://"+address, "a secret for this test"
	w.env = append(w.env, "PESAN_SECRET="+w.Secret)
	return func() *process {
		t.Helper()
		p := start(t, w.env, "run", "-listen", address, "-data", w.folder)
		_, err := p.find(ctx, urlLine)
		must(t, err)
		return p
	}
}

func newWorld(t testing.TB, friends int) *world {
	t.Helper()
	server, err := sim.New(sim.Options{OnViolation: func(v sim.Violation) { t.Errorf("violation: %v", v) }})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	phone, all, err := Populate(server, friends)
	must(t, err)
	root := server.RootKey()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &world{
		System: &System{
			Client:   &Client{HTTP: &http.Client{Transport: transport}},
			WhatsApp: server, Phone: phone, Friends: all,
		},
		folder: t.TempDir(),
		env:    []string{"WHATSAPP_ADDRESS=" + server.Address(), "WHATSAPP_ROOT_KEY=" + hex.EncodeToString(root[:]), "RATE_LIMIT=0", "WEBHOOK_LOOPBACK=1"},
	}
}

// run starts the program on the data folder and waits until it answers.
func (w *world) run(ctx context.Context, t testing.TB) *process {
	t.Helper()
	p := start(t, w.env, "run", "-listen", "127.0.0.1:0", "-data", w.folder)
	url, err := p.find(ctx, urlLine)
	must(t, err)
	w.URL = url
	if w.Secret == "" {
		secret, err := os.ReadFile(filepath.Join(w.folder, "secret"))
		must(t, err)
		w.Secret = strings.TrimSpace(string(secret))
	}
	return p
}

func TestStandalone(t *testing.T) {
	w := newWorld(t, 3)
	p := w.run(t.Context(), t)
	w.Kill = func(ctx context.Context) error {
		p.kill()
		p = w.run(ctx, t)
		return nil
	}
	Suite(t, w.System)
	if took := p.stop(t); took > 10*time.Second {
		t.Errorf("ends after %v", took)
	}
}

// TestRestart: the first start adds a device and shows its key once; a second finds everything as it was.
func TestRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := newWorld(t, 2)
	p := w.run(ctx, t)
	key, err := p.find(ctx, keyLine)
	must(t, err)
	_, err = p.find(ctx, regexp.MustCompile(`█▀▀▀▀▀█|▄▄▄▄▄▄▄`)) // a QR code's corner
	must(t, err)
	info, err := os.Stat(filepath.Join(w.folder, "secret"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file has mode %v", info.Mode())
	}
	w.Key = key
	must(t, w.Link(ctx))
	_, err = p.find(ctx, regexp.MustCompile(`connected \(…0001\)`))
	must(t, err)

	other := start(t, w.env, "run", "-listen", "127.0.0.1:0", "-data", w.folder)
	<-other.ended
	if other.err == nil || !strings.Contains(other.errors.String(), fmt.Sprintf("another process (%d) uses the data folder", p.cmd.Process.Pid)) {
		t.Errorf("a second process on the folder: %v, %s", other.err, other.errors)
	}

	first, err := w.Friends[0].Send(ctx, w.Phone, sim.Text("satu"), sim.SendOptions{})
	must(t, err)
	must(t, w.Device.WaitAcked(ctx, first))
	_, err = w.Call(ctx, "muteChat", "phone", w.Friends[0].PN().User)
	must(t, err)
	if took := p.stop(t); took > 10*time.Second {
		t.Errorf("ends after %v", took)
	}
	second, err := w.Friends[0].Send(ctx, w.Phone, sim.Text("dua"), sim.SendOptions{Time: time.Now().Add(time.Second)})
	must(t, err)

	p = w.run(ctx, t)
	must(t, w.Connected(ctx))
	must(t, w.Device.WaitAcked(ctx, second))
	messages, err := w.Messages(ctx, w.Friends[0].PN().User)
	must(t, err)
	if len(messages) != 2 || messages[0].ID != first || messages[1].ID != second {
		t.Errorf("messages after a restart: %+v", messages)
	}
	chat, err := w.Chat(ctx, w.Friends[0].PN().User)
	must(t, err)
	if !chat.Muted {
		t.Error("the mute is gone after a restart")
	}
	p.stop(t)
}

// TestStopUnderLoad: the program ends in time while WhatsApp is silent and calls wait for it.
func TestStopUnderLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w, p := linkedWorld(ctx, t, 1)
	id, err := w.Friends[0].Send(ctx, w.Phone, sim.Text("halo"), sim.SendOptions{})
	must(t, err)
	must(t, w.Device.WaitAcked(ctx, id))
	w.Device.Inject(sim.Fault{Kind: sim.Silent})
	answered := make(chan Answer, 1)
	go func() {
		answer, _ := w.Call(ctx, "muteChat", "phone", w.Friends[0].PN().User)
		answered <- answer
	}()
	must(t, Until(ctx, "the command", func() (bool, error) {
		reports, err := w.Reports(ctx)
		return len(reports) > 0 && reports[0].Command == "pending", err
	}))
	took := p.stop(t)
	t.Logf("ends after %v", took)
	if took > 10*time.Second {
		t.Error("that is too late")
	}
	if answer := <-answered; answer.Status != http.StatusAccepted {
		t.Errorf("a call under way is answered %d %s", answer.Status, answer.Body)
	}
}

func TestStartErrors(t *testing.T) {
	w := newWorld(t, 0)
	p := w.run(t.Context(), t)
	taken := strings.TrimPrefix(w.URL, "http://")
	for _, test := range []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"everything at once", []string{"WHATSAPP_ADDRESS=nowhere", "WHATSAPP_ROOT_KEY=zz", "COMMAND_WAIT=soon", "PESAN_SECRET=short"}, []string{"run"},
			[]string{"WHATSAPP_ADDRESS: must be host:port", "WHATSAPP_ROOT_KEY: must be 32 bytes in hex", "COMMAND_WAIT: must be a duration", "PESAN_SECRET: must have at least"}},
		{"port in use", w.env, []string{"run", "-listen", taken, "-data", t.TempDir()}, []string{"can't listen on " + taken, "-listen"}},
		{"folder is a file", w.env, []string{"run", "-listen", "127.0.0.1:0", "-data", binary}, []string{"can't use the data folder", "-data"}},
		{"no such command", nil, []string{"jump"}, []string{`there is no "jump"`, "pesan demo"}},
		{"nothing", nil, nil, []string{"pesan demo", "pesan run"}},
		{"in Indonesian", append(w.env, "LANG=id_ID.UTF-8", "LC_ALL="), []string{"run", "-listen", taken, "-data", t.TempDir()}, []string{"tidak dapat mendengarkan di " + taken}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &exec.Cmd{Path: binary, Args: append([]string{"pesan"}, test.args...), Env: test.env}
			out, err := p.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() <= 0 {
				t.Errorf("ends with %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("doesn't say %q:\n%s", want, out)
				}
			}
		})
	}
	p.stop(t)
	help, err := exec.Command(binary, "run", "-h").Output()
	must(t, err)
	if !strings.Contains(string(help), "WHATSAPP_ADDRESS") || !strings.Contains(string(help), "-listen") {
		t.Errorf("help says:\n%s", help)
	}
}
