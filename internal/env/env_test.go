package env_test

import (
	"strings"
	"testing"
	"time"

	"pesan/internal/env"
)

func reader(vars map[string]string) *env.Reader {
	return env.New(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

func TestReadsValues(t *testing.T) {
	root := strings.Repeat("0f", 32)
	r := reader(map[string]string{
		"NAME": " pesan ", "COUNT": "7", "WAIT": "2s", "ADDRESS": "[::1]:0", "ROOT": root, "CODE": "62",
	})
	if got := r.String("NAME", ""); got != "pesan" {
		t.Errorf("String = %q", got)
	}
	if got := r.Required("NAME", "a name"); got != "pesan" {
		t.Errorf("Required = %q", got)
	}
	if got := r.Int("COUNT", 1, 1, 10); got != 7 {
		t.Errorf("Int = %d", got)
	}
	if got := r.Duration("WAIT", time.Second, 0, time.Minute); got != 2*time.Second {
		t.Errorf("Duration = %v", got)
	}
	if got := r.Address("ADDRESS", ""); got != "[::1]:0" {
		t.Errorf("Address = %q", got)
	}
	if got := r.Key("ROOT"); got == nil || got[31] != 0x0f {
		t.Errorf("Key = %v", got)
	}
	if got := r.Digits("CODE", "", 3); got != "62" {
		t.Errorf("Digits = %q", got)
	}
	if err := r.Err(); err != nil {
		t.Errorf("Err = %v", err)
	}
}

func TestFallsBackWhenUnsetOrEmpty(t *testing.T) {
	r := reader(map[string]string{"COUNT": "  "})
	if got := r.Int("COUNT", 3, 1, 10); got != 3 {
		t.Errorf("Int = %d", got)
	}
	if got := r.Address("ADDRESS", "127.0.0.1:8080"); got != "127.0.0.1:8080" {
		t.Errorf("Address = %q", got)
	}
	if got := r.Key("ROOT"); got != nil {
		t.Errorf("Key = %v", got)
	}
	if err := r.Err(); err != nil {
		t.Errorf("Err = %v", err)
	}
}

func TestReportsEverythingAtOnceAndNoValue(t *testing.T) {
	r := reader(map[string]string{
		"COUNT": "planted-1", "HIGH": "11", "WAIT": "planted-2", "ADDRESS": "planted-3", "PORT": "localhost:99999", "ROOT": "planted-4", "CODE": "planted-5",
	})
	r.Required("TABLE", "the table of chats")
	r.Int("COUNT", 1, 1, 10)
	r.Int("HIGH", 1, 1, 10)
	r.Duration("WAIT", time.Second, 0, time.Minute)
	r.Address("ADDRESS", "")
	r.Address("PORT", "")
	r.Key("ROOT")
	r.Digits("CODE", "62", 3)
	r.Reject("OTHER", "is odd")
	err := r.Err()
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, name := range []string{"TABLE", "COUNT", "HIGH", "WAIT", "ADDRESS", "PORT", "ROOT", "CODE", "OTHER"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], name+": ") {
			t.Errorf("no line for %s in:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "planted") {
		t.Errorf("a value leaks:\n%v", err)
	}
}
