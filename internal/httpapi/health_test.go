package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// beats are the heartbeats of a store that answers, or doesn't.
type beats struct {
	last time.Time
	err  error
}

func (b beats) LastBeat(context.Context) (time.Time, error) { return b.last, b.err }

// TestHealth: without a key everybody learns whether the program runs and its store answers, and nothing else, over either transport.
func TestHealth(t *testing.T) {
	w := newWorld(t)
	w.must("beat", second(w.db.Beat(t.Context(), chat.Heartbeat{Host: "a"}, noon, 15*time.Second)))
	broken := beats{err: errors.New("dial tcp 10.0.0.7: refused")}
	api := httpapi.New(w.config)
	for _, c := range []struct {
		name, method, path string
		beats              httpapi.Beats
		status             int
		body               string
	}{
		{"alive", "GET", "/healthz", w.db, 200, `{"status":"ok"}`},
		{"alive without a store", "GET", "/healthz", broken, 200, `{"status":"ok"}`},
		{"ready", "GET", "/readyz", w.db, 200, `{"status":"ok","hostHeardAt":"2026-03-01T12:00:00Z"}`},
		{"no host", "GET", "/readyz", beats{}, 200, `{"status":"degraded","hostHeardAt":null}`},
		{"host heard lately", "GET", "/readyz", beats{last: noon.Add(-30 * time.Second)}, 200, `{"status":"ok","hostHeardAt":"2026-03-01T11:59:30Z"}`},
		{"host away", "GET", "/readyz", beats{last: noon.Add(-31 * time.Second)}, 200, `{"status":"degraded","hostHeardAt":"2026-03-01T11:59:29Z"}`},
		{"store away", "GET", "/readyz", broken, 503, "UNAVAILABLE"},
		{"head", "HEAD", "/readyz", w.db, 200, ""},
		{"head, store away", "HEAD", "/readyz", broken, 503, ""},
		{"options", "OPTIONS", "/readyz", broken, 204, ""},
		{"post", "POST", "/readyz", w.db, 405, "METHOD_NOT_ALLOWED"},
		{"delete", "DELETE", "/healthz", w.db, 405, "METHOD_NOT_ALLOWED"},
	} {
		e := httpapi.Health(httpapi.Deps{Beats: c.beats})
		r := httptest.NewRequest(c.method, c.path, nil)
		recorder := httptest.NewRecorder()
		conforming(t, api.One(e)).ServeHTTP(recorder, r)
		var event events.APIGatewayV2HTTPRequest
		event.RawPath, event.RequestContext.HTTP.Method = c.path, c.method
		payload, err := json.Marshal(event)
		w.must("encode", err)
		b, err := api.Lambda(e).Invoke(t.Context(), payload)
		w.must("invoke", err)
		var over events.APIGatewayV2HTTPResponse
		w.must("decode", json.Unmarshal(b, &over))
		for _, a := range []answer{
			{recorder.Code, recorder.Header(), recorder.Body.Bytes()}, {over.StatusCode, http.Header{}, []byte(over.Body)},
		} {
			if a.status != c.status || (c.body == "") != (len(a.body) == 0) || !strings.Contains(string(a.body), c.body) ||
				strings.HasPrefix(c.body, "{") && string(a.body) != c.body || strings.Contains(string(a.body), "10.0.0.7") {
				t.Errorf("%s: %d %s", c.name, a.status, a.body)
			}
		}
		if c.status == 405 && over.Headers["Allow"] != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: allows %q", c.name, over.Headers["Allow"])
		}
	}
	if !strings.Contains(w.logs.String(), "10.0.0.7") {
		t.Error("the log doesn't say why it isn't ready")
	}
}

func second[T any](_ T, err error) error { return err }
