package translate

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/proto/waVnameCert"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

var update = flag.Bool("update", false, "write testdata/told.txt anew")

var (
	budi, budiLID = people[0][0], people[0][1]
	siti, sitiLID = people[1][0], people[1][1]
	channel       = types.NewJID("123456789012345678", types.NewsletterServer)
	list          = types.NewJID("1234567890", types.BroadcastServer)
	then          = time.Unix(1_800_000_000, 500_000_000)
)

// saying is something that WhatsApp tells, and what the book makes of it.
type saying struct {
	name string
	told func(*Book) []chat.Change
}

func live(name string, source types.MessageSource, m *waE2E.Message, change func(*events.Message), opened ...Opened) saying {
	return saying{name, func(b *Book) []chat.Change {
		evt := &events.Message{RawMessage: m, Info: types.MessageInfo{MessageSource: source, ID: "ID", Timestamp: then, PushName: "Budi"}}
		if change != nil {
			change(evt)
		}
		return b.Message(evt.UnwrapRaw(), 7, append(opened, Opened{})[0])
	}}
}

func from(who types.JID) types.MessageSource { return types.MessageSource{Chat: who, Sender: who} }

func inGroup(who types.JID) types.MessageSource {
	return types.MessageSource{Chat: theGroup, Sender: who, IsGroup: true}
}

func toChat(in types.JID) types.MessageSource {
	return types.MessageSource{Chat: in, Sender: ownPN, IsFromMe: true, IsGroup: in == theGroup}
}

func history(name, in string, w *waWeb.WebMessageInfo, change func(*waHistorySync.Conversation)) saying {
	return saying{name, func(b *Book) []chat.Change {
		conv := &waHistorySync.Conversation{ID: &in}
		if w != nil {
			conv.Messages = []*waHistorySync.HistorySyncMsg{{Message: w, MsgOrderID: proto.Uint64(9)}}
		}
		if change != nil {
			change(conv)
		}
		return b.Conversation(conv, change != nil, 2)
	}}
}

func setting(name string, v *waSyncAction.SyncActionValue, index ...string) saying {
	return saying{name, func(b *Book) []chat.Change {
		v.Timestamp = proto.Int64(1_800_000_000_123)
		return b.Mutation(Mutation{Index: index, Value: v, Order: 77})
	}}
}

func span(last int64, messages ...*waSyncAction.SyncActionMessage) *waSyncAction.SyncActionMessageRange {
	return &waSyncAction.SyncActionMessageRange{LastMessageTimestamp: &last, Messages: messages}
}

func at(id string, second int64) *waSyncAction.SyncActionMessage {
	return &waSyncAction.SyncActionMessage{Timestamp: &second, Key: &waCommon.MessageKey{
		RemoteJID: proto.String(people[0][1].String()), FromMe: proto.Bool(false), ID: &id,
	}}
}

func receipt(name string, source types.MessageSource, kind types.ReceiptType, ids ...string) saying {
	return saying{name, func(b *Book) []chat.Change {
		return b.Receipt(&events.Receipt{MessageSource: source, MessageIDs: ids, Timestamp: then, Type: kind})
	}}
}

func text(s string) *waE2E.Message { return sim.Text(s) }

func withContext(c *waE2E.ContextInfo) *waE2E.Message {
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("x"), ContextInfo: c}}
}

func associated(kind waE2E.MessageAssociation_AssociationType) *waE2E.Message {
	return &waE2E.Message{
		ImageMessage: &waE2E.ImageMessage{URL: proto.String("u"), JPEGThumbnail: []byte{1}},
		MessageContextInfo: &waE2E.MessageContextInfo{MessageAssociation: &waE2E.MessageAssociation{
			AssociationType: &kind, ParentMessageKey: &waCommon.MessageKey{ID: proto.String("PARENT")},
		}},
	}
}

func call(change func(*waSyncAction.CallLogRecord)) *waSyncAction.SyncActionValue {
	r := &waSyncAction.CallLogRecord{
		CallID: proto.String("CALL"), CallCreatorJID: proto.String(budiLID.String()), StartTime: proto.Int64(1_799_999_000),
		CallResult: waSyncAction.CallLogRecord_CONNECTED.Enum(), Duration: proto.Int64(60),
	}
	change(r)
	return &waSyncAction.SyncActionValue{CallLogAction: &waSyncAction.CallLogAction{CallLogRecord: r}}
}

