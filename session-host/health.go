package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"pesan/internal/env"
)

const (
	// stalled is the age of the host's last look for shards, once a second, from which on it doesn't work any more. An
	// outage of AWS is no reason to replace it: the look counts, not what it finds.
	stalled     = time.Minute
	healthLimit = 3 * time.Second
)

// serveHealth answers GET /health until ctx ends: 200 if the host has looked for shards lately, else 503.
func serveHealth(ctx context.Context, listener net.Listener, beat func() time.Time) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if age := time.Since(beat()); age > stalled {
			http.Error(w, "the host doesn't look for shards", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n") // who asks may have gone
	})
	server := &http.Server{Handler: mux, ReadTimeout: healthLimit, WriteTimeout: healthLimit, MaxHeaderBytes: 4 << 10}
	end := context.AfterFunc(ctx, func() { server.Close() })
	defer end()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health checks: %w", err)
	}
	return nil
}

// askHealth asks the host that runs beside.
func askHealth(ctx context.Context, lookup func(string) (string, bool)) error {
	r := env.New(lookup)
	address := r.Address("HEALTH_ADDRESS", defaultHealth)
	if err := r.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the host answers %s", response.Status)
	}
	return nil
}

// lineWriter keeps lines of the log and of the metrics whole.
type lineWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(line)
}
