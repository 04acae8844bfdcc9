package webhook

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pesan/internal/chat"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(asSender); args != "" {
		fmt.Fprintln(os.Stderr, sendAsProcess(strings.Split(args, "|")))
		os.Exit(1)
	}
	log.SetOutput(io.Discard) // what an endpoint says after its answer, net/http writes there; so do the programs
	os.Exit(m.Run())
}

// here is a sender for receivers of this machine.
func here(t *testing.T) *Sender {
	s := NewSender(Options{Loopback: true, Now: time.Now})
	t.Cleanup(s.Close)
	return s
}

// TestSignature: a receiver that uses the specification's own library takes what is sent, and nothing that was changed.
func TestSignature(t *testing.T) {
	verifier, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	var verified atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		if verifier.Verify(append(body, ' '), r.Header) == nil {
			t.Error("a changed body is verified")
		}
		other := r.Header.Clone()
		other.Set("webhook-id", "another")
		if verifier.Verify(body, other) == nil {
			t.Error("another id is verified")
		}
		if r.Header.Get("webhook-id") != testEvent.ID || string(body) != string(testEvent.Body) || r.Method != http.MethodPost {
			t.Errorf("%s %v %s", r.Method, r.Header, body)
		}
		if at, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
			t.Errorf("timestamp %s", r.Header.Get("webhook-timestamp"))
		}
		verified.Add(1)
		fmt.Fprint(w, "taken\nsecond line")
	}))
	defer receiver.Close()
	s := here(t)
	for range 2 {
		r := s.Send(t.Context(), receiver.URL, testSecret, testEvent)
		if !r.Delivered() || r.Status != 200 || r.Answer != "taken" || r.ID != testEvent.ID {
			t.Errorf("%+v", r)
		}
	}
	if verified.Load() != 2 {
		t.Errorf("%d verified", verified.Load())
	}
	if r := s.Send(t.Context(), receiver.URL, "whsec_%%%", testEvent); r.Error != BadSettings {
		t.Errorf("a broken secret: %+v", r)
	}
}

func TestSecrets(t *testing.T) {
	made, err := chat.NewHookSecret(rand.Reader)
	if err != nil || !chat.ValidHookSecret(made) {
		t.Errorf("%q, %v", made, err)
	}
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for s, want := range map[string]bool{
		testSecret: true, of(24): true, of(64): true, of(23): false, of(65): false, "": false, "whsec_": false, "secret": false,
		strings.TrimPrefix(testSecret, "whsec_"): false, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!": false, testSecret + "=": false,
	} {
		if chat.ValidHookSecret(s) != want {
			t.Errorf("%q is valid: %v", s, !want)
		}
	}
}

// TestStatuses: 2xx and nothing else is a delivery; a redirect is followed nowhere.
func TestStatuses(t *testing.T) {
	var status atomic.Int32
	var calls atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(int(status.Load()))
	}))
	defer receiver.Close()
	s := here(t)
	for code := int32(200); code < 600; code++ {
		if code > 208 && code < 300 || code > 308 && code < 400 || code > 431 && code < 500 || code > 511 {
			continue
		}
		calls.Store(0)
		status.Store(code)
		r := s.Send(t.Context(), receiver.URL, testSecret, testEvent)
		if r.Status != int(code) || r.Delivered() != (code < 300) || calls.Load() != 1 {
			t.Errorf("%d: %+v after %d calls", code, r, calls.Load())
		}
		if !r.Delivered() && (r.Error != BadStatus || r.After != 7*time.Second) {
			t.Errorf("%d: %+v", code, r)
		}
	}
}

