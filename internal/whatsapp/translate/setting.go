package translate

import (
	"slices"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"

	"pesan/internal/chat"
)

// Setting says what is set in the app state for a chat. Index is the mutation's: what is set, and for what. Order is its
// place among all mutations; its time says when a chat was pinned, and how far a range without an end goes.
func (b *Book) Setting(index []string, v *waSyncAction.SyncActionValue, order int64) []chat.Change {
	if len(index) < 2 || v == nil {
		return nil
	}
	if index[0] == appstate.IndexLabelAssociationChat {
		return b.labelled(index, v.GetLabelAssociationAction(), order)
	}
	jid := Parse(index[1])
	if jid == "" {
		return nil
	}
	at := max(v.GetTimestamp(), chat.Baseline)
	b.Fill(jid, Parse(v.GetContactAction().GetPnJID()))
	b.Fill(jid, Parse(v.GetContactAction().GetLidJID()))
	b.Fill(jid, Parse(v.GetPnForLidChatAction().GetPnJID()))
	if reaches, ok := rangeOf(index[0], v); ok && !sound(reaches) {
		return nil // WhatsApp's clients refuse it
	}
	c := b.Change(jid)
	switch index[0] {
	case appstate.IndexMute, appstate.IndexPin, appstate.IndexArchive:
		if jid.IsPN() || jid.IsLID() {
			c.State.ByLID = chat.Register[bool]{Value: jid.IsLID(), At: order}
		}
	}
	switch index[0] {
	case appstate.IndexContact:
		c.State.Contact = contact(v.GetContactAction(), order)
		if c.State.Username = username(v.GetContactAction().GetUsername(), order); c.State.Username.Set() {
			c.State.Saved = c.State.Contact
		}
	case appstate.IndexLIDContact:
		c.State.Contact = chat.Register[string]{At: AfterHistory}
		c.State.Saved = contact(v.GetLidContactAction(), order)
		c.State.Username = username(v.GetLidContactAction().GetUsername(), order)
	case appstate.IndexPNForLIDChat: // the link of the addresses is all
	case appstate.IndexMarkChatAsRead:
		markRead(&c.State, v.GetMarkChatAsReadAction(), at, order)
	case appstate.IndexStar, appstate.IndexDeleteMessageForMe:
		if len(index) < 3 || index[2] == "" {
			return nil
		}
		m := chat.Message{ID: index[2], Gone: index[0] == appstate.IndexDeleteMessageForMe}
		if !m.Gone {
			m.Starred = chat.Register[bool]{Value: v.GetStarAction().GetStarred(), At: order}
		}
		c.Messages = []chat.Message{m}
	default:
		if !chatSetting(&c.State, index, v, at, order) {
			return nil
		}
	}
	return []chat.Change{c}
}

// chatSetting sets what concerns a chat as a whole; it is false for what isn't known here.
func chatSetting(s *chat.Chat, index []string, v *waSyncAction.SyncActionValue, at, order int64) bool {
	switch index[0] {
	case appstate.IndexMute:
		end, ok := muteEnd(v.GetMuteAction())
		if !ok {
			return false
		}
		s.Mute = chat.Register[int64]{Value: end, At: order}
	case appstate.IndexPin:
		s.Pin = chat.Register[int64]{At: order}
		if v.GetPinAction().GetPinned() {
			s.Pin.Value = at
			s.Archived = chat.Register[bool]{At: order} // who pins a chat takes it out of the archive
		}
	case appstate.IndexArchive:
		a := v.GetArchiveChatAction()
		s.Archived = chat.Register[bool]{Value: a.GetArchived(), At: order}
		s.ArchivedTo = chat.Register[chat.Reach]{Value: chat.ReachOf(covered(a.GetMessageRange(), at)), At: order}
	case appstate.IndexLock:
		s.Fields = map[string]chat.Register[chat.JSON]{"locked": {At: order}}
		if v.GetLockChatAction().GetLocked() {
			s.Fields["locked"] = chat.Register[chat.JSON]{Value: "true", At: order}
		}
	case appstate.IndexClearChat:
		r := covered(v.GetClearChatAction().GetMessageRange(), at)
		if len(index) > 2 && index[2] == "0" { // starred messages stay
			s.ClearedUnstarred, s.ClearedAt = r, order
		} else {
			s.Cleared = r
		}
	case appstate.IndexDeleteChat:
		s.Deleted = covered(v.GetDeleteChatAction().GetMessageRange(), at)
	default:
		return false
	}
	return true
}

