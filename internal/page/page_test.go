package page

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, p http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	p.ServeHTTP(recorder, r)
	return recorder.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var address = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

// TestFiles: the page names all its files and none of another site, each under the policy, and together they are small.
func TestFiles(t *testing.T) {
	p := New()
	size, paths := 0, []string{"/"}
	for _, found := range address.FindAllStringSubmatch(body(t, get(t, p, "GET", "/").Body), -1) {
		paths = append(paths, "/"+found[1])
	}
	seen := map[string]bool{}
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		r := get(t, p, "GET", path, "Accept-Encoding", "br, gzip")
		if r.StatusCode != 200 || r.Header.Get("Content-Security-Policy") != policy || r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			r.Header.Get("Content-Type") == "" || r.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
			continue
		}
		zipped := body(t, r.Body)
		size += len(zipped)
		unzip, err := gzip.NewReader(strings.NewReader(zipped))
		if err != nil {
			t.Fatal(err)
		}
		plain := body(t, get(t, p, "GET", path).Body)
		if body(t, unzip) != plain || plain == "" {
			t.Errorf("%s isn't the same compressed", path)
		}
		if fixed := strings.Contains(r.Header.Get("Cache-Control"), "immutable"); fixed == (path == "/") {
			t.Errorf("%s: Cache-Control: %s", path, r.Header.Get("Cache-Control"))
		}
		if again := get(t, p, "GET", path, "If-None-Match", r.Header.Get("ETag")); again.StatusCode != 304 || body(t, again.Body) != "" {
			t.Errorf("%s: an unchanged file is answered %d", path, again.StatusCode)
		}
	}
	if len(seen) != len(p.files) {
		t.Errorf("the page names %d of %d files", len(seen), len(p.files))
	}
	if size > 150_000 {
		t.Errorf("the page has %d bytes", size)
	}
	t.Logf("%d files, %d bytes compressed", len(seen), size)
}

// TestPolicy: nothing in the page's files needs what the policy forbids, and what would make markup of texts isn't there.
func TestPolicy(t *testing.T) {
	if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy %s", policy)
	}
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|<script>|<style| style="|(?:src|href)="https?:`)
	for path, f := range New().files {
		if found := forbidden.Find(f.plain); found != nil {
			t.Errorf("%s has %s", path, found)
		}
	}
}

// TestOthers: other paths and methods are refused.
func TestOthers(t *testing.T) {
	p := New()
	for call, want := range map[string]int{
		"HEAD /": 200, "POST /": 405, "DELETE /": 405, "GET /index.html": 404, "GET /page/": 404, "GET /page/000000000000/main.js": 404,
		"GET /page/../page.go": 404,
	} {
		method, path, _ := strings.Cut(call, " ")
		if r := get(t, p, method, path); r.StatusCode != want || want != 200 && body(t, r.Body) != "" {
			t.Errorf("%s is answered %d", call, r.StatusCode)
		}
	}
	if b := body(t, get(t, p, "HEAD", "/").Body); b != "" {
		t.Errorf("HEAD is answered %q", b)
	}
}

// TestLambda: a function gives the same answers, as API Gateway wants them.
func TestLambda(t *testing.T) {
	p := New()
	for _, path := range []string{"/", "/none"} {
		event, _ := json.Marshal(map[string]any{
			"rawPath": path, "headers": map[string]string{"accept-encoding": "gzip"}, "requestContext": map[string]any{"http": map[string]string{"method": "GET"}},
		})
		b, err := p.Invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			StatusCode      int
			Headers         map[string]string
			Body            string
			IsBase64Encoded bool
		}
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatal(err)
		}
		content, err := base64.StdEncoding.DecodeString(a.Body)
		want := get(t, p, "GET", path, "Accept-Encoding", "gzip")
		if err != nil || !a.IsBase64Encoded || a.StatusCode != want.StatusCode || string(content) != body(t, want.Body) || len(a.Headers) != len(want.Header) {
			t.Errorf("%s is answered %d %v, %v", path, a.StatusCode, a.Headers, err)
		}
	}
	if _, err := p.Invoke(t.Context(), []byte("{")); err == nil {
		t.Error("half an event is answered")
	}
}

// TestWords: every text that the scripts ask for by name is there.
func TestWords(t *testing.T) {
	p := New()
	have := map[string]bool{}
	for path, f := range p.files {
		if strings.HasSuffix(path, "/words.js") {
			for _, found := range regexp.MustCompile(`(?m)^  (\w+): \[`).FindAllSubmatch(f.plain, -1) {
				if have[string(found[1])] {
					t.Errorf("%s is there twice", found[1])
				}
				have[string(found[1])] = true
			}
		}
	}
	for path, f := range p.files {
		for _, found := range regexp.MustCompile(`\bt\('(\w+)'[,)]`).FindAllSubmatch(f.plain, -1) {
			if !have[string(found[1])] {
				t.Errorf("%s asks for %s, which has no words", path, found[1])
			}
		}
	}
	// An act has its name, and what is said when it is done.
	for path, f := range p.files {
		_, rest, ok := strings.Cut(string(f.plain), "\nconst acts = {\n")
		if !ok || !strings.HasSuffix(path, "/acts.js") {
			continue
		}
		list, _, _ := strings.Cut(rest, "\n}\n")
		acts := regexp.MustCompile(`(?m)^  (\w+): \{`).FindAllStringSubmatch(list, -1)
		for _, act := range acts {
			if !have[act[1]] || !have["did_"+act[1]] {
				t.Errorf("the act %s lacks words", act[1])
			}
		}
		if len(acts) < 10 {
			t.Errorf("there are %d acts", len(acts))
		}
	}
	if len(have) < 100 {
		t.Errorf("there are %d texts", len(have))
	}
}
