package httpapi_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pesan/internal/httpapi"
)

// TestEndpointsAreWhole names what an endpoint still lacks outside of this package, and what has no endpoint any more.
func TestEndpointsAreWhole(t *testing.T) {
	read := func(names ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, names...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	functions, err := os.ReadDir(filepath.Join("..", "..", "functions"))
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]bool{"deliver-webhook": true, "unknown-endpoint": true, "page": true, "health": true, "mcp": true}
	template, rights, document, readme := read("template.yaml"), read("docs", "rights.txt"), read("openapi.yaml"), read("README.md")
	rows := regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(readme, -1)
	for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
		folders[e.Folder()] = true
		lacks := func(what string, has bool) {
			if !has {
				t.Errorf("%s lacks %s", e.Name, what)
			}
		}
		main, err := os.ReadFile(filepath.Join("..", "..", "functions", e.Folder(), "main.go"))
		lacks("its function functions/"+e.Folder()+"/main.go", err == nil)
		if commands := slices.Contains(e.Needs, httpapi.Commands) || slices.Contains(e.Needs, httpapi.Sending); commands != strings.Contains(string(main), "commander.Wire") {
			t.Errorf("functions/%s/main.go is wired to send commands: %v; %s sends some: %v", e.Folder(), !commands, e.Name, commands)
		}
		if calls := slices.Contains(e.Needs, httpapi.Caller); calls != strings.Contains(string(main), "caller.Wire") {
			t.Errorf("functions/%s/main.go is wired to call endpoints: %v; %s calls some: %v", e.Folder(), !calls, e.Name, calls)
		}
		if system := e.Auth == httpapi.BySecret; system != strings.Contains(string(main), "secret.Wire") {
			t.Errorf("functions/%s/main.go reads the secret: %v; %s is opened by it: %v", e.Folder(), !system, e.Name, system)
		}
		lacks("its block in template.yaml: a function of CodeUri dist/"+e.Folder(), strings.Contains(template, "dist/"+e.Folder()))
		lacks("its route in template.yaml: Path /api/"+e.Name, regexp.MustCompile(`/api/`+e.Name+`\b`).MatchString(template))
		lacks("its rights in docs/rights.txt: lines of "+role(e), regexp.MustCompile(`(?m)^`+role(e)+` `).MatchString(rights))
		lacks("its path in openapi.yaml: /api/"+e.Name, regexp.MustCompile(`(?m)^  /api/`+e.Name+`:`).MatchString(document))
		lacks("its row in README.md: a line | `"+e.Name+"` | …", slices.ContainsFunc(rows, func(row []string) bool {
			return strings.Contains(row[1], "`"+e.Name+"`")
		}))
		lacks("something that opens it", e.Auth == httpapi.ByKey || e.Auth == httpapi.BySecret)
		lacks("a group", e.Group != "")
		for _, p := range e.Example {
			name, _, _ := strings.Cut(p, "=")
			lacks("the parameter "+name+" of its example", slices.Contains(e.Params, name))
		}
	}
	for _, f := range functions {
		if !folders[f.Name()] {
			t.Errorf("functions/%s has no endpoint", f.Name())
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^  /api/(\w+):`).FindAllStringSubmatch(document, -1) {
		if _, ok := httpapi.Find(httpapi.Endpoints(httpapi.Deps{}), m[1]); !ok {
			t.Errorf("openapi.yaml has /api/%s, which is no endpoint", m[1])
		}
	}
}

// role is the name of an endpoint's function in template.yaml and docs/rights.txt.
func role(e httpapi.Endpoint) string {
	var b strings.Builder
	for part := range strings.SplitSeq(e.Folder(), "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
