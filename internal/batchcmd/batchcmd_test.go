package batchcmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"pesan/internal/batchcmd"
	"pesan/internal/chat"
	"pesan/internal/httpapi"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// TestMain is the command itself where a test starts it, as cmd/pesan does.
func TestMain(m *testing.M) {
	if os.Getenv("BATCHCMD") == "" {
		os.Exit(m.Run())
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	os.Exit(batchcmd.Run(context.Background(), os.Args[1:], batchcmd.Env{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: true, Lookup: os.LookupEnv, Interrupted: interrupted, Now: time.Now,
		Poll: 20 * time.Millisecond,
	}))
}

// world is the real API over a store with an account of some chats. Its batches go on as the tests say.
type world struct {
	testing.TB
	db      *store.Store
	url     string
	key     string
	account chat.Account

	mu     sync.Mutex
	broken int // calls that fail before they reach the API
	after  int // calls whose answers are lost
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, db: storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), time.Now)}
	key, hash, err := chat.NewKey("01JNGKX0T0AAAAAAAAAAAAAAAA", rand.NewChaCha8([32]byte{1}))
	w.must(err)
	w.key = key
	w.account = chat.Account{
		ID: "01JNGKX0T0AAAAAAAAAAAAAAAA", Name: "Toko", KeyHash: hash, CreatedAt: time.Now(), On: true, State: chat.Connected,
		JID: "6289876543210@s.whatsapp.net",
	}
	w.must(w.db.CreateAccount(t.Context(), w.account))
	register := func(s string) chat.Register[string] { return chat.Register[string]{Value: s, At: 1} }
	var changes []chat.Change
	for i := range 30 {
		changes = append(changes,
			chat.Change{Chat: chat.JID(fmt.Sprintf("1203630000000%05d@g.us", i)), State: chat.Chat{Subject: register(fmt.Sprint("Arisan ", i)), Activity: int64(1000 + i)}},
			chat.Change{Chat: chat.JID(fmt.Sprintf("62812000%05d@s.whatsapp.net", i)), State: chat.Chat{Contact: register(fmt.Sprint("Budi ", i)), Activity: int64(2000 + i)}})
	}
	w.must(chat.NewProjector(w.db, time.Now).Apply(t.Context(), w.account.ID, changes...))
	api := httpapi.New(httpapi.Config{Accounts: w.db, Reports: w.db, Logger: slog.New(slog.DiscardHandler)}).Handler(httpapi.Endpoints(httpapi.Deps{
		Accounts: w.db, Chats: w.db, Messages: w.db, Reports: w.db, Labels: w.db, Batches: w.db, BatchSender: nowhere{},
	})...)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		broken, lost := w.broken > 0, w.broken == 0 && w.after > 0
		w.broken, w.after = max(w.broken-1, 0), max(w.after-map[bool]int{true: 1}[lost], 0)
		w.mu.Unlock()
		switch {
		case broken:
			rw.WriteHeader(http.StatusBadGateway)
		case lost:
			api.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			api.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// nowhere takes what would go to the queue; the tests do what a host does.
type nowhere struct{}

func (nowhere) SendBatch(context.Context, int, ...chat.BatchMessage) error { return nil }

// newest is the account's newest batch, once there is one.
func (w *world) newest() chat.Batch {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		all, _, err := w.db.ListBatches(context.Background(), w.account.ID, chat.Page{Limit: 1})
		if err == nil && len(all) > 0 {
			return all[0]
		}
		time.Sleep(5 * time.Millisecond)
	}
	return chat.Batch{}
}

// endOperations ends operations of the newest batch as a host does; those of some chats fail.
func (w *world) endOperations(from, to int, failing ...chat.JID) {
	b := w.newest()
	operations, _, err := w.db.Operations(context.Background(), w.account.ID, b.ID, 0)
	if err != nil {
		w.Error(err)
		return
	}
	results := map[int]chat.Result{}
	for i := from; i < min(to, len(operations)); i++ {
		results[i] = chat.Result{State: chat.OperationDone, At: time.Now()}
		if slices.Contains(failing, operations[i].Chat) {
			results[i] = chat.Result{State: chat.OperationFailed, Failure: &chat.Error{Code: chat.WhatsAppRejected, Message: "401"}, At: time.Now()}
		}
	}
	if _, err := w.db.EndOperations(context.Background(), w.account.ID, b.ID, 0, results); err != nil {
		w.Error(err)
	}
}

// beside does something while the command runs; it has ended before the store is closed.
func (w *world) beside(do func()) {
	ended := make(chan struct{})
	go func() { defer close(ended); do() }()
	w.Cleanup(func() { <-ended })
}

