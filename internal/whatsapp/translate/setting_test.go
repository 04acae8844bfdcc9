package translate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
)

type (
	action  = waSyncAction.SyncActionValue
	reaches = waSyncAction.SyncActionMessageRange
)

const firstAt, lastAt = 1_800_000_000, 1_800_000_010

// upTo is a range that ends with the messages of a second.
func upTo(second int64, ids ...string) *reaches {
	r := &reaches{LastMessageTimestamp: proto.Int64(second)}
	for _, id := range ids {
		r.Messages = append(r.Messages, &waSyncAction.SyncActionMessage{Timestamp: proto.Int64(second), Key: &waCommon.MessageKey{
			RemoteJID: proto.String(people[0][0].String()), FromMe: proto.Bool(false), ID: proto.String(id),
		}})
	}
	return r
}

// ranges are the four actions that have a range.
func ranges(r *reaches) map[string]*action {
	return map[string]*action{
		"archive":        {ArchiveChatAction: &waSyncAction.ArchiveChatAction{Archived: proto.Bool(true), MessageRange: r}},
		"markChatAsRead": {MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: proto.Bool(true), MessageRange: r}},
		"clearChat":      {ClearChatAction: &waSyncAction.ClearChatAction{MessageRange: r}},
		"deleteChat":     {DeleteChatAction: &waSyncAction.DeleteChatAction{MessageRange: r}},
	}
}

// two are the messages A and B, which somebody writes.
func two(b *Book) (a, last chat.Change) {
	say := func(id string, at int64, order int64) chat.Change {
		c := b.Change(jidOf(people[0][0]))
		c.Messages = []chat.Message{{ID: id, Content: chat.Content{
			Sender: jidOf(people[0][0]), Time: at, Order: order, Type: "conversation", Body: id, Message: chat.JSON(`{"conversation":"` + id + `"}`),
		}}}
		return c
	}
	return say("A", firstAt, 1), say("B", lastAt, 2)
}

// looks is all that a chat of A and B shows.
func looks(th *chat.Thread) string {
	s := rowOf(th)
	if !th.Chat.Shows() {
		s = "hidden"
	}
	for _, id := range []string{"A", "B"} {
		if m := th.Messages[id]; m != nil && th.Chat.Lists(th.Chat.Place(m), readAt) {
			s += "\n" + documentOf(th, id)
		}
	}
	return s
}

