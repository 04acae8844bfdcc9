package standalone

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections is a listener that bounds how many clients are connected. Where there would be too many, the one that has been
// idle for longest makes room, so idle clients never keep others out.
type connections struct {
	net.Listener
	most   int
	logger *slog.Logger

	mu     sync.Mutex
	open   map[net.Conn]time.Time // since when a connection is idle; zero during a call
	warned time.Time
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
			c.logger.Warn("too many connections: the one that was idle for longest is closed for each new one", "most", c.most)
		}
	}
	if leaves != conn {
		c.open[conn] = now
	}
	return leaves
}

// follow is the server's ConnState.
func (c *connections) follow(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.open[conn]; !ok {
		return
	}
	switch state {
	case http.StateNew:
	case http.StateActive:
		c.open[conn] = time.Time{}
	case http.StateIdle:
		c.open[conn] = time.Now()
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}
