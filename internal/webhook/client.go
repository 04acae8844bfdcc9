package webhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"pesan/internal/chat"
)

// The bounds of one attempt.
const (
	attemptTime = 10 * time.Second // in all, from looking the name up to the end of the answer
	maxAnswer   = 64 << 10         // bytes of an answer that are read, and of its header
)

// Bounds of a URL.
const (
	maxURL       = 2048
	securePort   = 443
	firstPort    = 1024 // those beneath belong to other protocols, but for securePort
	maxIdle      = 512  // connections that are kept for the next event
	maxIdleEvery = 2    // to one endpoint
	idleTime     = 90 * time.Second
)

// errRefused says that an address is none that webhooks are sent to.
var errRefused = errors.New("the address is not public")

// guard decides about addresses. What isn't known to be public is refused: it follows IANA's registries of special addresses, and
// of IPv6 takes nothing but global unicast, so that forms that wrap an IPv4 address are refused too.
type guard struct {
	public   *ssrf.Guardian
	loopback bool // an operator allows addresses of this machine
}

func newGuard(loopback bool) *guard {
	// Azure's and its like's only service address outside of those registries.
	azure := netip.MustParsePrefix("168.63.129.16/32")
	return &guard{ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(azure)), loopback}
}

// allows tells whether a connection to an address may be made; a plain one, without TLS, only within this machine.
func (g *guard) allows(to netip.AddrPort, plain bool) bool {
	ip := to.Addr()
	if ip.Zone() != "" {
		return false
	}
	if g.loopback && ip.Unmap().IsLoopback() {
		return true
	}
	return !plain && allowedPort(int(to.Port())) && g.public.SafeAddr(ip) == nil
}

func allowedPort(port int) bool { return port == securePort || port >= firstPort && port <= 65535 }

// control is for net.Dialer: it sees each address at the moment of dialing, after every name was looked up.
func (g *guard) control(plain bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" || !g.allows(to, plain) {
			return errRefused
		}
		return nil
	}
}

// client makes requests to the addresses that its guard allows.
type client struct {
	guard         *guard
	secure, plain *http.Client
}

func newClient(o Options) *client {
	c := &client{guard: newGuard(o.Loopback)}
	c.secure, c.plain = c.http(false, o), c.http(true, o)
	return c
}

// http makes a client that follows no redirect, uses no proxy, keeps no cookie, unpacks nothing and speaks HTTP/1.1, which has
// no buffers that a server could fill.
func (c *client) http(plain bool, o Options) *http.Client {
	dialer := &net.Dialer{Control: c.guard.control(plain)}
	if o.tune != nil {
		o.tune(dialer)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		Timeout:       cmp.Or(o.attempt, attemptTime),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: o.tls, Protocols: protocols, DisableCompression: true,
			MaxResponseHeaderBytes: maxAnswer, MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdleEvery, IdleConnTimeout: idleTime,
			WriteBufferSize: 8 << 10, ReadBufferSize: 4 << 10,
		},
	}
}

// do makes a request. The caller closes the answer's body.
func (c *client) do(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return c.plain.Do(r)
	}
	return c.secure.Do(r)
}

// closeIdle closes the connections that are kept.
func (c *client) closeIdle() {
	c.secure.CloseIdleConnections()
	c.plain.CloseIdleConnections()
}

// CheckURL implements chat.HookCaller. It looks nothing up: what a name stands for is seen at each dialing.
func (s *Sender) CheckURL(text string) chat.HookFault { return s.client.check(text) }

func (c *client) check(text string) chat.HookFault {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Host == "" || u.Opaque != "" || u.Fragment != "" ||
		strings.ContainsFunc(text, unprintable) {
		return chat.HookFormFault
	}
	if u.User != nil {
		return chat.HookUserFault
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip, notIP := netip.ParseAddr(host)
	near := c.guard.loopback && (notIP != nil && isLocal(host) || notIP == nil && ip.Unmap().IsLoopback())
	switch u.Scheme {
	case "https":
	case "http":
		if !near {
			return chat.HookSchemeFault
		}
	default:
		return chat.HookSchemeFault
	}
	port := securePort
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return chat.HookPortFault
		}
	}
	switch {
	case near:
		return ""
	case !allowedPort(port):
		return chat.HookPortFault
	case notIP == nil && !c.guard.allows(netip.AddrPortFrom(ip, uint16(port)), false):
		return chat.HookHostFault
	case notIP != nil && !isName(host):
		return chat.HookHostFault
	}
	return ""
}

func unprintable(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }

// isLocal tells whether a name is this machine's own.
func isLocal(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

// isName tells whether a host can be a public name. One whose last label is a number is another writing of an IPv4 address.
func isName(host string) bool {
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	last := labels[len(labels)-1]
	if len(labels) < 2 || len(host) > 253 || isNumber(last) {
		return false
	}
	switch last {
	case "localhost", "local", "internal", "lan", "home", "corp", "intranet", "arpa", "onion", "invalid", "test", "example":
		return false
	}
	return true
}

// isNumber tells whether a label is decimal, octal or hexadecimal.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// reason tells why an attempt failed, in one of the words of chat.HookAttempt.
func reason(ctx context.Context, err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	var alert tls.AlertError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, errRefused):
		return Refused
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.As(err, &dns):
		return NameUnknown
	case errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &header):
		return BadTLS
	}
	return BadConnection
}