// noon is what the command takes for now.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("WIB", 7*3600))

// run runs the command where there is no terminal.
func (w *world) run(input string, args ...string) (status int, out, errOut string) {
	w.Helper()
	return w.runIn("C", input, args...)
}

// runIn runs it in a language.
func (w *world) runIn(locale, input string, args ...string) (status int, out, errOut string) {
	w.Helper()
	in, err := os.CreateTemp(w.TempDir(), "")
	w.must(err)
	defer in.Close()
	_, err = in.WriteString(input)
	w.must(err)
	_, err = in.Seek(0, io.SeekStart)
	w.must(err)
	var o, e bytes.Buffer
	env := map[string]string{"PESAN_URL": w.url, "PESAN_API_KEY": w.key, "LANG": locale}
	status = batchcmd.Run(w.Context(), args, batchcmd.Env{
		In: in, Out: &o, Err: &e, Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, Now: func() time.Time { return noon },
		Poll: 10 * time.Millisecond,
	})
	return status, o.String(), e.String()
}

func (w *world) want(what string, status, wantStatus int, text string, parts ...string) {
	w.Helper()
	if status != wantStatus {
		w.Errorf("%s: status %d, want %d: %s", what, status, wantStatus, text)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			w.Errorf("%s says %q, which lacks %q", what, text, p)
		}
	}
}

func TestDryRun(t *testing.T) {
	w := newWorld(t)
	status, out, _ := w.run("", "mute", "--type", "group", "--until", "07:00", "--dry-run")
	w.want("dry run", status, batchcmd.OK, out, "Would do 30 operations (mute 30); nothing was done.", "Arisan 3", "… and 10 more")
	status, out, _ = w.run("", "mute", "--type", "group", "--until", "07:00", "--dry-run", "--json", "--except", "120363000000000003@g.us,120363000000000004@g.us")
	var all struct {
		Accepted int
		Chats    []struct{ To, Name string }
	}
	w.must(json.Unmarshal([]byte(out), &all))
	if status != batchcmd.OK || all.Accepted != 28 || len(all.Chats) != 28 {
		t.Errorf("%d: %+v", status, all)
	}
	if all, _, err := w.db.ListBatches(t.Context(), w.account.ID, chat.Page{Limit: 5}); err != nil || len(all) > 0 {
		t.Errorf("batches %v, %v", all, err)
	}
}

// TestOutcomes: the exit status says how it ended.
func TestOutcomes(t *testing.T) {
	w := newWorld(t)
	w.beside(func() { w.endOperations(0, 30) })
	status, out, errOut := w.run("", "--rate", "20", "mute", "--type", "group", "--until", "07:00")
	w.want("done", status, batchcmd.OK, out+errOut, "30 operations", "done 30/30 100%")
	b := w.newest()
	if operations, _, err := w.db.Operations(t.Context(), w.account.ID, b.ID, 0); err != nil || operations[0].Seconds != 19*3600 || b.Rate != 20 {
		t.Errorf("%+v %v, %v", b, operations[0], err)
	}

	file := filepath.Join(t.TempDir(), "changes.csv")
	w.must(os.WriteFile(file, []byte("\ufeffop,phone\r\narchive,0812-000-00001\r\narchive,0812-000-00002\r\npin,0899999999\r\n"), 0o600))
	status, out, errOut = w.run("", "run", file)
	w.want("wrong line", status, batchcmd.Usage, out+errOut, "Nothing was begun", "Line 4: The chat was not found.")
	first := w.newest().ID
	w.beside(func() {
		for w.newest().ID == first {
			time.Sleep(5 * time.Millisecond)
		}
		w.endOperations(0, 2, "6281200000002@s.whatsapp.net")
	})
	status, out, _ = w.run("", "run", file, "--on-invalid", "skip")
	w.want("partly", status, batchcmd.Partly, out, "not done: line 4: The chat was not found.", "done 2/2", "failed 1", "failed: line 3: archive 6281200000002: WHATSAPP_REJECTED")
	status, out, _ = w.run("", "status", w.newest().ID, "--json")
	w.want("status", status, batchcmd.Partly, out, `"outcome":"failed"`, `"state":"done"`)
	status, out, _ = w.run("", "retry", w.newest().ID)
	w.want("retry", status, batchcmd.OK, out, "Nothing is to be done.")

	status, out, _ = w.run("phone\n0812-000-00005\n", "run", "-", "--detach")
	w.want("no op", status, batchcmd.Usage, out)
	status, out, _ = w.run(`[{"op":"mute","phone":"0812-000-00005"}]`, "run", "-", "--detach")
	w.want("detached", status, batchcmd.Left, out, "1 operations")
	id := w.newest().ID
	status, out, _ = w.run("", "list")
	w.want("list", status, batchcmd.OK, out, id, "queued 0/1", "done 30/30")
	status, out, _ = w.run("", "cancel", id)
	w.want("cancel", status, batchcmd.OK, out, "cancelled 1/1", "cancelled 1")
	status, out, _ = w.run("", "status", id)
	w.want("cancelled", status, batchcmd.Cancelled, out)
	status, out, errOut = w.run("", "mute", "--type", "broadcast")
	w.want("nothing", status, batchcmd.OK, out+errOut, "Nothing is to be done.")
	w.must(w.db.UpdateAccount(t.Context(), w.account.ID, func(a *chat.Account) error { a.On = false; return nil }))
	status, _, errOut = w.run("", "mute", "--type", "group")
	w.want("off", status, batchcmd.Usage, errOut, "not connected")
	w.beside(func() {
		for w.newest().ID == id {
			time.Sleep(5 * time.Millisecond)
		}
		_ = w.db.UpdateBatch(context.Background(), w.account.ID, w.newest().ID, func(b *chat.Batch) error {
			b.Stop(chat.BatchFailed, &chat.Error{Code: chat.DeviceNotConnected}, time.Now())
			return nil
		})
	})
	w.must(w.db.UpdateAccount(t.Context(), w.account.ID, func(a *chat.Account) error { a.On = true; return nil }))
	status, out, _ = w.run("", "mute", "--type", "group")
	w.want("stopped", status, batchcmd.Stopped, out, "failed 30", "not connected")
}

