package sim

import (
	"context"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/types"
	"golang.org/x/crypto/curve25519"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/util/keys"
)

// What WhatsApp's passkeys are bound to. An authenticator signs for the relying party only on its own origin.
const (
	PasskeyRelyingParty = "whatsapp.com"
	PasskeyOrigin       = "https://web.whatsapp.com"

	passkeyTimeout = 600 * time.Second
)

// Passkey is one that an account has registered: with it set, WhatsApp links no device without it.
type Passkey struct {
	ID  []byte           // of the credential
	Key *ecdsa.PublicKey // P-256
	// Compare is asked on the phone whether the code that the phone shows ("ABCD-1234") is the one that the client shows. nil is a
	// person who says yes. It isn't asked where the client proves that it showed the code that was scanned.
	Compare func(ctx context.Context, code string) bool
	// Timeout is how long WhatsApp waits for the assertion; 600 s if 0.
	Timeout time.Duration
}

// ErrPasskey: the client's passkey wasn't accepted, or didn't come.
var ErrPasskey = errors.New("passkey refused")

// passkeyPairing is a client that was asked for a passkey. Each channel takes what the client sends, once.
type passkeyPairing struct {
	phone     *Phone
	passkey   Passkey
	challenge []byte
	secret    []byte // of the code that was scanned; nil where there was none
	ref       string // that the client asked for, for its prologue

	prologue chan prologue
	nonce    chan []byte
	request  chan []byte
}

type prologue struct {
	payload []byte
	proven  bool // the client knows the secret of the code that was scanned
}

// RequirePasskey has WhatsApp ask for the passkey whenever a device is linked; nil has it ask no more.
func (p *Phone) RequirePasskey(k *Passkey) {
	p.devMu.Lock()
	defer p.devMu.Unlock()
	p.passkey = k
}

func (p *Phone) requiredPasskey() *Passkey {
	p.devMu.Lock()
	defer p.devMu.Unlock()
	return p.passkey
}

// admit links a client that the phone accepts, by its passkey where the account has one. secret is what the client showed or
// derived.
func (p *Phone) admit(ctx context.Context, w *pairing, secret []byte) (*Device, error) {
	k := p.requiredPasskey()
	if k == nil {
		return p.link(ctx, w, secret)
	}
	c := &passkeyPairing{
		phone: p, passkey: *k, challenge: make([]byte, 32), secret: secret,
		prologue: make(chan prologue, 1), nonce: make(chan []byte, 1), request: make(chan []byte, 1),
	}
	_, _ = rand.Read(c.challenge)
	if c.passkey.Timeout == 0 {
		c.passkey.Timeout = passkeyTimeout
	}
	w.mu.Lock()
	busy := w.passkey != nil || w.link != nil
	if !busy {
		w.passkey = c
	}
	w.mu.Unlock()
	if busy {
		return nil, fmt.Errorf("%w: being linked already", ErrQR)
	}
	defer func() {
		w.mu.Lock()
		w.passkey = nil
		w.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, c.passkey.Timeout, fmt.Errorf("%w: too late", ErrPasskey))
	defer cancel()
	secret, err := c.run(ctx, w)
	if err != nil {
		return nil, err
	}
	return p.link(ctx, w, secret)
}

// options are the request as WebAuthn has it.
func (c *passkeyPairing) options() []byte {
	b, _ := json.Marshal(map[string]any{ // it can always be written
		"challenge": base64.RawURLEncoding.EncodeToString(c.challenge), "timeout": c.passkey.Timeout.Milliseconds(),
		"rpId": PasskeyRelyingParty, "userVerification": "required", "extensions": map[string]any{},
		"allowCredentials": []map[string]any{{
			"id": base64.RawURLEncoding.EncodeToString(c.passkey.ID), "type": "public-key", "transports": []string{"internal", "hybrid"},
		}},
	})
	return b
}

