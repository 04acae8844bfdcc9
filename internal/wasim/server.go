package wasim

import (
	"errors"
	"log/slog"
	"net/http"
	"time"
)

var errMissing = errors.New("wasim: not implemented yet")

// Options configure a [Server]. The zero value is good.
type Options struct {
	// Address is the host:port to listen on; 127.0.0.1:0 if empty.
	Address string
	// Logger takes one line per connection, pairing and violation; nothing is logged if nil.
	Logger *slog.Logger
	// OnViolation is called for every violation, from the goroutine that found it. It must not block.
	OnViolation func(Violation)
	// Version is the client revision that web.whatsapp.com announces (whatsmeow.GetLatestVersion reads it).
	Version uint32
	// MinVersion refuses clients with an older revision as outdated (405); 0 takes all.
	MinVersion uint32
	// FullPreKeyUpload tells a new device that it has no pre keys, as WhatsApp does, so that it generates 812 of them.
	// Without it a new device uploads 50, which is faster.
	FullPreKeyUpload bool
	// PairingTimeout ends the connection of an unpaired client; 160 s if 0, as on WhatsApp.
	PairingTimeout time.Duration
}

// Server is a WhatsApp server on a loopback address. Make one with [New].
type Server struct{}

// New starts a server. It ends with [Server.Close].
func New(o Options) (*Server, error) { return nil, errMissing }

// Address is the host:port that the server listens on (plain HTTP and websocket, the media host included).
func (s *Server) Address() string { return "" }

// RootKey is the public key that signs the server's certificates; a client must trust it in WhatsApp's stead.
func (s *Server) RootKey() [32]byte { return [32]byte{} }

// HTTPClient makes a client whose https and wss connections all go, without TLS, to this server.
func (s *Server) HTTPClient() *http.Client { return nil }

// Close drops every connection and waits until all goroutines have ended.
func (s *Server) Close() error { return errMissing }

// Violations are all violations so far, in order.
func (s *Server) Violations() []Violation { return nil }

// Acks are all acknowledgements by all devices so far, in the order of arrival.
func (s *Server) Acks() []Ack { return nil }

// Connections are all connections so far, in the order of their opening.
func (s *Server) Connections() []Connection { return nil }

// Inject puts a fault into every connection, those of unpaired clients included.
func (s *Server) Inject(f Fault) *Injected { return nil }

// NewContact makes a person. pn is a phone number in digits and may be empty for somebody who hides it; lid is the number
// of a LID and is made up if empty.
func (s *Server) NewContact(pn, lid, pushName string) (*Contact, error) { return nil, errMissing }

// NewPhone makes a person with a WhatsApp account of their own, to which devices can be linked.
func (s *Server) NewPhone(pn string, o PhoneOptions) (*Phone, error) { return nil, errMissing }

// NewGroup makes a group; the creator is its first member and superadmin.
func (s *Server) NewGroup(subject string, creator Member, o GroupOptions, members ...Member) (*Group, error) {
	return nil, errMissing
}
