package main

import (
	"net"
	"net/http"
)

// loopback serves HTTP to the programs that are measured.
type loopback struct {
	address string // host:port
	server  *http.Server
	served  chan struct{} // closed when the server has ended
}

func serve(handler http.Handler) (*loopback, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &loopback{listener.Addr().String(), &http.Server{Handler: handler}, make(chan struct{})}
	go func() {
		defer close(l.served)
		_ = l.server.Serve(listener) // close ends it
	}()
	return l, nil
}

func (l *loopback) url() string { return "http://" + l.address }

func (l *loopback) close() {
	l.server.Close()
	<-l.served
}
