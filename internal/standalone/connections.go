package standalone

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections is a listener that bounds how many clients are connected. Where there would be too many, the one makes room that
// has sent no whole call for longest: neither those who are idle keep others out, nor those who send half a call, or slowly.
type connections struct {
	net.Listener
	most   int
	logger *slog.Logger

	mu     sync.Mutex
	open   map[net.Conn]time.Time // since when a connection is idle, its next call included while it comes in; zero while one is answered
	warned time.Time
}

// serve makes a server take its clients from the listener, and bounds them.
func (c *connections) serve(server *http.Server) error {
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connection{}).(net.Conn)
		if r.ContentLength == 0 {
			c.since(conn, time.Time{})
		} else {
			r.Body = &arriving{r.Body, func() { c.since(conn, time.Time{}) }}
		}
		next.ServeHTTP(w, r)
	})
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connection{}, conn)
	}
	server.ConnState = c.follow
	return server.Serve(c)
}

// connection is where a call's context has its own.
type connection struct{}

// arriving is a call's body, which tells when all of it has come.
type arriving struct {
	io.ReadCloser
	arrived func()
}

func (b *arriving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.arrived()
	}
	return n, err
}

// warnEvery is how often a full listener is logged.
const warnEvery = time.Minute

func bound(l net.Listener, most int, logger *slog.Logger) *connections {
	return &connections{Listener: l, most: most, logger: logger, open: make(map[net.Conn]time.Time)}
}

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if leaves := c.admit(conn); leaves != nil {
			_ = leaves.Close() // who is gone anyway
			if leaves == conn {
				continue
			}
		}
		return conn, nil
	}
}

// admit takes a connection in, and returns the one that has to leave for it: itself where all others are busy.
func (c *connections) admit(conn net.Conn) (leaves net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if len(c.open) >= c.most {
		leaves = conn
		oldest := now
		for other, idle := range c.open {
			if !idle.IsZero() && idle.Before(oldest) {
				leaves, oldest = other, idle
			}
		}
		delete(c.open, leaves)
		if now.Sub(c.warned) >= warnEvery {
			c.warned = now
			c.logger.Warn("too many connections: for each new one that is closed which was idle for longest", "most", c.most)
		}
	}
	if leaves != conn {
		c.open[conn] = now
	}
	return leaves
}

// follow is the server's ConnState.
func (c *connections) follow(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew, http.StateActive:
	case http.StateIdle:
		c.since(conn, time.Now())
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, conn)
	}
}

// since notes since when a connection that is open is idle.
func (c *connections) since(conn net.Conn, idle time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.open[conn]; ok {
		c.open[conn] = idle
	}
}
