// Package browser drives a real Chromium for tests. It reaches nothing but loopback: every name is mapped there or not at all.
package browser

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Options of a browser. The zero value is good.
type Options struct {
	Sites     []*Site
	Extension string   // folder of an unpacked extension
	Languages string   // such as "id-ID"; "en-US" if empty
	Flags     []string // more of Chromium's, without their dashes
}

// programs are the names under which systems have it.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// New starts a browser with an empty profile and returns the context of its first tab. It ends with the test or with ctx. Without
// Chromium the test is skipped, or fails where CI=true.
func New(ctx context.Context, t testing.TB, o Options) context.Context {
	t.Helper()
	program := os.Getenv("CHROMIUM")
	for _, name := range programs {
		if program == "" {
			program, _ = exec.LookPath(name)
		}
	}
	if program == "" {
		hint := "needs Chromium: install it (Debian: apt-get install chromium), or name it by CHROMIUM"
		if os.Getenv("CI") == "true" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	if o.Languages == "" {
		o.Languages = "en-US"
	}
	rules := []string{"MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1", "EXCLUDE localhost"}
	var pins []string
	for _, site := range o.Sites {
		rules = append([]string{"MAP " + site.Name + " " + site.server.Listener.Addr().String()}, rules...)
		pins = append(pins, site.pin)
	}
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true), chromedp.Flag("no-pings", true), chromedp.Flag("lang", o.Languages),
		chromedp.Flag("accept-lang", o.Languages), chromedp.Env("LANGUAGE="+strings.ReplaceAll(o.Languages, "-", "_")),
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ", ")), chromedp.WSURLReadTimeout(time.Minute),
	)
	if len(pins) > 0 {
		flags = append(flags, chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(pins, ",")))
	}
	if o.Extension != "" {
		flags = append(flags, chromedp.Flag("disable-extensions", false), chromedp.Flag("disable-extensions-except", o.Extension),
			chromedp.Flag("load-extension", o.Extension), chromedp.Flag("disable-features", "DisableLoadExtensionCommandLineSwitch"))
	}
	for _, flag := range o.Flags {
		name, value, valued := strings.Cut(flag, "=")
		if valued {
			flags = append(flags, chromedp.Flag(name, value))
		} else {
			flags = append(flags, chromedp.Flag(name, true))
		}
	}
	allocator, end := chromedp.NewExecAllocator(ctx, flags...)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(tab) // waits for the process
		cancel()
		end()
	})
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return tab
}

// Site is an HTTPS site on loopback under a name of the world's.
type Site struct {
	Name   string // such as web.whatsapp.com
	server *httptest.Server
	pin    string // of its key, which the browser trusts
}

// Serve starts a site. It ends with the test.
func Serve(t testing.TB, name string, h http.Handler) *Site {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(public)
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &Site{Name: name, server: server, pin: base64.StdEncoding.EncodeToString(sum[:])}
}
