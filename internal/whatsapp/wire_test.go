package whatsapp

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

type upgrade struct{ body io.ReadWriteCloser }

func (u upgrade) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: u.body}, nil
}

// wired makes a connection, and gives both ends of it.
func wired(t *testing.T, held func() error) (w *wire, body io.ReadWriteCloser, server net.Conn) {
	t.Helper()
	ours, server := net.Pipe()
	w = newWire(&http.Client{Transport: upgrade{ours}}, held)
	resp, err := w.RoundTrip(new(http.Request))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = resp.Body.Close(), server.Close() })
	return w, resp.Body.(io.ReadWriteCloser), server
}

// A connection sends nothing once it isn't held, whoever writes, and ends.
func TestWireNotHeld(t *testing.T) {
	lost := errors.New("lost")
	var over atomic.Bool
	w, body, server := wired(t, func() error {
		if over.Load() {
			return lost
		}
		return nil
	})
	came := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(server)
		came <- string(b)
	}()
	if _, err := io.WriteString(body, "before"); err != nil {
		t.Fatal(err)
	}
	over.Store(true)
	if _, err := io.WriteString(body, "after"); !errors.Is(err, lost) {
		t.Errorf("it may write: %v", err)
	}
	if got := <-came; got != "before" {
		t.Errorf("the other side gets %q", got)
	}
	if _, err := body.Read(make([]byte, 1)); err == nil {
		t.Error("it may be read")
	}
	<-w.gone()
}

// Only a handshake that waits for an answer gets one when the connection is cut: nobody else would take it.
func TestWireCut(t *testing.T) {
	for name, c := range map[string]struct {
		asked, answered bool
		want            string
	}{
		"before the question": {},
		"before the answer":   {asked: true, want: string(noHandshake)},
		"after the answer":    {asked: true, answered: true, want: "answer"},
	} {
		t.Run(name, func(t *testing.T) {
			w, body, server := wired(t, func() error { return nil })
			if c.asked {
				go func() { _, _ = io.WriteString(body, "question") }()
				if _, err := io.ReadFull(server, make([]byte, len("question"))); err != nil {
					t.Fatal(err)
				}
			}
			var got []byte
			if c.answered {
				go func() { _, _ = io.WriteString(server, "answer") }()
				got = make([]byte, len("answer"))
				if _, err := io.ReadFull(body, got); err != nil {
					t.Fatal(err)
				}
			}
			w.cut(true)
			rest, _ := io.ReadAll(body)
			if got := string(append(got, rest...)); got != c.want {
				t.Errorf("read %q, want %q", got, c.want)
			}
			<-w.gone()
		})
	}
}
