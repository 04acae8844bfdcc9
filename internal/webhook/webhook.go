// Package webhook sends an account's events to the endpoint that its owner has set.
//
// # Promise
//
// An event is sent at least once, and the events of an account in their order: the next one waits for the one before to be
// delivered or given up. Every repetition carries the same webhook-id. What fails is tried again with growing pauses for
// chat.EventPatience and then kept as a dead event; an endpoint that fails for chat.HookPatience is switched off. Requests
// are signed as the Standard Webhooks specification says.
//
// A connection is made to public addresses alone, which is decided for each address at the moment of dialing, over TLS that
// is verified. No redirect is followed. An attempt has ten seconds in all, and of an answer 64 KB are read.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"pesan/internal/chat"
)

// What is wrong with an attempt, in the words of chat.HookAttempt.
const (
	Refused       = "ADDRESS_REFUSED" // it isn't public
	Timeout       = "TIMEOUT"
	NameUnknown   = "NAME_UNKNOWN"
	BadTLS        = "TLS"
	BadConnection = "CONNECTION"
	BadStatus     = "STATUS" // the answer isn't 2xx; a redirect is none
	BadSettings   = "SETTINGS"
)

// Sender makes attempts. Make one with NewSender; it is safe for concurrent use.
type Sender struct {
	client *client
	now    func() time.Time
}

// Options of a Sender.
type Options struct {
	Loopback bool // also to this machine, and there also without TLS: for a laptop, a demo and tests
	Now      func() time.Time

	tls     *tls.Config
	tune    func(*net.Dialer)
	attempt time.Duration
}

var _ chat.HookCaller = (*Sender)(nil)

// NewSender makes a sender.
func NewSender(o Options) *Sender { return &Sender{newClient(o), o.Now} }

// Close closes the connections that are kept.
func (s *Sender) Close() { s.client.closeIdle() }

// userAgent names the sender.
const userAgent = "Pesan-Webhook/1"

// Send implements chat.HookCaller.
func (s *Sender) Send(ctx context.Context, url, secret string, e chat.Event) (r chat.HookAnswer) {
	at := s.now()
	r.HookAttempt = chat.HookAttempt{ID: e.ID, Kind: e.Kind, At: at}
	defer func() { r.Millis = s.now().Sub(at).Milliseconds() }()
	request, err := s.request(ctx, url, secret, e, at)
	if err != nil {
		r.Error = BadSettings
		return r
	}
	answer, err := s.client.do(request)
	if err != nil {
		r.Error = reason(ctx, err)
		return r
	}
	defer answer.Body.Close()
	r.Status = answer.StatusCode
	r.Answer = beginning(answer)
	if r.Status < 200 || r.Status > 299 {
		r.Error, r.After = BadStatus, retryAfter(answer.Header.Get("Retry-After"))
	}
	return r
}

// excerpt is how much of an answer is shown, in bytes.
const excerpt = 200

// beginning reads the answer, so that its connection can be used again, and returns its first line of text. What the status says
// counts, also where the rest is too long or never comes.
func beginning(answer *http.Response) string {
	head := make([]byte, excerpt)
	n, err := io.ReadFull(answer.Body, head)
	if err == nil {
		_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer-excerpt)
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(head[:n]), []byte("\n"))
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(string(line), ""))
}

// retryAfter reads the header of this name; a date isn't taken.
func retryAfter(header string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(header), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// request is an event as it goes out.
func (s *Sender) request(ctx context.Context, url, secret string, e chat.Event, at time.Time) (*http.Request, error) {
	if s.CheckURL(url) != "" {
		return nil, fmt.Errorf("the URL isn't one that is called")
	}
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("the secret can't be read")
	}
	signature, err := signer.Sign(e.ID, at, []byte(e.Body))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(e.Body)))
	if err != nil {
		return nil, err
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"},
		"User-Agent":   {userAgent},
		// as the specification writes them; names of fields have no case
		http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookID):        {e.ID},
		http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookTimestamp): {strconv.FormatInt(at.Unix(), 10)},
		http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookSignature): {signature},
	}
	return r, nil
}
