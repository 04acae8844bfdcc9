package appstate

import (
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
)

// Range says up to where an action on a chat reaches.
type Range = waSyncAction.SyncActionMessageRange

// Forever as the end of a mute.
const Forever int64 = -1

// UpTo is the range that ends with the last of the given messages' times; messages are those with the newest time and may
// be left out.
func UpTo(last time.Time, messages ...*waCommon.MessageKey) *Range {
	r := &Range{LastMessageTimestamp: proto.Int64(last.Unix())}
	for _, k := range messages {
		r.Messages = append(r.Messages, &waSyncAction.SyncActionMessage{Key: k, Timestamp: proto.Int64(last.Unix())})
	}
	return r
}

// Mute mutes a chat until a time in milliseconds since 1970, or Forever.
func Mute(chat types.JID, until int64) Mutation {
	return set(&waSyncAction.SyncActionValue{
		MuteAction: &waSyncAction.MuteAction{Muted: proto.Bool(true), MuteEndTimestamp: &until},
	}, "mute", chat.String())
}

// Unmute ends a chat's mute.
func Unmute(chat types.JID) Mutation {
	return set(&waSyncAction.SyncActionValue{MuteAction: &waSyncAction.MuteAction{Muted: proto.Bool(false)}}, "mute", chat.String())
}

// Pin pins or unpins a chat.
func Pin(chat types.JID, pinned bool) Mutation {
	return set(&waSyncAction.SyncActionValue{PinAction: &waSyncAction.PinAction{Pinned: &pinned}}, "pin_v1", chat.String())
}

// Archive archives a chat or takes it out of the archive.
func Archive(chat types.JID, archived bool, r *Range) Mutation {
	return set(&waSyncAction.SyncActionValue{
		ArchiveChatAction: &waSyncAction.ArchiveChatAction{Archived: &archived, MessageRange: r},
	}, "archive", chat.String())
}

// Lock locks a chat away, or not any more.
func Lock(chat types.JID, locked bool) Mutation {
	return set(&waSyncAction.SyncActionValue{
		LockChatAction: &waSyncAction.LockChatAction{Locked: &locked},
	}, "lock", chat.String())
}

// MarkChatAsRead marks a chat as read up to a range, or as unread.
func MarkChatAsRead(chat types.JID, read bool, r *Range) Mutation {
	return set(&waSyncAction.SyncActionValue{
		MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: &read, MessageRange: r},
	}, "markChatAsRead", chat.String())
}

// ClearChat deletes the messages of a range.
func ClearChat(chat types.JID, starred, media bool, r *Range) Mutation {
	return set(&waSyncAction.SyncActionValue{
		ClearChatAction: &waSyncAction.ClearChatAction{MessageRange: r},
	}, "clearChat", chat.String(), flag(starred), flag(media))
}

// DeleteChat deletes a chat with the messages of a range.
func DeleteChat(chat types.JID, media bool, r *Range) Mutation {
	return set(&waSyncAction.SyncActionValue{
		DeleteChatAction: &waSyncAction.DeleteChatAction{MessageRange: r},
	}, "deleteChat", chat.String(), flag(media))
}

// Message names a message in an index. Sender counts only for another's message in a group.
type Message struct {
	Chat   types.JID
	ID     string
	FromMe bool
	Sender types.JID
}

func (m Message) index(action string) []string {
	sender := "0"
	if !m.FromMe && !m.Sender.IsEmpty() && m.Sender.User != m.Chat.User {
		sender = m.Sender.ToNonAD().String()
	}
	return []string{action, m.Chat.String(), m.ID, flag(m.FromMe), sender}
}

// DeleteMessageForMe deletes a message, which was sent at a time, on the own devices only.
func DeleteMessageForMe(m Message, media bool, sent time.Time) Mutation {
	return set(&waSyncAction.SyncActionValue{DeleteMessageForMeAction: &waSyncAction.DeleteMessageForMeAction{
		DeleteMedia: &media, MessageTimestamp: proto.Int64(sent.Unix()),
	}}, m.index("deleteMessageForMe")...)
}

// Star stars a message or takes the star away.
func Star(m Message, starred bool) Mutation {
	return set(&waSyncAction.SyncActionValue{StarAction: &waSyncAction.StarAction{Starred: &starred}}, m.index("star")...)
}

// ContactName is how a person stands in the address book. PN or LID may be empty.
type ContactName struct {
	Full, First string
	PN, LID     types.JID
}

// Contact puts a person, addressed by jid, into the address book.
func Contact(jid types.JID, c ContactName) Mutation {
	a := &waSyncAction.ContactAction{FullName: &c.Full, FirstName: &c.First, SaveOnPrimaryAddressbook: proto.Bool(true)}
	if !c.LID.IsEmpty() {
		a.LidJID = proto.String(c.LID.String())
	}
	if !c.PN.IsEmpty() {
		a.PnJID = proto.String(c.PN.String())
	}
	return set(&waSyncAction.SyncActionValue{ContactAction: a}, "contact", jid.String())
}

// RemoveContact takes a person out of the address book.
func RemoveContact(jid types.JID) Mutation {
	m := set(nil, "contact", jid.String())
	m.Operation = Remove
	return m
}

// PNForLID tells the phone number behind a LID.
func PNForLID(lid, pn types.JID) Mutation {
	return set(&waSyncAction.SyncActionValue{
		PnForLidChatAction: &waSyncAction.PnForLidChatAction{PnJID: proto.String(pn.String())},
	}, "pnForLidChat", lid.String())
}

// PushName sets the own name that others see.
func PushName(name string) Mutation {
	return set(&waSyncAction.SyncActionValue{PushNameSetting: &waSyncAction.PushNameSetting{Name: &name}}, "setting_pushName")
}

// Locale sets the phone's language, such as "id_ID".
func Locale(locale string) Mutation {
	return set(&waSyncAction.SyncActionValue{LocaleSetting: &waSyncAction.LocaleSetting{Locale: &locale}}, "setting_locale")
}

// UnarchiveChats sets whether a new message takes a chat out of the archive.
func UnarchiveChats(unarchive bool) Mutation {
	return set(&waSyncAction.SyncActionValue{
		UnarchiveChatsSetting: &waSyncAction.UnarchiveChatsSetting{UnarchiveChats: &unarchive},
	}, "setting_unarchiveChats")
}

// MuteStatus hides or shows a person's status updates.
func MuteStatus(jid types.JID, muted bool) Mutation {
	return set(&waSyncAction.SyncActionValue{
		UserStatusMuteAction: &waSyncAction.UserStatusMuteAction{Muted: &muted},
	}, "userStatusMute", jid.String())
}

// Label makes, changes or deletes a label.
func Label(id, name string, color int32, deleted bool) Mutation {
	return set(&waSyncAction.SyncActionValue{
		LabelEditAction: &waSyncAction.LabelEditAction{Name: &name, Color: &color, Deleted: &deleted},
	}, "label_edit", id)
}

// LabelChat puts a label on a chat or takes it off.
func LabelChat(id string, chat types.JID, labeled bool) Mutation {
	return set(&waSyncAction.SyncActionValue{
		LabelAssociationAction: &waSyncAction.LabelAssociationAction{Labeled: &labeled},
	}, "label_jid", id, chat.String())
}

func set(v *waSyncAction.SyncActionValue, index ...string) Mutation {
	a := actions[index[0]]
	return Mutation{Collection: a.collection, Index: index, Version: a.version, Value: v}
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
