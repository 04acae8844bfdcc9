package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"pesan/internal/httpapi"
)

// TestDemo pastes every line that the demo prints into a shell, and checks the answers.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	path := withCurl(t)
	p := start(t, nil, "demo", "-listen", "127.0.0.1:0")
	ready, err := p.find(ctx, regexp.MustCompile(`Ready after .*`))
	must(t, err)
	t.Log(ready)
	var lines []string
	for {
		line, err := p.find(ctx, regexp.MustCompile(`^curl .*|Ctrl-C`))
		must(t, err)
		if line == "Ctrl-C" {
			break
		}
		lines = append(lines, line)
	}
	arrived, err := p.find(ctx, regexp.MustCompile(`A webhook has arrived: (message|chat) of \S+ \(\S+-\d+-\d+\)`))
	must(t, err)
	t.Log(arrived)
	checks := map[string]func(Answer) error{
		"getChats": func(a Answer) error {
			var chats []Chat
			if err := json.Unmarshal(a.Results, &chats); err != nil || len(chats) < 200 {
				return fmt.Errorf("%d chats, %v", len(chats), err)
			}
			return nil
		},
		"getChatById": func(a Answer) error {
			var chat Chat
			if err := json.Unmarshal(a.Results, &chat); err != nil || chat.ID != a.Query.To+"@s.whatsapp.net" || chat.Name == "" {
				return fmt.Errorf("chat %+v of %q, %v", chat, a.Query.To, err)
			}
			return nil
		},
		"fetchMessageById": func(a Answer) error {
			var messages []Message
			if err := json.Unmarshal(a.Results, &messages); err != nil || len(messages) == 0 || messages[0].Key.ID != messages[0].ID {
				return fmt.Errorf("messages %+v, %v", messages, err)
			}
			return nil
		},
		"muteChat": func(a Answer) error {
			return equal(a.Query.Seconds+string(a.Results), `3600{"message":"Anda berhasil mute `+a.Query.To+`"}`)
		},
		"unmuteChat": func(a Answer) error {
			return equal(string(a.Results), `{"message":"Anda berhasil unmute `+a.Query.To+`"}`)
		},
		"clearMessageById": func(a Answer) error { return equal(string(a.Results), "true") },
		"testWebhook": func(a Answer) error {
			if !strings.Contains(string(a.Results), `"delivered":true`) {
				return fmt.Errorf("webhook %s", a.Results)
			}
			return nil
		},
		"clearReportApi": func(a Answer) error { return equal(a.Message, "Success") },
		"listDevice":     func(a Answer) error { return equal(string(a.Body[:14]), `{"status":true`) },
		"addDevice":      func(a Answer) error { return equal(a.Message, "Device successfully added") },
		"editDevice":     func(a Answer) error { return equal(a.Message, "Device successfully updated") },
		"changeApiKey":   func(a Answer) error { return equal(a.Message, "API key successfully changed") },
		"deleteDevice":   func(a Answer) error { return equal(a.Message, "Device successfully deleted") },
	}
	missing := map[string]bool{}
	for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
		missing[e.Name] = e.Idle == ""
	}
	for _, line := range lines {
		endpoint := regexp.MustCompile(`/api/(\w+)`).FindStringSubmatch(line)[1]
		shell := exec.CommandContext(ctx, "sh", "-c", line)
		shell.Env = append(shell.Environ(), "PATH="+path)
		out, err := shell.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", endpoint, err, out)
			continue
		}
		answer := Answer{Body: out}
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Errorf("%s answers %s", endpoint, out)
			continue
		}
		if strings.Contains(line, "wait=20") { // the demo's people go on talking
			var news []struct{ Type string }
			if err := json.Unmarshal(answer.Results, &news); err != nil || len(news) == 0 {
				t.Errorf("who waited heard %s", out)
			}
			continue
		}
		if answer.Code/100 != 2 && !strings.HasPrefix(string(out), `{"status":true`) {
			t.Errorf("%s answers %s", endpoint, out)
		}
		if !missing[endpoint] {
			t.Errorf("%s is no endpoint, or stands there twice", endpoint)
		}
		delete(missing, endpoint)
		if check, ok := checks[endpoint]; ok {
			if err := check(answer); err != nil {
				t.Errorf("%s: %v", endpoint, err)
			}
		}
	}
	for endpoint, is := range missing {
		if is {
			t.Errorf("there is no line for %s", endpoint)
		}
	}
	if took := p.stop(t); took > 10*time.Second {
		t.Errorf("ends after %v", took)
	}
	if log := p.errors.String(); log != "" {
		t.Errorf("a healthy demo warns of something: %s", log)
	}
}

func equal(got, want string) error {
	if got != want {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	return nil
}
