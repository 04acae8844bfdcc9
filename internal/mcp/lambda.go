package mcp

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Invoke answers an event of API Gateway's HTTP API, payload format 2.0. It implements lambda.Handler.
func (s *Server) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event struct {
		RawPath        string            `json:"rawPath"`
		Headers        map[string]string `json:"headers"`
		Body           string            `json:"body"`
		Base64         bool              `json:"isBase64Encoded"`
		RequestContext struct {
			Domain string `json:"domainName"`
			HTTP   struct {
				Method string `json:"method"`
			} `json:"http"`
		} `json:"requestContext"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	body := []byte(event.Body)
	if event.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
			return nil, fmt.Errorf("read event's body: %w", err)
		}
	}
	r := (&http.Request{
		Method: event.RequestContext.HTTP.Method, URL: &url.URL{Path: event.RawPath}, Host: event.RequestContext.Domain, Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}).WithContext(ctx)
	for name, value := range event.Headers {
		r.Header.Set(name, value)
	}
	var a answer
	s.ServeHTTP(&a, r)
	header := make(map[string]string, len(a.header))
	for name := range a.header {
		header[name] = a.header.Get(name)
	}
	return json.Marshal(struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
		Body       string            `json:"body"`
	}{a.code(), header, a.body.String()})
}