// sayings are what WhatsApp tells, at every branch of what is made of it.
func sayings() (all []saying) {
	add := func(more ...saying) { all = append(all, more...) }
	key := &waCommon.MessageKey{ID: proto.String("TARGET"), RemoteJID: proto.String(budi.String()), FromMe: proto.Bool(true)}
	theirs := &waCommon.MessageKey{ID: proto.String("THEIRS"), FromMe: proto.Bool(false), Participant: proto.String(sitiLID.String())}
	b := func(v bool) *bool { return &v }

	// Live messages, by who sends them and where to.
	add(
		live("a text", from(budiLID), text("halo"), nil),
		live("a text of who has no name", from(budi), text("halo"), func(e *events.Message) { e.Info.PushName = "-" }),
		live("an own text", toChat(budiLID), text("halo"), nil),
		live("to a stranger, whose number is told", types.MessageSource{Chat: types.NewJID("99999999999999", types.HiddenUserServer), RecipientAlt: types.NewJID("6281299999999", types.DefaultUserServer), IsFromMe: true}, text("halo"), nil),
		live("in a group", inGroup(sitiLID), text("halo"), nil),
		live("in a group, by a stranger whose number is told", types.MessageSource{Chat: theGroup, Sender: types.NewJID("99999999999999", types.HiddenUserServer), SenderAlt: types.NewJID("6281299999999", types.DefaultUserServer), IsGroup: true}, text("halo"), nil),
		live("in a group, by a stranger", inGroup(types.NewJID("99999999999999", types.HiddenUserServer)), text("halo"), nil),
		live("in a group, by nobody", inGroup(types.EmptyJID), text("halo"), nil),
		live("own in a group", toChat(theGroup), text("halo"), nil),
		live("in a channel", from(channel), text("halo"), nil),
		live("in a channel, edited", from(channel), text("halo"), func(e *events.Message) {
			e.NewsletterMeta = &events.NewsletterMessageMeta{EditTS: then.Add(time.Minute), OriginalTS: then.Add(-time.Minute)}
		}),
		live("in a channel, edited without its first time", from(channel), text("halo"), func(e *events.Message) {
			e.NewsletterMeta = &events.NewsletterMessageMeta{EditTS: then.Add(time.Minute)}
		}),
		live("in a channel, edited at zero", from(channel), text("halo"), func(e *events.Message) {
			e.NewsletterMeta = &events.NewsletterMessageMeta{EditTS: time.UnixMilli(0), OriginalTS: then}
		}),
		live("a story", from(types.StatusBroadcastJID), text("halo"), nil),
		live("without an id", from(budi), text("halo"), func(e *events.Message) { e.Info.ID = "" }),
		live("another's list", types.MessageSource{Chat: list, Sender: budi}, text("halo"), nil),
		live("an own list", types.MessageSource{Chat: list, Sender: ownPN, IsFromMe: true, BroadcastRecipients: []types.BroadcastRecipient{{PN: budi, LID: budiLID}, {LID: sitiLID}, {}}}, text("halo"), nil),
		live("a revoke in an own list", types.MessageSource{Chat: list, Sender: ownPN, IsFromMe: true, BroadcastRecipients: []types.BroadcastRecipient{{PN: budi}}}, sim.Revoke(list, "TARGET"), nil),
		live("nothing in an own list", types.MessageSource{Chat: list, Sender: ownPN, IsFromMe: true, BroadcastRecipients: []types.BroadcastRecipient{{PN: budi}}}, &waE2E.Message{}, nil),
		live("of a business", from(budi), text("halo"), func(e *events.Message) {
			e.Info.VerifiedName = &types.VerifiedName{Details: &waVnameCert.VerifiedNameCertificate_Details{VerifiedName: proto.String("Toko")}}
		}),
		live("of a business without a name", from(budi), text("halo"), func(e *events.Message) {
			e.Info.VerifiedName = &types.VerifiedName{Details: &waVnameCert.VerifiedNameCertificate_Details{}}
		}),
		live("an invitation", from(budi), &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{GroupName: proto.String("x")}}, nil),
		live("an own invitation", toChat(budi), &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{GroupName: proto.String("x")}}, nil),
		live("from another own device", toChat(budi), &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{Message: text("halo")}}, nil),
		live("with a key beside it", inGroup(budi), &waE2E.Message{Conversation: proto.String("x"), SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{GroupID: proto.String("g")}}, nil),
		live("with the other key beside it", inGroup(budi), &waE2E.Message{Conversation: proto.String("x"), FastRatchetKeySenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{GroupID: proto.String("g")}}, nil),
		live("nothing", from(budi), &waE2E.Message{}, nil),
		live("newer", from(budi), sim.Newer("masa depan"), nil),
		live("newer, an edit", from(budi), sim.Newer("masa depan"), func(e *events.Message) { e.Info.Edit = types.EditAttributeMessageEdit }),
		live("newer, a reaction", from(budi), sim.Newer("masa depan"), func(e *events.Message) { e.Info.Type = "reaction" }),
		live("newer, about another", from(budi), sim.Newer("masa depan"), func(e *events.Message) { e.Info.MsgMetaInfo.TargetID = "X" }),
	)

	// What a message says.
	everyone, me := &waE2E.ContextInfo{NonJIDMentions: proto.Uint32(1)}, &waE2E.ContextInfo{MentionedJID: []string{budiLID.String(), "@", ownLID.String()}}
	add(
		live("mentions everyone", inGroup(budi), withContext(everyone), nil), live("mentions everyone where nobody is", from(budi), withContext(everyone), nil),
		live("mentions the account", inGroup(budi), withContext(me), nil), live("mentions the account in private", from(budi), withContext(me), nil),
		live("quotes the account", inGroup(budi), withContext(&waE2E.ContextInfo{StanzaID: proto.String("Q"), Participant: proto.String(ownLID.String()), QuotedMessage: text("q")}), nil),
		live("quotes the account in private", from(budi), withContext(&waE2E.ContextInfo{StanzaID: proto.String("Q"), Participant: proto.String(ownPN.String()), QuotedMessage: text("q")}), nil),
		live("quotes another", inGroup(budi), withContext(&waE2E.ContextInfo{StanzaID: proto.String("Q"), Participant: proto.String(siti.String()), QuotedMessage: text("q")}), nil),
		live("quotes without an id", inGroup(budi), withContext(&waE2E.ContextInfo{Participant: proto.String(ownPN.String())}), nil),
		live("disappears", from(budi), withContext(&waE2E.ContextInfo{Expiration: proto.Uint32(86400)}), nil),
		live("disappears after it was read", from(budi), withContext(&waE2E.ContextInfo{AfterReadDuration: proto.Uint32(60)}), nil),
		live("forwarded", from(budi), withContext(&waE2E.ContextInfo{IsForwarded: proto.Bool(true)}), nil),
		live("once, in its wrapper", from(budi), &waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}}}, nil),
		live("once, in the first wrapper", from(budi), &waE2E.Message{ViewOnceMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}}}, nil),
		live("once, in the third wrapper", from(budi), &waE2E.Message{ViewOnceMessageV2Extension: &waE2E.FutureProofMessage{Message: &waE2E.Message{AudioMessage: &waE2E.AudioMessage{}}}}, nil),
		live("once, by its mark", from(budi), &waE2E.Message{VideoMessage: &waE2E.VideoMessage{ViewOnce: proto.Bool(true)}}, nil),
		live("a poll", inGroup(budi), sim.Poll(nil, "Makan apa?", "soto", "rawon"), nil),
		live("a poll of pictures", inGroup(budi), &waE2E.Message{PollCreationMessageV5: &waE2E.PollCreationMessage{
			Options: []*waE2E.PollCreationMessage_Option{{OptionName: proto.String("a")}, {OptionName: proto.String("b")}}, PollContentType: waE2E.PollContentType_IMAGE.Enum(),
		}}, nil),
		live("an album", from(budi), &waE2E.Message{AlbumMessage: &waE2E.AlbumMessage{ExpectedImageCount: proto.Uint32(2)}}, nil),
		live("a call's line", from(budi), &waE2E.Message{CallLogMesssage: &waE2E.CallLogMessage{CallOutcome: waE2E.CallLogMessage_MISSED.Enum()}}, nil),
		live("an event", from(budi), &waE2E.Message{EventMessage: &waE2E.EventMessage{Name: proto.String("Arisan")}}, nil),
		live("an assistant's answer", from(budi), &waE2E.Message{RichResponseMessage: &waE2E.AIRichResponseMessage{}}, nil),
		live("a film", from(budi), &waE2E.Message{VideoMessage: &waE2E.VideoMessage{Caption: proto.String("c")}}, nil),
		live("a place", from(budi), &waE2E.Message{LocationMessage: &waE2E.LocationMessage{}}, nil),
	)
	for _, kind := range []waE2E.MessageAssociation_AssociationType{
		waE2E.MessageAssociation_MEDIA_ALBUM, waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, waE2E.MessageAssociation_MOTION_PHOTO, waE2E.MessageAssociation_UNKNOWN,
	} {
		add(live("belongs to another: "+kind.String(), from(budi), associated(kind), nil))
	}
	inside := associated(waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD)
	add(live("belongs to another, in its wrapper", from(budi), &waE2E.Message{AssociatedChildMessage: &waE2E.FutureProofMessage{Message: inside}}, nil))

	// What is added to another message.
	late := sim.React(key, "x")
	late.ReactionMessage.SenderTimestampMS = proto.Int64(1_800_000_000_001)
	pin := func(kind waE2E.PinInChatMessage_Type, key *waCommon.MessageKey) *waE2E.Message {
		return &waE2E.Message{
			PinInChatMessage:   &waE2E.PinInChatMessage{Key: key, Type: &kind, SenderTimestampMS: proto.Int64(1_800_000_000_001)},
			MessageContextInfo: &waE2E.MessageContextInfo{MessageAddOnDurationInSecs: proto.Uint32(86400)},
		}
	}
	vote := &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{PollCreationMessageKey: key, SenderTimestampMS: proto.Int64(1_800_000_000_001)}}
	reply := &waE2E.Message{EncEventResponseMessage: &waE2E.EncEventResponseMessage{EventCreationMessageKey: key}}
	going := &waE2E.EventResponseMessage{Response: waE2E.EventResponseMessage_GOING.Enum(), ExtraGuestCount: proto.Int32(2)}
	dated := proto.Clone(going).(*waE2E.EventResponseMessage)
	dated.TimestampMS = proto.Int64(1_800_000_000_001)
	keep := func(kind waE2E.KeepType) *waE2E.Message {
		return &waE2E.Message{KeepInChatMessage: &waE2E.KeepInChatMessage{Key: key, KeepType: &kind, TimestampMS: proto.Int64(1_800_000_000_001)}}
	}
	noTime := sim.React(key, "x")
	noTime.ReactionMessage.SenderTimestampMS = nil
	add(
		live("a reaction", from(budiLID), late, nil), live("a reaction without a time", from(budiLID), noTime, nil), live("a reaction to nothing", from(budi), sim.React(&waCommon.MessageKey{}, "x"), nil),
		live("a vote that wasn't opened", from(budi), vote, nil), live("a vote", from(budi), vote, nil, Opened{Vote: sim.Hashes("soto", "rawon")}),
		live("an option", inGroup(budi), &waE2E.Message{PollAddOptionMessage: &waE2E.PollAddOptionMessage{PollCreationMessageKey: key, AddOption: &waE2E.PollCreationMessage_Option{OptionName: proto.String("lodeh")}}}, nil),
		live("an answer that wasn't opened", from(budi), reply, nil), live("an answer", from(budi), reply, nil, Opened{Answer: going}), live("an answer with a time", from(budi), reply, nil, Opened{Answer: dated}),
		live("a comment", inGroup(budi), &waE2E.Message{CommentMessage: &waE2E.CommentMessage{Message: text("bagus"), TargetMessageKey: key}}, nil),
		live("kept", from(budi), keep(waE2E.KeepType_KEEP_FOR_ALL), nil), live("kept no more", from(budi), keep(waE2E.KeepType_UNDO_KEEP_FOR_ALL), nil),
		live("pinned", inGroup(budi), pin(waE2E.PinInChatMessage_PIN_FOR_ALL, key), nil), live("unpinned", inGroup(budi), pin(waE2E.PinInChatMessage_UNPIN_FOR_ALL, key), nil),
		live("nothing pinned", inGroup(budi), pin(waE2E.PinInChatMessage_PIN_FOR_ALL, nil), nil),
		live("revoked", from(budiLID), sim.Revoke(budi, "TARGET"), nil), live("revoked without an id", from(budi), sim.Revoke(budi, ""), nil),
		live("a protocol message without a type", from(budi), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: key}}, nil),
		live("a timer", from(budi), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(86400)}}, nil),
	)
	edit := func(id string, m *waE2E.Message, ms int64) *waE2E.Message {
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: &waCommon.MessageKey{ID: &id}, EditedMessage: m, TimestampMS: &ms,
		}}
	}
	add(
		live("edited", from(budiLID), edit("TARGET", text("baru"), 5), nil), live("edited at no time", from(budi), edit("TARGET", text("baru"), 0), nil),
		live("edited to nothing", from(budi), edit("TARGET", &waE2E.Message{}, 5), nil), live("edited to a reaction", from(budi), edit("TARGET", sim.React(key, "x"), 5), nil),
		live("edited, but which", from(budi), edit("", text("baru"), 5), nil),
	)

	// What can't be read.
	unread := func(name string, change func(*events.UndecryptableMessage)) saying {
		return saying{name, func(b *Book) []chat.Change {
			evt := &events.UndecryptableMessage{Info: types.MessageInfo{MessageSource: from(budi), ID: "ID", Timestamp: then}}
			change(evt)
			return b.Undecryptable(evt, 7)
		}}
	}
	add(
		unread("not decrypted", func(*events.UndecryptableMessage) {}),
		unread("not decrypted, and nobody would see it", func(e *events.UndecryptableMessage) { e.DecryptFailMode = events.DecryptFailHide }),
		unread("not decrypted, from the phone", func(e *events.UndecryptableMessage) { e.Info.Category = "peer" }),
		unread("not decrypted, and where", func(e *events.UndecryptableMessage) { e.Info.Chat = types.StatusBroadcastJID }),
		unread("once, on the phone only", func(e *events.UndecryptableMessage) {
			e.IsUnavailable, e.UnavailableType = true, events.UnavailableTypeViewOnce
		}),
		unread("unavailable", func(e *events.UndecryptableMessage) { e.IsUnavailable = true }),
		unread("once, but available", func(e *events.UndecryptableMessage) { e.UnavailableType = events.UnavailableTypeViewOnce }),
	)

	// Receipts.
	add(
		receipt("delivered", from(budiLID), types.ReceiptTypeDelivered, "A", "", "B"), receipt("read", from(budiLID), types.ReceiptTypeRead, "A"),
		receipt("played", from(budiLID), types.ReceiptTypePlayed, "A"), receipt("a retry", from(budi), types.ReceiptTypeRetry, "A"),
		receipt("read in a group", inGroup(sitiLID), types.ReceiptTypeRead, "A"), receipt("read in a group by nobody", inGroup(types.EmptyJID), types.ReceiptTypeRead, "A"),
		receipt("read of nothing", from(budi), types.ReceiptTypeRead, ""), receipt("read of a story", from(types.StatusBroadcastJID), types.ReceiptTypeRead, "A"),
		receipt("read on another own device", toChat(budi), types.ReceiptTypeReadSelf, "A"), receipt("played on another own device", toChat(budi), types.ReceiptTypePlayedSelf, "A"),
		receipt("delivered to another own device", toChat(budi), types.ReceiptTypeDelivered, "A"),
	)

	// The app state.
	mute := func(a *waSyncAction.MuteAction) *waSyncAction.SyncActionValue {
		return &waSyncAction.SyncActionValue{MuteAction: a}
	}
	in := budiLID.String()
	star := &waSyncAction.SyncActionValue{StarAction: &waSyncAction.StarAction{Starred: b(true)}}
	archive := func(on bool, r *waSyncAction.SyncActionMessageRange) *waSyncAction.SyncActionValue {
		return &waSyncAction.SyncActionValue{ArchiveChatAction: &waSyncAction.ArchiveChatAction{Archived: &on, MessageRange: r}}
	}
	clearing := func(r *waSyncAction.SyncActionMessageRange) *waSyncAction.SyncActionValue {
		return &waSyncAction.SyncActionValue{ClearChatAction: &waSyncAction.ClearChatAction{MessageRange: r}}
	}
	add(
		setting("muted", mute(&waSyncAction.MuteAction{Muted: b(true), MuteEndTimestamp: proto.Int64(1_800_000_500_000)}), "mute", in),
		setting("muted, in seconds", mute(&waSyncAction.MuteAction{Muted: b(true), MuteEndTimestamp: proto.Int64(1_800_000_500)}), "mute", in),
		setting("muted for ever", mute(&waSyncAction.MuteAction{Muted: b(true), MuteEndTimestamp: proto.Int64(-1)}), "mute", in),
		setting("the end decides", mute(&waSyncAction.MuteAction{Muted: b(false), MuteEndTimestamp: proto.Int64(1_800_000_500_000)}), "mute", in),
		setting("muted without end", mute(&waSyncAction.MuteAction{Muted: b(true)}), "mute", in), setting("unmuted", mute(&waSyncAction.MuteAction{Muted: b(false)}), "mute", in),
		setting("unmuted, with an end of 0", mute(&waSyncAction.MuteAction{Muted: b(false), MuteEndTimestamp: proto.Int64(0)}), "mute", in), setting("muted by nothing", mute(nil), "mute", in),
		setting("pinned on the phone", &waSyncAction.SyncActionValue{PinAction: &waSyncAction.PinAction{Pinned: b(true)}}, "pin_v1", in),
		setting("unpinned on the phone", &waSyncAction.SyncActionValue{PinAction: &waSyncAction.PinAction{Pinned: b(false)}}, "pin_v1", in),
		setting("archived", archive(true, span(1_799_999_999, at("A", 1_799_999_999), at("B", 1_799_999_998))), "archive", in), setting("archived, without a range", archive(true, nil), "archive", in),
		setting("archived, with messages only", archive(true, &waSyncAction.SyncActionMessageRange{Messages: []*waSyncAction.SyncActionMessage{at("A", 1_799_999_999)}}), "archive", in),
		setting("archived, with an end only", archive(true, span(1_799_999_999)), "archive", in), setting("unarchived", archive(false, span(1_799_999_999)), "archive", in),
		setting("locked", &waSyncAction.SyncActionValue{LockChatAction: &waSyncAction.LockChatAction{Locked: b(true)}}, "lock", in),
		setting("unlocked", &waSyncAction.SyncActionValue{LockChatAction: &waSyncAction.LockChatAction{Locked: b(false)}}, "lock", in),
		setting("cleared", clearing(span(1_799_999_999, at("A", 1_800_000_000_000), at("B", 5))), "clearChat", in, "1", "0"),
		setting("cleared, a message without an id", clearing(span(1_799_999_999, at("", 1_800_000_000))), "clearChat", in, "1", "0"),
		setting("cleared but for the starred", clearing(span(1_799_999_999)), "clearChat", in, "0", "0"), setting("cleared, an old form", clearing(span(1_799_999_999)), "clearChat", in),
		setting("cleared without a range", clearing(nil), "clearChat", in, "1", "0"),
		setting("deleted", &waSyncAction.SyncActionValue{DeleteChatAction: &waSyncAction.DeleteChatAction{MessageRange: span(1_799_999_999)}}, "deleteChat", in, "1"),
		setting("read on the phone", &waSyncAction.SyncActionValue{MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: b(true), MessageRange: span(1_799_999_999)}}, "markChatAsRead", in),
		setting("marked as unread", &waSyncAction.SyncActionValue{MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: b(false), MessageRange: span(1_799_999_999)}}, "markChatAsRead", in),
		setting("starred", star, "star", in, "A", "0", "0"), setting("starred, but which", star, "star", in, ""), setting("starred, cut off", star, "star", in),
		setting("deleted for me", &waSyncAction.SyncActionValue{DeleteMessageForMeAction: &waSyncAction.DeleteMessageForMeAction{}}, "deleteMessageForMe", in, "A", "0", "0"),
		setting("a contact", &waSyncAction.SyncActionValue{ContactAction: &waSyncAction.ContactAction{FullName: proto.String("Budi S"), FirstName: proto.String("Budi")}}, "contact", budi.String()),
		setting("a contact with a first name", &waSyncAction.SyncActionValue{ContactAction: &waSyncAction.ContactAction{FirstName: proto.String("Budi"), LidJID: proto.String("99999999999999@lid")}}, "contact", "6281299999999@s.whatsapp.net"),
		setting("a contact by LID", &waSyncAction.SyncActionValue{LidContactAction: &waSyncAction.LidContactAction{FullName: proto.String("Budi S")}}, "lid_contact", in),
		setting("two addresses", &waSyncAction.SyncActionValue{PnForLidChatAction: &waSyncAction.PnForLidChatAction{PnJID: proto.String("6281299999999@s.whatsapp.net")}}, "pnForLidChat", "99999999999999@lid"),
		setting("a label on a chat", &waSyncAction.SyncActionValue{LabelAssociationAction: &waSyncAction.LabelAssociationAction{Labeled: b(true)}}, "label_jid", "3", in),
		setting("a label off a chat", &waSyncAction.SyncActionValue{LabelAssociationAction: &waSyncAction.LabelAssociationAction{Labeled: b(false)}}, "label_jid", "3", in),
		setting("a label on nothing", &waSyncAction.SyncActionValue{LabelAssociationAction: &waSyncAction.LabelAssociationAction{Labeled: b(true)}}, "label_jid", "3"),
		setting("no label on a chat", &waSyncAction.SyncActionValue{LabelAssociationAction: &waSyncAction.LabelAssociationAction{Labeled: b(true)}}, "label_jid", "a b", in),
		setting("a label on a story", &waSyncAction.SyncActionValue{LabelAssociationAction: &waSyncAction.LabelAssociationAction{Labeled: b(true)}}, "label_jid", "3", "status@broadcast"),
		setting("a label by nothing", &waSyncAction.SyncActionValue{}, "label_jid", "3", in),
		setting("of no chat", mute(&waSyncAction.MuteAction{}), "mute", "status@broadcast"), setting("unknown", &waSyncAction.SyncActionValue{}, "explode", in), setting("without an object", &waSyncAction.SyncActionValue{}, "mute"),
		saying{"without a value", func(b *Book) []chat.Change { return b.Setting([]string{"mute", in}, nil, 1) }},
		saying{"without an index", func(b *Book) []chat.Change { return b.Mutation(Mutation{}) }},
	)
	for _, index := range [][]string{{"contact", budi.String()}, {"lid_contact", in}, {"contact"}, {"contact", "x"}, {"mute", in}} {
		add(saying{"removed: " + strings.Join(index, " "), func(b *Book) []chat.Change { return b.Mutation(Mutation{Index: index, Removed: true, Order: 77}) }})
	}
	add(
		setting("a call", call(func(*waSyncAction.CallLogRecord) {}), "call_log", in, "CALL", "1"),
		setting("an own call in a group", call(func(r *waSyncAction.CallLogRecord) {
			r.CallCreatorJID, r.GroupJID, r.IsVideo, r.StartTime = proto.String(ownLID.String()), proto.String(theGroup.String()), b(true), proto.Int64(1_799_999_000_500)
			r.CallResult = waSyncAction.CallLogRecord_MISSED.Enum()
			r.Participants = []*waSyncAction.CallLogRecord_ParticipantInfo{{UserJID: proto.String(in), CallResult: waSyncAction.CallLogRecord_REJECTED.Enum()}}
		}), "call_log", in, "CALL", "1"),
		setting("a call without an id", call(func(r *waSyncAction.CallLogRecord) { r.CallID = nil }), "call_log", in, "CALL", "1"),
		setting("a call by nobody", call(func(r *waSyncAction.CallLogRecord) { r.CallCreatorJID = nil }), "call_log", in, "CALL", "1"),
		setting("a call without a result", call(func(r *waSyncAction.CallLogRecord) { r.CallResult = nil }), "call_log", in, "CALL", "1"),
		setting("a call to come", call(func(r *waSyncAction.CallLogRecord) { r.CallResult = waSyncAction.CallLogRecord_UPCOMING.Enum() }), "call_log", in, "CALL", "1"),
		setting("a call at no time", call(func(r *waSyncAction.CallLogRecord) { r.StartTime = proto.Int64(0) }), "call_log", in, "CALL", "1"),
	)
	offer := func(change func(*types.BasicCallMeta), then func(*Book, Call) []chat.Change) func(*Book) []chat.Change {
		return func(b *Book) []chat.Change {
			meta := &types.BasicCallMeta{CallID: "CALL", CallCreator: budiLID, Timestamp: time.Unix(1_800_000_000, 0)}
			change(meta)
			c, ok := b.Offered(meta, true, 5)
			if !ok {
				return nil
			}
			return then(b, c)
		}
	}
	plain := func(*types.BasicCallMeta) {}
	ended := func(reason string) func(*Book, Call) []chat.Change {
		return func(b *Book, c Call) []chat.Change { return b.Ended(c, reason, time.Unix(1_800_000_060, 0)) }
	}
	missed := func(b *Book, c Call) []chat.Change { return b.Missed(c) }
	add(
		saying{"missed", offer(plain, missed)}, saying{"not answered", offer(plain, ended("timeout"))},
		saying{"answered elsewhere", offer(plain, ended("accepted_elsewhere"))}, saying{"refused elsewhere", offer(plain, ended("rejected_elsewhere"))},
		saying{"missed in a group", offer(func(m *types.BasicCallMeta) { m.GroupJID = theGroup }, missed)},
		saying{"an own offer", offer(func(m *types.BasicCallMeta) { m.CallCreator = ownLID }, missed)},
		saying{"an offer without an id", offer(func(m *types.BasicCallMeta) { m.CallID = "" }, missed)},
		saying{"an offer by nobody", offer(func(m *types.BasicCallMeta) { m.CallCreator = types.EmptyJID }, missed)},
		saying{"an offer by a stranger whose number is told", offer(func(m *types.BasicCallMeta) {
			m.CallCreator, m.CallCreatorAlt = types.NewJID("99999999999999", types.HiddenUserServer), types.NewJID("6281299999999", types.DefaultUserServer)
		}, missed)},
	)

	// Groups, channels and names.
	group := func(name string, change func(*events.GroupInfo)) saying {
		return saying{name, func(b *Book) []chat.Change {
			evt := &events.GroupInfo{JID: theGroup, Timestamp: then}
			change(evt)
			return b.GroupChange(evt, 77)
		}}
	}
	add(
		group("a new subject", func(e *events.GroupInfo) { e.Name = &types.GroupName{Name: "Arisan"} }),
		group("members", func(e *events.GroupInfo) {
			e.Join, e.Leave, e.Promote, e.Demote = []types.JID{budiLID, types.StatusBroadcastJID}, []types.JID{sitiLID}, []types.JID{budi}, []types.JID{types.NewJID("6281299999999", types.DefaultUserServer)}
		}),
		group("one comes", func(e *events.GroupInfo) { e.Join = []types.JID{ownLID} }), group("one goes", func(e *events.GroupInfo) { e.Leave = []types.JID{ownPN} }),
		group("the end", func(e *events.GroupInfo) { e.Delete = &types.GroupDelete{Deleted: true} }), group("no end", func(e *events.GroupInfo) { e.Delete = &types.GroupDelete{} }),
		group("a description", func(e *events.GroupInfo) { e.Topic = &types.GroupTopic{Topic: "x"} }),
		group("a timer for all", func(e *events.GroupInfo) {
			e.Ephemeral = &types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 60}
		}),
		group("no timer", func(e *events.GroupInfo) { e.Ephemeral = &types.GroupEphemeral{DisappearingTimer: 60} }),
		group("suspended", func(e *events.GroupInfo) { e.Suspended = true }), group("suspended no more", func(e *events.GroupInfo) { e.Unsuspended = true }),
		group("of a community", func(e *events.GroupInfo) { e.Link = &types.GroupLinkChange{} }), group("of it no more", func(e *events.GroupInfo) { e.Unlink = &types.GroupLinkChange{} }),
		group("elsewhere", func(e *events.GroupInfo) { e.JID = types.StatusBroadcastJID }),
	)
	whole := types.GroupInfo{
		JID: theGroup, GroupName: types.GroupName{Name: "Arisan", NameSetAt: time.UnixMicro(5)}, GroupTopic: types.GroupTopic{Topic: "x"}, OwnerJID: budiLID,
		GroupCreated: time.Unix(1_700_000_000, 0), GroupEphemeral: types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 60}, ParticipantCount: 4,
		Participants: []types.GroupParticipant{
			{JID: budiLID, IsAdmin: true, IsSuperAdmin: true}, {JID: sitiLID, IsAdmin: true}, {JID: ownLID}, {JID: types.NewJID("99999999999999", types.HiddenUserServer), PhoneNumber: types.NewJID("6281299999999", types.DefaultUserServer), LID: types.NewJID("99999999999999", types.HiddenUserServer)}, {JID: types.StatusBroadcastJID},
		},
	}
	entire := func(name string, change func(*types.GroupInfo)) saying {
		return saying{name, func(b *Book) []chat.Change {
			info := whole
			change(&info)
			return b.Group(&info, 3_000_000_077)
		}}
	}
	add(
		entire("a whole group", func(*types.GroupInfo) {}), entire("a part of a large one", func(i *types.GroupInfo) { i.ParticipantCount = 6 }),
		entire("as many as it has", func(i *types.GroupInfo) { i.ParticipantCount = 5 }),
		entire("a bare group", func(i *types.GroupInfo) {
			*i = types.GroupInfo{JID: theGroup, GroupCreated: time.Unix(0, 0), Participants: i.Participants[:1], Suspended: true}
		}),
		entire("one named later", func(i *types.GroupInfo) { i.NameSetAt = time.UnixMicro(4_000_000_000) }), entire("no group", func(i *types.GroupInfo) { i.JID = types.StatusBroadcastJID }),
		entire("oneself by number", func(i *types.GroupInfo) {
			i.Participants = []types.GroupParticipant{{JID: types.NewJID("88888888888888", types.HiddenUserServer), PhoneNumber: ownPN}}
		}),
		entire("oneself by LID", func(i *types.GroupInfo) { i.Participants = []types.GroupParticipant{{JID: siti, LID: ownLID}} }),
		saying{"joined", func(b *Book) []chat.Change {
			return b.JoinedGroup(&events.JoinedGroup{GroupInfo: whole}, 3_000_000_077)
		}},
		saying{"joined at the beginning", func(b *Book) []chat.Change { return b.JoinedGroup(&events.JoinedGroup{GroupInfo: whole}, 77) }},
	)
	push := func(name string, change func(*events.PushName)) saying {
		return saying{name, func(b *Book) []chat.Change {
			evt := &events.PushName{JID: types.NewJID("99999999999999", types.HiddenUserServer), JIDAlt: types.NewJID("6281299999999", types.DefaultUserServer), NewPushName: "Budi", Message: &types.MessageInfo{Timestamp: then}}
			change(evt)
			return b.PushName(evt)
		}}
	}
	add(
		push("a name", func(*events.PushName) {}), push("no name", func(e *events.PushName) { e.NewPushName = "" }), push("a name that is none", func(e *events.PushName) { e.NewPushName = "-" }),
		push("one's own name", func(e *events.PushName) { e.JID = ownPN }), push("a group's name", func(e *events.PushName) { e.JID = theGroup }), push("a name of no message", func(e *events.PushName) { e.Message = nil }),
		push("a name of nobody", func(e *events.PushName) { e.JID = types.StatusBroadcastJID }),
	)
	stamp := events.NewsletterJoin{}.Mex
	stamp.Timestamp = then
	joined := func(name string, id types.JID, mute types.NewsletterMuteState, viewer bool) saying {
		return saying{name, func(b *Book) []chat.Change {
			evt := &events.NewsletterJoin{Mex: stamp}
			evt.ID, evt.ThreadMeta.Name.Text = id, "Berita"
			evt.ThreadMeta.Name.UpdateTime.Time = then.Add(-time.Hour)
			if viewer {
				evt.ViewerMeta = &types.NewsletterViewerMetadata{Mute: mute}
			}
			return b.Newsletter(evt)
		}}
	}
	add(
		joined("a channel, muted", channel, types.NewsletterMuteOn, true), joined("a channel, not muted", channel, types.NewsletterMuteOff, true),
		joined("a channel, unsaid", channel, "", true), joined("a channel, unseen", channel, "", false), joined("no channel", types.StatusBroadcastJID, "", false),
		saying{"a channel left", func(b *Book) []chat.Change { return b.NewsletterLeft(&events.NewsletterLeave{ID: channel, Mex: stamp}) }},
		saying{"no channel left", func(b *Book) []chat.Change { return b.NewsletterLeft(&events.NewsletterLeave{Mex: stamp}) }},
	)
	for _, mute := range []types.NewsletterMuteState{types.NewsletterMuteOn, types.NewsletterMuteOff} {
		for _, id := range []types.JID{channel, types.EmptyJID} {
			add(saying{fmt.Sprint("a channel's mute ", mute, id), func(b *Book) []chat.Change {
				return b.NewsletterMuted(&events.NewsletterMuteChange{ID: id, Mute: mute, Mex: stamp})
			}})
		}
	}

	// A history.
	person, gid := budiLID.String(), theGroup.String()
	web := func(name, in string, m *waE2E.Message, change func(*waWeb.WebMessageInfo)) {
		w := past("M", m, change)
		add(history("past: "+name, in, w, nil))
	}
	web("a text", person, text("halo"), nil)
	web("an own text, read", person, text("halo"), func(w *waWeb.WebMessageInfo) {
		w.Key.FromMe, w.Status, w.Starred = b(true), waWeb.WebMessageInfo_READ.Enum(), b(true)
	})
	web("in a group, by its participant", gid, text("halo"), func(w *waWeb.WebMessageInfo) { w.Participant = proto.String(sitiLID.String()) })
	web("in a group, by its key", gid, text("halo"), func(w *waWeb.WebMessageInfo) { w.Key.Participant = proto.String(sitiLID.String()) })
	web("in a group, by nobody", gid, text("halo"), nil)
	web("in a list", list.String(), text("halo"), func(w *waWeb.WebMessageInfo) { w.Participant = proto.String(siti.String()) })
	web("without an id", person, text("halo"), func(w *waWeb.WebMessageInfo) { w.Key.ID = nil })
	web("without a time", person, text("halo"), func(w *waWeb.WebMessageInfo) { w.MessageTimestamp = nil })
	web("a reaction", person, sim.React(key, "x"), nil)
	web("nothing", person, &waE2E.Message{}, nil)
	web("no message", person, nil, nil)
	web("a notice", gid, nil, func(w *waWeb.WebMessageInfo) { w.MessageStubType = waWeb.WebMessageInfo_GROUP_CREATE.Enum() })
	web("revoked", person, nil, func(w *waWeb.WebMessageInfo) { w.MessageStubType = waWeb.WebMessageInfo_REVOKE.Enum() })
	web("revoked by an admin", gid, nil, func(w *waWeb.WebMessageInfo) { w.MessageStubType = waWeb.WebMessageInfo_ADMIN_REVOKE.Enum() })
	web("edited", person, edit("E", text("baru"), 5), nil)
	web("edited at no time", person, edit("E", text("baru"), 0), nil)
	web("an edit of nothing", person, edit("E", nil, 5), nil)
	web("newer", person, sim.Newer("masa depan"), nil)
	web("newer, and nobody reads it", person, nil, func(w *waWeb.WebMessageInfo) {
		w.MessageStubType, w.FutureproofData = waWeb.WebMessageInfo_FUTUREPROOF.Enum(), []byte{0xff}
	})
	web("newer, and empty", person, nil, func(w *waWeb.WebMessageInfo) { w.MessageStubType = waWeb.WebMessageInfo_FUTUREPROOF.Enum() })
	web("a comment", gid, text("bagus"), func(w *waWeb.WebMessageInfo) {
		w.Participant, w.CommentMetadata = proto.String(siti.String()), &waWeb.CommentMetadata{CommentParentKey: key}
	})
	web("commented on", gid, text("halo"), func(w *waWeb.WebMessageInfo) {
		w.CommentMetadata = &waWeb.CommentMetadata{CommentParentKey: w.Key, ReplyCount: proto.Uint32(2)}
	})
	web("an invitation", person, &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{}}, nil)
	web("an own invitation", person, &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{}}, func(w *waWeb.WebMessageInfo) { w.Key.FromMe = b(true) })
	web("by an own list", person, text("halo"), func(w *waWeb.WebMessageInfo) { w.Key.FromMe, w.Broadcast = b(true), b(true) })
	web("in an own list", list.String(), text("halo"), func(w *waWeb.WebMessageInfo) { w.Key.FromMe, w.Broadcast = b(true), b(true) })
	web("by another's list", person, text("halo"), func(w *waWeb.WebMessageInfo) { w.Broadcast = b(true) })
	web("mentions everyone", gid, text("halo"), func(w *waWeb.WebMessageInfo) { w.NonJIDMentions = proto.Uint32(1) })
	web("mentions everyone where nobody is", person, text("halo"), func(w *waWeb.WebMessageInfo) { w.NonJIDMentions = proto.Uint32(1) })
	web("disappears by its start", person, text("halo"), func(w *waWeb.WebMessageInfo) {
		w.EphemeralDuration, w.EphemeralStartTimestamp = proto.Uint32(60), proto.Uint64(1_800_000_010)
	})
	web("disappears by its time", person, text("halo"), func(w *waWeb.WebMessageInfo) { w.EphemeralDuration = proto.Uint32(60) })
	web("disappears by its end", person, text("halo"), func(w *waWeb.WebMessageInfo) {
		w.EphemeralExpirationTimestamp = proto.Uint64(1_800_000_099_000)
	})
	web("doesn't disappear", person, text("halo"), func(w *waWeb.WebMessageInfo) { w.EphemeralStartTimestamp = proto.Uint64(1_800_000_010) })
	web("receipts", gid, text("halo"), func(w *waWeb.WebMessageInfo) {
		w.UserReceipt = []*waWeb.UserReceipt{
			{UserJID: proto.String(sitiLID.String()), ReceiptTimestamp: proto.Int64(1), ReadTimestamp: proto.Int64(2), PlayedTimestamp: proto.Int64(-3)}, {UserJID: proto.String("x")},
		}
	})
	web("reactions", gid, text("halo"), func(w *waWeb.WebMessageInfo) {
		w.Reactions = []*waWeb.Reaction{
			{Key: theirs, Text: proto.String("x"), SenderTimestampMS: proto.Int64(1_800_000_000_001)}, {Key: key, Text: proto.String("y")},
			{Key: theirs, Text: proto.String("older"), SenderTimestampMS: proto.Int64(1_700_000_000_001)},
		}
		w.MessageAddOns = []*waWeb.MessageAddOn{
			{MessageAddOnKey: &waCommon.MessageKey{ID: proto.String("ADD"), Participant: proto.String(budi.String())}, SenderTimestampMS: proto.Int64(1_800_000_002_001), MessageAddOn: sim.React(key, "z")},
			{MessageAddOnKey: theirs, ServerTimestampMS: proto.Int64(1_800_000_003_001), MessageAddOn: pin(waE2E.PinInChatMessage_PIN_FOR_ALL, key), AddOnContextInfo: &waWeb.MessageAddOnContextInfo{MessageAddOnDurationInSecs: proto.Uint32(60)}},
			{MessageAddOnKey: theirs, MessageAddOn: pin(waE2E.PinInChatMessage_UNPIN_FOR_ALL, key)}, {MessageAddOnKey: theirs},
		}
	})
	web("votes and answers", gid, sim.Poll(nil, "Makan apa?", "soto"), func(w *waWeb.WebMessageInfo) {
		w.PollUpdates = []*waWeb.PollUpdate{{PollUpdateMessageKey: theirs, Vote: sim.Hashes("soto"), SenderTimestampMS: proto.Int64(1_800_000_000_001)}}
		w.EventResponses = []*waWeb.EventResponse{{EventResponseMessageKey: theirs, EventResponseMessage: going, TimestampMS: proto.Int64(1_800_000_000_001)}}
		w.MessageAddOns = []*waWeb.MessageAddOn{
			{MessageAddOnKey: key, SenderTimestampMS: proto.Int64(1_800_000_002_001), LegacyMessage: &waWeb.LegacyMessage{PollVote: sim.Hashes("soto")}},
			{MessageAddOnKey: key, SenderTimestampMS: proto.Int64(1_800_000_002_001), LegacyMessage: &waWeb.LegacyMessage{EventResponseMessage: going}},
		}
	})
	for _, k := range []*waWeb.KeepInChat{
		{KeepType: waE2E.KeepType_KEEP_FOR_ALL.Enum(), DeviceJID: proto.String(sitiLID.String()), ClientTimestampMS: proto.Int64(5)},
		{KeepType: waE2E.KeepType_UNDO_KEEP_FOR_ALL.Enum(), Key: theirs, ServerTimestampMS: proto.Int64(6)}, {KeepType: waE2E.KeepType_KEEP_FOR_ALL.Enum(), Key: key, ServerTimestamp: proto.Int64(7)}, {},
	} {
		web("kept "+k.GetKeepType().String(), gid, text("halo"), func(w *waWeb.WebMessageInfo) { w.KeepInChat = k })
	}
	for _, p := range []*waWeb.PinInChat{
		{Type: waWeb.PinInChat_PIN_FOR_ALL.Enum(), Key: theirs, ServerTimestampMS: proto.Int64(6), MessageAddOnContextInfo: &waWeb.MessageAddOnContextInfo{MessageAddOnDurationInSecs: proto.Uint32(60)}},
		{Type: waWeb.PinInChat_UNPIN_FOR_ALL.Enum(), Key: theirs, SenderTimestampMS: proto.Int64(7)}, {},
	} {
		web("pinned "+p.GetType().String(), gid, text("halo"), func(w *waWeb.WebMessageInfo) { w.PinInChat = p })
	}
	three := []*waHistorySync.HistorySyncMsg{{Message: past("C", text("c"), nil)}, {Message: past("B", nil, nil)}, {Message: past("A", text("a"), nil), MsgOrderID: proto.Uint64(5)}, {Message: past("0", text("0"), nil)}}
	add(
		history("a chat", person, nil, func(c *waHistorySync.Conversation) {
			c.Name, c.Archived, c.UnreadCount, c.UnreadMentionCount, c.ConversationTimestamp = proto.String("Budi"), b(true), proto.Uint32(2), proto.Uint32(1), proto.Uint64(1_800_000_000)
			c.Pinned, c.MuteEndTime, c.MarkedAsUnread, c.EphemeralExpiration = proto.Uint32(5), proto.Uint64(5), b(true), proto.Uint32(86400)
		}),
		history("a group", gid, nil, func(c *waHistorySync.Conversation) {
			c.Name, c.LastMsgTimestamp, c.Archived = proto.String("Arisan"), proto.Uint64(1_700_000_000), b(false)
			c.Participant = []*waHistorySync.GroupParticipant{{UserJID: proto.String(sitiLID.String()), Rank: waHistorySync.GroupParticipant_ADMIN.Enum()}, {UserJID: proto.String("x")}}
		}),
		history("an empty chat", person, nil, func(*waHistorySync.Conversation) {}), history("no chat", "status@broadcast", nil, func(*waHistorySync.Conversation) {}),
		history("a chat with messages", person, nil, func(c *waHistorySync.Conversation) { c.Messages, c.ConversationTimestamp = three, proto.Uint64(1) }),
		history("a stranger's chat, with the number", "99999999999999@lid", nil, func(c *waHistorySync.Conversation) { c.PnJID = proto.String("6281299999999@s.whatsapp.net") }),
		history("a stranger's chat, with the LID", "6281299999999@s.whatsapp.net", nil, func(c *waHistorySync.Conversation) { c.LidJID = proto.String("99999999999999@lid") }),
		saying{"older messages", func(b *Book) []chat.Change {
			return b.Conversation(&waHistorySync.Conversation{ID: &person, Name: proto.String("Budi"), Messages: three}, false, 3)
		}},
		saying{"names", func(b *Book) []chat.Change {
			name := func(jid, name string) *waHistorySync.Pushname {
				return &waHistorySync.Pushname{ID: &jid, Pushname: &name}
			}
			return b.Names(&waHistorySync.HistorySync{
				Pushnames: []*waHistorySync.Pushname{name(person, "Budi"), name(ownPN.String(), "Aku"), name(gid, "x"), name("x", "x"), name(siti.String(), ""), name(siti.String(), "-")},
				InlineContacts: []*waHistorySync.InlineContact{
					{PnJID: proto.String("6281299999999@s.whatsapp.net"), LidJID: proto.String("99999999999999@lid"), FullName: proto.String("Tono T")},
					{LidJID: proto.String(sitiLID.String()), FirstName: proto.String("Siti")}, {FullName: proto.String("Nobody")}, {PnJID: &gid, FullName: proto.String("A group")},
				},
			})
		}},
	)
	return all
}

