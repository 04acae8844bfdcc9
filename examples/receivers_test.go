// Package examples_test runs the example receivers.
package examples_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/webhook"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// TestN8N runs what docs/webhooks.md has for n8n's Code node, on what n8n makes of an event: it takes what Pesan signs, and nothing else.
func TestN8N(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no node")
	}
	doc, err := os.ReadFile("../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(doc), "   ```js\n")
	code, _, found := strings.Cut(code, "   ```\n")
	if !found {
		t.Fatal("there is no code")
	}
	s := webhook.NewSender(webhook.Options{Loopback: true, Now: time.Now})
	defer s.Close()
	for signedWith, good := range map[string]bool{secret: true, other: false} {
		var headers, body []byte
		n8n := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			lower := map[string]string{}
			for name := range r.Header {
				lower[strings.ToLower(name)] = r.Header.Get(name)
			}
			headers, _ = json.Marshal(lower)
			body, _ = io.ReadAll(r.Body)
		}))
		sent := s.Send(t.Context(), n8n.URL, signedWith, chat.Event{ID: "a-1-0", Kind: chat.MessageEvent, Body: `{"id":"a-1-0","t":"Ya’ 👍"}`})
		n8n.Close()
		if !sent.Delivered() {
			t.Fatalf("%+v", sent)
		}
		node := exec.Command("node", "-e", `
			const [code, headers, body, secret] = process.argv.slice(1)
			const input = { first: () => ({ json: { headers: JSON.parse(headers), body: JSON.parse(body) } }) }
			const helpers = { getBinaryDataBuffer: async (item, name) => item === 0 && name === 'data' && Buffer.from(body) }
			const run = Object.getPrototypeOf(async () => {}).constructor('$input', '$env', 'require', code)
			run.call({ helpers }, input, { PESAN_SECRET: secret }, require).then(items => console.log(JSON.stringify(items)))`,
			code, string(headers), string(body), secret)
		out, err := node.CombinedOutput()
		if text := string(out); good && strings.TrimSpace(text) != `[{"json":{"id":"a-1-0","t":"Ya’ 👍"}}]` || !good && (err == nil || !strings.Contains(text, "not from Pesan")) {
			t.Errorf("signed with %s: %v, %s", signedWith, err, out)
		}
	}
}

// TestReceivers sends signed events to each receiver: it takes them, prints each once, and refuses what others sign.
func TestReceivers(t *testing.T) {
	receiver := filepath.Join(t.TempDir(), "receiver")
	if out, err := exec.Command("go", "build", "-o", receiver, "./receiver-go").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, command := range map[string][]string{"go": {receiver}, "node": {"node", "receiver-node/receiver.mjs"}} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skip("there is no ", command[0])
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(l.Addr().String())
			l.Close()
			cmd := exec.Command(command[0], command[1:]...)
			cmd.Env, cmd.Stderr = append(os.Environ(), "PORT="+port, "SECRET="+secret), os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			lines := make(chan string, 10)
			go func() {
				for scanner := bufio.NewScanner(out); scanner.Scan(); {
					lines <- scanner.Text()
				}
			}()
			s := webhook.NewSender(webhook.Options{Loopback: true, Now: time.Now})
			defer s.Close()
			send := func(secret, id string) chat.HookAnswer {
				return s.Send(t.Context(), "http://127.0.0.1:"+port+"/", secret, chat.Event{ID: id, Kind: chat.MessageEvent, Body: chat.JSON(`{"id":"` + id + `","t":"Ya’ 👍"}`)})
			}
			for begun := time.Now(); ; {
				if r := send(secret, "a-1-0"); r.Delivered() {
					break
				} else if time.Since(begun) > 30*time.Second {
					t.Fatalf("%+v", r)
				}
			}
			if r := send(secret, "a-1-0"); !r.Delivered() {
				t.Errorf("a repetition: %+v", r)
			}
			if r := send(other, "a-2-0"); r.Status != 401 {
				t.Errorf("signed by somebody else: %+v", r)
			}
			if r := send(secret, "a-3-0"); !r.Delivered() {
				t.Errorf("%+v", r)
			}
			for _, want := range []string{"a-1-0", "a-3-0"} {
				select {
				case line := <-lines:
					if !strings.Contains(line, `"`+want+`"`) || !strings.Contains(line, "Ya’ 👍") {
						t.Errorf("printed %s, want %s", line, want)
					}
				case <-time.After(10 * time.Second):
					t.Fatalf("%s isn't printed", want)
				}
			}
		})
	}
}