// run leads the client through the ceremony and returns the secret that authenticates pair-success.
func (c *passkeyPairing) run(ctx context.Context, w *pairing) ([]byte, error) {
	p := c.phone
	w.c.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{
		"from": types.ServerJID, "type": "passkey_prologue_request", "id": p.s.ids.next(), "t": time.Now().Unix(),
	}, Content: []waBinary.Node{{Tag: "passkey_request_options", Content: c.options()}}})
	begun, err := await(ctx, w, c.prologue)
	if err != nil {
		return nil, err
	}
	var payload waCompanionReg.ProloguePayload
	var ident waCompanionReg.CompanionEphemeralIdentity
	if proto.Unmarshal(begun.payload, &payload) != nil ||
		proto.Unmarshal(payload.GetCompanionEphemeralIdentity(), &ident) != nil ||
		len(ident.GetPublicKey()) != 32 || ident.GetRef() != c.ref {
		p.s.violate(nil, BadPairing, "prologue without the client's key and reference")
		return nil, ErrLinking
	}
	own, phoneNonce := keys.NewKeyPair(), make([]byte, 32)
	_, _ = rand.Read(phoneNonce)
	identity, err := proto.Marshal(&waCompanionReg.PrimaryEphemeralIdentity{PublicKey: own.Pub[:], Nonce: phoneNonce})
	if err != nil {
		return nil, err
	}
	w.c.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{
		"from": types.ServerJID, "type": "crsc_continuation", "id": p.s.ids.next(), "t": time.Now().Unix(),
	}, Content: []waBinary.Node{{Tag: "primary_ephemeral_identity", Content: identity}}})
	nonce, err := await(ctx, w, c.nonce)
	if err != nil {
		return nil, err
	}
	// The client chose its nonce before it saw the phone's, so neither can choose the code.
	if sum := sha256.Sum256(append(payload.GetCompanionEphemeralIdentity(),
		nonce...)); string(sum[:]) != string(payload.GetCommitment().GetHash()) {
		p.s.violate(nil, BadPairing, "a nonce that the prologue didn't commit to")
		return nil, ErrLinking
	}
	if !begun.proven && c.passkey.Compare != nil && !c.passkey.Compare(ctx, comparisonCode(nonce, own.Pub[:], phoneNonce)) {
		w.c.hangup()
		return nil, fmt.Errorf("%w: the codes differ", ErrPasskey)
	}
	sealed, err := await(ctx, w, c.request)
	if err != nil {
		return nil, err
	}
	return c.open(w, own, &ident, sealed)
}

// await takes what the client sends.
func await[T any](ctx context.Context, w *pairing, from <-chan T) (v T, err error) {
	select {
	case v = <-from:
		return v, nil
	case <-w.done:
		return v, fmt.Errorf("%w: it went away", ErrLinking)
	case <-ctx.Done():
		w.c.hangup()
		return v, context.Cause(ctx)
	}
}

var codeAlphabet = base32.NewEncoding("123456789ABCDEFGHJKLMNPQRSTVWXYZ")

// comparisonCode is what both sides show.
func comparisonCode(clientNonce, phoneKey, phoneNonce []byte) string {
	digest := sha256.Sum256(append(clientNonce[:len(clientNonce):len(clientNonce)], phoneKey...))
	var b [5]byte
	for i := range b {
		b[i] = phoneNonce[i] ^ digest[i]
	}
	text := codeAlphabet.EncodeToString(b[:])
	return text[:4] + "-" + text[4:]
}

// open opens the client's request to be linked.
func (c *passkeyPairing) open(
	w *pairing, own *keys.KeyPair, ident *waCompanionReg.CompanionEphemeralIdentity, sealed []byte,
) ([]byte, error) {
	refused := func(why string) ([]byte, error) {
		c.phone.s.violate(nil, BadPairing, "pairing request: %s", why)
		return nil, ErrLinking
	}
	var wrapped waCompanionReg.EncryptedPairingRequest
	if err := proto.Unmarshal(sealed, &wrapped); err != nil || len(wrapped.GetIV()) != 12 {
		return refused("unreadable")
	}
	shared, err := curve25519.X25519(own.Priv[:], ident.GetPublicKey())
	if err != nil {
		return refused("a key of small order")
	}
	salt := fmt.Sprintf("Companion Pairing %d with ref %s", ident.GetDeviceType(), ident.GetRef())
	key, err := hkdf.Key(sha256.New, shared, []byte(salt), "Pairing Information Encryption Key", 32)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, wrapped.GetIV(), wrapped.GetEncryptedPayload(), nil)
	if err != nil {
		return refused("sealed under another key")
	}
	var r waCompanionReg.PairingRequest
	if err := proto.Unmarshal(plain, &r); err != nil || len(r.GetAdvSecret()) != 32 ||
		string(r.GetCompanionPublicKey()) != string(w.keys.noise) ||
		string(r.GetCompanionIdentityKey()) != string(w.keys.identity) {
		return refused("other keys than the client's")
	}
	return r.GetAdvSecret(), nil
}

