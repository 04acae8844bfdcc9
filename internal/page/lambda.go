package page

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Invoke answers an event of API Gateway's HTTP API, payload format 2.0. It implements lambda.Handler.
func (p *Page) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	var event struct {
		RawPath        string            `json:"rawPath"`
		Headers        map[string]string `json:"headers"`
		RequestContext struct {
			HTTP struct {
				Method string `json:"method"`
			} `json:"http"`
		} `json:"requestContext"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	method := event.RequestContext.HTTP.Method
	a := p.answer(method, event.RawPath, func(name string) string { return event.Headers[strings.ToLower(name)] })
	if method == http.MethodHead {
		a.body = nil
	}
	return json.Marshal(struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
		Body       string            `json:"body"`
		Base64     bool              `json:"isBase64Encoded"`
	}{a.status, a.header, base64.StdEncoding.EncodeToString(a.body), true})
}
