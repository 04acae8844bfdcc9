package main

import (
	"context"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/host"
)

// fenced makes a client send nothing for work whose lease has ended. It is asked when the request's body goes out, since a
// process may be paused anywhere before.
func fenced(o *dynamodb.Options) { o.HTTPClient = fence{o.HTTPClient} }

type fence struct{ dynamodb.HTTPClient }

func (f fence) Do(r *http.Request) (*http.Response, error) {
	if err := host.Held(r.Context()); err != nil {
		return nil, err
	}
	if r.Body != nil {
		r.Body = fencedBody{r.Body, r.Context()}
	}
	return f.HTTPClient.Do(r)
}

type fencedBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b fencedBody) Read(p []byte) (int, error) {
	if err := host.Held(b.ctx); err != nil {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}
