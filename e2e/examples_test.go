package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pesan/internal/httpapi"
	"pesan/internal/testkit/syncbuf"
)

// example reads a file of docs/examples, with some of its texts replaced; each of them must be there.
func example(t *testing.T, name string, replacements ...string) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "docs", "examples", name))
	must(t, err)
	text := string(file)
	for old, new := range pairs(replacements) {
		if !strings.Contains(text, old) {
			t.Fatalf("docs/examples/%s has no %q", name, old)
		}
		text = strings.ReplaceAll(text, old, new)
	}
	return text
}

func pairs(texts []string) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for pair := range slices.Chunk(texts, 2) {
			if !yield(pair[0], pair[1]) {
				return
			}
		}
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// tool is the path of a program; without it the test is skipped, which fails in CI.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s (Debian: apt-get install %s)", name, debian)
	}
	return path
}

// accepts holds that a tool finds nothing wrong.
func accepts(t *testing.T, command ...string) {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// beside runs a program until the test ends.
func beside(t *testing.T, command ...string) {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	out := new(syncbuf.Buffer)
	c.Stdout, c.Stderr = out, out
	must(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%v: %s", command, out)
		}
	})
}

// certificate makes one for a name, and returns the files, and a client that trusts nobody else and finds the name at an address.
func certificate(t *testing.T, name, address string) (certFile, keyFile string, client *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	dir := t.TempDir()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certFile = write(t, filepath.Join(dir, "cert.pem"), string(certPEM))
	keyFile = write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return certFile, keyFile, &http.Client{Transport: transport}
}

const exampleHost = "pesan.example.com"

// TestCaddy and TestNginx: the examples are as their programs take them, and guard what they say.
func TestCaddy(t *testing.T) {
	caddy := tool(t, "caddy", "caddy")
	file := filepath.Join(t.TempDir(), "Caddyfile")
	write(t, file, example(t, "Caddyfile"))
	accepts(t, caddy, "validate", "--adapter", "caddyfile", "--config", file)
	guards(t, func(pesan, operator string) (*http.Client, string) {
		address := freeAddress(t)
		certFile, keyFile, client := certificate(t, exampleHost, address)
		_, port, _ := net.SplitHostPort(address)
		config := "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + example(t, "Caddyfile",
			exampleHost+" {", fmt.Sprintf("https://%s:%s {\n\tbind 127.0.0.1\n\ttls %s %s", exampleHost, port, certFile, keyFile),
			"127.0.0.1:8080", pesan, "192.0.2.7", operator)
		beside(t, caddy, "run", "--adapter", "caddyfile", "--config", write(t, filepath.Join(t.TempDir(), "Caddyfile"), config))
		return client, "https://" + exampleHost + ":" + port
	})
}

func TestNginx(t *testing.T) {
	nginx := tool(t, "nginx", "nginx-light")
	guards(t, func(pesan, operator string) (*http.Client, string) {
		address, dir := freeAddress(t), t.TempDir()
		certFile, keyFile, client := certificate(t, exampleHost, address)
		site := write(t, filepath.Join(dir, "site.conf"), example(t, "nginx.conf", "listen 443 ssl", "listen "+address+" ssl",
			"/etc/letsencrypt/live/pesan.example.com/fullchain.pem", certFile, "/etc/letsencrypt/live/pesan.example.com/privkey.pem", keyFile,
			"http://127.0.0.1:8080", "http://"+pesan, "192.0.2.7", operator))
		temporary := ""
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temporary += fmt.Sprintf("\t%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
		}
		config := write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(
			"daemon off;\nmaster_process off;\npid %s/pid;\nevents {}\nhttp {\n\taccess_log off;\n%s\tinclude %s;\n}\n", dir, temporary, site))
		accepts(t, nginx, "-t", "-e", "stderr", "-p", dir, "-c", config)
		beside(t, nginx, "-e", "stderr", "-p", dir, "-c", config)
		return client, "https://" + exampleHost
	})
}

// guards checks a proxy before a demo: the system's endpoints are the operator's alone, all else passes, and events come one by one.
func guards(t *testing.T, proxy func(pesan, operator string) (*http.Client, string)) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	p := start(t, nil, "demo", "-listen", "127.0.0.1:0")
	key, err := p.find(ctx, regexp.MustCompile(`^API key +(\S+)`))
	must(t, err)
	secret, err := p.find(ctx, regexp.MustCompile(`^system secret +(\S+)`))
	must(t, err)
	pesan, err := p.find(ctx, regexp.MustCompile(`^curl -s http://(\S+)/api/`))
	must(t, err)
	for _, operator := range []string{"192.0.2.7", "127.0.0.1"} {
		client, url := proxy(pesan, operator)
		get := func(path string) (*http.Response, error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
			must(t, err)
			return client.Do(request)
		}
		status := func(path string) (int, bool) {
			response, err := get(path)
			must(t, err)
			response.Body.Close()
			return response.StatusCode, response.Header.Get("X-Request-Id") != ""
		}
		must(t, eventually(ctx, func() error { response, err := get("/healthz"); return closed(response, err) }))
		for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
			for _, path := range []string{"/api/" + e.Name, "/api/" + e.Name + "/"} {
				got, passed := status(path)
				if guarded := e.Auth == httpapi.BySecret && operator != "127.0.0.1"; passed == guarded {
					t.Errorf("%s is answered %d, by Pesan: %v", path, got, passed)
				}
			}
		}
		for _, path := range []string{"/", "/docs", "/readyz", "/api/getChats?apiKey=" + key} {
			if got, _ := status(path); got != http.StatusOK {
				t.Errorf("%s is answered %d", path, got)
			}
		}
		for _, path := range []string{"/api/listDevice", "/api/%6cistDevice", "/api/./listDevice", "//api/listDevice", "/x/../api/listDevice"} {
			if got, _ := status(path + "?secret=" + secret); got == http.StatusOK && operator != "127.0.0.1" ||
				got != http.StatusOK && operator == "127.0.0.1" && path == "/api/listDevice" {
				t.Errorf("%s is answered %d where %s operates", path, got, operator)
			}
		}
		events, err := get("/api/events?apiKey=" + key)
		must(t, err)
		lines := bufio.NewScanner(events.Body)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
		}
		if err := lines.Err(); err != nil || !strings.HasPrefix(lines.Text(), "data:") {
			t.Errorf("events end with %q, %v", lines.Text(), err)
		}
		events.Body.Close()
	}
}

func closed(response *http.Response, err error) error {
	if err == nil {
		response.Body.Close()
	}
	return err
}

// eventually tries until it goes well.
func eventually(ctx context.Context, try func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// TestService: systemd takes the unit, and the program what the unit starts it with.
func TestService(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "systemd")
	unit := filepath.Join(t.TempDir(), "pesan.service")
	write(t, unit, example(t, "pesan.service", "/usr/local/bin/pesan", binary))
	accepts(t, analyze, "verify", "--man=no", unit)
	text := example(t, "pesan.service", "/usr/local/bin/pesan ", "", "127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:9090", "127.0.0.1:0",
		"/var/lib/pesan", t.TempDir())
	command := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(text)
	if command == nil {
		t.Fatal("the unit starts nothing")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	nobody := []string{"WHATSAPP_ADDRESS=127.0.0.1:1", "WHATSAPP_ROOT_KEY=" + strings.Repeat("00", 32)}
	p := start(t, nobody, strings.Fields(command[1])...)
	_, err := p.find(ctx, regexp.MustCompile(`^ *curl -s http://127`))
	must(t, err)
}
