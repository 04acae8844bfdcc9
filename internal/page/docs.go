package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5/static"
	"github.com/swaggest/swgui/v5emb"
	"go.yaml.in/yaml/v3"

	"pesan"
)

// The paths of the API's description, of a page that shows it and makes calls, and of that page's files.
const (
	Description = "/openapi.json"
	Docs        = "/docs"
)

// isDocs tells whether a path is one of those.
func isDocs(path string) bool {
	return path == Description || path == Docs || strings.HasPrefix(path, Docs+"/")
}

// docs are the files at those paths, made by the first call that asks for one. All of them are in the program, so they work
// offline, and their policy lets nothing in from elsewhere.
var docs = sync.OnceValues(func() (map[string]file, error) {
	var all map[string]any
	if err := yaml.Unmarshal(pesan.OpenAPI, &all); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	description, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	show := v5emb.NewHandlerWithConfig(swgui.Config{Title: "Pesan", SwaggerJSON: Description, BasePath: Docs + "/"})
	var text written
	show.ServeHTTP(&text, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: Docs + "/"}})
	policy := docsPolicy(text.Bytes())
	shown := newFile(index, text.Bytes(), policy)
	files := map[string]file{Description: newFile(Description, description, policy), Docs: shown, Docs + "/": shown}
	parts, err := fs.Glob(static.FS, "*.*")
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		f, err := readPart(part, policy)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", part, err)
		}
		files[Docs+"/"+strings.TrimSuffix(part, ".gz")] = f
	}
	return files, nil
})

// readPart reads a file that is kept compressed, or as it is.
func readPart(part, policy string) (file, error) {
	content, err := fs.ReadFile(static.FS, part)
	name, zipped := strings.CutSuffix(part, ".gz")
	if err != nil || !zipped {
		return newFile(part, content, policy), err
	}
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return file{}, err
	}
	plain, err := io.ReadAll(r)
	return zippedFile(name, plain, func() []byte { return content }, policy), err
}

// written is an answer's body.
type written struct{ bytes.Buffer }

func (*written) Header() http.Header { return http.Header{} }
func (*written) WriteHeader(int)     {}

// inline finds what a page carries of scripts and styles.
var inline = regexp.MustCompile(`(?s)<(script|style)>(.*?)</(?:script|style)>`)

// docsPolicy allows what is served here, and what the page carries by its hash.
func docsPolicy(page []byte) string {
	hashes := map[string]string{}
	for _, part := range inline.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(part[2])
		hashes[string(part[1])] += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join([]string{
		"default-src 'none'", "connect-src 'self'", "img-src 'self' data:",
		"script-src 'self'" + hashes["script"], "style-src 'self'" + hashes["style"],
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
}
