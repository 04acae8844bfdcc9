// Package httpapi is the HTTP contract: decode → authenticate → call → encode, the same for net/http and for Lambda
// behind an API Gateway HTTP API.
//
// Endpoints is the only list of endpoints. A wrong call gets the right code and changes nothing: nothing that writes runs before
// the key or the secret has been checked. No answer and no log holds another account's data, a secret or an internal text.
package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
)

// Config is what all endpoints share. Fields after Logger have defaults.
type Config struct {
	Accounts    chat.AccountReader // of endpoints that are opened by an API key; may show what was a moment ago
	Reports     ReportAdder
	Secret      string // opens the system's endpoints; "" leaves them closed
	Logger      *slog.Logger
	ReadSecret  func(context.Context) (string, error) // the secret as it is now; it stays the same
	Latest      chat.AccountReader                    // shows what is now, for when a moment matters; Accounts
	Meter       Meter                                 // nil: nobody counts
	Near        bool                                  // Accounts is at hand and shows what is now, so the key is checked before anything is read
	Proxies     []netip.Prefix                        // whose X-Forwarded-For is believed, over net/http
	CountryCode string                                // what the leading 0 of a phone number stands for; 62
	Timeout     time.Duration                         // of a call; 25 s, since an HTTP API gives up after 30 s
	Rate        float64                               // calls a second of one key in this process; 0: no limit
	Burst       int                                   // calls of one key at once; twice the rate
	MaxAnswer   int                                   // bytes of an answer, then a page ends; what a Lambda may return, 64 MiB over net/http
	Now         func() time.Time                      // time.Now
	Random      io.Reader                             // crypto/rand
}

// ReportAdder writes the API log.
type ReportAdder interface {
	// AddReport stores an entry.
	AddReport(ctx context.Context, r chat.Report) error
}

// API serves endpoints. Make one with New.
type API struct {
	Config
	limiter  *limiter
	suspects *suspects
	guesses  *guesses
	secret   secret
	buffers  buffers
	room     *room
	waits    *waits
	gzips    gzips
}

// New makes an API.
func New(c Config) *API {
	c.CountryCode = cmp.Or(c.CountryCode, "62")
	c.Timeout = cmp.Or(c.Timeout, 25*time.Second)
	c.Burst = cmp.Or(c.Burst, max(1, int(2*c.Rate)))
	if c.Latest == nil {
		c.Latest = c.Accounts
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &API{
		Config: c, limiter: newLimiter(c.Rate, c.Burst), suspects: newSuspects(), guesses: newGuesses(), room: newRoom(),
		waits:  newWaits(),
		secret: secret{value: c.Secret, read: c.ReadSecret, at: c.Now()},
	}
}

// WrongSecrets is how many calls had a wrong system secret.
func (a *API) WrongSecrets() int { return a.guesses.count() }

// newID makes a ULID.
func (a *API) newID(now time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(now), a.Random)
	return id.String(), err
}

// begin decodes a call's parameters and reads what it needs. It runs beside the check of the key, so it only reads, and
// what it returns or fails with counts only once the key has opened.
type begin func(ctx context.Context, c *call) (finish, error)

// finish does what the call asks for, of an account whose key has opened, and appends the answer to c.out. The account
// is zero where no key is asked for.
type finish func(ctx context.Context, c *call, a chat.Account) (status int, err error)

// Unknown answers what no other endpoint does.
func Unknown(Deps) Endpoint {
	return Endpoint{Auth: Open, silent: true, begin: func(context.Context, *call) (finish, error) {
		return nil, &chat.Error{Code: chat.UnknownEndpoint}
	}}
}