// TestIndonesian: who reads Indonesian gets it, from the command and from the server.
func TestIndonesian(t *testing.T) {
	w := newWorld(t)
	const locale = "id_ID.UTF-8"
	status, out, _ := w.runIn(locale, "", "mute", "--type", "group", "--dry-run")
	w.want("dry run", status, batchcmd.OK, out, "Akan mengerjakan 30 operasi (mute 30); belum ada yang dikerjakan.", "… dan 10 lagi")
	w.beside(func() { w.endOperations(0, 30, "120363000000000003@g.us") })
	status, out, _ = w.runIn(locale, "", "mute", "--type", "group")
	w.want("partly", status, batchcmd.Partly, out, "30 operasi", "selesai 30/30 100%", "gagal 1", "gagal: mute 120363000000000003@g.us: WHATSAPP_REJECTED")
	for want, args := range map[string][]string{
		"memerlukan file":         {"run"},
		"bukan jam":               {"mute", "--until", "25:00"},
		"Batch tidak ditemukan":   {"cancel", "01JNGKX0T0ZZZZZZZZZZZZZZZZ"},
		"Tidak ada yang dijalank": {"run", "-"},
	} {
		status, _, errOut := w.runIn(locale, "op,phone\nmoot,081200000001\n", args...)
		w.want(want, status, batchcmd.Usage, errOut, want)
	}
}

// TestWrongArguments: each says what is wrong, and nothing is asked of a server.
func TestWrongArguments(t *testing.T) {
	w := newWorld(t)
	for want, args := range map[string][]string{
		"no time of the day":     {"mute", "--type", "group", "--until", "7 o'clock"},
		"give one":               {"mute", "--type", "group", "--until", "07:00", "--for", "9h"},
		"are of mute":            {"pin", "--type", "group", "--for", "9h"},
		"flag provided but":      {"mute", "--kind", "group"},
		"needs a file":           {"run"},
		"no such file":           {"run", "/nowhere/at/all.csv"},
		`"x" is too much`:        {"mute", "x"},
		"needs the id":           {"cancel"},
		"op must be one of":      {"moot", "--type", "group"},
		"Select chats":           {"mute"},
		"is for selecting chats": {"run", "-", "--type", "group"},
		"is no URL":              {"list", "--url", "127.0.0.1"},
		"API key is wrong":       {"list", "--key", "pk_x"},
		"batch was not found":    {"status", "01JNGKX0T0ZZZZZZZZZZZZZZZZ"},
		"set PESAN_API_KEY":      {"list", "--key", ""},
		"rate must be":           {"mute", "--type", "group", "--rate", "9999"},
		"onInvalid must be":      {"run", "-", "--on-invalid", "maybe"},
	} {
		status, out, errOut := w.run("op,phone\n", args...)
		w.want(strings.Join(args, " "), status, batchcmd.Usage, errOut, want)
		if out != "" {
			t.Errorf("%v prints %q", args, out)
		}
	}
	if status, _, errOut := w.run(""); status != batchcmd.Usage || !strings.Contains(errOut, "Exit status") {
		t.Errorf("nothing: %d %s", status, errOut)
	}
	for _, help := range []string{"help", "-h", "--help"} {
		if status, out, _ := w.run("", help); status != batchcmd.OK || !strings.Contains(out, "--dry-run") {
			t.Errorf("%s: %d %s", help, status, out)
		}
	}
}

