// Package appstate keeps the app state of one WhatsApp account as its server and its phone do together: five collections of
// encrypted mutations (mute, pin, contact names, cleared chats, …), each with a version, a log of patches and a homomorphic
// hash over what is in force.
//
// It is as strict as both: a patch with an unknown key, a bad MAC, a wrong hash or a wrong version is refused and changes
// nothing, and the refusal says what was wrong. There is no network here: State.Handle answers the content of a
// w:sync:app:state request, and the caller carries nodes and notifications.
//
//	state, _ := appstate.New(appstate.Options{Media: store})
//	share := state.Share()                                 // goes to a new device
//	changes, _ := state.Apply(appstate.Mute(chat, until))  // on the phone; notify every device of changes
//	answer, err := state.Handle(device, sync)              // from a device; send answer.Node, notify the others
//	entry, err := state.Wait(ctx, match)                   // a test waits for a mutation to arrive
package appstate

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
)

// Name is the name of a collection.
type Name string

const (
	CriticalBlock      Name = "critical_block"       // settings such as the push name
	CriticalUnblockLow Name = "critical_unblock_low" // contacts
	RegularHigh        Name = "regular_high"         // mute, star, clear, delete
	RegularLow         Name = "regular_low"          // pin, archive, read
	Regular            Name = "regular"              // labels and the rest
)

// Names are the five collections.
func Names() []Name {
	return []Name{CriticalBlock, CriticalUnblockLow, RegularHigh, RegularLow, Regular}
}

// Operation is what a mutation does with its index.
type Operation = waServerSync.SyncdMutation_SyncdOperation

const (
	Set    = waServerSync.SyncdMutation_SET
	Remove = waServerSync.SyncdMutation_REMOVE
)

// Mutation is one decoded change. Index says what is changed, such as ["mute", "<jid>"]; Version is that of the action.
// Collection may be empty for the actions that this package knows.
type Mutation struct {
	Collection Name
	Index      []string
	Version    int32
	Value      *waSyncAction.SyncActionValue
	Operation  Operation
}

// Phone is Entry.By of what was changed on the phone.
const Phone = "phone"

// Entry is a mutation as it took effect.
type Entry struct {
	Mutation
	Seq          int    // place in the log over all collections, from 0
	PatchVersion uint64 // version of the collection that brought it
	By           string // Phone, or the device as given to Handle
	At           time.Time
}

// Change says that a collection has a new version; the other devices are to be notified.
type Change struct {
	Name    Name
	Version uint64
}
