package wasim

import (
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
	BadSignature  ViolationKind = "bad signature"  // of a device, a pre key, a message
	BadCiphertext ViolationKind = "bad ciphertext" // a Signal message that can't be decrypted
	BadPreKey     ViolationKind = "bad pre key"    // an unusable or repeated pre key
	BadAck        ViolationKind = "bad ack"        // for something the device never got
	BadRecipients ViolationKind = "bad recipients" // a message for a wrong set of devices
	BadAppState   ViolationKind = "bad app state"  // MAC, LTHash, key id, version of a patch
	BadMedia      ViolationKind = "bad media"      // an upload or download that WhatsApp refuses
	BadPairing    ViolationKind = "bad pairing"    // a pairing that the client spoiled
	ConcurrentUse ViolationKind = "concurrent use" // a device whose keys are in use twice
)

// Violation is something that WhatsApp would refuse.
type Violation struct {
	Time   time.Time
	Device types.JID // zero before pairing
	Kind   ViolationKind
	Detail string
}

// String says it in one line.
func (v Violation) String() string { return "" }
