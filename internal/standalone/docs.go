package standalone

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
	"go.yaml.in/yaml/v3"

	"pesan"
)

// description is openapi.yaml as JSON, made by the first call that asks for it.
var description = sync.OnceValues(func() ([]byte, error) {
	var all map[string]any
	if err := yaml.Unmarshal(pesan.OpenAPI, &all); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return json.Marshal(all)
})

// describe serves openapi.yaml at /openapi.json, and at /docs a page that shows it and makes calls. All of the page is in the
// program: it works offline, and its policy lets nothing in from elsewhere.
func describe(mux *http.ServeMux) {
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		b, err := description()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b) // a client that has gone needs no answer
	})
	page := v5emb.NewHandlerWithConfig(swgui.Config{Title: "Pesan", SwaggerJSON: "/openapi.json", BasePath: "/docs/"})
	policy := sync.OnceValue(func() string { return contentPolicy(page) })
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy())
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		page.ServeHTTP(w, r)
	})
	mux.Handle("GET /docs", show)
	mux.Handle("GET /docs/", show)
}

// pageText is an answer's body.
type pageText struct{ bytes.Buffer }

func (*pageText) Header() http.Header { return http.Header{} }
func (*pageText) WriteHeader(int)     {}

// inline finds what a page carries of scripts and styles.
var inline = regexp.MustCompile(`(?s)<(script|style)>(.*?)</(?:script|style)>`)

// contentPolicy allows what is served here, and what the page carries by its hash.
func contentPolicy(page http.Handler) string {
	var text pageText
	page.ServeHTTP(&text, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/docs/"}})
	hashes := map[string]string{}
	for _, part := range inline.FindAllStringSubmatch(text.String(), -1) {
		sum := sha256.Sum256([]byte(part[2]))
		hashes[part[1]] += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join([]string{
		"default-src 'none'", "connect-src 'self'", "img-src 'self' data:",
		"script-src 'self'" + hashes["script"], "style-src 'self'" + hashes["style"],
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
}