// TestActionsBeforeTheirObject: an action for a chat or a message that isn't here waits, and counts once it is, whatever of the chat comes
// before the action and whatever behind it.
func TestActionsBeforeTheirObject(t *testing.T) {
	in := people[0][0].String()
	all := upTo(lastAt, "B")
	read := &action{MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: proto.Bool(true), MessageRange: all}}
	unread := &action{MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: proto.Bool(false), MessageRange: all}}
	name := &waSyncAction.ContactAction{FullName: proto.String("Budi")}
	type step struct {
		index []string
		value *action
	}
	for what, test := range map[string]struct {
		steps []step
		want  []string // of what the chat shows then; with a ! what it mustn't
	}{
		"mute":   {[]step{{[]string{"mute", in}, &action{MuteAction: &waSyncAction.MuteAction{Muted: proto.Bool(true), MuteEndTimestamp: proto.Int64(-1)}}}}, []string{`"muteEndTime":-1`}},
		"pin":    {[]step{{[]string{"pin_v1", in}, &action{Timestamp: proto.Int64(5), PinAction: &waSyncAction.PinAction{Pinned: proto.Bool(true)}}}}, []string{`"pinned":5`}},
		"read":   {[]step{{[]string{"markChatAsRead", in}, read}}, []string{`"unreadCount":0`, `"markedAsUnread":false`}},
		"unread": {[]step{{[]string{"markChatAsRead", in}, read}, {[]string{"markChatAsRead", in}, unread}}, []string{`"unreadCount":0`, `"markedAsUnread":true`}},
		"unread of an earlier state": {[]step{
			{[]string{"markChatAsRead", in}, read},
			{[]string{"markChatAsRead", in}, &action{MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: proto.Bool(false), MessageRange: upTo(firstAt, "A")}}},
		}, []string{`"markedAsUnread":false`}},
		"archive":                       {[]step{{[]string{"archive", in}, ranges(all)["archive"]}}, []string{`"archived":true`}},
		"archive of an earlier state":   {[]step{{[]string{"archive", in}, ranges(upTo(firstAt, "A"))["archive"]}}, []string{`"archived":false`}},
		"clear":                         {[]step{{[]string{"clearChat", in, "1", "0"}, ranges(all)["clearChat"]}}, []string{"!" + `"id":"A"`, "!" + `"id":"B"`, `"unreadCount":0`}},
		"clear of what came before":     {[]step{{[]string{"clearChat", in, "1", "0"}, ranges(upTo(firstAt, "A"))["clearChat"]}}, []string{"!" + `"id":"A"`, `"id":"B"`, `"unreadCount":1`}},
		"clear that spares the starred": {[]step{{[]string{"star", in, "A", "0", "0"}, &action{StarAction: &waSyncAction.StarAction{Starred: proto.Bool(true)}}}, {[]string{"clearChat", in, "0", "0"}, ranges(all)["clearChat"]}}, []string{`"starred":true`, "!" + `"id":"B"`}},
		"delete":                        {[]step{{[]string{"deleteChat", in, "0"}, ranges(all)["deleteChat"]}}, []string{"hidden"}},
		"delete of an earlier state":    {[]step{{[]string{"deleteChat", in, "0"}, ranges(upTo(firstAt, "A"))["deleteChat"]}}, []string{"!hidden", "!" + `"id":"A"`, `"id":"B"`}},
		"star":                          {[]step{{[]string{"star", in, "A", "0", "0"}, &action{StarAction: &waSyncAction.StarAction{Starred: proto.Bool(true)}}}}, []string{`"starred":true`}},
		"delete for me":                 {[]step{{[]string{"deleteMessageForMe", in, "B", "0", "0"}, &action{DeleteMessageForMeAction: &waSyncAction.DeleteMessageForMeAction{}}}}, []string{"!" + `"id":"B"`, `"unreadCount":1`}},
		"lock":                          {[]step{{[]string{"lock", in}, &action{LockChatAction: &waSyncAction.LockChatAction{Locked: proto.Bool(true)}}}}, []string{`"locked":true`}},
		"name":                          {[]step{{[]string{"contact", in}, &action{ContactAction: name}}}, []string{`"name":"Budi"`}},
		"name by LID":                   {[]step{{[]string{"lid_contact", people[0][1].String()}, &action{LidContactAction: &waSyncAction.LidContactAction{FullName: proto.String("Budi")}}}}, []string{`"name":"Budi"`}},
		"label":                         {[]step{{[]string{"label_jid", "1", in}, &action{LabelAssociationAction: &waSyncAction.LabelAssociationAction{Labeled: proto.Bool(true)}}}}, []string{`"labels":["1"]`}},
	} {
		t.Run(what, func(t *testing.T) {
			b := knowing()
			var does []chat.Change
			for i, s := range test.steps {
				told := b.Mutation(Mutation{Index: s.index, Value: s.value, Order: int64(100 + i)})
				if len(told) != 1 {
					t.Fatalf("%v tells %d changes", s.index, len(told))
				}
				does = append(does, told...)
			}
			a, last := two(b)
			first := ""
			for place := range 3 {
				all := slices.Insert([]chat.Change{a, last}, place, does...)
				shows := looks(threadOf(t, slices.Insert(all, 0, chat.Change{Chat: a.Chat})...))
				if first == "" {
					first = shows
				}
				if shows != first {
					t.Errorf("behind %d messages it shows\n%s\nbefore all\n%s", place, shows, first)
				}
			}
			for _, want := range test.want {
				if not, isNot := strings.CutPrefix(want, "!"); strings.Contains(first, not) == isNot {
					t.Errorf("it shows\n%s\nwant %s", first, want)
				}
			}
		})
	}
}