// passkeyRequest handles what a client that was asked for a passkey sends; it is false for anything else.
func (c *conn) passkeyRequest(iq *waBinary.Node) bool {
	var what waBinary.Node
	if all := iq.GetChildren(); len(all) > 0 {
		what = all[0]
	}
	c.pairing.mu.Lock()
	asked := c.pairing.passkey
	c.pairing.mu.Unlock()
	content, _ := what.Content.([]byte)
	kind := iq.AttrGetter().OptionalString("type") + "/" + what.Tag
	switch kind {
	case "get/ref", "get/passkey_request_options", "set/passkey_prologue", "set/companion_nonce", "set/encrypted_pairing_request":
	default:
		return false
	}
	if asked == nil {
		c.s.violate(nil, BadPairing, "%s of a client that no passkey was asked of", kind)
		c.refuse(iq, 400, "bad-request")
		return true
	}
	switch kind {
	case "get/ref":
		c.pairing.mu.Lock()
		if asked.ref == "" {
			asked.ref = "4@" + randomText(40)
		}
		ref := asked.ref
		c.pairing.mu.Unlock()
		c.reply(iq, waBinary.Node{Tag: "ref", Content: []byte(ref)})
	case "get/passkey_request_options":
		c.reply(iq, waBinary.Node{Tag: "passkey_request_options", Content: asked.options()})
	case "set/passkey_prologue":
		c.takePrologue(iq, what, asked)
	case "set/companion_nonce":
		take(c, iq, asked.nonce, content, len(content) == 32)
	case "set/encrypted_pairing_request":
		take(c, iq, asked.request, content, len(content) > 0)
	}
	return true
}

// take answers a request and hands it on, once.
func take[T any](c *conn, iq *waBinary.Node, to chan<- T, v T, good bool) {
	if good {
		select {
		case to <- v:
			c.reply(iq)
			return
		default:
		}
	}
	c.s.violate(nil, BadPairing, "a part of the passkey's ceremony is malformed or comes twice")
	c.refuse(iq, 400, "bad-request")
}

// takePrologue verifies the assertion as a relying party does. A wrong one is refused and may be followed by another: a person
// may have taken the wrong passkey.
func (c *conn) takePrologue(iq *waBinary.Node, n waBinary.Node, asked *passkeyPairing) {
	if err := asked.verify(childBytes(n, "credential_id"), childBytes(n, "webauthn_assertion")); err != nil {
		c.s.log.Warn("passkey refused", "error", err)
		c.refuse(iq, 401, "not-authorized")
		return
	}
	payload := childBytes(n, "prologue_payload")
	begun := prologue{payload: payload}
	if proof := childBytes(n, "pairing_handoff_proof"); proof != nil {
		key, err := hkdf.Key(sha256.New, asked.secret, nil, "shortcake-passkey-handoff-v1", 32)
		mac := hmac.New(sha256.New, key)
		mac.Write(payload)
		if begun.proven = err == nil && hmac.Equal(mac.Sum(nil), proof); !begun.proven {
			c.s.violate(nil, BadPairing, "a proof of another code than was scanned")
			c.refuse(iq, 400, "bad-request")
			return
		}
	}
	take(c, iq, asked.prologue, begun, len(payload) > 0)
}

// Flags of an authenticator's data.
const (
	userPresent  = 1 << 0
	userVerified = 1 << 2
)

// verify checks an assertion: WebAuthn Level 3, section 7.2.
func (c *passkeyPairing) verify(id, assertion []byte) error {
	var a struct {
		ID, RawID, Type string
		Response        struct{ ClientDataJSON, AuthenticatorData, Signature string }
	}
	if err := json.Unmarshal(assertion, &a); err != nil {
		return fmt.Errorf("assertion: %w", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(a.RawID)
	if err != nil || string(raw) != string(id) || string(id) != string(c.passkey.ID) || a.Type != "public-key" {
		return errors.New("another credential")
	}
	var parts [3][]byte
	for i, text := range []string{a.Response.ClientDataJSON, a.Response.AuthenticatorData, a.Response.Signature} {
		if parts[i], err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return fmt.Errorf("assertion: %w", err)
		}
	}
	clientData, data, signature := parts[0], parts[1], parts[2]
	var said struct{ Type, Challenge, Origin string }
	if err := json.Unmarshal(clientData, &said); err != nil {
		return fmt.Errorf("client data: %w", err)
	}
	party := sha256.Sum256([]byte(PasskeyRelyingParty))
	switch {
	case said.Type != "webauthn.get":
		return errors.New("not an assertion")
	case said.Challenge != base64.RawURLEncoding.EncodeToString(c.challenge):
		return errors.New("another challenge")
	case said.Origin != PasskeyOrigin:
		return fmt.Errorf("made on %q", said.Origin)
	case len(data) < 37 || string(data[:32]) != string(party[:]):
		return errors.New("another relying party")
	case data[32]&userPresent == 0 || data[32]&userVerified == 0:
		return errors.New("the user wasn't verified")
	}
	sum := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(data[:len(data):len(data)], sum[:]...))
	if !ecdsa.VerifyASN1(c.passkey.Key, digest[:], signature) {
		return errors.New("wrong signature")
	}
	return nil
}
