package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// node is a part of openapi.yaml.
type node map[string]any

// at follows names; a reference on the way is followed too.
func (n node) at(t *testing.T, names ...string) node {
	t.Helper()
	here := n
	for _, name := range names {
		next, ok := here[name].(node)
		if !ok {
			t.Fatalf("openapi.yaml has no %s in %s", name, strings.Join(names, " / "))
		}
		if ref, ok := next["$ref"].(string); ok {
			next = n.at(t, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		here = next
	}
	return here
}

func openapi(t *testing.T) node {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all node
	if err := yaml.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOpenAPI holds that openapi.yaml has every endpoint, method and parameter, and no other.
func TestOpenAPI(t *testing.T) {
	all := openapi(t)
	w := newWorld(t)
	paths := maps.Clone(all.at(t, "paths"))
	for _, e := range w.endpoints() {
		path := "/api/" + e.Name
		operations := all.at(t, "paths", path)
		delete(paths, path)
		credential := "apiKey"
		if e.Auth == httpapi.BySecret {
			credential = "secret"
		}
		for method := range operations {
			want := slices.Clone(e.Params)
			if method == "post" { // else it is a security scheme
				want = append(want, credential)
			}
			slices.Sort(want)
			if !slices.Contains(e.Methods, strings.ToUpper(method)) {
				t.Errorf("%s %s isn't served", method, path)
			}
			if security := fmt.Sprint(operations[method].(node)["security"]); e.Auth == httpapi.ByKey &&
				security != fmt.Sprintf("[map[apiKey:[%s]] map[bearer:[%[1]s]] map[apiKeyInQuery:[%[1]s]]]", e.Scope()) {
				t.Errorf("%s %s has the security %s, want scope %s", method, path, security, e.Scope())
			}
			all.at(t, "paths", path, method, "responses", "200")
			all.at(t, "paths", path, method, "responses", "default")
			var have []string
			if method == "post" {
				for content := range all.at(t, "paths", path, method, "requestBody")["content"].(node) {
					body := all.at(t, "components", "requestBodies", strings.ToUpper(e.Name[:1])+e.Name[1:]+"Body")
					schema := all.at(t, strings.Split(body.at(t, "content", content)["schema"].(node)["$ref"].(string)[2:], "/")...)
					if schema["type"] == "string" {
						continue // a file, with the parameters in the query
					}
					have = slices.Sorted(maps.Keys(schema["properties"].(node)))
					have = slices.DeleteFunc(have, func(name string) bool { return schema["properties"].(node)[name].(node)["format"] == "binary" })
					if !slices.Equal(have, want) {
						t.Errorf("%s %s has %v in %s, want %v", method, path, have, content, want)
					}
					if schema["required"] != nil && body["required"] != true {
						t.Errorf("%s %s needs no body, but what stands in it", method, path)
					}
				}
			} else {
				parameters, _ := operations[method].(node)["parameters"].([]any)
				for _, p := range parameters {
					parameter := all.at(t, strings.Split(p.(node)["$ref"].(string)[2:], "/")...)
					if parameter["in"] == "query" {
						have = append(have, parameter["name"].(string))
					}
				}
				slices.Sort(have)
			}
			if method != "post" && !slices.Equal(have, want) {
				t.Errorf("%s %s has %v, want %v", method, path, have, want)
			}
		}
		for _, method := range e.Methods {
			if method != "HEAD" && operations[strings.ToLower(method)] == nil {
				t.Errorf("%s %s is missing", method, path)
			}
		}
	}
	for _, path := range httpapi.HealthPaths {
		for method := range all.at(t, "paths", path) {
			if !slices.Contains(httpapi.Health(w.deps).Methods, strings.ToUpper(method)) {
				t.Errorf("%s %s isn't served", method, path)
			}
		}
		delete(paths, path)
	}
	for path := range paths {
		t.Errorf("%s is not served", path)
	}
}

// TestOpenAPICodes holds that openapi.yaml shows every error as it is answered, and no other.
func TestOpenAPICodes(t *testing.T) {
	all := openapi(t)
	examples := maps.Clone(all.at(t, "components", "responses", "Failure", "content", "application/json", "examples"))
	for _, code := range codes(t) {
		example := fmt.Sprint(examples[string(code)])
		want := fmt.Sprintf("code:%d error:%s message:", httpapi.Status(code), code)
		if !strings.Contains(example, want) {
			t.Errorf("%s is %v, want %s", code, example, want)
		}
		delete(examples, string(code))
	}
	for code := range examples {
		t.Errorf("%s is no code", code)
	}
}

// codes are all codes of the domain, as its source has them.
func codes(t *testing.T) (all []chat.Code) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "chat", "error.go"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		if _, value, ok := strings.Cut(line, `Code = "`); ok {
			code, _, _ := strings.Cut(value, `"`)
			all = append(all, chat.Code(code))
		}
	}
	if len(all) < 20 {
		t.Fatalf("codes %v", all)
	}
	return all
}

// TestOpenAPIExamples holds that an endpoint's example has the keys that its golden answer has, down to the results, and that a cursor
// in it is one.
func TestOpenAPIExamples(t *testing.T) {
	all := openapi(t)
	w := newWorld(t)
	w.seed()
	withBatch(w)
	for _, e := range w.endpoints() {
		file, err := os.ReadFile(filepath.Join("testdata", e.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var golden map[string]any
		if err := json.Unmarshal(file, &golden); err != nil {
			t.Fatal(err)
		}
		response := all.at(t, "components", "responses", strings.ToUpper(e.Name[:1])+e.Name[1:], "content", "application/json")
		example := response["example"].(node)
		schema := all.at(t, "components", "responses", strings.ToUpper(e.Name[:1])+e.Name[1:], "content", "application/json", "schema", "properties")
		for key, value := range golden {
			if schema[key] == nil || example[key] == nil {
				t.Errorf("%s: %s is missing", e.Name, key)
			}
			if reflectKind(value) != reflectKind(example[key]) {
				t.Errorf("%s: %s is %T, want %T", e.Name, key, example[key], value)
			}
		}
		if cursor, ok := example["nextCursor"].(string); ok {
			body := "apiKey=" + w.tokoKey + "&phone=081234567890&cursor=" + cursor
			if code := w.code(overHTTP(w, ask{endpoint: e.Name, body: body})); code != "" {
				t.Errorf("%s: the example's nextCursor is answered %s", e.Name, code)
			}
		}
		for key := range example {
			if golden[key] == nil && key != "nextCursor" {
				t.Errorf("%s: %s isn't answered", e.Name, key)
			}
		}
	}
}

func reflectKind(v any) string {
	switch v.(type) {
	case map[string]any, node:
		return "object"
	case []any:
		return "array"
	case float64, int:
		return "number"
	}
	return fmt.Sprintf("%T", v)
}

// TestLinks holds that what a function links is free of what only a host needs.
func TestLinks(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, banned := range []string{"whatsmeow", "libsignal", "protobuf", "phonenumbers", "sqlite", "golang.org/x/text/language"} {
		if strings.Contains(string(out), banned) {
			t.Errorf("httpapi links %s", banned)
		}
	}
}
