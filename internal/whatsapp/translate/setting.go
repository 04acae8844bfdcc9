package translate

import (
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"

	"pesan/internal/chat"
)

// Setting says what a mutation of the app state tells of a chat. Index is the mutation's: what is set, and for what.
func (b *Book) Setting(index []string, v *waSyncAction.SyncActionValue) []chat.Change {
	if len(index) < 2 || v == nil {
		return nil
	}
	jid := Parse(index[1])
	if jid == "" {
		return nil
	}
	at := max(v.GetTimestamp(), chat.Baseline)
	b.Learn(jid, Parse(v.GetContactAction().GetPnJID()))
	b.Learn(jid, Parse(v.GetContactAction().GetLidJID()))
	b.Learn(jid, Parse(v.GetPnForLidChatAction().GetPnJID()))
	c := b.Change(jid)
	switch index[0] {
	case appstate.IndexContact:
		c.State.Contact = contact(v.GetContactAction(), at)
	case appstate.IndexLIDContact:
		c.State.Contact = contact(v.GetLidContactAction(), at)
	case appstate.IndexPNForLIDChat: // the link of the addresses is all
	case appstate.IndexMarkChatAsRead:
		markRead(&c.State, v.GetMarkChatAsReadAction(), at)
	case appstate.IndexStar, appstate.IndexDeleteMessageForMe:
		if len(index) < 3 || index[2] == "" {
			return nil
		}
		m := chat.Message{ID: index[2], Gone: index[0] == appstate.IndexDeleteMessageForMe}
		if !m.Gone {
			m.Starred = chat.Register[bool]{Value: v.GetStarAction().GetStarred(), At: at}
		}
		c.Messages = []chat.Message{m}
	default:
		if !chatSetting(&c.State, index, v, at) {
			return nil
		}
	}
	return []chat.Change{c}
}

// chatSetting sets what concerns a chat as a whole; it is false for what isn't known here.
func chatSetting(s *chat.Chat, index []string, v *waSyncAction.SyncActionValue, at int64) bool {
	switch index[0] {
	case appstate.IndexMute:
		s.Mute = chat.Register[int64]{Value: muteEnd(v.GetMuteAction()), At: at}
	case appstate.IndexPin:
		s.Pin = chat.Register[int64]{At: at}
		if v.GetPinAction().GetPinned() {
			s.Pin.Value = at
		}
	case appstate.IndexArchive:
		s.Archived = chat.Register[bool]{Value: v.GetArchiveChatAction().GetArchived(), At: at}
	case appstate.IndexClearChat:
		r := covered(v.GetClearChatAction().GetMessageRange(), at)
		if len(index) > 2 && index[2] == "0" { // starred messages stay
			s.ClearedUnstarred = r
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

// muteEnd is when a mute ends, in ms since 1970.
func muteEnd(a *waSyncAction.MuteAction) int64 {
	switch end := a.GetMuteEndTimestamp(); {
	case !a.GetMuted():
		return 0
	case end <= 0:
		return chat.MutedForEver
	default:
		return asMillis(end)
	}
}

func markRead(s *chat.Chat, a *waSyncAction.MarkChatAsReadAction, at int64) {
	s.MarkedUnread = chat.Register[bool]{Value: !a.GetRead(), At: at}
	if a.GetRead() {
		s.Read = covered(a.GetMessageRange(), at)
	}
}

// covered is what a clear, delete or read covers: all messages before the last one, and of those at its second the ones
// that the range names. Without a range it is what there was at the time of the action.
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
