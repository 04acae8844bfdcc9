package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"pesan/internal/kv"
)

// counter stands before DynamoDB Local, and counts and times the requests that serve messages.
type counter struct {
	*loopback
	tables  [][]byte // as JSON names them
	forward http.RoundTripper

	mu       sync.Mutex
	requests int
	took     time.Duration
}

func (c *cloud) count() (*counter, error) {
	target, err := url.Parse(c.dynamoDB.URL)
	if err != nil {
		return nil, err
	}
	n := &counter{forward: &http.Transport{MaxIdleConnsPerHost: 100}}
	for _, table := range []string{c.tables[kv.Chats], c.tables[kv.Messages], c.tables[kv.Devices]} {
		n.tables = append(n.tables, []byte(`"`+table+`"`))
	}
	n.loopback, err = serve(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		Transport: n,
	})
	return n, err
}

// RoundTrip implements http.RoundTripper.
func (n *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	began := time.Now()
	response, err := n.forward.RoundTrip(r)
	took := time.Since(began)
	for _, table := range n.tables {
		if bytes.Contains(body, table) {
			n.mu.Lock()
			n.requests, n.took = n.requests+1, n.took+took
			n.mu.Unlock()
			break
		}
	}
	return response, err
}

// reset forgets what was counted.
func (n *counter) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests, n.took = 0, 0
}

// result is how many requests a message took, and how long one took.
func (n *counter) result(messages int) (requests float64, latency time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return float64(n.requests) / float64(messages), n.took / time.Duration(max(n.requests, 1))
}
