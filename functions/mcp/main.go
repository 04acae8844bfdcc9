// The Lambda of /mcp: assistants call the API through it, each with its own key. It has no rights.
package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"pesan/internal/mcp"
)

func main() {
	var api http.RoundTripper = &http.Transport{}
	if text := os.Getenv("AWS_ENDPOINT_URL"); text != "" {
		endpoint, err := url.Parse(text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "the function can't start: AWS_ENDPOINT_URL: %v\n", err)
			os.Exit(1)
		}
		api = simulated{endpoint, api}
	}
	lambda.Start(mcp.New(mcp.Config{API: api, Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)), Now: time.Now}))
}

// simulated reaches the API at a simulated AWS, which finds it by its name as API Gateway does.
type simulated struct {
	endpoint *url.URL
	http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s simulated) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Scheme, r.URL.Host = r.URL.Host, s.endpoint.Scheme, s.endpoint.Host
	return s.RoundTripper.RoundTrip(r)
}
