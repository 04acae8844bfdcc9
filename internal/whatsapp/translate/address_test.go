package translate

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
	"pgregory.net/rapid"

	"pesan/internal/chat"
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