// AfterHistory is after what a history told, and before all that the app state says.
const AfterHistory = chat.Baseline + 1

func contact(a interface {
	GetFullName() string
	GetFirstName() string
}, at int64) chat.Register[string] {
	name := a.GetFullName()
	if name == "" {
		name = a.GetFirstName()
	}
	return chat.Register[string]{Value: name, At: at}
}

// muteEnd is when a mute ends, in ms since 1970. The end decides, also where it isn't called a mute; a mute without end is
// malformed.
func muteEnd(a *waSyncAction.MuteAction) (end int64, ok bool) {
	switch end := a.GetMuteEndTimestamp(); {
	case a == nil || a.MuteEndTimestamp == nil && a.GetMuted():
		return 0, false
	case end < 0:
		return chat.MutedForEver, true
	default:
		return asMillis(end), true
	}
}

func markRead(s *chat.Chat, a *waSyncAction.MarkChatAsReadAction, at, order int64) {
	reach := covered(a.GetMessageRange(), at)
	s.MarkedUnread = chat.Register[bool]{Value: !a.GetRead(), At: order}
	s.MarkedTo = chat.Register[chat.Reach]{Value: chat.ReachOf(reach), At: order}
	if a.GetRead() {
		s.Read = reach
	}
}

// rangeOf is the range of one of the four actions that have one.
func rangeOf(action string, v *waSyncAction.SyncActionValue) (r *waSyncAction.SyncActionMessageRange, ok bool) {
	switch action {
	case appstate.IndexArchive:
		return v.GetArchiveChatAction().GetMessageRange(), true
	case appstate.IndexMarkChatAsRead:
		return v.GetMarkChatAsReadAction().GetMessageRange(), true
	case appstate.IndexClearChat:
		return v.GetClearChatAction().GetMessageRange(), true
	case appstate.IndexDeleteChat:
		return v.GetDeleteChatAction().GetMessageRange(), true
	}
	return nil, false
}

// maxNamed is how many messages a range may name.
const maxNamed = 1000

// sound tells whether a range is one that WhatsApp's clients take.
func sound(r *waSyncAction.SyncActionMessageRange) bool {
	last, system := asSeconds(r.GetLastMessageTimestamp()), asSeconds(r.GetLastSystemMessageTimestamp())
	if r == nil || system != 0 && system < last || len(r.GetMessages()) > maxNamed {
		return false
	}
	return !slices.ContainsFunc(r.GetMessages(), func(m *waSyncAction.SyncActionMessage) bool {
		k := m.GetKey()
		in := Parse(k.GetRemoteJID())
		return in == "" || k.FromMe == nil || k.GetID() == "" || in.Kind() == chat.Group && !k.GetFromMe() && k.GetParticipant() == ""
	})
}

// covered is what a clear, delete or read covers: all messages before the last one, and of those at its second the ones
// that the range names. A range of a chat without messages is what there was at the time of the action.
func covered(r *waSyncAction.SyncActionMessageRange, at int64) chat.Range {
	through := asSeconds(r.GetLastMessageTimestamp())
	for _, m := range r.GetMessages() {
		through = max(through, asSeconds(m.GetTimestamp()))
	}
	if through <= 0 {
		return chat.RangeOf(max(at/1000, 1))
	}
	var ids []string
	for _, m := range r.GetMessages() {
		if asSeconds(m.GetTimestamp()) == through && m.GetKey().GetID() != "" {
			ids = append(ids, m.GetKey().GetID())
		}
	}
	return chat.RangeOf(through, ids...)
}

// year5000 in seconds is 1973 in milliseconds: what is greater is in milliseconds.
const year5000 = 95_617_584_000

// asSeconds and asMillis take a time that some clients write in seconds and others in milliseconds.
func asSeconds(t int64) int64 {
	if t > year5000 {
		return t / 1000
	}
	return t
}

func asMillis(t int64) int64 {
	if t > 0 && t <= year5000 {
		return t * 1000
	}
	return t
}
