package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pesan/internal/sim"
)

// pesan runs the program with arguments until it ends, and returns what it prints.
func (w *world) pesan(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, binary, append(args, "-data", w.folder)...)
	c.Env = append(w.env, "LC_ALL=C")
	out, err := c.CombinedOutput()
	return string(out), err
}

// say sends a text and waits until it is acknowledged.
func (w *world) say(ctx context.Context, t *testing.T, text string, at time.Duration) {
	t.Helper()
	id, err := w.Friends[0].Send(ctx, w.Phone, sim.Text(text), sim.SendOptions{Time: time.Now().Add(at)})
	must(t, err)
	must(t, w.Device.WaitAcked(ctx, id))
}

// TestBackup backs up and restores while the program runs. What was there comes back; the device is linked anew, since its keys were of
// another moment; then it catches up with the phone.
func TestBackup(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := newWorld(t, 2)
	p := w.run(ctx, t)
	must(t, w.AddDevice(ctx))
	must(t, w.Link(ctx))
	friend := w.Friends[0].PN().User
	w.say(ctx, t, "satu", 0)

	file := filepath.Join(t.TempDir(), "pesan.backup")
	out, err := w.pesan(ctx, "backup", file)
	must(t, err)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(out, file) {
		t.Fatalf("%v, %v: %s", info, err, out)
	}
	if b, err := os.ReadFile(file); err != nil || bytes.Contains(b, []byte("whatsmeow")) {
		t.Errorf("the backup has tables of keys, %v", err)
	}
	if out, err := w.pesan(ctx, "backup", file); err == nil || !strings.Contains(out, "is there already") {
		t.Errorf("in another file's place: %v, %s", err, out)
	}
	w.say(ctx, t, "dua", time.Second)
	_, err = w.Call(ctx, "muteChat", "phone", friend)
	must(t, err)

	harmed := filepath.Join(t.TempDir(), "harmed")
	b, err := os.ReadFile(file)
	must(t, err)
	b[len(b)/2] ^= 0xff
	b[len(b)-3] ^= 0xff
	must(t, os.WriteFile(harmed, b, 0o600))
	if out, err := w.pesan(ctx, "restore", harmed); err == nil || !strings.Contains(out, "isn't as it was written") {
		t.Errorf("a harmed backup: %v, %s", err, out)
	}
	if messages, err := w.Messages(ctx, friend); err != nil || len(messages) != 2 {
		t.Errorf("after a refusal: %+v, %v", messages, err)
	}

	out, err = w.pesan(ctx, "restore", file)
	if err != nil {
		t.Fatalf("restore: %v: %s", err, out)
	}
	_, err = p.find(ctx, regexp.MustCompile("A backup takes the data's place"))
	must(t, err)
	w.URL, err = p.find(ctx, urlLine)
	must(t, err)
	messages, err := w.Messages(ctx, friend)
	must(t, err)
	chat, err := w.Chat(ctx, friend)
	must(t, err)
	if len(messages) != 1 || messages[0].Body != "satu" || chat.Muted {
		t.Errorf("restored: %+v, muted %v", messages, chat.Muted)
	}
	must(t, Until(ctx, "a code", func() (bool, error) {
		state, err := w.State(ctx)
		return state.State == "SERVICE_SCAN", err
	}))
	must(t, w.Link(ctx))
	w.say(ctx, t, "tiga", 2*time.Second)
	must(t, Until(ctx, "what the phone has set, and what comes", func() (bool, error) {
		chat, err := w.Chat(ctx, friend)
		if err != nil || !chat.Muted {
			return false, err
		}
		messages, err := w.Messages(ctx, friend)
		return len(messages) >= 2 && messages[0].Body == "satu" && messages[len(messages)-1].Body == "tiga", err
	}))
	if out, err := w.pesan(ctx, "doctor"); err != nil {
		t.Errorf("doctor: %v: %s", err, out)
	}
	p.stop(t)
	out, err = w.pesan(ctx, "restore", file) // while nothing runs
	if err != nil {
		t.Fatalf("restore: %v: %s", err, out)
	}
	p = w.run(ctx, t)
	if messages, err := w.Messages(ctx, friend); err != nil || len(messages) != 1 {
		t.Errorf("restored again: %+v, %v", messages, err)
	}
	p.stop(t)
}

