package httpapi_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pesan/internal/httpapi"
)

// eventFolder has an event for each function, as API Gateway sends it, for `sam local invoke`.
const eventFolder = "../../events"

// eventOf is the golden call as an event. KEY stands for an account's key, SECRET for the system's.
func eventOf(a ask) []byte {
	path, headers := "/api/"+a.endpoint, map[string]string{"host": "localhost", "accept": "application/json"}
	for name, value := range a.headers() {
		headers[strings.ToLower(name)] = value
	}
	r := map[string]any{
		"version": "2.0", "routeKey": "ANY " + path, "rawPath": path, "rawQueryString": a.query, "headers": headers,
		"requestContext": map[string]any{
			"requestId": "request-1", "stage": "$default", "routeKey": "ANY " + path,
			"http": map[string]string{"method": cmp.Or(a.method, http.MethodPost), "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
		},
		"body": strings.ReplaceAll(a.body, secret, "SECRET"), "isBase64Encoded": false,
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		panic(err) // texts always marshal
	}
	return out.Bytes()
}

// TestGoldenEvents: every endpoint has its event, made of its golden call; its function answers the event as the golden answer says.
func TestGoldenEvents(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(eventFolder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	stale := map[string]bool{}
	for _, file := range files {
		stale[filepath.Base(file)] = true
	}
	for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
		t.Run(e.Name, func(t *testing.T) {
			delete(stale, e.Name+".json")
			for _, g := range goldens {
				if g.name != e.Name {
					continue
				}
				w := newWorld(t)
				w.seed()
				if g.before != nil {
					g.before(w)
				}
				file := filepath.Join(eventFolder, e.Name+".json")
				if *update {
					w.must("write", os.WriteFile(file, eventOf(g.ask), 0o644))
				}
				event, err := os.ReadFile(file)
				w.must("read event", err)
				if !bytes.Equal(event, eventOf(g.ask)) {
					t.Errorf("%s isn't the golden call; go test ./internal/httpapi -run Events -update", file)
				}
				filled := strings.NewReplacer("KEY", w.tokoKey, "SECRET", secret).Replace(string(event))
				b, err := httpapi.New(w.config).Lambda(endpoint(e.Name, w.deps)).Invoke(t.Context(), []byte(filled))
				w.must("invoke", err)
				var r events.APIGatewayV2HTTPResponse
				w.must("decode response", json.Unmarshal(b, &r))
				if r.StatusCode != max(g.status, http.StatusOK) {
					t.Errorf("answers %d: %s", r.StatusCode, r.Body)
				}
				w.compare(filepath.Join("testdata", g.name+".json"), w.normal([]byte(r.Body)))
				return
			}
			t.Error("has no golden call")
		})
	}
	for file := range stale {
		t.Errorf("events/%s is of no endpoint", file)
	}
}
