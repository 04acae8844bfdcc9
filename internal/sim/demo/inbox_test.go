package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim/media"
)

var now = time.Date(2026, 3, 5, 3, 30, 0, 0, time.UTC)

func inbox(t testing.TB, seed uint64) *Account {
	t.Helper()
	a, err := Inbox(seed, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The same seed makes the same account, to the last byte; another makes another.
func TestDeterminism(t *testing.T) {
	all := func(seed uint64) (out []byte) {
		a, err := InboxOf(seed, now, 60, 1000)
		if err != nil {
			t.Fatal(err)
		}
		opts := proto.MarshalOptions{Deterministic: true}
		for part := range a.History().Bootstrap(20, media.Chunking{}) {
			b, err := opts.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b...)
		}
		for _, m := range a.Settings {
			b, err := opts.Marshal(m.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, strings.Join(m.Index, " ")...), b...)
		}
		return out
	}
	first := all(1)
	if !slices.Equal(first, all(1)) {
		t.Error("the same seed makes something else")
	}
	if slices.Equal(first, all(2)) {
		t.Error("another seed makes the same")
	}
}

func TestCounts(t *testing.T) {
	for seed := range uint64(2) {
		a := inbox(t, seed)
		chats, has := map[string]int{}, map[string]int{}
		messages := 0
		for i, c := range a.Conversations {
			jid, err := types.ParseJID(c.GetID())
			if err != nil {
				t.Fatal(err)
			}
			chats[jid.Server]++
			messages += len(c.Messages)
			count := func(what string, is bool) {
				if is {
					has[what]++
				}
			}
			count("muted for ever", c.GetMuteEndTime() > 1<<62)
			count("muted", c.GetMuteEndTime() > uint64(now.Unix()) && c.GetMuteEndTime() < 1<<62)
			count("mute over", c.MuteEndTime != nil && c.GetMuteEndTime() < uint64(now.Unix()))
			count("archived", c.GetArchived())
			count("pinned", c.GetPinned() > 0)
			count("unread", c.GetUnreadCount() > 0)
			count("marked", c.GetMarkedAsUnread())
			count("disappearing", c.GetEphemeralExpiration() > 0)
			count("LID with number", jid.Server == types.HiddenUserServer && c.PnJID != nil)
			count("LID without number", jid.Server == types.HiddenUserServer && c.PnJID == nil)
			if i > 0 && c.GetConversationTimestamp() > a.Conversations[i-1].GetConversationTimestamp() {
				t.Errorf("chat %d isn't in its place", i)
			}
			check(t, c)
		}
		if n := len(a.Conversations); n != 200 {
			t.Errorf("%d chats", n)
		}
		if messages < 4500 || messages > 6500 {
			t.Errorf("%d messages", messages)
		}
		for server, least := range map[string]int{"s.whatsapp.net": 120, "lid": 30, "g.us": 47, "newsletter": 2, "broadcast": 1} {
			if chats[server] != least {
				t.Errorf("%d chats at %s, not %d", chats[server], server, least)
			}
		}
		for what, least := range map[string]int{
			"muted for ever": 5, "muted": 4, "mute over": 1, "archived": 8, "pinned": 3, "unread": 15, "marked": 2, "disappearing": 6,
			"LID with number": 24, "LID without number": 6,
		} {
			if has[what] < least {
				t.Errorf("seed %d: %d chats %s, not %d", seed, has[what], what, least)
			}
		}
		if t.Logf("seed %d: %d messages, %v, %d settings", seed, messages, has, len(a.Settings)); len(a.Status) == 0 {
			t.Error("no status updates")
		}
	}
}

// check says whether a conversation is sound.
func check(t *testing.T, c *waHistorySync.Conversation) {
	t.Helper()
	seen := map[string]bool{}
	var previous uint64
	for i, h := range c.Messages {
		m := h.GetMessage()
		at, id := m.GetMessageTimestamp(), m.GetKey().GetID()
		if i > 0 && at > previous {
			t.Errorf("%s: message %d is newer than the one before", c.GetID(), i)
		}
		if previous = at; at > uint64(now.Unix()) || at < uint64(now.AddDate(-2, 0, 0).Unix()) {
			t.Errorf("%s: message at %v", c.GetID(), time.Unix(int64(at), 0))
		}
		if seen[id] || id == "" || m.GetKey().GetRemoteJID() != c.GetID() {
			t.Errorf("%s: key %v", c.GetID(), m.Key)
		}
		seen[id] = true
		if m.Message == nil && m.MessageStubType == nil {
			t.Errorf("%s: %s is empty", c.GetID(), id)
		}
		if group := strings.HasSuffix(c.GetID(), "@g.us"); group && !m.GetKey().GetFromMe() != (m.GetKey().Participant != nil) {
			t.Errorf("%s: participant of %v", c.GetID(), m.Key)
		}
	}
	for i := range int(c.GetUnreadCount()) {
		if m := c.Messages[i].GetMessage(); m.GetKey().GetFromMe() || m.Message == nil {
			// What comes after the message: a deletion leaves its notice, reactions stand elsewhere.
			if m.GetMessageStubType() != waWeb.WebMessageInfo_REVOKE {
				t.Errorf("%s: the %d. of %d unread messages is %v", c.GetID(), i, c.GetUnreadCount(), m)
			}
		}
	}
}

