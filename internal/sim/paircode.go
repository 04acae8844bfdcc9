package sim

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
)

const pairingRounds = 131072 // of PBKDF2, to make guessing the code slow

// codePairing is a client's wish to be linked by a code that it shows.
type codePairing struct {
	ref     string
	wrapped []byte      // the client's ephemeral key under the code: salt 32 ‖ iv 16 ‖ key 32
	finish  chan []byte // takes the client's key bundle: salt 32 ‖ nonce 12 ‖ sealed
}

// linkCode handles the two IQs of pairing by code.
func (c *conn) linkCode(iq *waBinary.Node, reg waBinary.Node) {
	ag := reg.AttrGetter()
	jid, stage := ag.OptionalJIDOrEmpty("jid"), ag.OptionalString("stage")
	p := c.pairing
	switch stage {
	case "companion_hello":
		wrapped := childBytes(reg, "link_code_pairing_wrapped_companion_ephemeral_pub")
		if len(wrapped) != 80 || jid.IsEmpty() ||
			string(childBytes(reg, "companion_server_auth_key_pub")) != string(c.static) {
			c.s.violate(nil, BadPairing, "companion_hello lacks a key or a number")
			c.refuse(iq, 400, "bad-request")
			return
		}
		code := &codePairing{ref: "3@" + randomText(40), wrapped: wrapped, finish: make(chan []byte, 1)}
		p.mu.Lock()
		p.code = code
		p.mu.Unlock()
		c.s.mu.Lock()
		c.s.codes[jid] = p
		c.s.mu.Unlock()
		c.reply(iq, waBinary.Node{Tag: "link_code_companion_reg", Content: []waBinary.Node{
			{Tag: "link_code_pairing_ref", Content: []byte(code.ref)},
		}})
	case "companion_finish":
		p.mu.Lock()
		code := p.code
		p.mu.Unlock()
		bundle := childBytes(reg, "link_code_pairing_wrapped_key_bundle")
		if code == nil || string(childBytes(reg, "link_code_pairing_ref")) != code.ref || len(bundle) < 44 ||
			string(childBytes(reg, "companion_identity_public")) != string(p.keys.identity) {
			c.s.violate(nil, BadPairing, "companion_finish with a wrong reference or key")
			c.refuse(iq, 400, "bad-request")
			return
		}
		c.reply(iq)
		select {
		case code.finish <- bundle:
		default:
		}
	default:
		c.unknown(iq, "link_code_companion_reg stage")
	}
}

// EnterCode links the client that shows this pairing code ("ABCD-1234", with or without the dash). A code that the
// client doesn't show gives [ErrWrongCode].
func (p *Phone) EnterCode(ctx context.Context, code string) (*Device, error) {
	text := strings.ToUpper(strings.ReplaceAll(code, "-", ""))
	p.s.mu.Lock()
	w := p.s.codes[p.pn]
	p.s.mu.Unlock()
	if w == nil {
		return nil, ErrWrongCode
	}
	w.mu.Lock()
	pending := w.code
	w.mu.Unlock()
	theirs, err := codeCipher(text, pending.wrapped)
	if err != nil {
		return nil, err
	}
	own := keys.NewKeyPair()
	shared, err := curve25519.X25519(own.Priv[:], theirs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrongCode, err)
	}
	head := make([]byte, 48)
	_, _ = rand.Read(head)
	wrapped, err := codeCipher(text, append(head, own.Pub[:]...))
	if err != nil {
		return nil, err
	}
	id := p.s.ids.next()
	w.c.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{
		"from": types.ServerJID, "type": "link_code_companion_reg", "id": id, "t": time.Now().Unix(),
	}, Content: []waBinary.Node{{Tag: "link_code_companion_reg", Attrs: waBinary.Attrs{"stage": "primary_hello"},
		Content: []waBinary.Node{
			{Tag: "link_code_pairing_wrapped_primary_ephemeral_pub", Content: append(head, wrapped...)},
			{Tag: "primary_identity_pub", Content: p.signal.identity.Pub[:]},
			{Tag: "link_code_pairing_ref", Content: []byte(pending.ref)},
		}}}})
	select {
	case bundle := <-pending.finish:
		secret, err := p.openBundle(shared, w.keys.identity, bundle)
		if err != nil {
			return nil, err
		}
		return p.admit(ctx, w, secret)
	case <-w.done:
		return nil, fmt.Errorf("%w: it went away", ErrLinking)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// codeCipher wraps or unwraps a public key under a pairing code; in is salt 32 ‖ iv 16 ‖ key 32.
func codeCipher(code string, in []byte) ([]byte, error) {
	key, err := pbkdf2.Key(sha256.New, code, in[:32], pairingRounds, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 32)
	cipher.NewCTR(block, in[32:48]).XORKeyStream(out, in[48:80])
	return out, nil
}

// openBundle opens the client's key bundle and derives the secret that authenticates pair-success.
func (p *Phone) openBundle(shared, identity, bundle []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, shared, bundle[:32], "link_code_pairing_key_bundle_encryption_key", 32)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, bundle[32:44], bundle[44:], nil)
	if err != nil {
		return nil, ErrWrongCode // both sides took another code, hence another key
	}
	own := p.signal.identity
	if len(plain) != 96 || string(plain[:32]) != string(identity) || string(plain[32:64]) != string(own.Pub[:]) {
		p.s.violate(nil, BadPairing, "key bundle with other identities")
		return nil, ErrLinking
	}
	dh, err := curve25519.X25519(own.Priv[:], identity)
	if err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, join(shared, dh, plain[64:]), nil, "adv_secret", 32)
}

// child is a child of a node, the empty node if there is none.
func child(n waBinary.Node, tags ...string) waBinary.Node {
	if c, ok := n.GetOptionalChildByTag(tags...); ok {
		return c
	}
	return waBinary.Node{}
}

// childBytes is the binary content of a child, nil if there is none.
func childBytes(n waBinary.Node, tags ...string) []byte {
	c := child(n, tags...)
	data, _ := c.Content.([]byte)
	return data
}