// TestTriesAgain: what fails on its way is tried again, and made once.
func TestTriesAgain(t *testing.T) {
	w := newWorld(t)
	w.broken, w.after = 1, 1
	w.beside(func() { w.endOperations(0, 30) })
	status, out, errOut := w.run("", "mute", "--type", "group")
	w.want("bad way", status, batchcmd.OK, out+errOut, "done 30/30")
	if all, _, err := w.db.ListBatches(t.Context(), w.account.ID, chat.Page{Limit: 5}); err != nil || len(all) != 1 {
		t.Errorf("%d batches, %v", len(all), err)
	}
	status, _, errOut = w.run("", "list", "--url", "http://127.0.0.1:1")
	w.want("nobody", status, batchcmd.Failed, errOut, "can't be reached")
}

// TestInterrupted: who doesn't want to wait for a server that doesn't answer needn't.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
	}))
	defer server.Close()
	interrupted := make(chan os.Signal, 1)
	go func() { <-asked; interrupted <- os.Interrupt }()
	var errOut bytes.Buffer
	status := batchcmd.Run(t.Context(), []string{"mute", "--all", "--url", server.URL, "--key", w.key}, batchcmd.Env{
		In: os.Stdin, Out: io.Discard, Err: &errOut, Lookup: os.LookupEnv, Interrupted: interrupted, Now: time.Now,
	})
	w.want("interrupted", status, batchcmd.Failed, errOut.String(), "interrupted; pesan batch list")
}

// terminal runs the command on a terminal of its own.
func (w *world) terminal(args ...string) (tty *os.File, seen *screen, ended func() int) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "BATCHCMD=1", "PESAN_URL="+w.url, "PESAN_API_KEY="+w.key, "LC_ALL=C")
	tty, err := pty.Start(cmd)
	w.must(err)
	w.Cleanup(func() { _ = tty.Close() })
	seen = &screen{changed: make(chan struct{}, 1)}
	go func() { _, _ = io.Copy(seen, tty) }()
	return tty, seen, func() int {
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
}

type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (w *world) shows(s *screen, part string) {
	w.Helper()
	late := time.After(time.Minute)
	for !strings.Contains(s.String(), part) {
		select {
		case <-s.changed:
		case <-late:
			w.Fatalf("the terminal doesn't show %q: %q", part, s.String())
		}
	}
}

// TestTerminal: a bar goes on with the batch, and Ctrl-C asks what to do with it.
func TestTerminal(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		status       int
		state        chat.BatchState
		shows        string
	}{
		{"cancel", "c\n", batchcmd.Cancelled, chat.BatchCancelled, "cancelled 30/30 100%"},
		{"leave", "l\n", batchcmd.Left, chat.BatchRunning, "The batch goes on. pesan batch status"},
		{"Ctrl-C again", "\x03", batchcmd.Left, chat.BatchRunning, "The batch goes on."},
		{"end of input", "\x04", batchcmd.Left, chat.BatchRunning, "The batch goes on."},
		{"go on", "\n", batchcmd.OK, chat.BatchDone, "done 30/30 100%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			tty, seen, ended := w.terminal("mute", "--type", "group")
			w.endOperations(0, 15)
			w.shows(seen, "▕████████████░░░░░░░░░░░░▏ running 15/30 50%")
			_, err := tty.Write([]byte{3})
			w.must(err)
			w.shows(seen, "Cancel the batch (c), leave it running (l), or go on watching (Enter)?")
			_, err = tty.Write([]byte(c.answer))
			w.must(err)
			if c.state == chat.BatchDone {
				w.endOperations(15, 30)
			}
			w.shows(seen, c.shows)
			if status := ended(); status != c.status {
				t.Errorf("status %d, want %d: %q", status, c.status, seen.String())
			}
			if n := strings.Count(seen.String(), c.shows); n != 1 {
				t.Errorf("the outcome is told %d times: %q", n, seen.String())
			}
			if b := w.newest(); b.State != c.state {
				t.Errorf("the batch is %s", b.State)
			}
		})
	}
}
