package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// described is openapi.yaml, with its references followed.
var described = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "openapi.yaml"))
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	for _, r := range doc.Components.Responses {
		for _, media := range r.Value.Content {
			closeSchema(media.Schema)
		}
	}
	return doc, nil
})

// closeSchema lets the objects of a schema have no members but those that it names, so that one that it forgets is noticed.
// Clients are to expect new ones, which is why openapi.yaml leaves its schemas open.
func closeSchema(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value.AdditionalProperties.Has != nil {
		return
	}
	s := ref.Value
	if len(s.Properties) > 0 && s.AdditionalProperties.Schema == nil {
		none := false
		s.AdditionalProperties.Has = &none
	}
	closeSchema(s.Items)
	for _, next := range slices.Concat(slices.Collect(maps.Values(s.Properties)), s.OneOf, s.AnyOf) {
		closeSchema(next)
	}
}

// conforming passes calls on to a handler, and fails the test where an answer isn't what openapi.yaml says.
func conforming(t testing.TB, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		a := answer{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
		if err := conforms(r, a); err != nil {
			t.Errorf("%s %s answers %d %.2000s, which openapi.yaml does not describe: %v",
				r.Method, r.URL.Path, a.status, a.body, err)
		}
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // a recorder takes it, and a client that has gone needs no answer
	})
}

// conforms holds an answer against what openapi.yaml says of the operation; calls that no operation is for are answered as
// every operation's failures are.
func conforms(r *http.Request, a answer) error {
	if r.Method == http.MethodOptions && a.status == http.StatusNoContent {
		return nil // of CORS, which isn't part of an API's description
	}
	doc, err := described()
	if err != nil {
		return err
	}
	body := io.Reader(bytes.NewReader(a.body))
	if a.header.Get("Content-Encoding") == "gzip" && r.Method != http.MethodHead {
		if body, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // by the rules of HTTP, without the body
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	var operation *openapi3.Operation
	if item := doc.Paths.Value(path); item != nil {
		operation = item.GetOperation(method)
	}
	if operation == nil {
		failure := openapi3.WithName("default", doc.Components.Responses["Failure"].Value)
		operation = &openapi3.Operation{Responses: openapi3.NewResponses(failure)}
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r.Clone(r.Context()),
			Route:   &routers.Route{Spec: doc, Path: path, Method: method, Operation: operation},
		},
		Status: a.status, Header: a.header, Body: io.NopCloser(body),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, ExcludeResponseBody: r.Method == http.MethodHead, MultiError: true,
		},
	}
	input.RequestValidationInput.Request.Method = method // with HEAD, nothing at all would be looked at
	return openapi3filter.ValidateResponse(r.Context(), input)
}

// TestConforms holds that an answer that openapi.yaml does not describe is noticed.
func TestConforms(t *testing.T) {
	ok := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"1"}}
	failure := `{"code":404,"error":"CHAT_NOT_FOUND","message":"Chat tidak ditemukan."}`
	for _, c := range []struct {
		name, method, path string
		status             int
		header             http.Header
		body               string
		described          bool
	}{
		{"answer", "GET", "/api/getChats", 200, ok, `{"code":200,"results":[],"asOf":null,"state":"CONNECTED"}`, true},
		{"missing member", "GET", "/api/getChats", 200, ok, `{"code":200,"results":[],"asOf":null}`, false},
		{"unknown member", "GET", "/api/getChats", 200, ok, `{"code":200,"results":[],"asOf":null,"state":"CONNECTED","x":1}`, false},
		{"other type", "GET", "/api/getChats", 200, ok, `{"code":200,"results":{},"asOf":null,"state":"CONNECTED"}`, false},
		{"other media type", "GET", "/api/getChats", 200, http.Header{"Content-Type": {"text/html"}}, `{}`, false},
		{"no JSON", "GET", "/api/getChats", 200, ok, `{`, false},
		{"failure", "POST", "/api/getChatById", 404, ok, failure, true},
		{"failure without message", "POST", "/api/getChatById", 404, ok, `{"code":404,"error":"CHAT_NOT_FOUND"}`, false},
		{"no such operation", "PUT", "/api/getChatById", 404, ok, failure, true},
		{"no such path, but success", "GET", "/api/nothing", 200, ok, `{}`, false},
	} {
		err := conforms(httptest.NewRequest(c.method, c.path, nil), answer{c.status, c.header, []byte(c.body)})
		if (err == nil) != c.described {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
