package appstate

import (
	"fmt"

	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
)

// action is what this package knows of one kind of mutation.
type action struct {
	collection Name
	version    int32
	parts      int       // of the index
	check      valueTest // nil when any value will do
}

// valueTest says what is wrong with an action, or "".
type valueTest func(index []string, v *value) string

type value = waSyncAction.SyncActionValue

// actions are the mutations that concern chats. Versions are those that WhatsApp's own clients write.
var actions = map[string]action{
	"mute":                   {RegularHigh, 2, 2, checkMute},
	"star":                   {RegularHigh, 2, 5, present((*value).GetStarAction)},
	"deleteMessageForMe":     {RegularHigh, 3, 5, present((*value).GetDeleteMessageForMeAction)},
	"clearChat":              {RegularHigh, 6, 4, flagsThen(2, ranged((*value).GetClearChatAction))},
	"deleteChat":             {RegularHigh, 6, 3, flagsThen(2, ranged((*value).GetDeleteChatAction))},
	"userStatusMute":         {RegularHigh, 7, 2, present((*value).GetUserStatusMuteAction)},
	"pin_v1":                 {RegularLow, 5, 2, present((*value).GetPinAction)},
	"lock":                   {RegularLow, 7, 2, present((*value).GetLockChatAction)},
	"archive":                {RegularLow, 3, 2, ranged((*value).GetArchiveChatAction)},
	"markChatAsRead":         {RegularLow, 3, 2, ranged((*value).GetMarkChatAsReadAction)},
	"setting_unarchiveChats": {RegularLow, 4, 1, present((*value).GetUnarchiveChatsSetting)},
	"contact":                {CriticalUnblockLow, 2, 2, present((*value).GetContactAction)},
	"setting_pushName":       {CriticalBlock, 1, 1, present((*value).GetPushNameSetting)},
	"setting_locale":         {CriticalBlock, 3, 1, present((*value).GetLocaleSetting)},
	"pnForLidChat":           {Regular, 8, 2, present((*value).GetPnForLidChatAction)},
	"label_edit":             {Regular, 3, 2, present((*value).GetLabelEditAction)},
	"label_jid":              {Regular, 3, 3, present((*value).GetLabelAssociationAction)},
}

// check says whether a phone would take a device's mutation. It takes kinds that it doesn't know.
func check(m Mutation) error {
	a, known := actions[m.Index[0]]
	if !known || m.Operation == Remove {
		return nil
	}
	wrong := ""
	switch {
	case m.Collection != a.collection:
		wrong = "belongs to " + string(a.collection) + ", not " + string(m.Collection)
	case m.Version != a.version:
		wrong = fmt.Sprintf("has version %d, not %d", a.version, m.Version)
	case len(m.Index) != a.parts:
		wrong = fmt.Sprintf("has an index of %d parts, not %d", a.parts, len(m.Index))
	case m.Value == nil || m.Value.GetTimestamp() < 1e12:
		wrong = "has no timestamp in milliseconds"
	case a.check != nil:
		wrong = a.check(m.Index, m.Value)
	}
	if wrong != "" {
		return fmt.Errorf("%w: %s %s", ErrAction, m.Index[0], wrong)
	}
	return nil
}

func checkMute(_ []string, v *value) string {
	a := v.GetMuteAction()
	switch end := a.GetMuteEndTimestamp(); {
	case a == nil || a.Muted == nil:
		return "has no value"
	case a.GetMuted() && end != Forever && end < 1e12:
		return "ends neither never nor at a time in milliseconds"
	}
	return ""
}

// flagsThen checks that the parts of an index from a place on are flags.
func flagsThen(from int, then valueTest) valueTest {
	return func(index []string, v *value) string {
		for _, f := range index[from:] {
			if f != "0" && f != "1" {
				return "has flags other than 0 and 1"
			}
		}
		return then(index, v)
	}
}

func present[T any](get func(*value) *T) valueTest {
	return func(_ []string, v *value) string {
		if get(v) == nil {
			return "has no value"
		}
		return ""
	}
}

// ranged checks an action that must say up to where it reaches, in seconds.
func ranged[A interface {
	comparable
	GetMessageRange() *Range
}](get func(*value) A) valueTest {
	return func(_ []string, v *value) string {
		var none A
		a := get(v)
		switch last := a.GetMessageRange().GetLastMessageTimestamp(); {
		case a == none:
			return "has no value"
		case last <= 0 || last > 1e11:
			return "has no range that ends at a time in seconds"
		}
		return malformed(a.GetMessageRange())
	}
}

// maxNamed is how many messages a range may name.
const maxNamed = 1000

// malformed says why a client would refuse a range, or "".
func malformed(r *Range) string {
	if system := r.GetLastSystemMessageTimestamp(); system != 0 && system < r.GetLastMessageTimestamp() {
		return "has a range whose last notice is before its last message"
	}
	if len(r.GetMessages()) > maxNamed {
		return "has a range of too many messages"
	}
	for _, m := range r.GetMessages() {
		chat, err := types.ParseJID(m.GetKey().GetRemoteJID())
		switch {
		case err != nil || chat.User == "" || m.GetKey().FromMe == nil || m.GetKey().GetID() == "":
			return "has a range with a key without chat, direction or id"
		case chat.Server == types.GroupServer && !m.GetKey().GetFromMe() && m.GetKey().GetParticipant() == "":
			return "has a range with a message of nobody in a group"
		}
	}
	return ""
}
