package standalone

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"pesan/internal/testkit/syncbuf"
)

// TestIdleConnections: however many clients sit idle, or have sent a part of a call, another one is served, few connections stay
// open, and who has sent a whole call before them gets his answer.
func TestIdleConnections(t *testing.T) {
	idleConnections(t, 10_000, "")
	for name, sent := range map[string]string{
		"half a header":     "POST / HTTP/1.1\r\nHost: x",
		"half a body":       "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
		"a chunk of a body": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) { idleConnections(t, 1000, sent) })
	}
}

func idleConnections(t *testing.T, clients int, sent string) {
	const most = 100
	var logs syncbuf.Buffer
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := bound(l, most, slog.New(slog.NewTextHandler(&logs, nil)))
	begun, release := make(chan struct{}), make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return
		}
		if r.URL.Path == "/slow" {
			close(begun)
			<-release
		}
		io.WriteString(w, "ok")
	})}
	served := make(chan error, 1)
	go func() { served <- c.serve(server) }()
	call := func(path string) string {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Post("http://"+l.Addr().String()+path, "text/plain", strings.NewReader("whole"))
		if err != nil {
			return err.Error()
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
	slow := make(chan string, 1)
	go func() { slow <- call("/slow") }()
	<-begun
	var held []net.Conn
	for range clients {
		if len(held) == 1000 { // as many at once as the system lets a process have; the rest comes and goes
			held[0].Close()
			held = held[1:]
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, sent) // it may be closed already
		held = append(held, conn)
	}
	if body := call("/"); body != "ok" {
		t.Errorf("another client is answered %q", body)
	}
	close(release)
	if body := <-slow; body != "ok" {
		t.Errorf("the client whose call was there before them is answered %q", body)
	}
	c.mu.Lock()
	open := len(c.open)
	c.mu.Unlock()
	if open > most {
		t.Errorf("%d connections are open", open)
	}
	if !strings.Contains(logs.String(), "too many connections") {
		t.Errorf("nobody is warned: %s", logs.String())
	}
	for _, conn := range held {
		conn.Close()
	}
	server.Close()
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}
