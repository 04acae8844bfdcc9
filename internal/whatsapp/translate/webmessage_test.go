package translate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/sim"
)

var readAt = time.Unix(1_800_000_500, 0)

// threadOf is a chat after changes, with all its messages.
func threadOf(t *testing.T, changes ...chat.Change) *chat.Thread {
	t.Helper()
	th := &chat.Thread{Chat: chat.Chat{JID: changes[0].Chat}, Messages: map[string]*chat.Message{}}
	th.Newest = func(func(chat.MessageView) bool) (*chat.Message, error) { return nil, nil }
	for _, c := range changes {
		if err := th.Apply(c, readAt); err != nil {
			t.Fatal(err)
		}
	}
	return th
}

func documentOf(th *chat.Thread, id string) string {
	m := th.Messages[id]
	if m == nil {
		return ""
	}
	return string(render.MessageView(&th.Chat, m).Document)
}

func rowOf(th *chat.Thread) string {
	v := render.View(&th.Chat)
	return string(render.AppendChat(nil, &v, render.Single, readAt))
}

func historyOf(in string, all ...*waWeb.WebMessageInfo) []chat.Change {
	conv := &waHistorySync.Conversation{ID: &in, ConversationTimestamp: proto.Uint64(1_800_000_000)}
	for _, w := range all {
		conv.Messages = append(conv.Messages, &waHistorySync.HistorySyncMsg{Message: w})
	}
	return knowing().Conversation(conv, true, 100)
}

func past(id string, m *waE2E.Message, change func(*waWeb.WebMessageInfo)) *waWeb.WebMessageInfo {
	w := &waWeb.WebMessageInfo{Key: keyOf(id), Message: m, MessageTimestamp: proto.Uint64(1_800_000_000)}
	if change != nil {
		change(w)
	}
	return w
}

