package sim

import (
	"slices"
	"sync"
	"time"
)

// FaultKind is a way in which a server or its network fails.
type FaultKind string

// The faults.
const (
	// Stall takes the connection but never answers the noise handshake. Server-wide only.
	Stall FaultKind = "stall"
	// Silent reads everything and sends nothing.
	Silent FaultKind = "silent"
	// FailLogin answers a login with <failure reason=Code>; for 402 Expire is the ban's length.
	FailLogin FaultKind = "fail login"
	// LoseReply does what an IQ or a message asks and never answers.
	LoseReply FaultKind = "lose reply"
	// LoseRequest neither does what an IQ or a message asks nor answers.
	LoseRequest FaultKind = "lose request"
	// Slow answers an IQ or a message after Delay.
	Slow FaultKind = "slow"
	// RefuseQuery answers an IQ with error Code and does nothing.
	RefuseQuery FaultKind = "refuse query"
	// RefuseMessage answers a message with error Code and delivers it to nobody.
	RefuseMessage FaultKind = "refuse message"
)

// Fault is what goes wrong, and how often. App state and media have faults of their own: see [appstate.State.Inject] and
// [media.Store.Inject].
type Fault struct {
	Kind FaultKind
	// Times is how often it happens; 0: until removed.
	Times int
	// For limits LoseReply, LoseRequest, RefuseQuery and Slow to IQs of this xmlns, or to messages if it is "message".
	For string
	// Code is the error or failure code.
	Code int
	// Delay is for Slow.
	Delay time.Duration
	// Expire is for FailLogin with 402.
	Expire time.Duration
}

// Injected is a fault in effect.
type Injected struct {
	owner *faults
	fault Fault
	hits  int // guarded by owner.mu
}

// Remove ends the fault.
func (i *Injected) Remove() {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	i.owner.active = slices.DeleteFunc(i.owner.active, func(o *Injected) bool { return o == i })
}

// Hits is how often it happened.
func (i *Injected) Hits() int {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	return i.hits
}

// faults are the faults of a server or of a device.
type faults struct {
	mu     sync.Mutex
	active []*Injected
}

func (f *faults) add(fault Fault) *Injected {
	i := &Injected{owner: f, fault: fault}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = append(f.active, i)
	return i
}

// take finds the first fault of a kind that applies and uses it up once.
func (f *faults) take(kind FaultKind, what string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, i := range f.active {
		if i.fault.Kind != kind || i.fault.For != "" && i.fault.For != what {
			continue
		}
		i.hits++
		if i.hits == i.fault.Times {
			f.active = slices.Delete(f.active, n, n+1)
		}
		return i.fault, true
	}
	return Fault{}, false
}

// fault finds a fault of the connection's device, else of the server.
func (c *conn) fault(kind FaultKind, what string) (Fault, bool) {
	if c.device != nil {
		if f, on := c.device.faults.take(kind, what); on {
			return f, true
		}
	}
	return c.s.faults.take(kind, what)
}
