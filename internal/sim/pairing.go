package sim

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Lifetimes of the six codes that a client shows one after the other.
const (
	qrCodes    = 6
	firstQR    = 60 * time.Second
	laterQR    = 20 * time.Second
	qrLeeway   = 5 * time.Second
	advAccount = "\x06\x00"
	advDevice  = "\x06\x01"
)

// Why a phone can't link a client.
var (
	ErrQR        = errors.New("not the QR code of a client that waits")
	ErrWrongCode = errors.New("wrong pairing code")
	ErrLinking   = errors.New("client refused the link")
)

// pairing is an unpaired client that waits to be linked.
type pairing struct {
	c       *conn
	keys    deviceKeys
	refs    []string
	started time.Time

	mu   sync.Mutex
	code *codePairing  // the client showed a pairing code
	link *pendingLink  // pair-success was sent
	done chan struct{} // closed when the connection ends

	passkey *passkeyPairing // the client was asked for a passkey
}

// pendingLink is what the client must confirm.
type pendingLink struct {
	iq      string
	phone   *Phone
	device  *Device
	details []byte
	result  chan error // takes one
}

// startPairing checks a new client's keys and gives it references for its QR codes.
func (c *conn) startPairing(p *waWa6.ClientPayload_DevicePairingRegistrationData) {
	keys, err := registrationKeys(p)
	if err != nil {
		c.s.violate(nil, BadSignature, "registration: %v", err)
		c.failure(400, nil)
		return
	}
	keys.noise = c.static
	c.pairing = &pairing{c: c, keys: keys, started: time.Now(), done: make(chan struct{})}
	refs := make([]waBinary.Node, qrCodes)
	for i := range refs {
		ref := "2@" + randomText(40)
		c.pairing.refs = append(c.pairing.refs, ref)
		refs[i] = waBinary.Node{Tag: "ref", Content: []byte(ref)}
	}
	c.s.mu.Lock()
	for _, ref := range c.pairing.refs {
		c.s.pairings[ref] = c.pairing
	}
	c.s.mu.Unlock()
	c.send(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{
		"from": types.ServerJID, "type": "set", "id": c.s.ids.next(), "xmlns": "md",
	}, Content: []waBinary.Node{{Tag: "pair-device", Content: refs}}})
	c.s.work(func() { c.pairing.expire(c.s.o.PairingTimeout) })
}

// expire ends the connection of a client that nobody links.
func (p *pairing) expire(after time.Duration) {
	defer close(p.done)
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-p.c.ctx.Done():
	case <-timer.C:
		if !p.waitsForPasskey() { // which ends it by its own timeout
			p.c.hangup()
		}
		<-p.c.ctx.Done()
	}
	p.c.s.mu.Lock()
	defer p.c.s.mu.Unlock()
	for _, ref := range p.refs {
		delete(p.c.s.pairings, ref)
	}
	for jid, other := range p.c.s.codes {
		if other == p {
			delete(p.c.s.codes, jid)
		}
	}
}

func (p *pairing) waitsForPasskey() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passkey != nil
}

// registrationKeys reads and verifies the key bundle in a new client's handshake.
func registrationKeys(p *waWa6.ClientPayload_DevicePairingRegistrationData) (deviceKeys, error) {
	var k deviceKeys
	if len(p.GetERegid()) != 4 || len(p.GetESkeyID()) != 3 || len(p.GetEKeytype()) != 1 || p.GetEKeytype()[0] != 5 {
		return k, errors.New("registration id, key type or key id of a wrong length")
	}
	if len(p.GetBuildHash()) != 16 || len(p.GetDeviceProps()) == 0 {
		return k, errors.New("no build hash or device properties")
	}
	if !verify(p.GetEIdent(), p.GetESkeySig(), []byte{5}, p.GetESkeyVal()) || len(p.GetESkeyVal()) != 32 {
		return k, errors.New("signed pre key")
	}
	k.identity, k.regID = p.GetEIdent(), binary.BigEndian.Uint32(p.GetERegid())
	k.signed = publicPreKey{
		id: keyID(p.GetESkeyID()), pub: [32]byte(p.GetESkeyVal()), sig: [64]byte(p.GetESkeySig()),
	}
	return k, nil
}

