package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pesan/internal/sim"
)

// process is a program that is measured, and ended by stop.
type process struct {
	cmd   *exec.Cmd
	lines chan string // of its standard output; closed with it
	errs  bytes.Buffer
}

// start runs a program with a simulated WhatsApp behind it; env goes before that.
func start(ctx context.Context, s *sim.Server, env []string, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, program, args...), lines: make(chan string, 1024)}
	p.cmd.Env = os.Environ()
	if s != nil {
		root := s.RootKey()
		p.cmd.Env = append(p.cmd.Env, "WHATSAPP_ADDRESS="+s.Address(), "WHATSAPP_ROOT_KEY="+hex.EncodeToString(root[:]))
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stderr = &p.errs
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 15 * time.Second
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			select {
			case p.lines <- scan.Text():
			default: // nobody reads any more
			}
		}
	}()
	return p, nil
}

// await reads the output until a line matches, and returns its first group.
func (p *process) await(ctx context.Context, pattern *regexp.Regexp) (string, error) {
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				_ = p.cmd.Wait()
				return "", fmt.Errorf("%s ended: %s", p.cmd.Path, p.errs.String())
			}
			if found := pattern.FindStringSubmatch(line); found != nil {
				return found[1], nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %v: %w", pattern, ctx.Err())
		}
	}
}

// ending is for how long a process may end by itself. A host's last polls take up to 20 s: one that outlived it would take a command
// of the next host's, and hide it for the visibility timeout.
const ending = time.Minute

// stop lets the process end by itself, for a while.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	end := time.AfterFunc(ending, func() { _ = p.cmd.Process.Kill() })
	defer end.Stop()
	_ = p.cmd.Wait()
}

// resident is the process's resident memory in bytes: now, or at most so far.
func (p *process) resident(field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc", field)
}

// cpu is the processor time that the process has used.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

// cpuOf is the processor time that the living threads of a process have used.
func cpuOf(pid int) (time.Duration, error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it ended meanwhile
		}
		if err != nil {
			return 0, err
		}
		ns, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// pesan is a running Pesan.
type pesan struct {
	*process
	api
}

// api is where a Pesan answers.
type api struct{ url string }

const secret = "bench-secret-0123456789"

var (
	urlLine = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)`)
	keyLine = regexp.MustCompile(`(pk_[0-9A-Z]{26}_[a-z2-7]+)`)
)

// run starts `pesan run` on a data folder.
func (b *bench) run(ctx context.Context, s *sim.Server, folder string, env ...string) (*pesan, error) {
	p, err := start(ctx, s, append(env, "PESAN_LISTEN=127.0.0.1:0", "PESAN_DATA="+folder, "PESAN_SECRET="+secret,
		"RATE_LIMIT=0"), b.binary, "run")
	if err != nil {
		return nil, err
	}
	address, err := p.await(ctx, urlLine)
	if err != nil {
		p.stop()
		return nil, err
	}
	return &pesan{p, api{address}}, nil
}

// call calls an endpoint and returns the answer's body; what isn't 200 is an error.
func (p api) call(ctx context.Context, endpoint string, params ...string) ([]byte, error) {
	status, body, err := p.post(ctx, endpoint, "", params...)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", endpoint, status, body)
	}
	return body, err
}

func (p api) post(ctx context.Context, endpoint, id string, params ...string) (status int, body []byte, err error) {
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/"+endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept-Encoding", "identity")
	if id != "" {
		request.Header.Set("Idempotency-Key", id)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// command calls an endpoint under an id of its own until it is answered that the command is done.
func (p api) command(ctx context.Context, endpoint string, params ...string) error {
	id := rand.Text()
	for {
		status, body, err := p.post(ctx, endpoint, id, params...)
		if err != nil || status == http.StatusOK {
			return err
		}
		if status != http.StatusAccepted {
			return fmt.Errorf("%s: %d %s", endpoint, status, body)
		}
	}
}

// addDevice adds a device and returns its key.
func (p api) addDevice(ctx context.Context, name string) (string, error) {
	body, err := p.call(ctx, "addDevice", "name", name, "secret", secret)
	if err != nil {
		return "", err
	}
	key := keyLine.FindString(string(body))
	if key == "" {
		return "", fmt.Errorf("addDevice gave no key: %s", body)
	}
	return key, nil
}

// link links a phone to the device of a key, by pairing code.
func (p api) link(ctx context.Context, key string, phone *sim.Phone) (*sim.Device, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.command(ctx, "serviceStart", "apiKey", key); err != nil {
		return nil, err
	}
	for {
		body, err := p.call(ctx, "getQR", "apiKey", key, "phone", phone.PN().User)
		if err != nil {
			return nil, err
		}
		var answer struct {
			Results struct {
				PairingCode string `json:"pairingCode"`
			} `json:"results"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, err
		}
		if code := answer.Results.PairingCode; code != "" {
			device, err := phone.EnterCode(ctx, code)
			if err != nil {
				return nil, err
			}
			return device, device.WaitOnline(ctx)
		}
	}
}

// chats is the number of chats that getChats shows.
func (p api) chats(ctx context.Context, key string) (int, error) {
	body, err := p.call(ctx, "getChats", "apiKey", key)
	if err != nil {
		return 0, err
	}
	return countResults(body), nil
}

// countResults is the number of an answer's results.
func countResults(body []byte) int {
	var answer struct {
		Results []json.RawMessage `json:"results"`
	}
	_ = json.Unmarshal(body, &answer) // what isn't an answer has none
	return len(answer.Results)
}

// ownCPU is the processor time that this program has used.
func ownCPU() (time.Duration, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), err
}

// busyCPU is the processor time that all programs of the machine have used.
func busyCPU() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system int64
	if _, err := fmt.Sscanf(string(stat), "cpu %d %d %d", &user, &nice, &system); err != nil {
		return 0, fmt.Errorf("read /proc/stat: %w", err)
	}
	const tick = time.Second / 100
	return time.Duration(user+nice+system) * tick, nil
}
