package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/store/storetest"
)

// TestUsernames: whoever has a username is found by it, also when the chat has moved to the number since, and whoever gets it next is
// then.
func TestUsernames(t *testing.T) {
	s := storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), storetest.Now)
	account := newAccount(t, s)
	p := chat.NewProjector(s, func() time.Time { return noon })
	const lid, number, other chat.JID = "10000000000002@lid", "6281200000002@s.whatsapp.net", "6281200000003@s.whatsapp.net"
	say := func(in chat.JID, id string) chat.Change {
		return chat.Change{Chat: in, Messages: []chat.Message{{ID: id, Content: chat.Content{
			Sender: in, Time: noon.Unix() - 5, Type: "conversation", Body: id, Message: `{"conversation":"x"}`,
		}}}}
	}
	named := func(in chat.JID, name string, at int64) chat.Change {
		return chat.Change{Chat: in, State: chat.Chat{Username: chat.Register[string]{Value: name, At: at}}}
	}
	apply := func(changes ...chat.Change) {
		t.Helper()
		if err := p.Apply(t.Context(), account, changes...); err != nil {
			t.Fatal(err)
		}
	}
	finds := func(name string, want chat.JID) {
		t.Helper()
		a, err := chat.ParseAddress(name, "62")
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Chat(t.Context(), account, a.Own)
		if v.JID != want || want == "" && chat.CodeOf(err) != chat.ChatNotFound {
			t.Errorf("%s finds %q, %v, want %q", name, v.JID, err, want)
		}
		if c, err := s.Messages(t.Context(), account, a.Own, chat.Page{Limit: 5}, noon); want != "" && (err != nil || c.Chat != want || len(c.Messages) == 0) {
			t.Errorf("by %s the conversation is %+v, %v", name, c, err)
		}
	}
	finds("@budi.s", "")
	apply(named(lid, "Budi.S", 5))
	finds("@budi.s", "") // of whom there is no chat
	apply(say(lid, "A"))
	finds("@budi.s", lid)
	apply(chat.Change{Chat: lid, Alt: number})
	finds("@BUDI.S", number)
	apply(say(other, "B"), named(other, "budi.s", 6))
	finds("@budi.s", other)
}
