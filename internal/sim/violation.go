package sim

import (
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// ViolationKind says what a client did wrong.
type ViolationKind string

// The kinds of violation.
const (
	BadHandshake  ViolationKind = "bad handshake"  // noise, frame or client payload
	BadStanza     ViolationKind = "bad stanza"     // can't be decoded, or lacks a part
	UnknownStanza ViolationKind = "unknown stanza" // WhatsApp doesn't know it, or the simulator doesn't
	BadSignature  ViolationKind = "bad signature"  // of a device or a pre key
	BadCiphertext ViolationKind = "bad ciphertext" // a Signal message that can't be decrypted
	BadPreKey     ViolationKind = "bad pre key"    // an unusable or repeated pre key
	BadAck        ViolationKind = "bad ack"        // of something the device never got
	BadRecipients ViolationKind = "bad recipients" // a message to nobody, or to a device that isn't there
	BadAppState   ViolationKind = "bad app state"  // MAC, LTHash, key id or version of a patch
	BadPairing    ViolationKind = "bad pairing"    // a pairing that the client spoiled
	Broken        ViolationKind = "simulator"      // no violation, but a fault of the simulator that a stanza laid bare
)

// Violation is something that WhatsApp would refuse.
type Violation struct {
	Time   time.Time
	Device types.JID // zero before pairing
	Kind   ViolationKind
	Detail string
}

// String says it in one line.
func (v Violation) String() string {
	who := "unpaired client"
	if !v.Device.IsEmpty() {
		who = fmt.Sprintf("device %d", v.Device.Device)
	}
	return fmt.Sprintf("%s: %s: %s", who, v.Kind, v.Detail)
}

// violate records a violation. d is nil before login.
func (s *Server) violate(d *Device, kind ViolationKind, format string, args ...any) {
	v := Violation{Time: time.Now(), Kind: kind, Detail: fmt.Sprintf(format, args...)}
	if d != nil {
		v.Device = d.JID()
	}
	s.mu.Lock()
	s.violations = append(s.violations, v)
	s.mu.Unlock()
	s.log.Warn("violation", "device", v.Device.Device, "kind", kind)
	if s.o.OnViolation != nil {
		s.o.OnViolation(v)
	}
}
