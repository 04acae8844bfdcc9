package media

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/binary"
)

const (
	origin    = "https://web.whatsapp.com"
	maxUpload = 100 << 20
	authTTL   = 6 * time.Hour
)

// Conn is the media_conn node that tells a device where to send and fetch media; it goes into the answer to `w:m`.
func (s *Store) Conn() binary.Node {
	expiry := strconv.FormatInt(s.opts.Now().Add(authTTL).Unix(), 16)
	return binary.Node{
		Tag: "media_conn",
		Attrs: binary.Attrs{
			"auth":        expiry + "." + s.sign("auth", expiry),
			"ttl":         "300",
			"auth_ttl":    strconv.Itoa(int(authTTL.Seconds())),
			"max_buckets": "12",
		},
		Content: []binary.Node{{Tag: "host", Attrs: binary.Attrs{"hostname": s.opts.Host}}},
	}
}

// ServeHTTP answers
//
//	GET    <direct path>&hash=<b64url of FileEncSHA256>&mms-type=<type>   the encrypted file
//	POST   /mms/<type>/<b64url of FileEncSHA256>?auth=…&token=<the same>  upload; {"url","direct_path","handle"}
//	DELETE /mms/<type>/<token>?auth=…&token=…&d_md=<b64url of the path>   delete
//
// Newsletter media, which isn't encrypted, isn't served.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := Request{Method: r.Method, Path: r.URL.Path, Status: http.StatusOK}
	if f := s.fault(r.Method); f != nil {
		req.Status, req.Reason = f.Status, "injected"
		s.record(req)
		if f.Status == 0 {
			// Promise more than is sent: the client sees an unexpected end.
			w.Header().Set("Content-Length", "1000000")
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		http.Error(w, http.StatusText(f.Status), f.Status)
		return
	}
	body, reason := s.answer(w, r)
	if reason.text != "" {
		req.Status, req.Reason = reason.status, reason.text
		s.record(req)
		http.Error(w, http.StatusText(reason.status), reason.status)
		return
	}
	s.record(req)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// refusal is why a request isn't served; empty text when it is.
type refusal struct {
	status int
	text   string
}

func (s *Store) answer(w http.ResponseWriter, r *http.Request) ([]byte, refusal) {
	w.Header().Set("Content-Type", "application/octet-stream")
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return nil, refusal{http.StatusBadRequest, "malformed query"}
	case r.Header.Get("Origin") != origin:
		return nil, refusal{http.StatusForbidden, "origin is not " + origin}
	case r.Method == http.MethodGet:
		return s.download(r.URL.Path, query)
	case r.Method == http.MethodPost:
		w.Header().Set("Content-Type", "application/json")
		return s.upload(http.MaxBytesReader(w, r.Body, maxUpload), r.URL.Path, query)
	case r.Method == http.MethodDelete:
		return s.delete(r.URL.Path, query)
	}
	return nil, refusal{http.StatusMethodNotAllowed, "method not allowed"}
}

func (s *Store) download(path string, query url.Values) ([]byte, refusal) {
	s.mu.Lock()
	e := s.files[path]
	s.mu.Unlock()
	if e == nil {
		return nil, refusal{http.StatusNotFound, "no such file"}
	}
	expiry := query.Get("oe")
	if !hmac.Equal([]byte(query.Get("oh")), []byte(s.sign("path", path, expiry))) {
		return nil, refusal{http.StatusForbidden, "signature of the link doesn't match"}
	}
	if s.expired(expiry) {
		return nil, refusal{http.StatusForbidden, "link has expired"}
	}
	if query.Get("mms-type") != e.kind.MMSType() {
		return nil, refusal{http.StatusBadRequest, "mms-type is not " + e.kind.MMSType()}
	}
	if query.Get("hash") != base64.URLEncoding.EncodeToString(e.sum[:]) {
		return nil, refusal{http.StatusForbidden, "hash is not that of the file"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.deleted {
		return nil, refusal{http.StatusGone, "file was deleted"}
	}
	return e.data, refusal{}
}

func (s *Store) upload(body io.Reader, path string, query url.Values) ([]byte, refusal) {
	kind, sum, bad := s.mms(path, query)
	if bad.text != "" {
		return nil, bad
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, refusal{http.StatusRequestEntityTooLarge, "body is too long or broke off"}
	}
	if got := sha256.Sum256(data); !hmac.Equal(got[:], sum) {
		return nil, refusal{http.StatusBadRequest, "token is not the hash of the body"}
	}
	f, err := s.keep(kind, data)
	if err != nil {
		return nil, refusal{http.StatusInternalServerError, "out of randomness"}
	}
	out, err := json.Marshal(map[string]string{"url": f.URL, "direct_path": f.DirectPath, "handle": f.Handle})
	if err != nil {
		return nil, refusal{http.StatusInternalServerError, "encode answer"}
	}
	return out, refusal{}
}

func (s *Store) delete(path string, query url.Values) ([]byte, refusal) {
	kind, sum, bad := s.mms(path, query)
	if bad.text != "" {
		return nil, bad
	}
	file, err := base64.RawURLEncoding.DecodeString(query.Get("d_md"))
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "d_md is not base64"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.files[string(file)]
	if e == nil || e.kind != kind {
		return nil, refusal{http.StatusNotFound, "no such file"}
	}
	if !hmac.Equal(e.sum[:], sum) {
		return nil, refusal{http.StatusForbidden, "token is not the hash of the file"}
	}
	e.deleted, e.data = true, nil
	return nil, refusal{}
}

// mms checks what uploads and deletions have in common and returns the kind and the hash they name.
func (s *Store) mms(path string, query url.Values) (Kind, []byte, refusal) {
	expiry, signature, _ := strings.Cut(query.Get("auth"), ".")
	if !hmac.Equal([]byte(signature), []byte(s.sign("auth", expiry))) || s.expired(expiry) {
		return "", nil, refusal{http.StatusUnauthorized, "auth is not from a media_conn, or has expired"}
	}
	parts := strings.Split(path, "/")
	if len(parts) != 4 || parts[0] != "" || parts[1] != "mms" {
		return "", nil, refusal{http.StatusNotFound, "path is not /mms/<type>/<token>"}
	}
	kind, ok := KindOf(parts[2])
	if !ok {
		return "", nil, refusal{http.StatusNotFound, "unknown media type"}
	}
	sum, err := base64.URLEncoding.DecodeString(parts[3])
	if err != nil || len(sum) != sha256.Size || query.Get("token") != parts[3] {
		return "", nil, refusal{http.StatusBadRequest, "token is not a SHA-256 in base64, or differs from the path"}
	}
	return kind, sum, refusal{}
}

func (s *Store) expired(hexUnix string) bool {
	t, err := strconv.ParseInt(hexUnix, 16, 64)
	return err != nil || s.opts.Now().Unix() >= t
}

// fault uses up the first fault for a method.
func (s *Store) fault(method string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method == "" || f.Method == method {
			if f.Times--; f.Times <= 0 {
				s.faults = append(s.faults[:i], s.faults[i+1:]...)
			}
			return f
		}
	}
	return nil
}

func (s *Store) record(r Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	if s.opts.OnRequest != nil {
		s.opts.OnRequest(r)
	}
}
