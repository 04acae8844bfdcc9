package standalone

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestIdleConnections: however many clients sit idle, another one is served at once, and few connections stay open.
func TestIdleConnections(t *testing.T) {
	const most, clients = 100, 10_000
	var logs lockedBuilder
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := bound(l, most, slog.New(slog.NewTextHandler(&logs, nil)))
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }),
		ConnState: c.follow,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(c) }()
	held := make([]net.Conn, 0, clients)
	for range clients {
		if len(held) == cap(held)/10 { // as many at once as the system lets a process have; the rest comes and goes
			held[0].Close()
			held = held[1:]
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	began := time.Now()
	response, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if string(body) != "ok" || time.Since(began) > 3*time.Second {
		t.Errorf("%q after %v", body, time.Since(began))
	}
	c.mu.Lock()
	open := len(c.open)
	c.mu.Unlock()
	if open > most {
		t.Errorf("%d connections are open", open)
	}
	if n := strings.Count(logs.String(), "too many connections"); n != 1 {
		t.Errorf("warned %d times: %s", n, logs.String())
	}
	client.CloseIdleConnections()
	for _, conn := range held {
		conn.Close()
	}
	server.Close()
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
