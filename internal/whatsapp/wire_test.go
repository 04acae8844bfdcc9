package whatsapp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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
	w = newWire(&http.Client{Transport: upgrade{ours}}, func(f func()) bool { go f(); return true }, held)
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
	if err := w.sent(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(server, "answer") }()
	if _, err := io.ReadFull(body, make([]byte, len("answer"))); err != nil {
		t.Fatal(err)
	}
	over.Store(true)
	if _, err := io.WriteString(body, "after"); err != nil {
		t.Fatal(err)
	}
	if got := <-came; got != "before" {
		t.Errorf("the other side gets %q", got)
	}
	if _, err := body.Read(make([]byte, 1)); err == nil {
		t.Error("it may be read")
	}
	<-w.gone()
}

// Who writes doesn't wait for what is to be stored before; that goes out together then, in its order, and no more of it is taken
// than there is room for.
func TestWireOutbox(t *testing.T) {
	stored, asked := make(chan struct{}), make(chan struct{}, 1000)
	w, body, server := wired(t, func() error {
		asked <- struct{}{}
		<-stored
		return nil
	})
	var want strings.Builder
	write := func(text string) {
		want.WriteString(text)
		if _, err := io.WriteString(body, text); err != nil {
			t.Error(err)
		}
	}
	write("first, ")
	<-asked
	for i := range 100 {
		write(fmt.Sprint("then ", i, ", "))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.sent(ctx); err == nil {
		t.Error("it is sent already")
	}
	write(strings.Repeat("x", maxOutbox))
	full := make(chan struct{})
	go func() {
		defer close(full)
		write("last")
	}()
	got := make([]byte, 0, 2*maxOutbox)
	close(stored)
	for !bytes.HasSuffix(got, []byte("last")) {
		n, err := server.Read(got[len(got):cap(got)])
		if err != nil {
			t.Fatal(err)
		}
		got = got[:len(got)+n]
	}
	<-full
	if string(got) != want.String() {
		t.Error("the other side gets something else")
	}
	if len(asked) > 2 {
		t.Errorf("asked %d times for three groups", 1+len(asked))
	}
	if err := w.sent(t.Context()); err != nil {
		t.Error(err)
	}
}

// A handshake that may not be sent ends at once: whatsmeow takes it for sent, and waits for its answer.
func TestWireHandshakeNotHeld(t *testing.T) {
	w, body, _ := wired(t, func() error { return errors.New("lost") })
	if _, err := io.WriteString(body, "question"); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(body); string(got) != string(noHandshake) {
		t.Errorf("read %q", got)
	}
	<-w.gone()
	if err := w.sent(t.Context()); err == nil {
		t.Error("it is sent")
	}
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