// TestTold holds what is made of each saying against testdata/told.txt; read what -update writes there.
func TestTold(t *testing.T) {
	var b strings.Builder
	for _, one := range sayings() {
		book := knowing()
		fmt.Fprintf(&b, "== %s\n", one.name)
		for _, c := range one.told(book) {
			wellFormed(t, []chat.Change{c})
			said, _ := json.Marshal(c)
			short := strings.NewReplacer(`"Alt":"",`, "", `"State":{"jid":""},`, "", `"Messages":null,`, "", `"Epoch":0,`, "", `"Past":false`, "", `,"Past":true`, " PAST", `{"jid":"",`, "{", `{"jid":""}`, "{}").Replace(string(said))
			fmt.Fprintln(&b, strings.TrimSuffix(short, ",}"))
		}
		for lid, pn := range book.Learned() {
			if lid.User() == "99999999999999" {
				fmt.Fprintf(&b, "learnt %s %s\n", lid, pn)
			}
		}
	}
	const file = "testdata/told.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, before := strings.Split(b.String(), "== "), strings.Split(string(want), "== ")
	if len(got) != len(before) {
		t.Errorf("%d sayings, %d in %s", len(got), len(before), file)
	}
	for i := range min(len(got), len(before)) {
		if got[i] != before[i] {
			t.Errorf("== %s\nwant\n%s", got[i], before[i])
		}
	}
}

