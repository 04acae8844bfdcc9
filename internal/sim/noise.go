package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// authority holds the keys with which the server proves who it is.
type authority struct {
	root   *keys.KeyPair
	static *ecdh.PrivateKey // of the noise handshake
	chain  []byte           // waCert.CertChain: the root signs the intermediate, that signs static
}

func newAuthority(root *keys.KeyPair) (*authority, error) {
	static, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{root: root, static: static}
	intermediate := keys.NewKeyPair()
	const serial = 1
	mid, err := certificate(a.root, &waCert.CertChain_NoiseCertificate_Details{
		Serial: proto.Uint32(serial), IssuerSerial: proto.Uint32(0), Key: intermediate.Pub[:],
		NotBefore: proto.Uint64(0), NotAfter: proto.Uint64(1 << 40),
	})
	if err != nil {
		return nil, err
	}
	leaf, err := certificate(intermediate, &waCert.CertChain_NoiseCertificate_Details{
		Serial: proto.Uint32(serial + 1), IssuerSerial: proto.Uint32(serial), Key: static.PublicKey().Bytes(),
		NotBefore: proto.Uint64(0), NotAfter: proto.Uint64(1 << 40),
	})
	if err != nil {
		return nil, err
	}
	a.chain, err = proto.Marshal(&waCert.CertChain{Intermediate: mid, Leaf: leaf})
	return a, err
}

func certificate(issuer *keys.KeyPair, d *waCert.CertChain_NoiseCertificate_Details) (*waCert.CertChain_NoiseCertificate, error) {
	details, err := proto.Marshal(d)
	if err != nil {
		return nil, err
	}
	sig := sign(issuer, details)
	return &waCert.CertChain_NoiseCertificate{Details: details, Signature: sig}, nil
}

// sign is XEdDSA over the concatenated parts.
func sign(key *keys.KeyPair, parts ...[]byte) []byte {
	sig := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*key.Priv), join(parts...))
	return sig[:]
}

// verify checks an XEdDSA signature over the concatenated parts; wrong lengths don't verify.
func verify(pub, sig []byte, parts ...[]byte) bool {
	if len(pub) != 32 || len(sig) != 64 {
		return false
	}
	return ecc.VerifySignature(ecc.NewDjbECPublicKey([32]byte(pub)), join(parts...), [64]byte(sig))
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// noise is the responder's side of Noise_XX_25519_AESGCM_SHA256 (noiseprotocol.org, revision 34) as WhatsApp runs it:
// the prologue is the 4 bytes that the client sends first.
type noise struct {
	hash    []byte
	salt    []byte
	aead    cipher.AEAD
	counter uint32
}

func newNoise(prologue []byte) (*noise, error) {
	name := []byte(socket.NoiseStartPattern)
	aead, err := newAEAD(name)
	if err != nil {
		return nil, err
	}
	n := &noise{hash: name, salt: name, aead: aead}
	n.mixHash(prologue)
	return n, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// nonce is 8 zero bytes and the big-endian counter.
func nonce(counter uint32) []byte {
	iv := make([]byte, 12)
	binary.BigEndian.PutUint32(iv[8:], counter)
	return iv
}

func (n *noise) mixHash(data []byte) {
	h := sha256.Sum256(join(n.hash, data))
	n.hash = h[:]
}

func (n *noise) mixKey(secret []byte) error {
	out, err := hkdf.Key(sha256.New, secret, n.salt, "", 64)
	if err != nil {
		return err
	}
	n.salt, n.counter = out[:32], 0
	n.aead, err = newAEAD(out[32:])
	return err
}

func (n *noise) mixDH(own *ecdh.PrivateKey, theirs []byte) error {
	pub, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil {
		return err
	}
	secret, err := own.ECDH(pub)
	if err != nil {
		return err
	}
	return n.mixKey(secret)
}

func (n *noise) seal(plain []byte) []byte {
	out := n.aead.Seal(nil, nonce(n.counter), plain, n.hash)
	n.counter++
	n.mixHash(out)
	return out
}

func (n *noise) open(data []byte) ([]byte, error) {
	out, err := n.aead.Open(nil, nonce(n.counter), data, n.hash)
	if err != nil {
		return nil, err
	}
	n.counter++
	n.mixHash(data)
	return out, nil
}

// split returns the transport ciphers: what the client writes with, what the server writes with.
func (n *noise) split() (fromClient, toClient cipher.AEAD, err error) {
	out, err := hkdf.Key(sha256.New, nil, n.salt, "", 64)
	if err != nil {
		return nil, nil, err
	}
	if fromClient, err = newAEAD(out[:32]); err != nil {
		return nil, nil, err
	}
	toClient, err = newAEAD(out[32:])
	return fromClient, toClient, err
}

// serverHello answers the client's first message and returns the ephemeral key that clientFinish needs.
func (a *authority) serverHello(n *noise, hello []byte) (reply []byte, own *ecdh.PrivateKey, err error) {
	var m waWa6.HandshakeMessage
	if err = proto.Unmarshal(hello, &m); err != nil {
		return nil, nil, fmt.Errorf("client hello: %w", err)
	}
	theirs := m.GetClientHello().GetEphemeral()
	if len(theirs) != 32 {
		return nil, nil, errors.New("client hello without ephemeral key")
	}
	n.mixHash(theirs)
	if own, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
		return nil, nil, err
	}
	n.mixHash(own.PublicKey().Bytes())
	if err = n.mixDH(own, theirs); err != nil {
		return nil, nil, err
	}
	static := n.seal(a.static.PublicKey().Bytes())
	if err = n.mixDH(a.static, theirs); err != nil {
		return nil, nil, err
	}
	reply, err = proto.Marshal(&waWa6.HandshakeMessage{ServerHello: &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: own.PublicKey().Bytes(), Static: static, Payload: n.seal(a.chain),
	}})
	return reply, own, err
}

// clientFinish opens the client's second message: its static key and who it says it is.
func clientFinish(n *noise, own *ecdh.PrivateKey, finish []byte) (static []byte, p *waWa6.ClientPayload, err error) {
	var m waWa6.HandshakeMessage
	if err = proto.Unmarshal(finish, &m); err != nil {
		return nil, nil, fmt.Errorf("client finish: %w", err)
	}
	if static, err = n.open(m.GetClientFinish().GetStatic()); err != nil {
		return nil, nil, fmt.Errorf("client static key: %w", err)
	}
	if err = n.mixDH(own, static); err != nil {
		return nil, nil, err
	}
	payload, err := n.open(m.GetClientFinish().GetPayload())
	if err != nil {
		return nil, nil, fmt.Errorf("client payload: %w", err)
	}
	p = &waWa6.ClientPayload{}
	if err = proto.Unmarshal(payload, p); err != nil {
		return nil, nil, fmt.Errorf("client payload: %w", err)
	}
	return static, p, nil
}
