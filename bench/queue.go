package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// polls stands between Pesan and ElasticMQ, whose own long polls keep all cores busy while what is queued waits for commands of
// the same accounts: it looks again without a pause. Here a poll asks, without waiting, whenever something has happened to its
// queue, and now and then for what is visible again.
type polls struct {
	next   string
	client http.Client

	mu      sync.Mutex
	changes map[string]chan struct{} // by the queue's URL; closed by the next change
}

// lookAgain is how often a poll asks without a reason.
const lookAgain = time.Second

// servePolls serves ElasticMQ at a URL.
func servePolls(next string) (*loopback, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 128
	return serve(&polls{next: next, client: http.Client{Transport: transport}, changes: make(map[string]chan struct{})})
}

// reply is one of ElasticMQ.
type reply struct {
	status int
	kind   string
	body   []byte
}

// ServeHTTP implements http.Handler.
func (p *polls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request map[string]any
	err := json.NewDecoder(r.Body).Decode(&request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	queue, _ := request["QueueUrl"].(string)
	var a reply
	if _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation == "ReceiveMessage" {
		a, err = p.receive(r, queue, request)
	} else {
		a, err = p.ask(r, request)
		p.changed(queue)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// receive asks until there is something, or the poll is over.
func (p *polls) receive(r *http.Request, queue string, request map[string]any) (reply, error) {
	wait, _ := request["WaitTimeSeconds"].(float64)
	over := time.After(time.Duration(wait) * time.Second)
	request["WaitTimeSeconds"] = 0
	for {
		change := p.change(queue)
		a, err := p.ask(r, request)
		if err != nil || a.status != http.StatusOK || bytes.Contains(a.body, []byte(`"ReceiptHandle"`)) {
			return a, err
		}
		select {
		case <-change:
		case <-time.After(lookAgain):
		case <-over:
			return a, nil
		case <-r.Context().Done():
			return a, r.Context().Err()
		}
	}
}

// ask passes a request on.
func (p *polls) ask(r *http.Request, request map[string]any) (a reply, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return a, err
	}
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, p.next, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	for _, name := range []string{"X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date"} {
		ask.Header.Set(name, r.Header.Get(name))
	}
	response, err := p.client.Do(ask)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header.Get("Content-Type"), body}, err
}

// change is closed by the next change of a queue.
func (p *polls) change(queue string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changes[queue] == nil {
		p.changes[queue] = make(chan struct{})
	}
	return p.changes[queue]
}

func (p *polls) changed(queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.changes[queue]; c != nil {
		close(c)
		delete(p.changes, queue)
	}
}
