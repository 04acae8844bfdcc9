package translate

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// TestAddress: what becomes a chat can be asked for, and commanded.
func TestAddress(t *testing.T) {
	servers := []string{
		types.DefaultUserServer, types.LegacyUserServer, types.HiddenUserServer, types.HostedServer, types.HostedLIDServer, types.GroupServer,
		types.NewsletterServer, types.BroadcastServer, types.BotServer, types.MessengerServer, types.InteropServer,
	}
	rapid.Check(t, func(t *rapid.T) {
		user := rapid.OneOf(
			rapid.StringMatching(`[0-9]{1,24}`), rapid.StringMatching(`[0-9]{5,15}-[0-9]{5,12}`), rapid.SampledFrom([]string{"0", "status", "", "abc", "13135550002"}),
		).Draw(t, "user")
		jid, ok := Address(types.NewJID(user, rapid.SampledFrom(servers).Draw(t, "server")))
		if !ok {
			return
		}
		a, err := chat.ParseAddress(string(jid), "62")
		if err != nil || a.Own != jid || len(a.JIDs) != 1 {
			t.Fatalf("%s is a chat, but read as %v, %v", jid, a, err)
		}
	})
	for _, user := range []types.JID{types.PSAJID, types.NewJID("628123456789", types.DefaultUserServer), types.NewJID("120363041234567890", types.NewsletterServer)} {
		if _, ok := Address(user); !ok {
			t.Errorf("%s is no chat", user)
		}
	}
	if jid, ok := Address(types.StatusBroadcastJID); ok {
		t.Errorf("stories are the chat %s", jid)
	}
}

// TestStaleMappings: a history, a list of members or a setting that tells an earlier number of somebody doesn't bring it back; the person's
// own message tells a new one.
func TestStaleMappings(t *testing.T) {
	const now, before, lid chat.JID = "6281200000009@s.whatsapp.net", "6281200000008@s.whatsapp.net", "10000000000009@lid"
	book := func() *Book {
		return NewBook(jidOf(ownPN), jidOf(ownLID), func(jid chat.JID) (chat.JID, error) {
			return map[chat.JID]chat.JID{lid: now, now: lid}[jid], nil
		})
	}
	text := func(jid chat.JID) *string { s := string(jid); return &s }
	message := []*waHistorySync.HistorySyncMsg{{Message: &waWeb.WebMessageInfo{
		Key:     &waCommon.MessageKey{RemoteJID: text(before), ID: proto.String("A"), FromMe: proto.Bool(false)},
		Message: sim.Text("halo"), MessageTimestamp: proto.Uint64(firstAt),
	}}}
	for what, told := range map[string][]chat.Change{
		"a chat by its LID":    book().Conversation(&waHistorySync.Conversation{ID: text(lid), PnJID: text(before), Messages: message}, true, 10),
		"a chat by its number": book().Conversation(&waHistorySync.Conversation{ID: text(before), LidJID: text(lid), Messages: message}, true, 10),
		"a contact": book().Names(&waHistorySync.HistorySync{InlineContacts: []*waHistorySync.InlineContact{
			{PnJID: text(before), LidJID: text(lid), FullName: proto.String("Budi")},
		}}),
		"a setting": book().Setting([]string{"lid_contact", string(lid)}, &waSyncAction.SyncActionValue{
			LidContactAction: &waSyncAction.LidContactAction{FullName: proto.String("Budi")}, ContactAction: &waSyncAction.ContactAction{PnJID: text(before)},
		}, 5),
	} {
		for _, c := range told {
			if c.Chat != now && c.Alt != now {
				t.Errorf("%s is about %s, %s", what, c.Chat, c.Alt)
			}
		}
	}
	b := book()
	b.JoinedGroup(&events.JoinedGroup{GroupInfo: types.GroupInfo{JID: theGroup, Participants: []types.GroupParticipant{
		{JID: WireJID(lid), LID: WireJID(lid), PhoneNumber: WireJID(before)},
	}}}, 5)
	if got := b.Canonical(lid); got != now {
		t.Errorf("after a list of members the number is %s", got)
	}
	writes := events.Message{RawMessage: sim.Text("halo"), Message: sim.Text("halo"), Info: types.MessageInfo{ID: "B", MessageSource: types.MessageSource{
		Chat: WireJID(lid), Sender: WireJID(lid), SenderAlt: WireJID(before),
	}}}
	b.Message(&writes, 1, Opened{})
	if got := b.Canonical(lid); got != before {
		t.Errorf("after a message by another number it is %s", got)
	}
}
