package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"pesan/internal/chat"
)

// special are addresses that aren't the internet's, in every form that reaches them.
var special = []string{
	"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
	"169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1",
	"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
	"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
	"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1",
	"2001::1", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "100::1",
	"5f00::1", "4000::1",
}

// public are some of the internet's.
var public = []string{"1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:830::200e"}

func TestGuard(t *testing.T) {
	for _, loopback := range []bool{false, true} {
		g := newGuard(loopback)
		for _, text := range special {
			ip := netip.MustParseAddr(text)
			for _, plain := range []bool{false, true} {
				want := loopback && ip.Unmap().IsLoopback()
				if got := g.allows(netip.AddrPortFrom(ip, 443), plain); got != want {
					t.Errorf("%s is allowed: %v, where loopback is: %v", text, got, loopback)
				}
			}
		}
		for _, text := range public {
			ip := netip.MustParseAddr(text)
			for port, want := range map[uint16]bool{443: true, 8443: true, 1024: true, 65535: true, 0: false, 22: false, 25: false, 80: false, 1023: false} {
				if got := g.allows(netip.AddrPortFrom(ip, port), false); got != want {
					t.Errorf("%s port %d is allowed: %v", text, port, got)
				}
				if g.allows(netip.AddrPortFrom(ip, port), true) {
					t.Errorf("%s port %d is allowed without TLS", text, port)
				}
			}
		}
	}
	if newGuard(true).allows(netip.MustParseAddrPort("[fe80::1%eth0]:443"), false) {
		t.Error("an address of a link is allowed")
	}
}

// recorder takes the place of connecting: it notes what the guard says to each address, and lets nothing be dialed.
type recorder struct {
	mu     sync.Mutex
	passed []string
	names  *net.Resolver
	asked  int
}

var errRecorded = errors.New("recorded, not dialed")

func (r *recorder) tune(d *net.Dialer) {
	guard := d.Control
	d.Resolver = r.names
	d.Control = func(network, address string, c syscall.RawConn) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked++
		if err := guard(network, address, c); err != nil {
			return err
		}
		r.passed = append(r.passed, address)
		return errRecorded
	}
}