// Every kind of message is there.
func TestKinds(t *testing.T) {
	a := inbox(t, 1)
	got := map[string]int{}
	each(a, func(m *waWeb.WebMessageInfo) {
		if m.MessageStubType != nil {
			got["stub "+m.GetMessageStubType().String()]++
		}
		if len(m.Reactions) > 0 {
			got["reaction"]++
		}
		if len(m.PollUpdates) > 0 {
			got["vote"]++
		}
		if m.GetStatus() != waWeb.WebMessageInfo_ERROR {
			got["status "+m.GetStatus().String()]++
		}
		content := m.Message
		for _, wrapped := range []struct {
			name  string
			inner *waE2E.Message
		}{{"ephemeral", content.GetEphemeralMessage().GetMessage()}, {"view once", content.GetViewOnceMessageV2().GetMessage()}} {
			if wrapped.inner != nil {
				got[wrapped.name]++
				content = wrapped.inner
			}
		}
		content.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			got[string(f.Name())]++
			if f.Message() != nil {
				caption := f.Message().Fields().ByName("caption")
				if caption != nil && v.Message().Has(caption) {
					got[string(f.Name())+" with caption"]++
				}
				if context := f.Message().Fields().ByName("contextInfo"); context != nil && v.Message().Has(context) {
					info := v.Message().Get(context).Message().Interface().(*waE2E.ContextInfo)
					if info.QuotedMessage != nil {
						got["quote"]++
					}
					if len(info.MentionedJID) > 0 {
						got["mention"]++
					}
					if info.GetExpiration() > 0 {
						got["expiration"]++
					}
				}
			}
			return true
		})
		if m.Message.GetProtocolMessage().GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT {
			got["edit"]++
		}
		if m.Message.GetExtendedTextMessage().GetMatchedText() != "" {
			got["link"]++
		}
	})
	for _, kind := range strings.Split("conversation,extendedTextMessage,link,imageMessage,imageMessage with caption,videoMessage,audioMessage,"+
		"documentMessage,stickerMessage,locationMessage,contactMessage,pollCreationMessageV3,buttonsMessage,buttonsResponseMessage,listMessage,"+
		"listResponseMessage,templateMessage,quote,mention,reaction,vote,edit,view once,ephemeral,expiration,stub REVOKE,stub E2E_ENCRYPTED,stub GROUP_CREATE,"+
		"stub GROUP_PARTICIPANT_ADD,stub CHANGE_EPHEMERAL_SETTING,stub CALL_MISSED_VOICE,stub BROADCAST_CREATE,status READ,status DELIVERY_ACK", ",") {
		if got[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		t.Logf("%5d %s", got[k], k)
	}
}

// Names and texts are valid, filled in, and nobody is really reachable.
func TestPeople(t *testing.T) {
	a := inbox(t, 3)
	saved, seen := 0, map[string]bool{}
	for _, p := range append(slices.Clone(a.People), a.Owner) {
		for _, s := range []string{p.Name, p.PushName} {
			if !utf8.ValidString(s) || strings.TrimSpace(s) != s {
				t.Errorf("name %q", s)
			}
		}
		n := p.PN.User
		if len(n) != 13 || n < "62890" || n >= "62895" || seen[n] || seen[p.LID.User] {
			t.Errorf("number %s, LID %s", n, p.LID)
		}
		if seen[n], seen[p.LID.User] = true, true; p.Name != "" {
			saved++
		}
	}
	if saved < 100 || saved == len(a.People) {
		t.Errorf("%d of %d have a name", saved, len(a.People))
	}
	contacts := 0
	for _, m := range a.Settings {
		if m.Index[0] == "contact" {
			contacts++
		}
	}
	if contacts != saved-1 { // not the owner
		t.Errorf("%d contacts for %d names", contacts, saved)
	}
	each(a, func(m *waWeb.WebMessageInfo) {
		text := fmt.Sprint(m.Message)
		if !utf8.ValidString(text) || strings.ContainsAny(m.Message.GetConversation(), "{}|[]") {
			t.Errorf("text %q", text)
		}
	})
}

func each(a *Account, f func(*waWeb.WebMessageInfo)) {
	for _, c := range a.Conversations {
		for _, m := range c.Messages {
			f(m.Message)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct{ chats, messages int }{{50, 500}, {300, 8_000}} {
		a, err := InboxOf(1, now, c.chats, c.messages)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		each(a, func(*waWeb.WebMessageInfo) { n++ })
		if len(a.Conversations) != c.chats || n < c.messages*9/10 || n > c.messages*2 {
			t.Errorf("%d chats with %d messages, not %v", len(a.Conversations), n, c)
		}
	}
	if _, err := InboxOf(1, now, 3, 10); err == nil {
		t.Error("an inbox that is too small")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range []string{"< halo", "== a\nhalo", "== a\n0 halo"} {
		if err := parse(bad, map[string][]scene{}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func BenchmarkInbox(b *testing.B) {
	for b.Loop() {
		inbox(b, 1)
	}
}
