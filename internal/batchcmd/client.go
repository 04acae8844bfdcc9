package batchcmd

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"pesan/internal/sleep"
)

// client calls a server.
type client struct {
	base, key   string
	words       *words
	pause       time.Duration // before the second try; longer before each further one
	interrupted <-chan os.Signal
	watching    bool // what interrupts is a question, and no call's business
}

const (
	tries     = 5
	callTime  = 60 * time.Second
	maxAnswer = 64 << 20
)

// call makes a call and decodes its answer. What may pass is tried again: under its key the server does nothing twice.
func (c *client) call(ctx context.Context, endpoint string, params url.Values, file []byte, into any) error {
	key := ""
	if file != nil || endpoint == "createBatch" || endpoint == "retryBatch" {
		key = rand.Text()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !c.watching {
		go func() {
			select {
			case <-c.interrupted:
				cancel(errors.New(c.words.interrupted))
			case <-ctx.Done():
			}
		}()
	}
	var last error
	for n := range tries {
		if n > 0 {
			if err := sleep.For(ctx, time.Duration(n)*c.pause); err != nil {
				return context.Cause(ctx)
			}
		}
		again, err := c.once(ctx, endpoint, params, file, key, into)
		switch {
		case err == nil || !again:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		last = err
	}
	return last
}

func (c *client) once(
	ctx context.Context, endpoint string, params url.Values, file []byte, key string, into any,
) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	address, body, kind := c.base+"/api/"+endpoint, []byte(params.Encode()), "application/x-www-form-urlencoded"
	if file != nil {
		address, body, kind = address+"?"+params.Encode(), file, "application/octet-stream"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Api-Key", c.key)
	r.Header.Set("Accept-Language", c.words.language)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if file != nil {
		r.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its address has no key, but says nothing either
		}
		return true, fmt.Errorf(c.words.unreached, c.base, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return true, fmt.Errorf(c.words.brokeOff, c.base, err)
	}
	if resp.StatusCode >= 400 {
		return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500, c.failure(resp, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return false, fmt.Errorf(c.words.stranger, c.base, resp.StatusCode)
	}
	return false, nil
}

// failure reads an error's answer.
func (c *client) failure(resp *http.Response, answer []byte) error {
	var e struct {
		Error, Message string
		Results        results
	}
	if json.Unmarshal(answer, &e) != nil || e.Message == "" {
		return &refused{resp.StatusCode, fmt.Sprintf(c.words.answers, c.base, resp.Status)}
	}
	var b strings.Builder
	b.WriteString(e.Message)
	if len(e.Results.Invalid) > 1 {
		for i, l := range e.Results.Invalid {
			if i == shownLines {
				fmt.Fprintf(&b, "\n"+c.words.more, c.words.grouped(e.Results.InvalidCount-i))
				break
			}
			b.WriteString("\n  " + c.words.invalid(l))
		}
	}
	return &refused{resp.StatusCode, b.String()}
}

// zip packs a file for its way.
func zip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// results are the answer of createBatch.
type results struct {
	BatchID       string         `json:"batchId,omitempty"`
	DryRun        bool           `json:"dryRun,omitempty"`
	Accepted      int            `json:"accepted"`
	Counts        map[string]int `json:"counts,omitempty"`
	InvalidCount  int            `json:"invalidCount"`
	Invalid       []invalid      `json:"invalid"`
	ReplacedCount int            `json:"replacedCount"`
	Replaced      []replaced     `json:"replaced"`
	Chats         []planned      `json:"chats,omitempty"`
}

type invalid struct {
	Line    int    `json:"line,omitempty"`
	To      string `json:"to,omitempty"`
	Error   string `json:"error"`
	Message string `json:"message"`
}

func (w *words) invalid(i invalid) string {
	if i.Line > 0 {
		return fmt.Sprintf(w.line, i.Line) + i.Message
	}
	return i.To + ": " + i.Message
}

type replaced struct {
	Line int    `json:"line"`
	By   int    `json:"by"`
	To   string `json:"to"`
}

type planned struct {
	Line int    `json:"line,omitempty"`
	Op   string `json:"op"`
	To   string `json:"to"`
	Name string `json:"name,omitempty"`
}

type created struct {
	Results results `json:"results"`
	Next    string  `json:"nextCursor"`
}

// batch is how a batch does.
type batch struct {
	BatchID string `json:"batchId"`
	State   string `json:"state"`
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
	RetryOf string `json:"retryOf,omitempty"`
	Total   int    `json:"total"`
	Counts  struct {
		Pending   int `json:"pending"`
		Done      int `json:"done"`
		Failed    int `json:"failed"`
		Cancelled int `json:"cancelled"`
		Overtaken int `json:"overtaken"`
	} `json:"counts"`
	Rate         int         `json:"rate"`
	CreatedAt    *time.Time  `json:"createdAt"`
	StartedAt    *time.Time  `json:"startedAt"`
	EndedAt      *time.Time  `json:"endedAt"`
	EstimatedEnd *time.Time  `json:"estimatedEnd"`
	Operations   []operation `json:"operations,omitempty"`
}

type operation struct {
	Line    int        `json:"line,omitempty"`
	Op      string     `json:"op"`
	To      string     `json:"to"`
	ID      string     `json:"id,omitempty"`
	Outcome string     `json:"outcome"`
	Code    int        `json:"code,omitempty"`
	Error   string     `json:"error,omitempty"`
	Time    *time.Time `json:"time"`
}

func (b batch) ended() bool { return b.State != "queued" && b.State != "running" }

func (b batch) through() int { return b.Total - b.Counts.Pending }
