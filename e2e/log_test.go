package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pesan/internal/sim"
)

// TestLogHoldsNoSecrets logs all that can be logged of a life with faults, and looks for what mustn't be there.
func TestLogHoldsNoSecrets(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := newWorld(t, 3)
	name := filepath.Join(t.TempDir(), "log")
	w.Secret = "planted-system-secret"
	w.env = append(w.env, "PESAN_SECRET="+w.Secret)
	p := start(t, w.env, "run", "-listen", "127.0.0.1:0", "-data", w.folder, "-v", "-log", name)
	url, err := p.find(ctx, urlLine)
	must(t, err)
	w.URL = url
	must(t, w.AddDevice(ctx))
	must(t, w.Link(ctx))

	const text = "planted-message-text"
	friend := w.Friends[0]
	group, err := w.WhatsApp.NewGroup("planted-subject", friend, sim.GroupOptions{}, w.Phone.Contact, w.Friends[1])
	must(t, err)
	var ids []string
	for _, o := range []sim.SendOptions{{}, {ByLID: true}, {Spoil: true}} {
		id, err := friend.Send(ctx, w.Phone, sim.Text(text), o)
		must(t, err)
		ids = append(ids, id)
	}
	id, err := friend.SendGroup(ctx, group, sim.Text(text), sim.SendOptions{})
	must(t, err)
	must(t, w.Device.WaitAcked(ctx, append(ids, id)...))
	logins := w.Device.Logins()
	w.Device.Drop()
	must(t, w.Device.WaitLogins(ctx, logins+1))
	must(t, w.Connected(ctx))
	for _, call := range [][]string{
		{"muteChat", "phone", friend.PN().User}, {"muteChat", "phone", "planted-phone"}, {"clearMessageById", "phone", friend.PN().User},
		{"fetchMessageById", "phone", friend.LID().String()}, {"getQR"}, {"changeApiKey", "secret", "planted-wrong-secret"}, {"serviceDestroy", "logout", "true"},
	} {
		_, err := w.Call(ctx, call[0], call[1:]...)
		must(t, err)
	}
	p.stop(t)

	log, err := os.ReadFile(name)
	must(t, err)
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	for _, line := range lines {
		if !json.Valid(line) {
			t.Errorf("a line isn't JSON: %s", line)
		}
	}
	if len(lines) < 10 {
		t.Errorf("the log has %d lines only:\n%s", len(lines), log)
	}
	secrets := []string{w.Key[len(w.Key)-20:], "planted", w.Phone.PN().User, w.Phone.LID().User, "wa.me/settings"}
	for _, friend := range w.Friends {
		secrets = append(secrets, friend.PN().User, friend.LID().User)
	}
	everything := string(log) + p.errors.String()
	for _, secret := range secrets {
		if at := strings.Index(everything, secret); at >= 0 {
			t.Errorf("the log holds %q: …%s…", secret, everything[max(0, at-200):min(len(everything), at+100)])
		}
	}
}
