package standalone

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pesan/internal/chat"
	"pesan/internal/metrics"
	"pesan/internal/whatsapp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDemoLeavesNothing runs the whole program in this process: every goroutine ends with it, and its folder goes.
func TestDemoLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	t.Setenv("TMPDIR", t.TempDir())
	out := &watchedBuffer{until: english.toStop, found: cancel}
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	err := Demo(ctx, Config{Listen: "127.0.0.1:0", CountryCode: "62", Out: out, Logger: logger}, whatsapp.Globals{Logger: logger})
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "200 chats") || !strings.HasSuffix(out.String(), english.stopped+"\n") {
		t.Errorf("it prints:\n%s", out.String())
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestDemoTakesAnotherPort: a demo whose port is taken says so, and is found at the port that it names. A run does not move.
func TestDemoTakesAnotherPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, demo := range []bool{true, false} {
		out := &watchedBuffer{until: "\x00", found: func() {}}
		c := Config{Listen: taken.Addr().String(), Folder: t.TempDir(), Out: out, Logger: slog.New(slog.DiscardHandler), anyPort: demo}
		p, err := open(t.Context(), c)
		if !demo {
			if err == nil || !strings.Contains(err.Error(), c.Listen) {
				t.Errorf("run: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		other := p.listener.Addr().String()
		if said := out.String(); other == c.Listen || !strings.Contains(said, c.Listen) || !strings.Contains(said, other) {
			t.Errorf("it listens on %s and says %q", other, said)
		}
		p.close()
	}
}

// watchedBuffer calls found when a text was written.
type watchedBuffer struct {
	until string
	found func()
	mu    sync.Mutex
	b     bytes.Buffer
}

func (b *watchedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Write(p)
	if strings.Contains(b.b.String(), b.until) {
		b.found()
	}
	return len(p), nil
}

func (b *watchedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestFolderBelongsToOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data")
	f, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	var inUse *FolderInUseError
	if _, err := openFolder(path); !errors.As(err, &inUse) || inUse.Process != os.Getpid() {
		t.Errorf("a second opening: %v", err)
	}
	secret, file, err := f.secret()
	if err != nil || len(secret) < LeastSecret {
		t.Errorf("secret of %d characters, %v", len(secret), err)
	}
	if again, _, err := f.secret(); err != nil || again != secret {
		t.Errorf("another secret the second time, %v", err)
	}
	for _, name := range []string{file, f.Database(), f.Devices()} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := os.WriteFile(file, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.secret(); err == nil {
		t.Error("a short secret is taken")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, open := range []bool{false, enforced} {
		if open {
			if err := errors.Join(os.Chmod(path, 0o755), os.Chmod(file, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if f, err = openFolder(path); err != nil {
			t.Fatalf("opening after the close: %v", err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || f.WasOpen != open {
			t.Errorf("a folder that others can read, %v: said %v, now %v, %v", open, f.WasOpen, info.Mode(), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestScreenTellsWhatIsNew(t *testing.T) {
	states := []chat.Account{
		{State: chat.Pairing},
		{State: chat.ServiceScan, QR: "https://wa.me/settings/linked_devices#first"},
		{State: chat.ServiceScan, QR: "https://wa.me/settings/linked_devices#first"},
		{State: chat.ServiceScan, QR: "https://wa.me/settings/linked_devices#second"},
		{State: chat.ServiceScan, QR: "https://wa.me/settings/linked_devices#second", PairingCode: "ABCD-1234"},
		{State: chat.ServiceScan, Reason: whatsapp.PasskeyRequired, Passkey: &chat.Passkey{Options: "{}", Expires: time.Now().Add(time.Minute)}},
		{State: chat.ServiceScan, Reason: whatsapp.PasskeyRequired, Passkey: &chat.Passkey{Options: "{}", Expires: time.Now().Add(time.Minute)}},
		{State: chat.ServiceScan, Reason: whatsapp.PasskeyCompare, Passkey: &chat.Passkey{Options: "{}", Code: "WXYZ-1234", Expires: time.Now().Add(time.Minute)}},
		{State: chat.Pairing, JID: "6281200000001@s.whatsapp.net"},
		{State: chat.Connected, JID: "6281200000001@s.whatsapp.net"},
		{State: chat.Connected, JID: "6281200000001@s.whatsapp.net", Sync: &chat.Sync{Percent: 40, Chats: 10, Messages: 200}},
		{State: chat.Connected, JID: "6281200000001@s.whatsapp.net"},
		{State: chat.ServiceOff, Reason: whatsapp.LoggedOut},
	}
	var out bytes.Buffer
	s := newScreen(&out, "en_US.UTF-8", false)
	var said []string
	for _, a := range states {
		a.ID, a.Name = "1", "Toko"
		out.Reset()
		s.show(a)
		text := out.String()
		if strings.Contains(text, "▀") {
			text = strings.Map(func(r rune) rune {
				if strings.ContainsRune("█▀▄ \n", r) {
					return -1
				}
				return r
			}, text)
		}
		text, _, _ = strings.Cut(text, ", until ")
		said = append(said, strings.TrimSpace(text))
	}
	want := []string{
		"Toko: connecting",
		"Scanthiswiththephone:WhatsApp>Linkeddevices>LinkadeviceThecodechangesbyitself.",
		"",
		"Scanthiswiththephone:WhatsApp>Linkeddevices>LinkadeviceThecodechangesbyitself.",
		"Scanthiswiththephone:WhatsApp>Linkeddevices>LinkadeviceOrenterthiscodeonthephone:ABCD-1234Thecodechangesbyitself.",
		"Toko: WhatsApp asks for your passkey", "", "Toko: does the phone show this code? WXYZ-1234  If so, call confirmPasskey.",
		"Toko: connecting",
		"Toko: connected (…0001)",
		"history: 40 %, 10 chats, 200 messages",
		"history: complete",
		"Toko: off: " + english.reasons[whatsapp.LoggedOut],
	}
	for i := range want {
		if said[i] != want[i] {
			t.Errorf("%d: it says %q, want %q", i, said[i], want[i])
		}
	}
}

func TestCodesAreDrawnOverEachOther(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out, "", true)
	s.show(chat.Account{ID: "1", State: chat.ServiceScan, QR: "first"})
	lines := strings.Count(out.String(), "\n")
	out.Reset()
	s.show(chat.Account{ID: "1", State: chat.ServiceScan, QR: "other"})
	if up := strings.Count(out.String(), "\x1b["); up == 0 || strings.Count(out.String(), "\n") != lines {
		t.Errorf("the second code: %q", out.String())
	}
	out.Reset()
	s.say("something else")
	s.show(chat.Account{ID: "1", State: chat.ServiceScan, QR: "third"})
	if strings.Contains(out.String(), "A\x1b[J") {
		t.Error("a code is drawn over other text")
	}
}

func TestLanguage(t *testing.T) {
	for locale, want := range map[string]string{
		"id_ID.UTF-8": indonesian.toStop, "ID.UTF-8": indonesian.toStop, "in_ID": indonesian.toStop,
		"en_US.UTF-8": english.toStop, "": english.toStop, "C": english.toStop, "idx_XX": english.toStop, "de_DE": english.toStop,
	} {
		if got := wordsOf(locale).toStop; got != want {
			t.Errorf("%q: %q", locale, got)
		}
	}
}

// TestPrometheus: what is measured is told on a listener of its own, and nowhere unless asked.
func TestPrometheus(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	m := metrics.New("", time.Now)
	served := make(chan error, 1)
	go func() {
		served <- serveMetrics(ctx, l, collector{m, func() int { return 3 }}, slog.New(slog.DiscardHandler))
	}()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	for _, want := range []string{
		"pesan_devices 0", "pesan_devices_connected 0", "pesan_links_lost_total 0", "pesan_events_total 0", "pesan_wrong_secrets_total 3",
		`pesan_projection_lag_seconds_bucket{le="+Inf"} 0`, `pesan_command_age_seconds_count 0`, "go_goroutines", "process_open_fds",
	} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("no %s, %v:\n%s", want, err, text)
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
