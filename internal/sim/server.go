package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"

	"pesan/internal/sim/media"
)

// Options configure a [Server]. The zero value is good.
type Options struct {
	// Address is the host:port to listen on; 127.0.0.1:0 if empty.
	Address string
	// Logger takes one line per connection, pairing and violation; nothing is logged if nil.
	Logger *slog.Logger
	// OnViolation is called for every violation, from the goroutine that found it. It must not block.
	OnViolation func(Violation)
	// Version is the client revision that web.whatsapp.com announces, where whatsmeow.GetLatestVersion reads it.
	Version uint32
	// Root signs the server's certificates; made up if nil. Servers in one process that share it can be trusted at once.
	Root *keys.KeyPair
	// MinVersion refuses clients with an older revision as outdated (405); 0 takes all.
	MinVersion uint32
	// FullPreKeyUpload tells a new device that it has no pre keys, as WhatsApp does, so that it generates 812 of them.
	// Without it a new device uploads 50, which is faster.
	FullPreKeyUpload bool
	// PairingTimeout ends the connection of an unpaired client; 160 s if 0, as on WhatsApp.
	PairingTimeout time.Duration
}

// Server is a WhatsApp server. Make one with [New].
type Server struct {
	o         Options
	log       *slog.Logger
	authority *authority
	listener  net.Listener
	http      *http.Server
	media     *media.Store
	faults    faults
	ids       idSource

	ctx context.Context // ends with Close
	end context.CancelFunc
	wg  sync.WaitGroup

	mu         sync.Mutex // guards what follows; nothing is locked while it is held
	closed     bool
	contacts   map[types.JID]*Contact // by PN and by LID
	groups     map[types.JID]*Group
	pairings   map[string]*pairing // by each of its refs
	codes      map[types.JID]*pairing
	conns      map[*conn]struct{}
	infos      []*Connection
	acks       []Ack
	violations []Violation
}

// New starts a server. It ends with [Server.Close].
func New(o Options) (*Server, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Version == 0 {
		o.Version = 1045649367
	}
	if o.PairingTimeout == 0 {
		o.PairingTimeout = 160 * time.Second
	}
	if o.Root == nil {
		o.Root = keys.NewKeyPair()
	}
	authority, err := newAuthority(o.Root)
	if err != nil {
		return nil, fmt.Errorf("make server keys: %w", err)
	}
	store, err := media.NewStore(media.Options{})
	if err != nil {
		return nil, fmt.Errorf("make media store: %w", err)
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, log: o.Logger, authority: authority, listener: listener, media: store,
		contacts: map[types.JID]*Contact{}, groups: map[types.JID]*Group{},
		pairings: map[string]*pairing{}, codes: map[types.JID]*pairing{}, conns: map[*conn]struct{}{},
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.serve()
	return s, nil
}

// Address is the host:port that the server listens on (plain HTTP and websocket, the media host included).
func (s *Server) Address() string { return s.listener.Addr().String() }

// RootKey is the public key that signs the server's certificates; a client must trust it in WhatsApp's stead.
func (s *Server) RootKey() [32]byte { return *s.authority.root.Pub }

// HTTPClient makes a client whose https and wss connections all go, without TLS, to this server.
func (s *Server) HTTPClient() *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", s.Address())
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial, MaxIdleConnsPerHost: 4}}
}

// Close drops every connection and waits until all goroutines have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	err := s.http.Close()
	s.wg.Wait()
	return err
}

// Violations are all violations so far, in order.
func (s *Server) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Violation(nil), s.violations...)
}

// Acks are all acknowledgements by all devices so far, in the order of arrival.
func (s *Server) Acks() []Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Ack(nil), s.acks...)
}

// Connections are all connections so far, in the order of their opening.
func (s *Server) Connections() []Connection {
	return s.connectionsOf(func(*Connection) bool { return true })
}

// Inject puts a fault into every connection, those of unpaired clients included.
func (s *Server) Inject(f Fault) *Injected { return s.faults.add(f) }

// Media is the media service: what contacts upload before they send it, and the requests that clients made.
func (s *Server) Media() *media.Store { return s.media }

type netConnKey struct{}

// serve starts the listener's goroutine.
func (s *Server) serve() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws/chat", s.serveWebsocket)
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.Handle("/", s.media)
	s.http = &http.Server{
		Handler: s.tracked(mux),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, netConnKey{}, c)
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.wg.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serve", "error", err)
		}
	})
}

// tracked refuses requests after Close and lets Close wait for those before.
func (s *Server) tracked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		closed := s.closed
		if !closed {
			s.wg.Add(1)
		}
		s.mu.Unlock()
		if closed {
			http.Error(w, "closed", http.StatusServiceUnavailable)
			return
		}
		defer s.wg.Done()
		next.ServeHTTP(w, r)
	})
}

// servePage is web.whatsapp.com as far as a client reads it: the current version.
func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!doctype html><script>{"client_revision":%d,"tier":"release"}</script>`, s.o.Version)
}

// work runs f in a goroutine that Close waits for; after Close it does nothing. f must end when s.ctx does.
func (s *Server) work(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
}

func (s *Server) addConn(c *conn, remote string) *Connection {
	info := &Connection{Opened: time.Now(), Remote: remote}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	s.infos = append(s.infos, info)
	return info
}

func (s *Server) removeConn(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.info.Closed = time.Now()
	delete(s.conns, c)
}

func (s *Server) connectionsOf(match func(*Connection) bool) []Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Connection
	for _, info := range s.infos {
		if match(info) {
			found = append(found, *info)
		}
	}
	return found
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
