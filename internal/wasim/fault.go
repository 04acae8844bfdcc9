package wasim

import "time"

// FaultKind is a way in which a server or its network fails.
type FaultKind string

// The faults. Unless it says otherwise, a fault touches IQs only.
const (
	// Stall takes the connection but never answers the noise handshake.
	Stall FaultKind = "stall"
	// Silent reads everything and answers nothing (IQs, messages, acks, pushes).
	Silent FaultKind = "silent"
	// FailLogin answers a login with <failure reason=Code>; for 402 Expire is the ban's length.
	FailLogin FaultKind = "fail login"
	// RefusePatch refuses an app state patch with error Code, without applying it.
	RefusePatch FaultKind = "refuse patch"
	// ConflictPatch refuses an app state patch with 409, as if another device had been faster.
	ConflictPatch FaultKind = "conflict patch"
	// CorruptPatch spoils the snapshot MAC of the patches that a fetch returns: the client sees an LTHash mismatch.
	CorruptPatch FaultKind = "corrupt patch"
	// LoseReply does what is asked and never answers.
	LoseReply FaultKind = "lose reply"
	// LoseRequest neither does what is asked nor answers.
	LoseRequest FaultKind = "lose request"
	// Slow answers after Delay.
	Slow FaultKind = "slow"
	// FailMedia answers media requests with HTTP status Code. Server only.
	FailMedia FaultKind = "fail media"
	// RefuseMessage answers a message with error Code and delivers it to nobody.
	RefuseMessage FaultKind = "refuse message"
)

// Fault is what goes wrong, where, how often.
type Fault struct {
	Kind FaultKind
	// Times is how often it happens; 0: until removed.
	Times int
	// XMLNS limits Silent, LoseReply, LoseRequest and Slow to IQs of this namespace.
	XMLNS string
	// Code is the error, failure or status code.
	Code int
	// Delay is for Slow.
	Delay time.Duration
	// Expire is for FailLogin with 402.
	Expire time.Duration
}

// Injected is a fault in effect.
type Injected struct{}

// Remove ends the fault.
func (i *Injected) Remove() {}

// Hits is how often it happened.
func (i *Injected) Hits() int { return 0 }