// ScanQR links the client that shows this QR text. It returns when the client has confirmed, or with [ErrQR],
// [ErrLinking] or the context's error.
func (p *Phone) ScanQR(ctx context.Context, text string) (*Device, error) {
	text = text[strings.LastIndexByte(text, '#')+1:]
	parts := strings.Split(text, ",")
	if len(parts) < 4 {
		return nil, ErrQR
	}
	var raw [3][]byte
	for i := range raw {
		var err error
		if raw[i], err = base64.StdEncoding.DecodeString(parts[i+1]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrQR, err)
		}
	}
	p.s.mu.Lock()
	waiting := p.s.pairings[parts[0]]
	p.s.mu.Unlock()
	if waiting == nil || !waiting.fresh(parts[0]) {
		return nil, ErrQR
	}
	if string(raw[0]) != string(waiting.keys.noise) || string(raw[1]) != string(waiting.keys.identity) {
		p.s.violate(nil, BadPairing, "the QR code's keys aren't the client's")
		return nil, ErrQR
	}
	return p.admit(ctx, waiting, raw[2])
}

// fresh says whether a code may still be shown.
func (p *pairing) fresh(ref string) bool {
	limit := firstQR + qrLeeway
	for _, r := range p.refs {
		if r == ref {
			break
		}
		limit += laterQR
	}
	return time.Since(p.started) < limit
}

// link proves to the client that the phone has accepted it, and waits for the client's own proof.
func (p *Phone) link(ctx context.Context, w *pairing, advSecret []byte) (*Device, error) {
	d := p.newDevice(w.keys)
	details, err := proto.Marshal(&waAdv.ADVDeviceIdentity{
		RawID: proto.Uint32(p.rawID), Timestamp: proto.Uint64(uint64(time.Now().Unix())),
		KeyIndex: proto.Uint32(uint32(d.jid.Device)),
	})
	if err != nil {
		return nil, err
	}
	identity := p.signal.identity
	signed, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentity{
		Details: details, AccountSignatureKey: identity.Pub[:],
		AccountSignature: sign(identity, []byte(advAccount), details, w.keys.identity),
	})
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, advSecret)
	mac.Write(signed)
	container, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentityHMAC{Details: signed, HMAC: mac.Sum(nil)})
	if err != nil {
		return nil, err
	}
	l := &pendingLink{iq: p.s.ids.next(), phone: p, device: d, details: details, result: make(chan error, 1)}
	w.mu.Lock()
	busy := w.link != nil
	if !busy {
		w.link = l
	}
	w.mu.Unlock()
	if busy {
		return nil, fmt.Errorf("%w: being linked already", ErrQR)
	}
	w.c.send(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{
		"from": types.ServerJID, "type": "set", "id": l.iq, "xmlns": "md", "t": time.Now().Unix(),
	}, Content: []waBinary.Node{{Tag: "pair-success", Content: []waBinary.Node{
		{Tag: "device-identity", Content: container},
		{Tag: "biz", Attrs: waBinary.Attrs{"name": p.o.BusinessName}},
		{Tag: "device", Attrs: waBinary.Attrs{"jid": d.jid, "lid": d.lid}},
		{Tag: "platform", Attrs: waBinary.Attrs{"name": p.o.Platform}},
	}}}})
	select {
	case err := <-l.result:
		if err != nil {
			return nil, err
		}
		return d, nil
	case <-w.done:
		select {
		case err := <-l.result: // it came just before the end
			return d, err
		default:
			return nil, fmt.Errorf("%w: it went away", ErrLinking)
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// confirm takes the client's answer to pair-success: its signature over the link, or its refusal.
func (p *pairing) confirm(iq *waBinary.Node) {
	p.mu.Lock()
	l := p.link
	p.mu.Unlock()
	if l == nil || iq.AttrGetter().OptionalString("id") != l.iq {
		return // the answer to pair-device
	}
	if iq.AttrGetter().OptionalString("type") == "error" {
		failed := child(*iq, "error")
		l.result <- fmt.Errorf("%w: %s", ErrLinking, failed.AttrGetter().OptionalString("text"))
		return
	}
	signed := child(*iq, "pair-device-sign", "device-identity")
	data, ok := signed.Content.([]byte)
	var id waAdv.ADVSignedDeviceIdentity
	accountKey := l.phone.signal.identity.Pub[:]
	if err := proto.Unmarshal(data, &id); !ok || err != nil || len(id.AccountSignatureKey) != 0 ||
		string(id.Details) != string(l.details) ||
		signed.AttrGetter().OptionalString("key-index") != strconv.Itoa(int(l.device.jid.Device)) ||
		!verify(p.keys.identity, id.DeviceSignature, []byte(advDevice), l.details, p.keys.identity, accountKey) {
		p.c.s.violate(nil, BadSignature, "device signature of a pairing")
		p.c.refuse(iq, 401, "signature-mismatch")
		l.result <- fmt.Errorf("%w: bad device signature", ErrLinking)
		return
	}
	l.device.keys.adv = l.details
	l.result <- l.phone.adopt(p.c.s.ctx, l.device)
	p.c.streamError("515", nil)
}

// randomText is n random characters of base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}

// keyID reads a 3-byte key id.
func keyID(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