func TestBooks(t *testing.T) {
	fault := errors.New("fault")
	asked := 0
	b := NewBook(jidOf(ownPN), jidOf(ownLID), func(jid chat.JID) (chat.JID, error) {
		asked++
		switch jid {
		case jidOf(budiLID):
			return jidOf(budi), nil
		case jidOf(siti):
			return "", fault
		case jidOf(sitiLID):
			return "", errors.New("later")
		}
		return "", nil
	})
	for range 2 {
		if c := b.Change(jidOf(budiLID)); c.Alt != jidOf(budi) || b.Canonical(jidOf(budiLID)) != jidOf(budi) || b.Canonical(jidOf(budi)) != jidOf(budi) {
			t.Errorf("the change is %+v", c)
		}
		if both := b.Both(jidOf(budi)); len(both) != 2 || both[0] != jidOf(budi) {
			t.Errorf("both are %v", both)
		}
		if both := b.Both("99999999999999@lid"); len(both) != 1 {
			t.Errorf("a stranger's are %v", both)
		}
		if c := b.Change(jidOf(theGroup)); c.Alt != "" {
			t.Errorf("the group is %+v", c)
		}
	}
	if asked != 2 || b.Err() != nil || b.Learned()[jidOf(budiLID)] != jidOf(budi) || len(b.Learned()) != 2 {
		t.Errorf("asked %d times, %v, learnt %v", asked, b.Err(), b.Learned())
	}
	b.Change(jidOf(siti))
	b.Change(jidOf(sitiLID))
	if !errors.Is(b.Err(), fault) {
		t.Errorf("the first fault is %v", b.Err())
	}
	if b.isOwn("") || !b.isOwn(jidOf(ownLID)) || !b.isOwn(jidOf(ownPN)) || b.isOwn(jidOf(budi)) || NewBook(jidOf(ownPN), "", nil).isOwn("") {
		t.Error("the account takes others for itself")
	}
	b.Learn(jidOf(theGroup), jidOf(budi))
	b.Learn(jidOf(budi), jidOf(siti))
	if len(b.Learned()) != 2 {
		t.Errorf("learnt %v", b.Learned())
	}
	if Parse("") != "" || Parse("a:b:c@x") != "" || Parse("status@broadcast") != "" || Parse("6281200000002:3@s.whatsapp.net") != jidOf(budi) {
		t.Error("an address is read as another")
	}
}
