package sim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Authenticator holds a person's passkey, as a phone or a password manager does. The zero value isn't usable; see
// NewAuthenticator.
type Authenticator struct {
	ID         []byte // of the credential
	Key        *ecdsa.PrivateKey
	Origin     string // where it is used; PasskeyOrigin
	Unverified bool   // it doesn't ask who the user is
}

// NewAuthenticator makes a new passkey.
func NewAuthenticator() (*Authenticator, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make passkey: %w", err)
	}
	return &Authenticator{ID: []byte(randomText(24)), Key: key, Origin: PasskeyOrigin}, nil
}

// Passkey is what WhatsApp knows of it.
func (a *Authenticator) Passkey() *Passkey { return &Passkey{ID: a.ID, Key: &a.Key.PublicKey} }

// Assert answers a request, as PublicKeyCredential.parseRequestOptionsFromJSON takes it, with a credential, as toJSON gives it.
func (a *Authenticator) Assert(options []byte) ([]byte, error) {
	var request struct{ Challenge, RpID string }
	if err := json.Unmarshal(options, &request); err != nil {
		return nil, fmt.Errorf("passkey request: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString
	clientData, err := json.Marshal(map[string]any{
		"type": "webauthn.get", "challenge": request.Challenge, "origin": a.Origin, "crossOrigin": false,
	})
	if err != nil {
		return nil, err
	}
	party := sha256.Sum256([]byte(request.RpID))
	flags := byte(userPresent | userVerified)
	if a.Unverified {
		flags = userPresent
	}
	data := append(party[:], flags, 0, 0, 0, 1)
	sum := sha256.Sum256(clientData)
	digest := sha256.Sum256(join(data, sum[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, a.Key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign with passkey: %w", err)
	}
	return json.Marshal(map[string]any{
		"id": text(a.ID), "rawId": text(a.ID), "type": "public-key", "authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{},
		"response": map[string]any{
			"clientDataJSON": text(clientData), "authenticatorData": text(data), "signature": text(signature), "userHandle": nil,
		},
	})
}
