package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// lambdaService is what a function process sees of Lambda: the runtime API, through which it asks for events and gives answers.
type lambdaService struct {
	*loopback
	events  chan []byte
	answers chan answer
}

type answer struct {
	body []byte
	err  error
	at   time.Time
}

const runtimePath = "/2018-06-01/runtime/"

func serveLambda() (*lambdaService, error) {
	l := &lambdaService{events: make(chan []byte, 1), answers: make(chan answer, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimePath+"invocation/next", l.next)
	mux.HandleFunc("POST "+runtimePath+"invocation/{id}/response", l.take)
	mux.HandleFunc("POST "+runtimePath+"invocation/{id}/error", l.refuse)
	mux.HandleFunc("POST "+runtimePath+"init/error", l.refuse)
	var err error
	l.loopback, err = serve(mux)
	return l, err
}

func (l *lambdaService) next(w http.ResponseWriter, r *http.Request) {
	select {
	case event := <-l.events:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(30*time.Second).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local:000000000000:function:bench")
		_, _ = w.Write(event) // a function that has gone gives no answer
	case <-r.Context().Done():
	}
}

func (l *lambdaService) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	l.answers <- answer{body, err, time.Now()}
	w.WriteHeader(http.StatusAccepted)
}

func (l *lambdaService) refuse(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.answers <- answer{err: fmt.Errorf("the function fails: %s", body), at: time.Now()}
	w.WriteHeader(http.StatusAccepted)
}

// invoke has the function answer an event.
func (l *lambdaService) invoke(ctx context.Context, event []byte) (answer, error) {
	l.events <- event
	return l.await(ctx)
}

func (l *lambdaService) await(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case a := <-l.answers:
		return a, a.err
	case <-ctx.Done():
		return answer{}, fmt.Errorf("wait for the function's answer: %w", ctx.Err())
	}
}
