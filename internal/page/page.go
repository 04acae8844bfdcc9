// Package page is the web page of the API: files that go into the program as they are written, and the answers with them, for
// net/http and for Lambda.
//
// # Promise
//
// The page loads nothing from elsewhere, runs no script but its own, and can't be framed: the policy in each answer says so to
// the browser. It holds no data and knows no key; what it shows it asks the API for, as any client does.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets
var assets embed.FS

// policy lets the page load its own files, call its own API, and show the pictures that messages carry.
var policy = strings.Join([]string{
	"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:", "media-src blob:",
	"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
}, "; ")

// Page answers with its files, and with those that describe the API.
type Page struct {
	files map[string]file // by path
}

type file struct {
	kind   string // media type
	tag    string // as in ETag
	fixed  bool   // its path changes with what it holds
	policy string // what a browser may do with it
	zipped func() []byte
	plain  []byte
}

// prefix of the files beside the page itself, before the version that all of them have together.
const prefix = "/page/"

// New reads the page's files.
func New() *Page {
	folder, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // they are in the program
	}
	names, err := fs.Glob(folder, "*")
	if err != nil {
		panic(err)
	}
	contents, all := map[string][]byte{}, sha256.New()
	for _, name := range names {
		if contents[name], err = fs.ReadFile(folder, name); err != nil {
			panic(err)
		}
		all.Write(contents[name])
	}
	version := hex.EncodeToString(all.Sum(nil)[:6])
	p := &Page{files: map[string]file{}}
	var modules strings.Builder
	for _, name := range names {
		if path.Ext(name) == ".js" {
			modules.WriteString(`<link rel="modulepreload" href="page/` + version + "/" + name + "\">\n")
		}
		if name != index {
			f := newFile(name, contents[name], policy)
			f.fixed = true
			p.files[prefix+version+"/"+name] = f
		}
	}
	text := strings.NewReplacer("{version}", version, "{modules}", modules.String()).Replace(string(contents[index]))
	p.files["/"] = newFile(index, []byte(text), policy)
	return p
}

// Paths are those that a Page answers, as net/http's patterns.
var Paths = []string{"/{$}", prefix, Description, Docs, Docs + "/"}

const index = "index.html"

// kinds are media types, which systems don't agree on.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json",
}

// newFile compresses a file when it is first asked for: all of them would take a quarter of the program's start.
func newFile(name string, content []byte, policy string) file {
	return zippedFile(name, content, sync.OnceValue(func() []byte {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one
		_, _ = w.Write(content)                               // nor does a buffer fail
		_ = w.Close()
		return b.Bytes()
	}), policy)
}

func zippedFile(name string, plain []byte, zipped func() []byte, policy string) file {
	sum := sha256.Sum256(plain)
	return file{kind: kinds[path.Ext(name)], tag: `"` + hex.EncodeToString(sum[:8]) + `"`, plain: plain, zipped: zipped,
		policy: policy}
}

// answer is what a call is answered.
type answer struct {
	status int
	header map[string]string
	body   []byte
	zipped bool
}

// answer answers a call for a path.
func (p *Page) answer(method, path string, header func(string) string) answer {
	f, ok := p.files[path]
	if isDocs(path) {
		files, err := docs()
		if err != nil {
			panic(err) // they are in the program
		}
		f, ok = files[path]
	}
	switch {
	case !ok:
		return answer{status: http.StatusNotFound, header: map[string]string{"Cache-Control": "no-store"}}
	case method != http.MethodGet && method != http.MethodHead:
		return answer{status: http.StatusMethodNotAllowed, header: map[string]string{"Allow": "GET, HEAD"}}
	}
	a := answer{status: http.StatusOK, header: map[string]string{
		"Content-Type": f.kind, "ETag": f.tag, "Vary": "Accept-Encoding", "Cache-Control": "no-cache",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": f.policy,
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	}}
	if f.fixed {
		a.header["Cache-Control"] = "public, max-age=31536000, immutable"
	}
	if header("If-None-Match") == f.tag {
		a.status = http.StatusNotModified
		return a
	}
	a.body = f.plain
	if strings.Contains(header("Accept-Encoding"), "gzip") {
		a.body, a.zipped = f.zipped(), true
		a.header["Content-Encoding"] = "gzip"
	}
	return a
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := p.answer(r.Method, r.URL.Path, r.Header.Get)
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // a client that has gone needs no answer
	}
}
