package translate

import (
	"cmp"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/render/wajson"
)

// Call is a call that somebody offers to the account.
type Call struct {
	ID      string
	Chat    chat.JID // the group's, or the caller
	Creator chat.JID
	At      int64 // seconds since 1970
	Order   int64
	Video   bool
}

// Offered is the call that an offer tells of; ok is false when it belongs to no chat.
func (b *Book) Offered(meta *types.BasicCallMeta, video bool, order int64) (c Call, ok bool) {
	creator, _ := Address(meta.CallCreator)
	alt, _ := Address(meta.CallCreatorAlt)
	b.Learn(creator, alt)
	c = Call{ID: meta.CallID, Creator: b.Canonical(creator), At: seconds(meta.Timestamp), Order: order, Video: video}
	c.Chat = c.Creator
	if group, is := Address(meta.GroupJID); is {
		c.Chat = group
	}
	return c, c.ID != "" && creator != "" && !b.isOwn(creator)
}

// outcomeOf is how a call that was offered here has ended.
func outcomeOf(reason string) waE2E.CallLogMessage_CallOutcome {
	switch reason {
	case "accepted_elsewhere":
		return waE2E.CallLogMessage_ACCEPTED_ELSEWHERE
	case "rejected_elsewhere":
		return waE2E.CallLogMessage_REJECTED
	}
	return waE2E.CallLogMessage_MISSED // timeout, group_call_ended, or none
}

// Missed is the line of a call that nobody took.
func (b *Book) Missed(c Call) []chat.Change {
	return b.ended(c, &waE2E.CallLogMessage{IsVideo: &c.Video, CallOutcome: waE2E.CallLogMessage_MISSED.Enum()}, 0)
}

// Ended is the line of a call that was offered here, at the moment when WhatsApp says that it is over.
func (b *Book) Ended(c Call, reason string, at time.Time) []chat.Change {
	return b.ended(c, &waE2E.CallLogMessage{IsVideo: &c.Video, CallOutcome: outcomeOf(reason).Enum()}, millis(at))
}

// ended makes the line of a call. What is told later takes the place of what was known first.
func (b *Book) ended(c Call, log *waE2E.CallLogMessage, told int64) []chat.Change {
	m := &waE2E.Message{CallLogMesssage: log}
	msg := chat.Message{ID: c.ID, Content: b.content(c.Chat, m, wajson.ContentOf(m))}
	msg.Content.Sender, msg.Content.FromMe = c.Creator, b.isOwn(c.Creator)
	msg.Content.Time, msg.Content.Order, msg.Content.Partial = c.At, c.Order, true
	msg.Content.Editable = chat.WholeEdit
	if told != 0 {
		b.edit(&msg, c.Creator, editOf(msg.Content, chat.WholeEdit, 0), told)
	}
	change := b.Change(c.Chat)
	change.Messages = []chat.Message{msg}
	return []chat.Change{change}
}

// results are WhatsApp's outcomes in the call log that its devices share.
var results = map[waSyncAction.CallLogRecord_CallResult]waE2E.CallLogMessage_CallOutcome{
	waSyncAction.CallLogRecord_CONNECTED:         waE2E.CallLogMessage_CONNECTED,
	waSyncAction.CallLogRecord_REJECTED:          waE2E.CallLogMessage_REJECTED,
	waSyncAction.CallLogRecord_CANCELLED:         waE2E.CallLogMessage_MISSED,
	waSyncAction.CallLogRecord_ACCEPTEDELSEWHERE: waE2E.CallLogMessage_ACCEPTED_ELSEWHERE,
	waSyncAction.CallLogRecord_MISSED:            waE2E.CallLogMessage_MISSED,
	waSyncAction.CallLogRecord_UNAVAILABLE:       waE2E.CallLogMessage_MISSED,
	waSyncAction.CallLogRecord_FAILED:            waE2E.CallLogMessage_FAILED,
	waSyncAction.CallLogRecord_ABANDONED:         waE2E.CallLogMessage_MISSED,
	waSyncAction.CallLogRecord_ONGOING:           waE2E.CallLogMessage_ONGOING,
}

// logged puts what the call log tells behind every time in ms.
const logged = 1 << 61

// CallLog says what the call log of the account's devices tells of a call. Who called is told by whether the account made
// it: those who write the direction don't agree. Calls to come are left out. What it tells counts before
// what was seen of the call here, whatever the clocks say, and by its place in the app state.
func (b *Book) CallLog(r *waSyncAction.CallLogRecord, order int64) []chat.Change {
	outcome, known := results[r.GetCallResult()]
	creator := Parse(r.GetCallCreatorJID())
	started := asSeconds(r.GetStartTime())
	if r.GetCallID() == "" || creator == "" || r.CallResult == nil || !known || started <= 0 {
		return nil
	}
	c := Call{ID: r.GetCallID(), Creator: b.Canonical(creator), At: started, Video: r.GetIsVideo()}
	c.Chat = cmp.Or(Parse(r.GetGroupJID()), c.Creator)
	log := &waE2E.CallLogMessage{IsVideo: &c.Video, CallOutcome: outcome.Enum(), DurationSecs: r.Duration}
	if r.CallType != nil {
		log.CallType = waE2E.CallLogMessage_CallType(r.GetCallType()).Enum()
	}
	if r.GetSilenceReason() == waSyncAction.CallLogRecord_PRIVACY {
		log.CallOutcome = waE2E.CallLogMessage_SILENCED_UNKNOWN_CALLER.Enum()
	} else if r.GetIsDndMode() && outcome == waE2E.CallLogMessage_MISSED {
		log.CallOutcome = waE2E.CallLogMessage_SILENCED_BY_DND.Enum()
	}
	for _, p := range r.GetParticipants() {
		jid := Parse(p.GetUserJID())
		if b.isOwn(c.Creator) && b.isOwn(c.Chat) && jid != "" && !b.isOwn(jid) {
			c.Chat = b.Canonical(jid) // whom the account called
		}
		log.Participants = append(log.Participants, &waE2E.CallLogMessage_CallParticipant{
			JID: proto.String(string(b.Canonical(jid))), CallOutcome: results[p.GetCallResult()].Enum(),
		})
	}
	if b.isOwn(c.Chat) {
		return nil
	}
	return b.ended(c, log, logged+order)
}
