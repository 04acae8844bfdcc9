package httpapi

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// response is the answer to it. body belongs to the API: free it when it is written.
type response struct {
	status int
	header []field
	body   []byte
	zipped bool
	free   func()
}

type field struct{ name, value string }

// encode makes the response: headers, and a smaller body where the client takes it.
func (c *call) encode(status int) *response {
	r := &response{status: status, body: c.out, header: make([]field, 0, 10)}
	free := c.out
	r.free = func() { c.buffers.put(free) }
	r.header = append(r.header,
		field{"Cache-Control", "no-store"},
		field{"X-Content-Type-Options", "nosniff"},
		field{"X-Request-Id", c.request.id},
		field{"Access-Control-Allow-Origin", "*"}, // harmless: no cookie opens anything
		field{"Access-Control-Expose-Headers", "ETag, Idempotency-Replayed, Retry-After, X-Next-Cursor, X-Request-Id"},
	)
	if c.retry > 0 {
		r.header = append(r.header, field{"Retry-After", strconv.Itoa(int((c.retry + time.Second - 1) / time.Second))})
	}
	switch {
	case status == http.StatusNoContent:
		r.header = append(r.header,
			field{"Allow", c.allow()},
			field{"Access-Control-Allow-Methods", c.allow()},
			field{"Access-Control-Allow-Headers",
				"Accept-Language, Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, X-Api-Key"},
			field{"Access-Control-Max-Age", "86400"})
		return r
	case status == http.StatusNotModified:
		r.body, r.header = nil, append(r.header, field{"ETag", c.etag}, field{"Vary", "Accept-Encoding"})
		return r
	case status == http.StatusMethodNotAllowed:
		r.header = append(r.header, field{"Allow", c.allow()})
	}
	r.header = append(r.header, field{"Content-Type", cmp.Or(c.contentType, "application/json")})
	if c.location != "" {
		r.header = append(r.header, field{"Location", c.location})
	}
	if c.next != "" {
		r.header = append(r.header, field{"X-Next-Cursor", c.next})
	}
	if c.replayed {
		r.header = append(r.header, field{"Idempotency-Replayed", "true"})
	}
	if c.etag != "" {
		r.header = append(r.header, field{"ETag", c.etag}, field{"Vary", "Accept-Encoding"})
	}
	if c.request.compress && len(r.body) >= compressFrom && acceptsGzip(c.request.header("Accept-Encoding")) {
		zipped := c.gzips.compress(c.buffers.get(), r.body)
		r.free()
		r.body, r.zipped, r.free = zipped, true, func() { c.buffers.put(zipped) }
		r.header = append(r.header, field{"Content-Encoding", "gzip"})
		if c.etag == "" {
			r.header = append(r.header, field{"Vary", "Accept-Encoding"})
		}
	}
	return r
}

// bodiless tells whether an answer of the status has no body, nor its length.
func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

func (c *call) allow() string { return strings.Join(c.endpoint.Methods, ", ") + ", OPTIONS" }

// json appends a value.
func (c *call) json(v any) {
	b := bytes.NewBuffer(c.out)
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // the answers' types always encode
	}
	c.out = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// answer is the form that most answers have.
type answer struct {
	Code    int    `json:"code"`
	Query   any    `json:"query,omitempty"` // what was asked about
	Results any    `json:"results"`
	Next    string `json:"nextCursor,omitempty"`
}

// answer ends a call with results.
func (c *call) answer(status int, results any) (int, error) {
	c.json(answer{Code: status, Results: results})
	return status, nil
}

// answerPage ends a call with a part of a list, which goes on where next says.
func (c *call) answerPage(results any, next string) (int, error) {
	c.json(answer{Code: http.StatusOK, Results: results, Next: next})
	return http.StatusOK, nil
}

// weight is how many bytes a piece of an answer takes within a Lambda's own answer, where it is a JSON string.
func weight(piece []byte) int {
	return len(piece) + bytes.Count(piece, []byte{'"'}) + bytes.Count(piece, []byte{'\\'})
}

// buffers lends out buffers for answers.
type buffers struct{ pool sync.Pool }

// maxKept bounds the buffers that stay in memory.
const maxKept = 8 << 20

func (p *buffers) get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 4096)
}

func (p *buffers) put(b []byte) {
	if cap(b) <= maxKept {
		p.pool.Put(&b)
	}
}

// compressFrom is the size from which an answer is worth compressing: below it fits a few packets anyway.
const compressFrom = 4 << 10

// gzips lends out compressors, which are large.
type gzips struct{ pool sync.Pool }

func (p *gzips) compress(into, body []byte) []byte {
	z, ok := p.pool.Get().(*gzip.Writer)
	if !ok {
		z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	}
	b := bytes.NewBuffer(into)
	z.Reset(b)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	p.pool.Put(z)
	return b.Bytes()
}

// acceptsGzip reads Accept-Encoding.
func acceptsGzip(header string) bool {
	for choice := range strings.SplitSeq(header, ",") {
		if name, quality := splitQuality(choice); strings.EqualFold(name, "gzip") {
			return quality > 0
		}
	}
	return false
}

// splitQuality takes one choice of an Accept header apart; one without a quality has 1.
func splitQuality(choice string) (name string, quality float64) {
	name, params, _ := strings.Cut(choice, ";")
	quality = 1
	for param := range strings.SplitSeq(params, ";") {
		key, value, ok := strings.Cut(param, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(key), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			q = 0
		}
		quality = q
	}
	return strings.TrimSpace(name), quality
}
