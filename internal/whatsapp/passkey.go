package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
)

const (
	// passkeyLife is how long WhatsApp waits for a passkey, where its request doesn't say.
	passkeyLife = 10 * time.Minute
	// passkeySend bounds one request to WhatsApp.
	passkeySend = 20 * time.Second
	// passkeyDomain is what WhatsApp's passkeys are bound to: an authenticator answers on this domain alone.
	passkeyDomain = "whatsapp.com"
)

// ceremony is WhatsApp's request for a passkey on the connection that links the device.
type ceremony struct {
	mu      sync.Mutex
	request *types.WebAuthnPublicKey // nil: none is asked for
	until   time.Time
	sending bool // an answer is on its way, or was taken
	compare bool // the codes are to be compared
}

// ask begins a ceremony.
func (p *ceremony) ask(request *types.WebAuthnPublicKey, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.request, p.until, p.sending, p.compare = request, until, false, false
}

func (p *ceremony) end() { p.ask(nil, time.Time{}) }

// asked tells whether WhatsApp waits for a passkey, or for what follows it.
func (p *ceremony) asked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.request != nil
}

// answer takes the right to send an answer; sent gives it back when WhatsApp didn't take the answer.
func (p *ceremony) answer(now time.Time, credential *types.WebAuthnResponse) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.request == nil:
		return &chat.Error{Code: chat.PasskeyNotAsked, Message: "WhatsApp asks for no passkey"}
	case !now.Before(p.until):
		return &chat.Error{Code: chat.PasskeyNotAsked, Message: "the request has expired"}
	case p.sending:
		return &chat.Error{Code: chat.PasskeyNotAsked, Message: "the request was answered already"}
	}
	if err := fits(credential, p.request); err != nil {
		return err
	}
	p.sending = true
	return nil
}

func (p *ceremony) sent(taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sending = taken
}

// comparing marks that the codes are to be compared; confirm takes the right to say that they are the same.
func (p *ceremony) comparing() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compare = p.request != nil
}

func (p *ceremony) confirm() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.compare {
		return &chat.Error{Code: chat.PasskeyNotAsked, Message: "no code is to be compared"}
	}
	p.compare = false
	return nil
}

// fits tells what is wrong with an answer as far as anybody can see without the passkey's public key: WhatsApp needn't be
// troubled with it, and the person can be told.
func fits(credential *types.WebAuthnResponse, request *types.WebAuthnPublicKey) error {
	wrong := func(why string) error {
		return &chat.Error{Code: chat.InvalidParameter, Message: "credential: " + why}
	}
	var said struct{ Type, Challenge, Origin string }
	if err := json.Unmarshal(credential.Response.ClientDataJSON, &said); err != nil {
		return wrong("clientDataJSON isn't JSON in base64url")
	}
	challenge, err := json.Marshal(request.Challenge)
	if err != nil {
		return fmt.Errorf("passkey's challenge: %w", err)
	}
	origin, err := url.Parse(said.Origin)
	onDomain := err == nil && origin.Scheme == "https" &&
		(origin.Hostname() == passkeyDomain || strings.HasSuffix(origin.Hostname(), "."+passkeyDomain))
	switch {
	case credential.Type != "public-key" || len(credential.RawID) == 0 || len(credential.Response.Signature) == 0:
		return wrong("it is no assertion of a public key")
	case said.Type != "webauthn.get":
		return wrong("it was made to register a passkey, not to use one")
	case strings.TrimRight(said.Challenge, "=") != strings.Trim(string(challenge), `"`):
		return wrong("it answers another request; get the present one by getPasskey")
	case !onDomain:
		return wrong("it was made on another origin than https://web." + passkeyDomain)
	case len(credential.Response.AuthenticatorData) < 37:
		return wrong("authenticatorData is too short")
	}
	return nil
}

