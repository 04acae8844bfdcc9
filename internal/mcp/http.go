package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const (
	maxBody  = 128 << 10 // bytes of a request
	maxBatch = 16        // messages of a request, which protocols before 2025-06-18 have
)

// ServeHTTP serves /mcp, statelessly: each request carries its key, and is answered whole.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a answer
	s.serve(&a, r)
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.code())
	_, _ = w.Write(a.body.Bytes()) // a client that has gone needs no answer
}

func (s *Server) serve(a *answer, r *http.Request) {
	key := keyOf(r.Header)
	switch {
	case foreign(r):
		refuse(a, &apiError{status: http.StatusForbidden, code: "FORBIDDEN",
			message: "A web page of another origin may not call this."})
		return
	case key == "":
		refuse(a, &apiError{
			status: http.StatusUnauthorized, code: "MISSING_API_KEY", message: "The API key is missing: send it in the header Authorization, as Bearer.",
		})
		return
	}
	if r.Method == http.MethodPost {
		if err := bound(r); err != nil {
			refuse(a, err)
			return
		}
	}
	who := &caller{base: s.Base, key: key, language: r.Header.Get("Accept-Language")}
	if who.language == "" || who.language == "*" {
		who.language = "en"
	}
	if who.base == "" {
		who.base = "https://" + r.Host
	}
	ctx := who.in(r.Context())
	s.stream.ServeHTTP(a, r.WithContext(ctx))
	if r.Method == http.MethodPost && !who.asked.Load() {
		s.knock(ctx, a, who)
	}
	if e := who.refused.Load(); e != nil { // whatever else was to be said
		refuse(a, e)
	}
}

// knock asks the API whether the key opens, where nothing that was called has.
func (s *Server) knock(ctx context.Context, a *answer, who *caller) {
	var state struct{}
	_, err := s.call(ctx, "getState", nil, "", &state)
	var e *apiError
	if errors.As(err, &e) && who.refused.Load() == nil {
		if e.status == 0 {
			e.status = http.StatusBadGateway
		}
		refuse(a, e)
	}
}

// refuse answers an error in the form of the API.
func refuse(a *answer, e *apiError) {
	*a = answer{}
	a.Header().Set("Content-Type", "application/json")
	if e.status == http.StatusUnauthorized {
		challenge := `Bearer realm="Pesan"`
		if e.code != "MISSING_API_KEY" {
			challenge += `, error="invalid_token"`
		}
		a.Header().Set("WWW-Authenticate", challenge)
	}
	if e.retry != "" {
		a.Header().Set("Retry-After", e.retry)
	}
	a.WriteHeader(e.status)
	_ = json.NewEncoder(a).Encode(struct { // a buffer takes everything
		Code    int    `json:"code"`
		Error   string `json:"error"`
		Message string `json:"message"`
	}{e.status, e.code, e.message})
}

// keyOf is the API key, of a header alone: an address is written into logs.
func keyOf(h http.Header) string {
	if key := strings.TrimSpace(h.Get("X-Api-Key")); key != "" {
		return key
	}
	scheme, key, _ := strings.Cut(strings.TrimSpace(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

// foreign tells whether a web page calls that isn't of this server: one of another origin, or one whose name leads to this
// machine though it isn't the machine's.
func foreign(r *http.Request) bool {
	if len(r.Header.Values("Origin")) == 0 {
		return false
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || origin.Host == "" || !strings.EqualFold(origin.Host, r.Host) {
		return true
	}
	here, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(here.String())
	return err == nil && at.Addr().Unmap().IsLoopback() && !own(origin.Hostname())
}

// own tells whether a name is this machine's.
func own(name string) bool {
	address, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && address.IsLoopback()
}

// bound reads the body, and refuses one that is too much.
func bound(r *http.Request) *apiError {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return &apiError{status: http.StatusBadRequest, code: "INVALID_BODY", message: "The request broke off."}
	case len(body) > maxBody:
		return &apiError{status: http.StatusRequestEntityTooLarge, code: "BODY_TOO_LARGE",
			message: "The request body is over 128 KiB."}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var batch []json.RawMessage
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) && json.Unmarshal(body, &batch) == nil &&
		len(batch) > maxBatch {
		return &apiError{status: http.StatusRequestEntityTooLarge, code: "BODY_TOO_LARGE",
			message: "A request has at most 16 messages."}
	}
	return nil
}
