package whatsapp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
)

// How much one patch holds inside of itself; clients send more as a file beside it.
const (
	maxMutations = 100
	maxPatch     = 10 << 10 // bytes
)

// What a mutation takes in a patch beside its plain text, at most: initialization vector, padding, two MACs, the id of its key,
// its time, and the lengths of all that; and what a patch takes beside its mutations.
const (
	mutationFrame = 16 + 16 + 32 + 32 + 48
	patchFrame    = 2*32 + 32
)

// again makes changes anew that were made of an older app state.
type again struct {
	since int64 // how often the state had changed when they were made
	// change makes one of them; done says that it isn't wanted any more.
	change func(ctx context.Context, i int) (p appstate.PatchInfo, done bool, err error)
}

// setAll sends changes of the app state, as many as fit in a patch of their collection together, and projects what WhatsApp takes
// of them; it returns an error for each, nil where it was taken. Changes of one index keep their order. A change that is refused
// fails alone. anew may be nil: what changes meanwhile doesn't matter.
func (r *run) setAll(ctx context.Context, changes []appstate.PatchInfo, anew *again) []error {
	errs := make([]error, len(changes))
	pending := make([]int, 0, len(changes))
	for i, c := range changes {
		if errs[i] = wellFormed(c); errs[i] == nil {
			pending = append(pending, i)
		}
	}
	for len(pending) > 0 {
		together, rest := pack(changes, pending)
		r.setTogether(ctx, changes, together, errs, anew)
		pending = rest
	}
	return errs
}

// setTogether sends changes in one patch, and where it is refused in halves of it, down to the one that is.
func (r *run) setTogether(ctx context.Context, changes []appstate.PatchInfo, which []int, errs []error, anew *again) {
	name := changes[which[0]].Type
	renew := func(ctx context.Context) (appstate.PatchInfo, error) {
		stale := anew != nil && anew.since != r.states.changed.Load()
		if stale {
			anew.since = r.states.changed.Load()
		}
		patch := appstate.PatchInfo{Type: name}
		still := which[:0:0]
		for _, i := range which {
			if stale {
				p, done, err := anew.change(ctx, i)
				if err == nil && !done {
					err = wellFormed(p)
				}
				if errs[i] = err; err != nil || done {
					continue
				}
				changes[i] = p
			}
			if changes[i].Mutations = r.states.others.left(changes[i]); len(changes[i].Mutations) > 0 {
				still = append(still, i)
				patch.Mutations = append(patch.Mutations, changes[i].Mutations...)
			}
		}
		which = still
		return patch, nil
	}
	err := r.set(ctx, name, renew)
	if err != nil && chat.CodeOf(err) == chat.WhatsAppRejected && len(which) > 1 {
		half := len(which) / 2
		r.setTogether(ctx, changes, which[:half], errs, anew)
		r.setTogether(ctx, changes, which[half:], errs, anew)
		return
	}
	for _, i := range which {
		errs[i] = err
	}
}

// packing is a patch that is being filled with changes of one collection.
type packing struct {
	name        appstate.WAPatchName
	set         map[string]bool // what the patch sets, and what has to wait for the next one
	count, size int
}

// take tells whether a change goes into the patch: one of its collection that fits, unless it sets what the patch or one that has
// to wait sets.
func (p *packing) take(c appstate.PatchInfo) bool {
	if p.set == nil {
		p.name, p.set, p.size = c.Type, make(map[string]bool), patchFrame
	}
	if c.Type != p.name {
		return false
	}
	twice, more := false, 0
	for _, m := range c.Mutations {
		twice = twice || p.set[indexOf(m)]
		more += sizeOf(m)
	}
	for _, m := range c.Mutations {
		p.set[indexOf(m)] = true
	}
	if p.count > 0 && (twice || p.count+len(c.Mutations) > maxMutations || p.size+more > maxPatch) {
		return false
	}
	p.count, p.size = p.count+len(c.Mutations), p.size+more
	return true
}

// pack takes the changes that go into the next patch.
func pack(changes []appstate.PatchInfo, pending []int) (together, rest []int) {
	var p packing
	for _, i := range pending {
		if p.take(changes[i]) {
			together = append(together, i)
		} else {
			rest = append(rest, i)
		}
	}
	return together, rest
}

func indexOf(m appstate.MutationInfo) string {
	b, _ := json.Marshal(m.Index) // strings always marshal
	return string(b)
}

func sizeOf(m appstate.MutationInfo) int {
	return proto.Size(m.Value) + len(indexOf(m)) + mutationFrame
}

// wellFormed refuses what a client that receives it would take for broken, and log itself out: an index that is set twice in one
// patch, or a malformed range.
func wellFormed(p appstate.PatchInfo) error {
	set := make(map[string]bool, len(p.Mutations))
	for _, m := range p.Mutations {
		index := indexOf(m)
		if set[index] {
			return fmt.Errorf("app state patch sets %s twice", m.Index[0])
		}
		set[index] = true
		if v := m.Value; v.GetArchiveChatAction() != nil && !wholeRange(v.GetArchiveChatAction().GetMessageRange()) ||
			v.GetMarkChatAsReadAction() != nil && !wholeRange(v.GetMarkChatAsReadAction().GetMessageRange()) ||
			v.GetClearChatAction() != nil && !wholeRange(v.GetClearChatAction().GetMessageRange()) ||
			v.GetDeleteChatAction() != nil && !wholeRange(v.GetDeleteChatAction().GetMessageRange()) {
			return fmt.Errorf("app state patch has a malformed range of %s", m.Index[0])
		}
	}
	return nil
}

func wholeRange(r *waSyncAction.SyncActionMessageRange) bool {
	last, system := r.GetLastMessageTimestamp(), r.GetLastSystemMessageTimestamp()
	if last <= 0 || system != 0 && system < last || len(r.GetMessages()) > maxSpan {
		return false
	}
	return !slices.ContainsFunc(r.GetMessages(), func(m *waSyncAction.SyncActionMessage) bool {
		k := m.GetKey()
		jid, err := types.ParseJID(k.GetRemoteJID())
		return err != nil || jid.User == "" || k.FromMe == nil || k.GetID() == "" ||
			jid.Server == types.GroupServer && !k.GetFromMe() && k.GetParticipant() == ""
	})
}
