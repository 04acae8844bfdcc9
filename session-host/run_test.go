package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pesan/e2e"
	"pesan/internal/chat"
	kvdynamodb "pesan/internal/kv/dynamodb"
	"pesan/internal/store"
	"pesan/internal/testkit/awsfault"
	"pesan/internal/testkit/dynamolocal"
	"pesan/internal/whatsapp"
)

// lookup reads a map as an environment.
func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// TestSuiteWithFaults runs the whole suite while DynamoDB and SQS throttle, fail, hang, lose answers and leave parts of
// batches undone: nothing is lost, nothing comes twice, and nobody is told a secret.
func TestSuiteWithFaults(t *testing.T) {
	var proxies []*awsfault.Proxy
	s := newStack(t, 2, func(url string) string {
		p, err := awsfault.New(url, uint64(len(proxies)), awsfault.Rates(0.05), spare)
		must(t, err)
		server := httptest.NewServer(p)
		t.Cleanup(func() { server.CloseClientConnections(); server.Close(); p.Close() })
		proxies = append(proxies, p)
		return server.URL
	})
	for name, value := range s.environment() {
		t.Setenv(name, value)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	set, err := read(ctx, os.LookupEnv)
	must(t, err)
	ended := make(chan error, 1)
	set.name = "host"
	logger := slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { ended <- run(ctx, set, whatsapp.Redirect(s.whatsApp.Address()), logger, s.logs) }()

	system := s.system(6281200000001, 3)
	within, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	codes := make(chan []string, 1)
	go func() { codes <- s.codes(ctx, t) }()
	for _, step := range e2e.Steps() {
		if !t.Run(step.Name, func(t *testing.T) { step.Do(within, t, system) }) {
			break
		}
	}
	stop()
	must(t, <-ended)
	faults := 0
	for _, p := range proxies {
		for _, n := range p.Counts() {
			faults += n
		}
	}
	if t.Logf("%d faults", faults); faults < 20 {
		t.Error("too few faults to prove anything")
	}
	secrets := secretsOf(system, "halo 0", "halo 1", "halo 2", "sementara itu", "lagi")
	secrets["a QR or pairing code"] = append(<-codes, system.PairingCode)
	s.logs.silent(t, secrets)
}

// codes are the QR codes and pairing codes that accounts show until ctx ends, but for one that shows for a moment only.
func (s *stack) codes(ctx context.Context, t *testing.T) []string {
	without := dynamolocal.Client(t) // faults
	stored := store.New(kvdynamodb.New(without, s.tables, time.Now), store.Options{Compression: store.Zstd})
	seen := map[string]bool{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := stored.AccountsOf(ctx, chat.ShardsOf(0, 1))
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		for _, a := range all {
			seen[a.QR], seen[a.PairingCode] = true, true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			delete(seen, "")
			return slices.Collect(maps.Keys(seen))
		}
	}
}

// spare what is right but not what the suite asks for: a command whose delivery got lost comes again after 30 s, and the
// call is answered 202 before.
func spare(operation string, f awsfault.Fault) bool {
	return operation == "ReceiveMessage" && (f == awsfault.Lost || f == awsfault.DoneFailed)
}

// secretsOf is what must not stand in a log of a system.
func secretsOf(s *e2e.System, texts ...string) map[string][]string {
	numbers := []string{s.Phone.PN().User}
	for _, f := range s.Friends {
		numbers = append(numbers, f.PN().User)
	}
	return map[string][]string{"a message": texts, "a number": numbers, "an API key": {s.Key}, "the system secret": {s.Secret}}
}

// TestEnvironment: everything that is wrong is told at once, and no value of it, which may be a secret.
func TestEnvironment(t *testing.T) {
	wrong := exec.Command(os.Args[0])
	wrong.Env = []string{
		asHost + "=yes", "CHATS_TABLE=chats", "QUEUE_URL=queue-{0,1}", "HEALTH_ADDRESS=here", "LOG_LEVEL=loud",
		"WHATSAPP_ADDRESS=nowhere", "WHATSAPP_ROOT_KEY=zz-secret",
	}
	out, err := wrong.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("ends with %v", err)
	}
	for _, name := range []string{
		"STACK_NAME", "ACCOUNTS_TABLE", "MESSAGES_TABLE", "COMMANDS_TABLE", "REPORTS_TABLE", "WORK_TABLE", "DEVICES_TABLE", "HOOKS_TABLE", "SECRETS_TABLE", "MEDIA_BUCKET",
		"QUEUE_URL", "EVENT_QUEUE_URL", "HEALTH_ADDRESS", "LOG_LEVEL", "WHATSAPP_ADDRESS", "WHATSAPP_ROOT_KEY", "AWS_REGION",
	} {
		if !strings.Contains(string(out), "\n"+name+": ") {
			t.Errorf("says nothing of %s:\n%s", name, out)
		}
	}
	if strings.Contains(string(out), "CHATS_TABLE") || strings.Contains(string(out), "zz-secret") {
		t.Errorf("says:\n%s", out)
	}
	half := map[string]string{"WHATSAPP_ADDRESS": "127.0.0.1:1"}
	if _, err := read(t.Context(), lookup(half)); err == nil || !strings.Contains(err.Error(), "both must be set") {
		t.Errorf("an address without a key: %v", err)
	}
}

// TestHealth: -health ends with 0 while a host works, and not before and after.
func TestHealth(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	ask := func() error {
		c := exec.Command(os.Args[0], "-health")
		c.Env = []string{asHost + "=yes", "HEALTH_ADDRESS=" + address}
		return c.Run()
	}
	if ask() == nil {
		t.Error("a host that doesn't run is healthy")
	}
	s := newStack(t, 1, nil)
	p := s.start(map[string]string{"HEALTH_ADDRESS": address})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	must(t, p.says(ctx, "shards taken", 1))
	must(t, ask())
	p.signal(syscall.SIGTERM)
	<-p.ended
	if p.err != nil {
		t.Errorf("the host ends with %v", p.err)
	}
	if ask() == nil {
		t.Error("a host that has ended is healthy")
	}
}

// TestStalled: a host that doesn't look for shards any more isn't healthy.
func TestStalled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveHealth(ctx, l, func() time.Time { return time.Now().Add(-2 * stalled) }) }()
	err = askHealth(ctx, lookup(map[string]string{"HEALTH_ADDRESS": l.Addr().String()}))
	if err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("it says %v", err)
	}
	stop()
	must(t, <-ended)
	if err := askHealth(t.Context(), lookup(map[string]string{"HEALTH_ADDRESS": "here"})); err == nil {
		t.Error("an address that is none is taken")
	}
}
