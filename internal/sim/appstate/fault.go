package appstate

import (
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"google.golang.org/protobuf/proto"
)

// FaultKind is what goes wrong.
type FaultKind int

const (
	Refuse   FaultKind = iota + 1 // a device's patch is refused with Code and Text, and not applied
	Conflict                      // the phone changes the collection just before a device's patch arrives: 409
	Corrupt                       // the snapshot MAC in an answer that brings news is wrong; what is kept stays right
	Lose                          // a device's patch is applied, but the answer is lost
)

// Fault is something that goes wrong in the next requests.
type Fault struct {
	Kind  FaultKind
	Name  Name   // in this collection, in any when empty
	Times int    // how often; 1 when 0, until Heal when negative
	Code  int    // of Refuse; 400 when 0
	Text  string // of Refuse; "bad-request" when empty
}

// Inject adds a fault; faults of one kind are used up in order.
func (s *State) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Code == 0 {
		f.Code = 400
	}
	if f.Text == "" {
		f.Text = "bad-request"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal takes all faults away.
func (s *State) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault uses up a fault of a kind.
func (s *State) fault(kind FaultKind, n Name) *Fault {
	for i, f := range s.faults {
		if f.Kind != kind || f.Name != "" && f.Name != n {
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = append(s.faults[:i], s.faults[i+1:]...)
		}
		return f
	}
	return nil
}

// interfere makes a change on the phone that means nothing to a chat.
func (s *State) interfere(n Name) ([]Change, error) {
	return s.apply([]Mutation{{
		Collection: n,
		Index:      []string{"android_unsupported_actions"},
		Version:    4,
		Value: &waSyncAction.SyncActionValue{
			AndroidUnsupportedActions: &waSyncAction.AndroidUnsupportedActions{Allowed: proto.Bool(true)},
		},
	}})
}
