package mcp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"pesan/internal/mcp"
)

// TestMain is the command itself where a test starts it, as cmd/pesan does.
func TestMain(m *testing.M) {
	if os.Getenv("PESAN_MCP_TEST") == "" {
		os.Exit(m.Run())
	}
	os.Exit(mcp.Run(context.Background(), os.Args[1:], mcp.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Lookup: os.LookupEnv, Now: time.Now}))
}

// TestProcess: an assistant starts the program, works with it, and its end is the program's.
func TestProcess(t *testing.T) {
	w := newWorld(t)
	api := httptest.NewServer(w.api)
	defer api.Close()
	command := func(key string) (*exec.Cmd, *bytes.Buffer) {
		var log bytes.Buffer
		cmd := exec.Command(os.Args[0], "-url", api.URL+"/")
		cmd.Env = append(os.Environ(), "PESAN_MCP_TEST=1", "PESAN_API_KEY="+key)
		cmd.Stderr = &log
		return cmd, &log
	}
	cmd, log := command(w.tokoKey)
	a := &assistant{world: w}
	var err error
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	a.ClientSession, err = client.Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	w.must(err)
	var all chats
	a.tool(&all, "list_chats", args{"unread": true})
	w.want("unread chats", len(all.Chats), 3)
	w.must(a.Close())
	if status := cmd.ProcessState.ExitCode(); status != 0 || log.Len() > 0 {
		t.Errorf("ends with %d: %s", status, log)
	}

	cmd, _ = command("pk_nonsense")
	a.ClientSession, err = client.Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	w.must(err) // the server is asked for by tools alone, which can say what is wrong
	a.fails("list_chats", nil, "wrong or no longer valid", "PESAN_API_KEY")
	api.Close()
	a.fails("list_chats", nil, "can't be reached at http://127.0.0.1:")
	w.must(a.Close())
}

// TestArguments: each wrong one says what is wrong, on standard error.
func TestArguments(t *testing.T) {
	run := func(args ...string) (status int, out, errOut string) {
		var o, e bytes.Buffer
		env := map[string]string{"PESAN_API_KEY": "pk_x"}
		status = mcp.Run(t.Context(), args, mcp.Env{
			In: io.NopCloser(strings.NewReader("")), Out: closer{&o}, Err: &e, Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, Now: time.Now,
		})
		return status, o.String(), e.String()
	}
	for want, args := range map[string][]string{
		"is no URL":          {"-url", "127.0.0.1:8080"},
		"set PESAN_API_KEY":  {"-key", ""},
		`"x" is too much`:    {"x"},
		"flag provided":      {"-port", "1"},
		"set PESAN_URL":      {"-url", "ftp://x"},
		`"-" is too much`:    {"-"},
		"is no URL of a ser": {"-url", "%"},
	} {
		if status, out, errOut := run(args...); status != 2 || out != "" || !strings.Contains(errOut, want) {
			t.Errorf("%v: %d %q %q", args, status, out, errOut)
		}
	}
	for _, help := range []string{"help", "-h", "--help"} {
		if status, out, errOut := run(help); status != 0 || out != "" || !strings.Contains(errOut, "PESAN_URL") {
			t.Errorf("%s: %d %q %q", help, status, out, errOut)
		}
	}
	if status, _, errOut := run(); status != 0 || errOut != "" {
		t.Errorf("an assistant that has gone at once: %d %q", status, errOut)
	}
}

type closer struct{ io.Writer }

func (closer) Close() error { return nil }

// BenchmarkTool measures what a tool costs beside the call of the API that it makes.
func BenchmarkTool(b *testing.B) {
	w := newWorld(b)
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_chats","arguments":{}}}`
	b.Run("list_chats", func(b *testing.B) {
		for b.Loop() {
			if a := w.serve(request(body, "Authorization", "Bearer "+w.tokoKey)); a.Code != http.StatusOK {
				b.Fatal(a.Body)
			}
		}
	})
	b.Run("getChats", func(b *testing.B) {
		for b.Loop() {
			w.ask("getChats", w.tokoKey, "limit", "30")
		}
	})
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			mcp.New(mcp.Config{API: w, Now: time.Now})
		}
	})
}