// askPasskey is called when WhatsApp wants a passkey before it links the device.
func (c *connection) askPasskey(e *events.PairPasskeyRequest) error {
	options, err := json.Marshal(e.PublicKey)
	if err != nil {
		return fmt.Errorf("passkey's request: %w", err)
	}
	life := time.Duration(e.PublicKey.Timeout) * time.Millisecond
	if life <= 0 || life > passkeyLife {
		life = passkeyLife
	}
	until := c.Now().Add(life)
	c.next.Stop() // the code was scanned
	c.pairing.close()
	c.timeout.Reset(life)
	c.ceremony.ask(e.PublicKey, until)
	c.log.Info("WhatsApp asks for a passkey", "until", until)
	c.status.set(func(a *chat.Account) {
		state(chat.ServiceScan, PasskeyRequired)(a)
		a.QR, a.PairingCode, a.CodeExpires = "", "", until
		a.Passkey = &chat.Passkey{Options: chat.JSON(options), Expires: until}
	})
	return nil
}

// comparePasskey is called when WhatsApp has taken the passkey. A phone that knows that the code which was scanned is this
// device's needs no comparison.
func (c *connection) comparePasskey(e *events.PairPasskeyConfirmation) {
	if e.SkipHandoffUX {
		c.spawn(func() {
			ctx, cancel := context.WithTimeout(c.ctx, passkeySend)
			defer cancel()
			if err := c.wa.SendPasskeyConfirmation(ctx); err != nil {
				c.signalPasskeyFailed(err)
			}
		})
		return
	}
	c.ceremony.comparing()
	c.status.set(func(a *chat.Account) {
		if a.Passkey != nil {
			a.Reason, a.Passkey.Code = PasskeyCompare, e.Code
		}
	})
}

// signalPasskeyFailed ends the connection, so that linking begins again.
func (r *run) signalPasskeyFailed(err error) {
	select {
	case r.signals <- &events.PairPasskeyError{Error: err, Continuation: true}:
	case <-r.ctx.Done():
	}
}

// Passkey implements host.Device.
func (d *device) Passkey(ctx context.Context, credential chat.JSON) error {
	var answer types.WebAuthnResponse
	if err := json.Unmarshal([]byte(credential), &answer); err != nil {
		return &chat.Error{Code: chat.InvalidParameter, Message: "credential: not what PublicKeyCredential.toJSON() gives"}
	}
	r, err := d.current()
	if err != nil {
		return &chat.Error{Code: chat.PasskeyNotAsked, Message: "the device isn't being linked"}
	}
	if err := r.ceremony.answer(r.Now(), &answer); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, passkeySend)
	defer cancel()
	err = r.wa.SendPasskeyResponse(ctx, &answer)
	r.ceremony.sent(err == nil)
	if err != nil {
		return fmt.Errorf("send passkey: %w", passkeyRefusal(err))
	}
	return nil
}

// passkeyRefusal is the domain's error. What didn't reach WhatsApp may be tried again by whoever has the passkey: a request
// belongs to its connection.
func passkeyRefusal(err error) error {
	var iq *whatsmeow.IQError
	switch {
	case errors.As(err, &iq) && (iq.Code == 401 || iq.Code == 403):
		return &chat.Error{Code: chat.WhatsAppRejected, Message: "the passkey isn't one of this account"}
	case connectionLost(err):
		return &chat.Error{Code: chat.PasskeyNotAsked, Message: "the connection was lost"}
	}
	return refusal(err)
}

// ConfirmPasskey implements host.Device.
func (d *device) ConfirmPasskey(ctx context.Context) error {
	r, err := d.current()
	if err != nil {
		return &chat.Error{Code: chat.PasskeyNotAsked, Message: "the device isn't being linked"}
	}
	if err := r.ceremony.confirm(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, passkeySend)
	defer cancel()
	if err := r.wa.SendPasskeyConfirmation(ctx); err != nil {
		r.ceremony.comparing()
		return fmt.Errorf("confirm passkey: %w", passkeyRefusal(err))
	}
	return nil
}
