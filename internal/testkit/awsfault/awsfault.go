// Package awsfault stands between a program and DynamoDB or SQS and does to their calls, at random, what AWS does at
// worst: it throttles, fails before and after the work is done, loses answers, hangs, and leaves parts of batches undone.
// It is for tests.
package awsfault

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Fault is what may happen to a call.
type Fault string

// The faults.
const (
	Throttled  Fault = "throttled"   // nothing was done
	Failed     Fault = "failed"      // 500; nothing was done
	Refused    Fault = "refused"     // the connection ends before the call arrives
	DoneFailed Fault = "done failed" // 500; the work was done
	Lost       Fault = "lost"        // the connection ends before the answer arrives; the work was done
	Hung       Fault = "hung"        // no answer; nothing was done
	Partial    Fault = "partial"     // of a batch, part is left undone
)

// Proxy is an http.Handler that passes calls on to a server. Make one with New.
type Proxy struct {
	target *url.URL
	rates  map[Fault]float64
	spare  func(operation string, f Fault) bool
	client *http.Client

	mu     sync.Mutex
	random *rand.Rand
	counts map[Fault]int
	plan   func(operation string) Fault // instead of the rates
}

// Rates are how often each fault happens, as parts of 1, that make total altogether. Hanging is rare, since it takes as
// long as the caller's patience.
func Rates(total float64) map[Fault]float64 {
	return map[Fault]float64{
		Throttled: total * 0.25, Failed: total * 0.15, Refused: total * 0.1, DoneFailed: total * 0.2, Lost: total * 0.295, Hung: total * 0.005,
		Partial: 0.3, // of batches
	}
}

// New makes a proxy of the server at a URL; the same seed gives the same faults to the same calls in the same order. spare, if
// given, tells what must not happen to an operation, such as "ReceiveMessage".
func New(target string, seed uint64, rates map[Fault]float64, spare func(operation string, f Fault) bool) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 128
	return &Proxy{
		target: u, rates: rates, spare: spare, client: &http.Client{Transport: transport},
		random: rand.New(rand.NewPCG(seed, seed)), counts: map[Fault]int{},
	}, nil
}

// Plan has f say what happens to each call, one at a time, "" for nothing; nil has the rates say it again.
func (p *Proxy) Plan(f func(operation string) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = f
}

// Counts tells how often each fault has happened.
func (p *Proxy) Counts() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make(map[Fault]int, len(p.counts))
	for f, n := range p.counts {
		counts[f] = n
	}
	return counts
}

// Close ends the connections to the server that nobody uses.
func (p *Proxy) Close() { p.client.CloseIdleConnections() }

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	fault := p.draw(operation)
	switch fault {
	case Throttled:
		refuse(w, http.StatusBadRequest, throttling(operation))
		return
	case Failed:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
		return
	case Refused:
		panic(http.ErrAbortHandler)
	case Hung:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	var undone *undone
	if p.happens(operation, Partial) {
		if body, undone = p.takeSome(operation, body); undone != nil {
			p.count(Partial)
		}
	}
	status, header, answer, err := p.pass(r, body)
	switch {
	case err != nil || fault == Lost:
		panic(http.ErrAbortHandler) // net/http closes the connection
	case fault == DoneFailed:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
		return
	case undone != nil && status == http.StatusOK:
		answer = undone.add(answer)
		header.Del("X-Amz-Crc32")
		header.Del("Content-Length")
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer) // who has gone needs no answer
}

// pass makes the call.
func (p *Proxy) pass(r *http.Request, body []byte) (status int, header http.Header, answer []byte, err error) {
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", p.target.Scheme, p.target.Host
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.Header.Del("Accept-Encoding") // the transport asks for it and undoes it
	resp, err := p.client.Do(out)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, err
}

// draw picks at most one fault for a call.
func (p *Proxy) draw(operation string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plan != nil {
		f := p.plan(operation)
		if f != "" {
			p.counts[f]++
		}
		return f
	}
	at := p.random.Float64()
	for _, f := range []Fault{Throttled, Failed, Refused, DoneFailed, Lost, Hung} {
		if at -= p.rates[f]; at >= 0 {
			continue
		}
		if p.spare != nil && p.spare(operation, f) {
			return ""
		}
		p.counts[f]++
		return f
	}
	return ""
}

func (p *Proxy) happens(operation string, f Fault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan == nil && p.random.Float64() < p.rates[f] && (p.spare == nil || !p.spare(operation, f))
}

func (p *Proxy) count(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[f]++
}

// half tells at random.
func (p *Proxy) half() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(2) == 0
}

func throttling(operation string) string {
	if strings.Contains(operation, "Message") {
		return "RequestThrottled"
	}
	return "ProvisionedThroughputExceededException"
}

// refuse answers as both services do.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Query-Error", code+";Sender")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"__type":"com.amazonaws.fault#`+code+`","message":"a fault made for a test"}`)
}
