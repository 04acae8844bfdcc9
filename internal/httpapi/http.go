package httpapi

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"pesan/internal/chat"
)

// maxPage is the most that an answer over net/http holds, so that a single call can't take all memory.
const maxPage = 64 << 20

// pathPrefix is where the endpoints are.
const pathPrefix = "/api/"

// Handler serves the endpoints at /api/<name>. The server that it is put into bounds headers and reading.
func (a *API) Handler(endpoints ...Endpoint) http.Handler {
	byName := make(map[string]*Endpoint, len(endpoints))
	for i := range endpoints {
		byName[endpoints[i].Name] = &endpoints[i]
	}
	none := Unknown(Deps{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, pathPrefix)
		name = strings.TrimSuffix(name, "/")
		e := byName[name]
		if !ok || e == nil {
			e = &none
		}
		a.respond(w, r, e)
	})
}

// One serves an endpoint at whatever path leads to it.
func (a *API) One(e Endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.respond(w, r, &e) })
}

func (a *API) respond(w http.ResponseWriter, r *http.Request, e *Endpoint) {
	limit := a.MaxAnswer
	if limit <= 0 {
		limit = maxPage
	}
	response := a.serve(r.Context(), e, &request{
		id: a.requestID(), source: a.source(r), method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, header: r.Header.Get,
		body:     func() ([]byte, error) { return readBody(w, r, e.Room()) },
		compress: !loopback(r.RemoteAddr),
	}, limit)
	defer response.free()
	for _, f := range response.header {
		w.Header().Set(f.name, f.value)
	}
	if !bodiless(response.status) {
		w.Header().Set("Content-Length", strconv.Itoa(len(response.body)))
	}
	w.WriteHeader(response.status)
	if r.Method != http.MethodHead && !bodiless(response.status) {
		_, _ = w.Write(response.body) // a client that has gone needs no answer
	}
}

func readBody(w http.ResponseWriter, r *http.Request, room int) ([]byte, error) {
	if r.ContentLength > int64(room) {
		w.Header().Set("Connection", "close") // rather than read it to its end
		return nil, &chat.Error{Code: chat.BodyTooLarge}
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(room)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &chat.Error{Code: chat.BodyTooLarge}
	case err != nil:
		return nil, &chat.Error{Code: chat.InvalidBody}
	}
	return body, nil
}

// source is the address that a call comes from. A proxy that is believed adds it last to X-Forwarded-For. Of IPv6 only the
// network counts, of which anybody has all addresses.
func (a *API) source(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	from := peer.Addr().Unmap()
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(said) {
		if !slices.ContainsFunc(a.Proxies, func(p netip.Prefix) bool { return p.Contains(from) }) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		from = next.Unmap()
	}
	if from.Is6() {
		if network, err := from.WithZone("").Prefix(64); err == nil {
			return network.Masked().String()
		}
	}
	return from.String()
}

// requestID names a call.
func (a *API) requestID() string {
	id, err := a.newID(a.Now())
	if err != nil {
		return "-" // the call fails on its own if it needs an id
	}
	return id
}

// loopback tells whether a peer is on this machine, where compressing costs more than sending.
func loopback(address string) bool {
	peer, err := netip.ParseAddrPort(address)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}