// resolver answers every name with the next addresses, over loopback.
func resolver(t *testing.T, answers ...[]string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		b := make([]byte, 1500)
		asked := map[dnsmessage.Type]int{}
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(b[:n]) != nil || len(question.Questions) != 1 {
				continue
			}
			q := question.Questions[0]
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true}, Questions: question.Questions}
			for _, text := range answers[min(asked[q.Type], len(answers)-1)] {
				ip := netip.MustParseAddr(text)
				head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}
				switch {
				case ip.Is4() && q.Type == dnsmessage.TypeA:
					answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: ip.As4()}})
				case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
					answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
				}
			}
			asked[q.Type]++
			if out, err := answer.Pack(); err == nil {
				_, _ = server.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var testEvent = chat.Event{ID: "01KXQZ5T9W4Y8N2M6P3R7V1B0C-7-message", Number: 7, Kind: chat.MessageEvent, Body: `{"type":"message"}`}

// send makes one attempt with a dialer that never connects, and tells what was let through.
func (r *recorder) send(t *testing.T, url string) (chat.HookAnswer, []string) {
	t.Helper()
	s := NewSender(Options{Now: time.Now, tune: r.tune})
	defer s.Close()
	result := s.Send(t.Context(), url, testSecret, testEvent)
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := r.passed
	r.passed = nil
	return result, passed
}

// TestNamesOfSpecialAddresses: a name is judged by what it stands for at the moment of dialing, each address by itself.
func TestNamesOfSpecialAddresses(t *testing.T) {
	for _, address := range special {
		if address == "::ffff:8.8.8.8" {
			continue // from a name it is 8.8.8.8
		}
		r := &recorder{names: resolver(t, []string{address})}
		result, passed := r.send(t, "https://hooks.example.com/x")
		if len(passed) > 0 || result.Error != Refused && result.Error != NameUnknown {
			t.Errorf("%s: %s, passed %v", address, result.Error, passed)
		}
		if result.Error == NameUnknown && r.asked > 0 {
			t.Errorf("%s was judged, but isn't known", address)
		}
	}
	for _, address := range public {
		r := &recorder{names: resolver(t, []string{address})}
		if result, passed := r.send(t, "https://hooks.example.com:8443/x"); len(passed) == 0 || result.Error != BadConnection {
			t.Errorf("%s: %s, passed %v", address, result.Error, passed)
		}
	}
	mixed := &recorder{names: resolver(t, []string{"127.0.0.1", "8.8.8.8", "169.254.169.254"})}
	if _, passed := mixed.send(t, "https://hooks.example.com/x"); len(passed) != 1 || passed[0] != "8.8.8.8:443" {
		t.Errorf("of several addresses %v passed", passed)
	}
}

// TestChangingName: a name that was public a moment ago is judged anew.
func TestChangingName(t *testing.T) {
	r := &recorder{names: resolver(t, []string{"8.8.8.8"}, []string{"169.254.169.254"})}
	if _, passed := r.send(t, "https://hooks.example.com/x"); len(passed) != 1 {
		t.Fatalf("at first %v passed", passed)
	}
	if result, passed := r.send(t, "https://hooks.example.com/x"); len(passed) != 0 || result.Error != Refused {
		t.Errorf("then %v passed: %s", passed, result.Error)
	}
}

func TestCheck(t *testing.T) {
	here, away := NewSender(Options{Loopback: true, Now: time.Now}), NewSender(Options{Now: time.Now})
	for url, want := range map[string]chat.HookFault{
		"https://hooks.example.com/x?token=1":   "",
		"https://hooks.example.com.":            "",
		"https://hooks.example.com:8443/":       "",
		"https://8.8.8.8/":                      "",
		"https://[2606:4700:4700::1111]:9000/x": "",
		"HTTPS://Hooks.Example.Com/":            "",
		"https://xn--bcher-kva.example.com/":    "",
		"":                                      chat.HookFormFault,
		"hooks.example.com":                     chat.HookFormFault,
		"https:///x":                            chat.HookFormFault,
		"https:hooks.example.com":               chat.HookFormFault,
		"https://hooks.example.com/#x":          chat.HookFormFault,
		"https://hooks.example.com/ x":          chat.HookFormFault,
		"https://hooks.example.com\\@10.0.0.1/": chat.HookFormFault,
		"https://hooks.example.com/\n":          chat.HookFormFault,
		"https://u:p@hooks.example.com/":        chat.HookUserFault,
		"http://hooks.example.com/":             chat.HookSchemeFault,
		"ftp://hooks.example.com/":              chat.HookSchemeFault,
		"file://hooks.example.com/":             chat.HookSchemeFault,
		"gopher://hooks.example.com/":           chat.HookSchemeFault,
		"https://hooks.example.com:22/":         chat.HookPortFault,
		"https://hooks.example.com:80/":         chat.HookPortFault,
		"https://hooks.example.com:70000/":      chat.HookPortFault,
		"https://localhost/":                    chat.HookHostFault,
		"https://a.localhost/":                  chat.HookHostFault,
		"https://router/":                       chat.HookHostFault,
		"https://printer.local/":                chat.HookHostFault,
		"https://metadata.google.internal/":     chat.HookHostFault,
		"https://2130706433/":                   chat.HookHostFault,
		"https://0x7f000001/":                   chat.HookHostFault,
		"https://0x7f.1/":                       chat.HookHostFault,
		"https://0177.0.0.1/":                   chat.HookHostFault,
		"https://127.1/":                        chat.HookHostFault,
		"https://10.0.0.0x1/":                   chat.HookHostFault,
		"https://a..com/":                       chat.HookHostFault,
	} {
		if got := away.CheckURL(url); got != want {
			t.Errorf("%q is wrong in its %q, want %q", url, got, want)
		}
		if got := here.CheckURL(url); got != want && url != "https://localhost/" && url != "https://a.localhost/" {
			t.Errorf("%q is wrong in its %q, want %q, also where loopback is allowed", url, got, want)
		}
	}
	for _, ip := range special {
		host := ip
		if netip.MustParseAddr(ip).Is6() {
			host = "[" + ip + "]"
		}
		if got := away.CheckURL("https://" + host + "/"); got != chat.HookHostFault {
			t.Errorf("https://%s/ is wrong in its %q", host, got)
		}
		if got := here.CheckURL("http://" + host + "/"); (got == "") != netip.MustParseAddr(ip).Unmap().IsLoopback() {
			t.Errorf("http://%s/ is wrong in its %q where loopback is allowed", host, got)
		}
	}
	for _, url := range []string{"http://localhost:8080/", "http://127.0.0.1:5678/webhook", "https://localhost/", "http://[::1]:80/"} {
		if got := here.CheckURL(url); got != "" {
			t.Errorf("%s is wrong in its %q where loopback is allowed", url, got)
		}
		if got := away.CheckURL(url); got == "" {
			t.Errorf("%s is right", url)
		}
	}
}

// TestPlainStaysHere: without TLS nothing leaves this machine, whatever a local name stands for.
func TestPlainStaysHere(t *testing.T) {
	r := &recorder{names: resolver(t, []string{"8.8.8.8", "10.0.0.1"})}
	s := NewSender(Options{Loopback: true, Now: time.Now, tune: r.tune})
	defer s.Close()
	result := s.Send(t.Context(), "http://a.localhost/", testSecret, testEvent)
	if len(r.passed) > 0 || result.Error != Refused && result.Error != NameUnknown {
		t.Errorf("%s, passed %v", result.Error, r.passed)
	}
}

// TestProxyIsIgnored: an environment's proxy would see the events, and dial where it likes.
func TestProxyIsIgnored(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	for _, c := range []*http.Client{newClient(Options{}).secure, newClient(Options{}).plain} {
		if c.Transport.(*http.Transport).Proxy != nil {
			t.Error("a proxy is used")
		}
		if c.Timeout != 10*time.Second {
			t.Errorf("an attempt takes up to %v", c.Timeout)
		}
	}
}