// TestMalformedRanges: an action whose range WhatsApp's clients refuse says nothing.
func TestMalformedRanges(t *testing.T) {
	in := people[0][0].String()
	key := func(change func(*waCommon.MessageKey)) *reaches {
		r := upTo(lastAt, "B")
		change(r.Messages[0].Key)
		return r
	}
	many := upTo(lastAt, slices.Repeat([]string{"B"}, 1001)...)
	for what, r := range map[string]*reaches{
		"none": nil, "a notice before the last message": {LastMessageTimestamp: proto.Int64(10), LastSystemMessageTimestamp: proto.Int64(9)},
		"too many": many, "without chat": key(func(k *waCommon.MessageKey) { k.RemoteJID = nil }),
		"without direction": key(func(k *waCommon.MessageKey) { k.FromMe = nil }), "without id": key(func(k *waCommon.MessageKey) { k.ID = nil }),
		"of nobody in a group": key(func(k *waCommon.MessageKey) { k.RemoteJID = proto.String(theGroup.String()) }),
	} {
		for name, v := range ranges(r) {
			if told := knowing().Setting([]string{name, in, "0", "0"}, v, 5); told != nil {
				t.Errorf("%s with a range %s: %+v", name, what, told)
			}
		}
	}
	for what, r := range map[string]*reaches{
		"empty": {}, "with a notice": {LastMessageTimestamp: proto.Int64(10), LastSystemMessageTimestamp: proto.Int64(10)},
		"of an own message in a group": key(func(k *waCommon.MessageKey) {
			k.RemoteJID, k.FromMe = proto.String(theGroup.String()), proto.Bool(true)
		}),
		"of a thousand": upTo(lastAt, slices.Repeat([]string{"B"}, 1000)...),
	} {
		for name, v := range ranges(r) {
			if told := knowing().Setting([]string{name, in, "0", "0"}, v, 5); len(told) != 1 {
				t.Errorf("%s with a range %s says nothing", name, what)
			}
		}
	}
}

// TestTimerOfMessages: a chat with a person gets the timer under which a message was sent, if it was set later than what is known; a
// group's has its own event.
func TestTimerOfMessages(t *testing.T) {
	at := time.Unix(lastAt, 0)
	sent := func(in types.JID, seconds uint32, set int64) []chat.Change {
		m := &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("halo"), ContextInfo: &waE2E.ContextInfo{
			Expiration: &seconds, EphemeralSettingTimestamp: &set,
			DisappearingMode: &waE2E.DisappearingMode{Initiator: waE2E.DisappearingMode_INITIATED_BY_OTHER.Enum()},
		}}}
		info := types.MessageInfo{MessageSource: types.MessageSource{Chat: in, Sender: people[0][0]}, ID: "A", Timestamp: at}
		return knowing().Message(&events.Message{Info: info, RawMessage: m, Message: m}, 1, Opened{})
	}
	with := people[0][0]
	for what, test := range map[string]struct {
		told []chat.Change
		want string
	}{
		"the first":         {sent(with, 86400, firstAt), `"ephemeralExpiration":86400`},
		"a later one":       {append(sent(with, 86400, firstAt), sent(with, 604800, firstAt+1)...), `"ephemeralExpiration":604800`},
		"an earlier one":    {append(sent(with, 604800, firstAt+1), sent(with, 86400, firstAt)...), `"ephemeralExpiration":604800`},
		"off":               {append(sent(with, 604800, firstAt), sent(with, 0, firstAt+1)...), `"ephemeralExpiration":0`},
		"set in the future": {sent(with, 86400, lastAt+1), ""},
		"set at no time":    {sent(with, 86400, 0), ""},
		"of a group":        {sent(theGroup, 86400, firstAt), ""},
	} {
		row := rowOf(threadOf(t, test.told...))
		if test.want == "" && strings.Contains(row, "ephemeralExpiration") || !strings.Contains(row, test.want) {
			t.Errorf("%s: %s", what, row)
		}
	}
}