// TestHistoryOfAdditions: what the phone has put beside a message shows as if it had come live.
func TestHistoryOfAdditions(t *testing.T) {
	in, own := people[0][0].String(), &waCommon.MessageKey{ID: proto.String("OWN"), FromMe: proto.Bool(true)}
	theirs := &waCommon.MessageKey{ID: proto.String("THEIRS"), FromMe: proto.Bool(false)}
	poll := sim.Poll(nil, "Makan apa?", "soto", "rawon")
	for name, test := range map[string]struct {
		w     *waWeb.WebMessageInfo
		has   []string
		lacks string
	}{
		"votes": {past("M", poll, func(w *waWeb.WebMessageInfo) {
			w.PollUpdates = []*waWeb.PollUpdate{
				{PollUpdateMessageKey: own, Vote: sim.Hashes("soto"), SenderTimestampMS: proto.Int64(5)},
				{PollUpdateMessageKey: theirs, Vote: sim.Hashes("rawon"), SenderTimestampMS: proto.Int64(6)},
				{PollUpdateMessageKey: theirs, Vote: sim.Hashes("soto"), SenderTimestampMS: proto.Int64(4)},
			}
		}), []string{`{"name":"soto","voters":["` + ownPN.String() + `"]}`, `{"name":"rawon","voters":["` + in + `"]}`}, ""},
		"votes in the newer form": {past("M", poll, func(w *waWeb.WebMessageInfo) {
			w.MessageAddOns = []*waWeb.MessageAddOn{{
				MessageAddOnKey: theirs, SenderTimestampMS: proto.Int64(5), LegacyMessage: &waWeb.LegacyMessage{PollVote: sim.Hashes("soto")},
			}}
		}), []string{`{"name":"soto","voters":["` + in + `"]}`}, "messageAddOns"},
		"answers": {past("M", &waE2E.Message{EventMessage: &waE2E.EventMessage{Name: proto.String("Arisan")}}, func(w *waWeb.WebMessageInfo) {
			w.EventResponses = []*waWeb.EventResponse{{
				EventResponseMessageKey: theirs, TimestampMS: proto.Int64(5),
				EventResponseMessage: &waE2E.EventResponseMessage{Response: waE2E.EventResponseMessage_GOING.Enum()},
			}}
		}), []string{`"response":"GOING"`}, ""},
		"kept": {past("M", sim.Text("a"), func(w *waWeb.WebMessageInfo) {
			w.EphemeralDuration, w.KeepInChat = proto.Uint32(60), &waWeb.KeepInChat{KeepType: waE2E.KeepType_KEEP_FOR_ALL.Enum(), Key: theirs}
		}), []string{`"keepType":"KEEP_FOR_ALL"`, `"isEphemeralMessage":true`}, ""},
		"pinned": {past("M", sim.Text("a"), func(w *waWeb.WebMessageInfo) {
			w.PinInChat = &waWeb.PinInChat{
				Type: waWeb.PinInChat_PIN_FOR_ALL.Enum(), Key: theirs, SenderTimestampMS: proto.Int64(7),
				MessageAddOnContextInfo: &waWeb.MessageAddOnContextInfo{MessageAddOnDurationInSecs: proto.Uint32(86400)},
			}
		}), []string{`"pinInChat":{`, `"messageAddOnDurationInSecs":86400`}, ""},
		"comments": {past("M", sim.Text("a"), func(w *waWeb.WebMessageInfo) {
			w.CommentMetadata = &waWeb.CommentMetadata{ReplyCount: proto.Uint32(3)}
		}), []string{`"replyCount":3`}, ""},
		"newer": {past("M", sim.Newer("masa depan"), nil), []string{`"messageStubType":"FUTUREPROOF"`, `"futureproofData":`}, ""},
		"newer for the phone": {past("M", nil, func(w *waWeb.WebMessageInfo) {
			data, _ := proto.Marshal(sim.Text("terbaca"))
			w.MessageStubType, w.FutureproofData = waWeb.WebMessageInfo_FUTUREPROOF.Enum(), data
		}), []string{`"body":"terbaca"`}, "FUTUREPROOF"},
		"a call": {past("M", &waE2E.Message{CallLogMesssage: &waE2E.CallLogMessage{CallOutcome: waE2E.CallLogMessage_MISSED.Enum()}}, nil),
			[]string{`"callOutcome":"MISSED"`}, ""},
	} {
		th := threadOf(t, historyOf(in, test.w)...)
		got := documentOf(th, "M")
		for _, piece := range test.has {
			if !strings.Contains(got, piece) {
				t.Errorf("%s: no %s in %s", name, piece, got)
			}
		}
		if test.lacks != "" && strings.Contains(got, test.lacks) {
			t.Errorf("%s: there is %s in %s", name, test.lacks, got)
		}
	}
	kept := threadOf(t, historyOf(in, past("M", sim.Text("a"), func(w *waWeb.WebMessageInfo) {
		w.EphemeralDuration, w.KeepInChat = proto.Uint32(60), &waWeb.KeepInChat{KeepType: waE2E.KeepType_KEEP_FOR_ALL.Enum()}
	}))...)
	if v := kept.Chat.Place(kept.Messages["M"]); v.Expires != 0 {
		t.Errorf("a kept message ends at %d", v.Expires)
	}
}

// TestClasses: what each kind does to its chat, when it comes live.
func TestClasses(t *testing.T) {
	for kind, want := range map[waWeb.WebMessageInfo_StubType]chat.Class{
		waWeb.WebMessageInfo_CIPHERTEXT: chat.Ambient, waWeb.WebMessageInfo_FUTUREPROOF: chat.Default,
		waWeb.WebMessageInfo_OVERSIZED: chat.Ambient, waWeb.WebMessageInfo_PINNED_MESSAGE_IN_CHAT: chat.Default,
		waWeb.WebMessageInfo_E2E_IDENTITY_CHANGED: chat.Ignored, waWeb.WebMessageInfo_GROUP_CHANGE_SUBJECT: chat.Noteworthy,
		waWeb.WebMessageInfo_GROUP_PARTICIPANT_LEAVE: chat.Ignored, waWeb.WebMessageInfo_GROUP_CHANGE_ICON: chat.Ignored,
		waWeb.WebMessageInfo_CALL_MISSED_VOICE: chat.Noteworthy, waWeb.WebMessageInfo_COMMUNITY_LINK_SUB_GROUP: chat.Significant,
		waWeb.WebMessageInfo_REVOKE: chat.Ignored, waWeb.WebMessageInfo_BIZ_NAME_CHANGE: chat.Ignored,
		waWeb.WebMessageInfo_CHANGE_EPHEMERAL_SETTING: chat.Ignored, waWeb.WebMessageInfo_SENDER_INVITE: chat.Noteworthy,
	} {
		if got := classOf(kind, nil); got != want {
			t.Errorf("%s has class %d, want %d", kind, got, want)
		}
	}
	for _, own := range []bool{true, false} {
		who := people[0][0].String()
		if own {
			who = ownLID.String()
		}
		for form, parameter := range map[string]string{"an address": who, "an object": `{"id":"` + who + `","phoneNumber":"x"}`} {
			th := threadOf(t, historyOf(theGroup.String(), &waWeb.WebMessageInfo{
				Key: keyOf("N"), MessageTimestamp: proto.Uint64(1_800_000_000), MessageStubParameters: []string{parameter},
				MessageStubType: waWeb.WebMessageInfo_GROUP_PARTICIPANT_ADD.Enum(),
			})...)
			if got := th.Messages["N"].Content.Class; (got == chat.Significant) != own {
				t.Errorf("somebody was added, as %s, oneself %t: class %d", form, own, got)
			}
			if !strings.Contains(rowOf(th), "GROUP_PARTICIPANT_ADD") {
				t.Error("a group's notice isn't its line")
			}
		}
	}
	quiet := threadOf(t, historyOf(people[0][0].String(), past("E", nil, func(w *waWeb.WebMessageInfo) {
		w.MessageStubType = waWeb.WebMessageInfo_E2E_ENCRYPTED.Enum()
	}))...)
	if row := rowOf(quiet); !strings.Contains(row, `"messages":[]`) {
		t.Errorf("an encryption notice is the line: %s", row)
	}
}

