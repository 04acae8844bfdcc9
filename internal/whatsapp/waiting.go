package whatsapp

import (
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// others remembers what other devices of the account have set lately. A wish that was waiting when that came, and is older, isn't
// sent any more, as with WhatsApp's clients: it is as if it had been carried out first.
type others struct {
	mu  sync.Mutex
	set map[string]otherSet // by index
}

// otherSet is what another device has set, and when it came, in ms since 1970 by the host's clock.
type otherSet struct {
	value *waSyncAction.SyncActionValue
	came  int64
}

// maxOthers bounds what is remembered.
const maxOthers = 10_000

// note is told what others have set. What is older than any wish can be isn't remembered.
func (o *others) note(mutations []translate.Mutation, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	oldest := now.Add(-chat.CommandAge).UnixMilli()
	for _, m := range mutations {
		index := indexOf(appstate.MutationInfo{Index: m.Index})
		if delete(o.set, index); m.Removed || m.Value.GetTimestamp() < oldest {
			continue
		}
		if o.set == nil || len(o.set) >= maxOthers {
			o.set = make(map[string]otherSet)
		}
		o.set[index] = otherSet{m.Value, now.UnixMilli()}
	}
}

// left is what is still to be set of a change that was wished for at its timestamp.
func (o *others) left(change appstate.PatchInfo) (left []appstate.MutationInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wished := change.Timestamp.UnixMilli()
	for _, m := range change.Mutations {
		other, ok := o.set[indexOf(m)]
		if !ok || change.Timestamp.IsZero() || other.came <= wished {
			left = append(left, m)
		} else if value := settle(m.Value, wished, other.value); value != nil {
			m.Value = value
			left = append(left, m)
		}
	}
	return left
}

// settle is what is to be set when own was waiting and another device set other: the later one counts, or the one whose range
// encloses the other's. Of ranges of which neither does, both are set, with the flag of the later. nil: other counts.
func settle(own *waSyncAction.SyncActionValue, wished int64, other *waSyncAction.SyncActionValue) *waSyncAction.SyncActionValue {
	later := other.GetTimestamp() >= wished
	mine, theirs := rangeIn(own), rangeIn(other)
	inside, around := encloses(theirs, mine), encloses(mine, theirs)
	switch {
	case mine == nil || theirs == nil || inside && around:
		if later {
			return nil
		}
		return own
	case inside:
		return nil
	case around:
		return own
	}
	both := proto.CloneOf(own)
	if later {
		both = proto.CloneOf(other)
	}
	unite(rangeIn(both), mine, theirs)
	return both
}

// rangeIn is the range of one of the four actions that have one; nil for another.
func rangeIn(v *waSyncAction.SyncActionValue) *waSyncAction.SyncActionMessageRange {
	switch {
	case v.GetArchiveChatAction() != nil:
		return v.GetArchiveChatAction().GetMessageRange()
	case v.GetMarkChatAsReadAction() != nil:
		return v.GetMarkChatAsReadAction().GetMessageRange()
	case v.GetClearChatAction() != nil:
		return v.GetClearChatAction().GetMessageRange()
	case v.GetDeleteChatAction() != nil:
		return v.GetDeleteChatAction().GetMessageRange()
	}
	return nil
}

// encloses tells whether each message that b lists is listed by a, or is older than a's end.
func encloses(a, b *waSyncAction.SyncActionMessageRange) bool {
	return !slices.ContainsFunc(b.GetMessages(), func(m *waSyncAction.SyncActionMessage) bool {
		return m.GetTimestamp() >= a.GetLastMessageTimestamp() && !lists(a, m)
	})
}

func lists(r *waSyncAction.SyncActionMessageRange, m *waSyncAction.SyncActionMessage) bool {
	return slices.ContainsFunc(r.GetMessages(), func(o *waSyncAction.SyncActionMessage) bool {
		return o.GetKey().GetID() == m.GetKey().GetID() && o.GetKey().GetFromMe() == m.GetKey().GetFromMe()
	})
}

// unite makes a range that covers two: what it names ends at the later end.
func unite(into, a, b *waSyncAction.SyncActionMessageRange) {
	last := max(a.GetLastMessageTimestamp(), b.GetLastMessageTimestamp())
	into.LastMessageTimestamp, into.LastSystemMessageTimestamp = proto.Int64(last), nil
	if system := max(a.GetLastSystemMessageTimestamp(), b.GetLastSystemMessageTimestamp()); system >= last {
		into.LastSystemMessageTimestamp = proto.Int64(system)
	}
	var all []*waSyncAction.SyncActionMessage
	for _, m := range slices.Concat(a.GetMessages(), b.GetMessages()) {
		if m.GetTimestamp() >= last && !lists(&waSyncAction.SyncActionMessageRange{Messages: all}, m) && len(all) < maxSpan {
			all = append(all, m)
		}
	}
	into.Messages = all
}

// wished is when a command was, by which it is compared with what the phone sets meanwhile.
func (r *run) wished(c chat.Command) time.Time {
	now := r.Now()
	if c.RequestedAt.IsZero() || c.RequestedAt.After(now) { // whoever sends to the queue chooses it
		return now
	}
	return c.RequestedAt
}
