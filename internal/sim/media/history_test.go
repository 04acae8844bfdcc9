package media

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/store"
)

// chats makes conversations on the fly, the i-th with messages[i%len] messages.
func chats(n int, messages ...int) iter.Seq[*waHistorySync.Conversation] {
	return func(yield func(*waHistorySync.Conversation) bool) {
		for i := range n {
			jid := fmt.Sprintf("628120%07d@s.whatsapp.net", i)
			c := &waHistorySync.Conversation{ID: &jid, UnreadCount: proto.Uint32(uint32(i)), EndOfHistoryTransfer: proto.Bool(true)}
			for j := range messages[i%len(messages)] {
				c.Messages = append(c.Messages, &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
					Key:              &waCommon.MessageKey{RemoteJID: &jid, ID: proto.String(fmt.Sprintf("%d-%d", i, j))},
					MessageTimestamp: proto.Uint64(uint64(1_700_000_000 - j)),
					Message:          &waE2E.Message{Conversation: proto.String("Pak, barangnya sudah sampai?")},
				}})
			}
			if !yield(c) {
				return
			}
		}
	}
}

// open decodes a part from its notification.
func open(s *Store, n *waE2E.HistorySyncNotification) (*waHistorySync.HistorySync, error) {
	data := n.InitialHistBootstrapInlinePayload
	if data == nil {
		var err error
		data, err = s.Get(History, File{DirectPath: n.GetDirectPath(), MediaKey: n.MediaKey, FileSHA256: n.FileSHA256, FileEncSHA256: n.FileEncSHA256})
		if err != nil {
			return nil, err
		}
	}
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	var out waHistorySync.HistorySync
	return &out, proto.Unmarshal(raw, &out)
}

// However an inbox is cut, all of it arrives once, in order, in parts that keep their bounds and count up to 100.
func TestSync(t *testing.T) {
	s, err := NewStore(Options{})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 15).Draw(t, "chats")
		per := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 5).Draw(t, "messages")
		c := Chunking{
			Conversations: rapid.IntRange(1, 10).Draw(t, "most conversations"),
			Messages:      rapid.IntRange(1, 10).Draw(t, "most messages"),
		}
		in := Inbox{
			Conversations: chats(n, per...), Count: n,
			Pushnames: []*waHistorySync.Pushname{{ID: proto.String("1@s.whatsapp.net"), Pushname: proto.String("Sari")}},
			Mappings:  []*waHistorySync.PhoneNumberToLIDMapping{{PnJID: proto.String("1@s.whatsapp.net"), LidJID: proto.String("9@lid")}},
		}
		var got []string
		var order, progress uint32
		for part := range in.Parts(waHistorySync.HistorySync_RECENT, c) {
			note, err := s.PutHistory(part, rapid.SampledFrom([]int{0, 300}).Draw(t, "inline"))
			if err != nil {
				t.Fatal(err)
			}
			if part, err = open(s, note); err != nil {
				t.Fatal(err)
			}
			if order++; note.GetChunkOrder() != order || part.GetChunkOrder() != order || part.GetProgress() != note.GetProgress() || note.GetProgress() < progress {
				t.Fatalf("part %d says %v", order, note)
			}
			if first := order == 1; (len(part.Pushnames) == 1) != first || (len(part.PhoneNumberToLidMappings) == 1) != first {
				t.Fatalf("part %d has names %v", order, part.Pushnames)
			}
			progress = note.GetProgress()
			messages := 0
			oldest := uint64(0)
			for _, c := range part.Conversations {
				messages += len(c.Messages)
				for _, m := range c.Messages {
					got = append(got, m.Message.GetKey().GetID())
					oldest = m.Message.GetMessageTimestamp()
				}
				if len(c.Messages) == 0 {
					got = append(got, c.GetID())
				}
			}
			if len(part.Conversations) > c.Conversations || messages > c.Messages {
				t.Fatalf("part of %d conversations, %d messages", len(part.Conversations), messages)
			}
			if o := uint64(note.GetOldestMsgInChunkTimestampSec()); (o == 0) != (oldest == 0) || o > oldest {
				t.Fatalf("oldest message %d", o)
			}
		}
		if progress != 100 {
			t.Fatalf("ends at %d %%", progress)
		}
		var want []string
		for c := range chats(n, per...) {
			for _, m := range c.Messages {
				want = append(want, m.Message.GetKey().GetID())
			}
			if len(c.Messages) == 0 {
				want = append(want, c.GetID())
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	})
}

// The syncs come in a phone's order: first the latest messages of all chats, inside the notification when short, last the
// older ones.
func TestBootstrap(t *testing.T) {
	s, err := NewStore(Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := Inbox{Conversations: chats(5, 1, 10), Count: 5, Settings: &waHistorySync.GlobalSettings{FontSize: proto.Int32(2)}}
	var types []string
	count := map[SyncType]int{}
	for note, err := range s.Bootstrap(in, 3, Chunking{Inline: 10_000, Messages: 5}) {
		if err != nil {
			t.Fatal(err)
		}
		part, err := open(s, note)
		if err != nil {
			t.Fatal(err)
		}
		if inline := part.GetSyncType() == waHistorySync.HistorySync_INITIAL_BOOTSTRAP; inline != (note.InitialHistBootstrapInlinePayload != nil) || inline == (note.DirectPath != nil) {
			t.Errorf("%v: inline %v", part.GetSyncType(), inline)
		}
		if types = append(types, part.GetSyncType().String()); part.GetSyncType().String() != note.GetSyncType().String() {
			t.Errorf("%v inside of %v", part.GetSyncType(), note.GetSyncType())
		}
		for _, c := range part.Conversations {
			count[part.GetSyncType()] += len(c.Messages)
			// The long conversations come as 3 messages, then 5, then the last 2.
			if n := len(c.Messages); c.GetEndOfHistoryTransfer() != (n == 1 || n == 2) {
				t.Errorf("%s with %d messages: end %v", part.GetSyncType(), len(c.Messages), c.GetEndOfHistoryTransfer())
			}
		}
	}
	if got := strings.Join(slices.Compact(types), " "); got != "INITIAL_BOOTSTRAP INITIAL_STATUS_V3 PUSH_NAME NON_BLOCKING_DATA RECENT" {
		t.Error(got)
	}
	if count[waHistorySync.HistorySync_INITIAL_BOOTSTRAP] != 3+2*3 || count[waHistorySync.HistorySync_RECENT] != 2*7 {
		t.Errorf("messages: %v", count)
	}
}

// An inbox of 50,000 messages doesn't pile up in memory while it is built, and whatsmeow reads every part.
func TestLargeInbox(t *testing.T) {
	s, err := NewStore(Options{})
	if err != nil {
		t.Fatal(err)
	}
	peer := whatsmeow.NewClient(store.NoopDevice, nil)
	peak := uint64(0)
	var before, m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	messages, parts := 0, 0
	in := Inbox{Conversations: chats(1000, 50), Count: 1000}
	for part := range in.Parts(waHistorySync.HistorySync_FULL, Chunking{}) {
		note, err := s.PutHistory(part, 10<<20)
		if err != nil {
			t.Fatal(err)
		}
		if part, err = peer.DownloadHistorySync(context.Background(), note, false); err != nil {
			t.Fatal(err)
		}
		for _, c := range part.Conversations {
			messages += len(c.Messages)
		}
		if parts++; parts%5 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if messages != 50_000 || parts < 20 {
		t.Errorf("%d messages in %d parts", messages, parts)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 20<<20 {
		t.Errorf("the heap has grown by %d MB", grown>>20)
	}
}
