package translate

import (
	"cmp"
	"encoding/json"
	"slices"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"

	"pesan/internal/chat"
)

// Mutation is a change of the app state in its place.
type Mutation struct {
	Index   []string
	Value   *waSyncAction.SyncActionValue
	Removed bool
	Order   int64 // by the version of the state, then by the place in the patch
}

// placeBits is how much of an order is the place in the patch.
const placeBits = 20

// OrderOf is the order of what stands at a place of the patch of a version.
func OrderOf(version uint64, place int64) int64 { return int64(version)<<placeBits + place }

// Ordered puts the mutations of patches, whose versions rise, in the order in which they count: in each patch first the
// removals, then what is set. Both of one index in one patch are a change of its key: the removal then says nothing. A
// timestamp has no say, but among stars and clears of one version: a snapshot has them in no order.
func Ordered(mutations []appstate.Mutation) []Mutation {
	ordered := make([]Mutation, 0, len(mutations))
	for start := 0; start < len(mutations); {
		end := start
		set := make(map[string]bool)
		for ; end < len(mutations) && mutations[end].PatchVersion == mutations[start].PatchVersion; end++ {
			if mutations[end].Operation == waServerSync.SyncdMutation_SET {
				set[indexText(mutations[end].Index)] = true
			}
		}
		place := int64(0)
		patch := inTime(mutations[start:end])
		for _, removals := range []bool{true, false} {
			for _, m := range patch {
				removed := m.Operation == waServerSync.SyncdMutation_REMOVE
				if len(m.Index) == 0 || removed != removals || removed && set[indexText(m.Index)] {
					continue
				}
				place++
				ordered = append(ordered, Mutation{m.Index, m.Action, removed, OrderOf(m.PatchVersion, place)})
			}
		}
		start = end
	}
	return ordered
}

// inTime puts the stars and clears among mutations in the order of their timestamps, and leaves the others where they are.
func inTime(mutations []appstate.Mutation) []appstate.Mutation {
	var places []int
	var timed []appstate.Mutation
	for i, m := range mutations {
		if len(m.Index) > 0 && (m.Index[0] == appstate.IndexStar || m.Index[0] == appstate.IndexClearChat) {
			places, timed = append(places, i), append(timed, m)
		}
	}
	if len(timed) < 2 {
		return mutations
	}
	slices.SortStableFunc(timed, func(a, b appstate.Mutation) int {
		return cmp.Compare(a.Action.GetTimestamp(), b.Action.GetTimestamp())
	})
	mutations = slices.Clone(mutations)
	for i, at := range places {
		mutations[at] = timed[i]
	}
	return mutations
}

func indexText(index []string) string {
	b, _ := json.Marshal(index) // strings always marshal
	return string(b)
}

// Mutation says what a mutation of the app state tells of chats.
func (b *Book) Mutation(m Mutation) []chat.Change {
	switch {
	case len(m.Index) == 0:
		return nil
	case m.Removed:
		return b.removed(m.Index, m.Order)
	case m.Index[0] == appstate.IndexCallLog:
		return b.CallLog(m.Value.GetCallLogAction().GetCallLogRecord(), m.Order)
	}
	return b.Setting(m.Index, m.Value, m.Order)
}

// CallBefore tells whether the mutation is of a call that began before a time, in seconds since 1970. Clients drop those from
// before their link.
func (m Mutation) CallBefore(at int64) bool {
	if len(m.Index) == 0 || m.Index[0] != appstate.IndexCallLog || m.Removed {
		return false
	}
	started := asSeconds(m.Value.GetCallLogAction().GetCallLogRecord().GetStartTime())
	return started > 0 && started < at
}

// removed says what the removal of an entry tells: a contact loses the address book's name, unless it is in there by username,
// too. Other entries are dropped by WhatsApp's clients too, and their chats stay as they are: what is off is set.
func (b *Book) removed(index []string, order int64) []chat.Change {
	if len(index) < 2 || index[0] != appstate.IndexContact && index[0] != appstate.IndexLIDContact {
		return nil
	}
	jid := Parse(index[1])
	if jid == "" {
		return nil
	}
	c := b.Change(jid)
	if c.State.Contact.At = order; index[0] == appstate.IndexLIDContact {
		c.State.Contact.At, c.State.Saved.At = AfterHistory, order
	}
	return []chat.Change{c}
}
