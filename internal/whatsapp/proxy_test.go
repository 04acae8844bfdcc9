package whatsapp

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// proxy is a proxy of HTTP or SOCKS5 that has WhatsApp's names lead to a simulator, with TLS before it.
type proxy struct {
	net.Listener
	server string // the simulator's address
	tls    *tls.Config

	mu    sync.Mutex
	conns []net.Conn
	asks  []string // what clients asked for, with who they said they are
}

func newProxy(t *testing.T, server string) (p *proxy, roots *x509.CertPool) {
	t.Helper()
	authority := httptest.NewUnstartedServer(nil)
	authority.StartTLS() // its certificate is good for example.com
	t.Cleanup(authority.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{Listener: l, server: server, tls: &tls.Config{Certificates: authority.TLS.Certificates, NextProtos: []string{"http/1.1"}}}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, c)
			p.mu.Unlock()
			conns.Go(func() { defer c.Close(); _ = p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close() // clients keep some for a later request
		}
		p.mu.Unlock()
		conns.Wait()
	})
	roots = x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	return p, roots
}

// serve takes one connection.
func (p *proxy) serve(c net.Conn) error {
	r := bufio.NewReader(c)
	first, err := r.Peek(1)
	if err != nil {
		return err
	}
	var ask string
	if first[0] == 5 {
		ask, err = socks(r, c)
	} else {
		ask, err = connect(r, c)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.asks = append(p.asks, ask)
	p.mu.Unlock()
	client := tls.Server(c, p.tls)
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return err
	}
	defer server.Close()
	done := make(chan error, 1)
	go func() { _, err := io.Copy(server, client); _ = server.Close(); done <- err }()
	_, err = io.Copy(client, server)
	_ = c.Close()
	return errors.Join(err, <-done)
}

func connect(r *bufio.Reader, c net.Conn) (ask string, err error) {
	request, err := http.ReadRequest(r)
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	return fmt.Sprint(request.Method, " ", request.Host, " ", request.Header.Get("Proxy-Authorization")), err
}

// socks is RFC 1928 without a password.
func socks(r *bufio.Reader, c net.Conn) (ask string, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	if _, err := r.Discard(int(head[1])); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	head = make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil || head[3] != 3 {
		return "", fmt.Errorf("no name: %w", err)
	}
	name := make([]byte, int(head[4])+2)
	if _, err := io.ReadFull(r, name); err != nil {
		return "", err
	}
	_, err = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	port := binary.BigEndian.Uint16(name[len(name)-2:])
	return fmt.Sprintf("SOCKS %s:%d", name[:len(name)-2], port), err
}

// TestProxy links a device by each kind of proxy: nothing else reaches WhatsApp.
func TestProxy(t *testing.T) {
	t.Parallel()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("toko:rahasia"))
	for scheme, want := range map[string]string{
		"http://toko:rahasia@": "CONNECT web.whatsapp.com:443 " + basic,
		"socks5://":            "SOCKS web.whatsapp.com:443",
	} {
		t.Run(scheme[:4], func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			p, roots := newProxy(t, w.server.Address())
			w.devices.media = &http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"},
			}}
			w.ok(w.store.UpdateAccount(w.soon(), account, func(a *chat.Account) error {
				a.Proxy = scheme + p.Addr().String()
				return nil
			}))
			w.link()
			w.ok(w.halt())
			p.mu.Lock()
			defer p.mu.Unlock()
			if !slices.Contains(p.asks, want) {
				t.Errorf("the proxy was asked for %q, want %q", p.asks, want)
			}
		})
	}
}
