package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// meteredService stands before a local server of AWS, and counts requests and, of DynamoDB, the units that writes take.
type meteredService struct {
	*loopback
	forward http.RoundTripper

	mu       sync.Mutex
	requests int
	writes   map[string]float64 // by table
}

func serveMetered(target string) (*meteredService, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	m := &meteredService{forward: &http.Transport{MaxIdleConnsPerHost: 100}, writes: make(map[string]float64)}
	m.loopback, err = serve(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		Transport: m,
	})
	return m, err
}

// consumedCapacity is what DynamoDB tells of a request: one of a table, or one of each.
type consumedCapacity []struct {
	TableName     string
	CapacityUnits float64
}

func (c *consumedCapacity) UnmarshalJSON(b []byte) error {
	type list consumedCapacity
	if b[0] != '[' {
		b = append(append([]byte{'['}, b...), ']')
	}
	return json.Unmarshal(b, (*list)(c))
}

// RoundTrip implements http.RoundTripper. Local servers take a request though it isn't as it was signed.
func (m *meteredService) RoundTrip(r *http.Request) (*http.Response, error) {
	_, action, dynamoDB := strings.Cut(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	if dynamoDB {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), bytes.TrimPrefix(body, []byte("{"))...)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	response, err := m.forward.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var answer struct{ ConsumedCapacity consumedCapacity }
	if dynamoDB && (strings.HasPrefix(action, "Put") || strings.HasPrefix(action, "Delete") || strings.HasPrefix(action, "Update") ||
		strings.HasSuffix(action, "WriteItem") || strings.HasSuffix(action, "WriteItems")) {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		_ = json.Unmarshal(body, &answer) // a request that failed tells nothing
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
	for _, c := range answer.ConsumedCapacity {
		m.writes[c.TableName] += c.CapacityUnits
	}
	return response, nil
}

// take returns what was counted since the last time.
func (m *meteredService) take() (requests int, writes map[string]float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	requests, writes = m.requests, maps.Clone(m.writes)
	m.requests = 0
	clear(m.writes)
	return requests, writes
}