// TestDamage kills the program and has the disk change some bytes. The next start says which chats are hurt, and what to do; doctor says
// the same, and mends.
func TestDamage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w, p := linkedWorld(ctx, t, 1)
	for i := range 30 {
		w.say(ctx, t, strings.Repeat("halo ", 20+i), time.Duration(i)*time.Second)
	}
	p.kill()
	database := filepath.Join(w.folder, "pesan.db")
	if out, err := w.pesan(ctx, "doctor"); err != nil { // and its closing moves the log into the file
		t.Fatalf("a killed program's folder: %v: %s", err, out)
	}
	b, err := os.ReadFile(database)
	must(t, err)
	random := rand.New(rand.NewPCG(1, 1))
	text := regexp.MustCompile(`t/k[0-9]{10}/`).FindAllIndex(b, -1)
	for range 3 { // behind sort keys of messages are their values
		b[text[random.IntN(len(text))][1]+60] ^= 0xff
	}
	must(t, os.WriteFile(database, b, 0o600))

	failing := start(t, w.env, "run", "-listen", "127.0.0.1:0", "-data", w.folder)
	<-failing.ended
	said := failing.errors.String()
	chat := w.Friends[0].PN().User + "@s.whatsapp.net"
	for _, want := range []string{"isn't as it was written", `"e2e"`, chat, "pesan restore", "pesan doctor -mend", "serviceStart"} {
		if failing.err == nil || !strings.Contains(said, want) {
			t.Errorf("a start doesn't say %q: %v, %s", want, failing.err, said)
		}
	}
	if out, err := w.pesan(ctx, "doctor"); err == nil || !strings.Contains(out, chat) {
		t.Errorf("doctor: %v: %s", err, out)
	}
	if out, err := w.pesan(ctx, "doctor", "-mend"); err != nil || !strings.Contains(out, chat) {
		t.Errorf("doctor -mend: %v: %s", err, out)
	}
	p = w.run(ctx, t)
	must(t, w.Connected(ctx))
	messages, err := w.Messages(ctx, w.Friends[0].PN().User)
	if err != nil || len(messages) < 25 || len(messages) >= 30 {
		t.Errorf("after mending: %d messages, %v", len(messages), err)
	}
	for _, m := range messages {
		if !strings.HasPrefix(m.Body, "halo halo") {
			t.Errorf("a message that nobody wrote: %q", m.Body)
		}
	}
	if info, err := os.Stat(database); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mended file: %v, %v", info, err)
	}
	p.stop(t)
	must(t, os.WriteFile(filepath.Join(w.folder, "devices.db"), []byte(strings.Repeat("no database ", 4096)), 0o600))
	failing = start(t, w.env, "run", "-listen", "127.0.0.1:0", "-data", w.folder)
	<-failing.ended
	if said := failing.errors.String(); failing.err == nil || !strings.Contains(said, "keys of the linked devices") ||
		!strings.Contains(said, "pesan doctor -mend") {
		t.Errorf("a start after an orderly end, with keys that can't be read, says %v: %s", failing.err, said)
	}
}

// TestDoctor has each thing that it looks at be wrong in turn.
func TestDoctor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w, p := linkedWorld(ctx, t, 1)
	p.stop(t)
	ok := func() {
		t.Helper()
		if out, err := w.pesan(ctx, "doctor"); err != nil || strings.Contains(out, "  !  ") {
			t.Errorf("doctor: %v: %s", err, out)
		}
	}
	ok()
	bad := func(want string) {
		t.Helper()
		if out, err := w.pesan(ctx, "doctor"); err == nil || !strings.Contains(out, want) {
			t.Errorf("doctor: %v: %s, want %q", err, out, want)
		}
	}
	must(t, os.Chmod(filepath.Join(w.folder, "secret"), 0o644))
	bad("others may read")
	must(t, os.Chmod(filepath.Join(w.folder, "secret"), 0o600))
	ok()
	keys := filepath.Join(w.folder, "devices.db")
	whole, err := os.ReadFile(keys)
	must(t, err)
	b := bytes.Clone(whole)
	clear(b[8192 : 3*8192])
	must(t, os.WriteFile(keys, b, 0o600))
	bad("the keys of the linked devices")
	must(t, os.WriteFile(keys, whole, 0o600))
	ok()
	env := w.env
	w.env = append(w.env, "WHATSAPP_ADDRESS=127.0.0.1:1")
	bad("WhatsApp can't be reached")
	w.env = env
	must(t, os.WriteFile(filepath.Join(w.folder, "pesan.db"), []byte(strings.Repeat("no database ", 1000)), 0o600))
	bad("can't be read as a database")
	w.folder = filepath.Join(w.folder, "none")
	bad("can't use the data folder")
}
