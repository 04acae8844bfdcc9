package media

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNotFound says that no file lies under a direct path.
var ErrNotFound = errors.New("media: no such file")

// File is what a message says about a file: enough to find, check and decrypt it.
type File struct {
	URL           string
	DirectPath    string // starts with / and has a query, to which a client appends &hash=…
	Handle        string
	MediaKey      []byte // 32 bytes
	FileSHA256    []byte // of the plaintext
	FileEncSHA256 []byte // of the encrypted file, MAC included
	FileLength    uint64 // of the plaintext
}

// Options of a Store. Every zero value is usable.
type Options struct {
	Host string           // host name in URL; mmg.whatsapp.net when empty
	TTL  time.Duration    // how long a direct path may be used; 14 days when 0
	Now  func() time.Time // clock; time.Now when nil
	Rand io.Reader        // randomness of keys and paths; crypto/rand when nil. Reads are serialised

	OnRequest func(Request) // called for each request once its answer is known; may be nil
}

// Store keeps encrypted files in memory. It is safe for concurrent use.
type Store struct {
	opts   Options
	secret []byte // signs direct paths and upload tokens

	mu       sync.Mutex
	files    map[string]*entry // by path without query
	faults   []*Fault
	requests []Request
}

type entry struct {
	kind    Kind
	data    []byte
	sum     [32]byte // of data
	deleted bool
	phone   []byte // what the phone that has put it still has
}

// Fault makes the next requests fail.
type Fault struct {
	Method string // GET, POST or DELETE; every method when empty
	Status int    // what is answered; 0 cuts the connection in the middle of the answer
	Times  int    // how often; 1 when 0
}

// Request is one HTTP request as the service answered it.
type Request struct {
	Method string
	Path   string // without query
	Status int
	Reason string // why it was refused, else empty
}

// NewStore returns an empty store.
func NewStore(opts Options) (*Store, error) {
	if opts.Host == "" {
		opts.Host = "mmg.whatsapp.net"
	}
	if opts.TTL == 0 {
		opts.TTL = 14 * 24 * time.Hour
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	s := &Store{opts: opts, files: make(map[string]*entry)}
	var err error
	if s.secret, err = s.random(32); err != nil {
		return nil, err
	}
	return s, nil
}

// Put encrypts plain under a new key and keeps it, as a phone that uploads does.
func (s *Store) Put(kind Kind, plain []byte) (File, error) {
	key, err := s.random(keySize)
	if err != nil {
		return File{}, err
	}
	data, err := Encrypt(key, kind, plain)
	if err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(plain)
	f, err := s.keep(kind, data)
	f.MediaKey, f.FileSHA256, f.FileLength = key, sum[:], uint64(len(plain))
	return f, err
}

// Get fetches and decrypts a file by what a message says about it, as a phone that downloads does.
// It fails with ErrNotFound, ErrHash, ErrMAC, ErrPadding or ErrKey.
func (s *Store) Get(kind Kind, f File) ([]byte, error) {
	path, _, _ := strings.Cut(f.DirectPath, "?")
	s.mu.Lock()
	e := s.files[path]
	s.mu.Unlock()
	if e == nil || e.deleted || e.kind != kind {
		return nil, ErrNotFound
	}
	if !hmac.Equal(e.sum[:], f.FileEncSHA256) {
		return nil, ErrHash
	}
	plain, err := Decrypt(f.MediaKey, kind, e.data)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(plain); !hmac.Equal(sum[:], f.FileSHA256) {
		return nil, ErrHash
	}
	return plain, nil
}

// Remove takes a file away, so that a download is answered 410. It reports whether there was one.
func (s *Store) Remove(directPath string) bool {
	path, _, _ := strings.Cut(directPath, "?")
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.files[path]
	if e == nil || e.deleted {
		return false
	}
	e.deleted, e.data = true, nil
	return true
}

// Again puts an encrypted file under a new path, as a phone does that is asked for one that the service has dropped. It is
// ErrNotFound for a file that was never there.
func (s *Store) Again(directPath string) (File, error) {
	path, _, _ := strings.Cut(directPath, "?")
	s.mu.Lock()
	e := s.files[path]
	s.mu.Unlock()
	if e == nil || e.phone == nil {
		return File{}, ErrNotFound
	}
	return s.keep(e.kind, e.phone)
}

// Forget has the phone forget a file, which stays with the service.
func (s *Store) Forget(directPath string) {
	path, _, _ := strings.Cut(directPath, "?")
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.files[path]; e != nil {
		e.phone = nil
	}
}

// Inject adds a fault; faults are used up in order.
func (s *Store) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Requests are all HTTP requests so far, in the order of their answers.
func (s *Store) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// keep stores an encrypted file under a new path; the File lacks what only the key's owner knows.
func (s *Store) keep(kind Kind, data []byte) (File, error) {
	if kind.MMSType() == "" {
		return File{}, ErrKey
	}
	name, err := s.random(15)
	if err != nil {
		return File{}, err
	}
	e := &entry{kind: kind, data: data, sum: sha256.Sum256(data), phone: data}
	path := "/v/t62.7118-24/" + base64.RawURLEncoding.EncodeToString(name) + ".enc"
	s.mu.Lock()
	s.files[path] = e
	s.mu.Unlock()
	expiry := strconv.FormatInt(s.opts.Now().Add(s.opts.TTL).Unix(), 16)
	direct := fmt.Sprintf("%s?ccb=11-4&oh=%s&oe=%s&_nc_sid=5e03e0", path, s.sign("path", path, expiry), expiry)
	return File{
		URL:           "https://" + s.opts.Host + direct + "&mms3=true",
		DirectPath:    direct,
		Handle:        base64.RawURLEncoding.EncodeToString(name),
		FileEncSHA256: e.sum[:],
	}, nil
}

func (s *Store) random(n int) ([]byte, error) {
	b := make([]byte, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.ReadFull(s.opts.Rand, b); err != nil {
		return nil, fmt.Errorf("media randomness: %w", err)
	}
	return b, nil
}

// sign is the signature that makes a link or token unforgeable, in hex.
func (s *Store) sign(parts ...string) string {
	h := hmac.New(sha256.New, s.secret)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
