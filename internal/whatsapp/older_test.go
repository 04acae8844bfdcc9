package whatsapp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

// archivedWorld has a phone with 40 messages of one chat, the newest of which the device gets.
func archivedWorld(t *testing.T) (*world, chat.JID) {
	const peer = "6281200000002@s.whatsapp.net"
	conversation := func(newest, oldest int) *waHistorySync.Conversation {
		c := &waHistorySync.Conversation{ID: proto.String(peer), ConversationTimestamp: proto.Uint64(1_800_000_000)}
		for i := newest; i <= oldest; i++ {
			c.Messages = append(c.Messages, &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
				Key:     &waCommon.MessageKey{RemoteJID: proto.String(peer), FromMe: proto.Bool(false), ID: proto.String(fmt.Sprintf("H%02d", i))},
				Message: sim.Text("pesan"), MessageTimestamp: proto.Uint64(uint64(1_800_000_000 - i)),
			}})
		}
		return c
	}
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{
		Archive: []*waHistorySync.Conversation{conversation(0, 39)},
		Inbox:   &media.Inbox{Conversations: slices.Values([]*waHistorySync.Conversation{conversation(0, 4)})},
	})
	w.link()
	w.eventually("the newest messages", func() bool { return len(w.messages(peer)) == 5 })
	return w, peer
}

func TestFetchOlder(t *testing.T) {
	w, peer := archivedWorld(t)
	older := chat.Command{Kind: chat.OlderCommand, Chat: peer, Limit: 20}
	for i, want := range []int{25, 40, 40} {
		w.ok(w.device.Change(w.soon(), older))
		if got := w.messages(peer); len(got) != want {
			t.Fatalf("after %d requests there are %d messages, want %d", i+1, len(got), want)
		}
	}
	for i, m := range w.messages(peer) {
		if !strings.Contains(m, fmt.Sprintf("H%02d", 39-i)) {
			t.Errorf("message %d is %s", i, m)
		}
	}
	v, ok := w.shown(peer)
	if !ok || v.Last.ID != "H00" || v.Activity != 1_800_000_000 {
		t.Errorf("the chat's line is %+v", v.Last)
	}
	for _, jid := range []chat.JID{"120363000000000009@newsletter", "6281200000009@s.whatsapp.net"} {
		if err := w.device.Change(w.soon(), chat.Command{Kind: chat.OlderCommand, Chat: jid}); err == nil {
			t.Errorf("%s has older messages", jid)
		}
	}
}

// TestSessionsOfOlder: an answer that nobody waits for is nobody's.
func TestSessionsOfOlder(t *testing.T) {
	var s answers[bool]
	s.ended("", false)
	s.ended("unknown", true)
	came := s.expect("a")
	s.ended("a", true)
	s.ended("a", false)
	select {
	case lost := <-came:
		if !lost {
			t.Error("a lost answer counts as stored")
		}
	case <-time.After(time.Second):
		t.Error("nobody is told")
	}
	s.expect("b")
	s.forget("b")
	if len(s.open) != 0 {
		t.Error("a request is kept")
	}
}