// raw is a receiver that is told each connection.
func raw(t *testing.T, serve func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// asked reads a request.
func asked(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// TestRudeReceivers: an attempt ends in time and takes little memory, whatever is answered.
func TestRudeReceivers(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	flood := func(head string) func(net.Conn) {
		return func(c net.Conn) {
			asked(c)
			fmt.Fprint(c, head)
			b := make([]byte, 64<<10)
			for range 1 << 14 { // a gigabyte
				if _, err := c.Write(b); err != nil {
					return
				}
			}
			t.Error("all of a gigabyte was taken")
		}
	}
	for _, test := range []struct {
		name   string
		serve  func(net.Conn)
		error  string
		status int
	}{
		{"hangs", func(c net.Conn) { <-hang }, Timeout, 0},
		{"hangs in its header", func(c net.Conn) { asked(c); fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX: "); <-hang }, Timeout, 0},
		{"hangs in its answer", func(c net.Conn) { asked(c); fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"); <-hang }, "", 200},
		{"closes at once", func(c net.Conn) {}, BadConnection, 0},
		{"closes at byte 1", func(c net.Conn) { asked(c); fmt.Fprint(c, "H") }, BadConnection, 0},
		{"closes in its answer", func(c net.Conn) { asked(c); fmt.Fprint(c, "HTTP/1.1 204 No Content\r\n\r\n") }, "", 204},
		{"speaks another protocol", func(c net.Conn) { fmt.Fprint(c, "220 mail ESMTP\r\n"); asked(c) }, BadConnection, 0},
		{"answers a gigabyte", flood("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"), "", 200},
		{"answers without end", flood("HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"), BadStatus, 500},
		{"has a header without end", flood("HTTP/1.1 200 OK\r\nX: "), BadConnection, 0},
		{"answers again and again", flood("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), "", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Loopback: true, Now: time.Now}
			if strings.HasPrefix(test.name, "hangs") {
				o.attempt = 2 * time.Second // the others end by themselves, however long a machine under load takes for them
			}
			s := NewSender(o)
			defer s.Close()
			start := time.Now()
			r := s.Send(t.Context(), raw(t, test.serve), testSecret, testEvent)
			if r.Error != test.error || r.Status != test.status {
				t.Errorf("%+v, want %q with %d", r, test.error, test.status)
			}
			if took := time.Since(start); took > attemptTime {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestFloodsTakeNoMemory: many endpoints that answer a gigabyte each at the same time.
func TestFloodsTakeNoMemory(t *testing.T) {
	url := raw(t, func(c net.Conn) {
		asked(c)
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
		b := make([]byte, 64<<10)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
	s := here(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 50 {
		if r := s.Send(t.Context(), url, testSecret, testEvent); !r.Delivered() {
			t.Fatalf("%+v", r)
		}
	}
	runtime.ReadMemStats(&after)
	// The receiver's buffers count too: 64 KB each.
	if took := (after.TotalAlloc - before.TotalAlloc) / 50; took > 256<<10 {
		t.Errorf("an attempt allocates %d bytes", took)
	}
}

// TestTLS: who can't prove his name gets nothing.
func TestTLS(t *testing.T) {
	var calls atomic.Int32
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	receiver.Config.ErrorLog = log.New(io.Discard, "", 0)
	receiver.StartTLS()
	defer receiver.Close()
	if r := here(t).Send(t.Context(), receiver.URL, testSecret, testEvent); r.Error != BadTLS || calls.Load() != 0 {
		t.Errorf("an unknown authority: %+v after %d calls", r, calls.Load())
	}
	roots := x509.NewCertPool()
	roots.AddCert(receiver.Certificate())
	s := NewSender(Options{Loopback: true, Now: time.Now, tls: &tls.Config{RootCAs: roots}})
	defer s.Close()
	if r := s.Send(t.Context(), receiver.URL, testSecret, testEvent); !r.Delivered() || calls.Load() != 1 {
		t.Errorf("a known authority: %+v after %d calls", r, calls.Load())
	}
	wrong := strings.Replace(receiver.URL, "127.0.0.1", "localhost", 1)
	if r := s.Send(t.Context(), wrong, testSecret, testEvent); r.Error != BadTLS || calls.Load() != 1 {
		t.Errorf("another name: %+v after %d calls", r, calls.Load())
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	if r := s.Send(t.Context(), strings.Replace(plain.URL, "http", "https", 1), testSecret, testEvent); r.Error != BadConnection {
		t.Errorf("no TLS: %+v", r)
	}
}

// TestNobody: there are words for each way in which nothing is reached.
func TestNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if r := here(t).Send(t.Context(), "http://"+l.Addr().String(), testSecret, testEvent); r.Error != BadConnection {
		t.Errorf("nobody listens: %+v", r)
	}
	r := &recorder{names: resolver(t, nil)}
	if result, _ := r.send(t, "https://nowhere.example.com/"); result.Error != NameUnknown {
		t.Errorf("no address: %+v", result)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := here(t).Send(ctx, "http://127.0.0.1:9", testSecret, chat.Event{}); r.Delivered() {
		t.Error("delivered after the end")
	}
}