// TestNewsInTheSecondOfAHistory: what comes live in the second of the newest message that a bootstrap tells counts, and takes the chat
// out of the archive; what the bootstrap tells itself counts once.
func TestNewsInTheSecondOfAHistory(t *testing.T) {
	in := people[0][0]
	for _, group := range []bool{false, true} {
		if group {
			in = theGroup
		}
		live := func(id string) []chat.Change {
			m := &waE2E.Message{Conversation: proto.String(id)}
			return knowing().Message(&events.Message{Info: types.MessageInfo{
				MessageSource: types.MessageSource{Chat: in, Sender: people[0][0], IsGroup: group}, ID: id, Timestamp: time.Unix(1_800_000_000, 0),
			}, RawMessage: m, Message: m}, 1_800_000_000_000_000, Opened{})
		}
		conv := &waHistorySync.Conversation{ID: proto.String(in.String()), UnreadCount: proto.Uint32(2), Archived: proto.Bool(true), ConversationTimestamp: proto.Uint64(1_800_000_000)}
		for _, id := range []string{"B", "A"} {
			w := past(id, &waE2E.Message{Conversation: proto.String(id)}, func(w *waWeb.WebMessageInfo) {
				w.Key.RemoteJID, w.Participant = proto.String(in.String()), proto.String(people[0][0].String())
			})
			conv.Messages = append(conv.Messages, &waHistorySync.HistorySyncMsg{Message: w})
		}
		told := func() []chat.Change { return knowing().Conversation(conv, true, 100) }
		for what, changes := range map[string][][]chat.Change{
			"behind": {told(), live("C")}, "before": {live("C"), told()}, "twice": {told(), live("C"), told(), live("C"), live("A"), live("B")},
			"all live first": {live("A"), live("B"), live("C"), told()},
		} {
			row := rowOf(threadOf(t, slices.Concat(changes...)...))
			if !strings.Contains(row, `"unreadCount":3`) || !strings.Contains(row, `"archived":false`) {
				t.Errorf("%s, in %s: %s", what, in, row)
			}
		}
		if row := rowOf(threadOf(t, slices.Concat(told(), live("A"), live("B"))...)); !strings.Contains(row, `"unreadCount":2`) || !strings.Contains(row, `"archived":true`) {
			t.Errorf("nothing new in %s: %s", in, row)
		}
		// One that tells no message and counts none says nothing of that second.
		empty := &waHistorySync.Conversation{ID: conv.ID, ConversationTimestamp: conv.ConversationTimestamp}
		none := func() []chat.Change { return knowing().Conversation(empty, true, 100) }
		for what, changes := range map[string][][]chat.Change{
			"behind": {none(), live("A")}, "before": {live("A"), none()}, "twice": {none(), live("A"), none(), live("A")},
		} {
			if row := rowOf(threadOf(t, slices.Concat(changes...)...)); !strings.Contains(row, `"unreadCount":1`) {
				t.Errorf("%s an empty chat, in %s: %s", what, in, row)
			}
		}
	}
}
