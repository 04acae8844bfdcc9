package media

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"iter"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
)

// SyncType is what a part of the history is for.
type SyncType = waHistorySync.HistorySync_HistorySyncType

// Inbox is what a phone tells a new device of its history.
type Inbox struct {
	// Conversations yields each chat with its messages, both newest first. It may be called several times and must yield
	// the same each time; what it yields isn't changed and may be made on the fly.
	Conversations iter.Seq[*waHistorySync.Conversation]
	Count         int // of conversations, for the progress; 0 leaves it at 0 up to the last part, which has 100

	Status    []*waWeb.WebMessageInfo
	Pushnames []*waHistorySync.Pushname
	Mappings  []*waHistorySync.PhoneNumberToLIDMapping
	Settings  *waHistorySync.GlobalSettings
}

// Chunking bounds the parts in which a history travels. Zero values are the defaults.
type Chunking struct {
	Conversations int // most in a part; 250
	Messages      int // most in a part; 2,000. A longer conversation goes on in the next part
	Inline        int // of the first sync, a part that is shorter in bytes travels inside its notification; 0 for none
}

// Parts yields the inbox as one type of history sync: conversations, and in the first part everything else. It holds no
// more than one part at a time.
func (in Inbox) Parts(t SyncType, c Chunking) iter.Seq[*waHistorySync.HistorySync] {
	if c.Conversations <= 0 {
		c.Conversations = 250
	}
	if c.Messages <= 0 {
		c.Messages = 2000
	}
	return func(yield func(*waHistorySync.HistorySync) bool) {
		part := &waHistorySync.HistorySync{
			Pushnames: in.Pushnames, PhoneNumberToLidMappings: in.Mappings, GlobalSettings: in.Settings, StatusV3Messages: in.Status,
		}
		order, messages, done := uint32(0), 0, 0
		emit := func(progress int) bool {
			order++
			part.SyncType, part.ChunkOrder, part.Progress = t.Enum(), proto.Uint32(order), proto.Uint32(uint32(progress))
			return yield(part)
		}
		for conversation := range in.conversations() {
			for piece := range split(conversation, c.Messages) {
				n := len(part.Conversations)
				if n > 0 && (n == c.Conversations || messages+len(piece.Messages) > c.Messages) {
					if !emit(percent(done, in.Count)) {
						return
					}
					part, messages = &waHistorySync.HistorySync{}, 0
				}
				part.Conversations = append(part.Conversations, piece)
				messages += len(piece.Messages)
			}
			done++
		}
		emit(100)
	}
}

// Bootstrap yields the whole inbox in the order of a real phone: every chat with its latest messages, status updates, push
// names, settings, then the older messages.
func (in Inbox) Bootstrap(latest int, c Chunking) iter.Seq[*waHistorySync.HistorySync] {
	syncs := []struct {
		t  SyncType
		in Inbox
	}{
		{waHistorySync.HistorySync_INITIAL_BOOTSTRAP, Inbox{Conversations: in.cut(0, latest), Count: in.Count, Mappings: in.Mappings}},
		{waHistorySync.HistorySync_INITIAL_STATUS_V3, Inbox{Status: in.Status}},
		{waHistorySync.HistorySync_PUSH_NAME, Inbox{Pushnames: in.Pushnames}},
		{waHistorySync.HistorySync_NON_BLOCKING_DATA, Inbox{Settings: in.Settings}},
		{waHistorySync.HistorySync_RECENT, Inbox{Conversations: in.cut(latest, -1), Count: in.Count}},
	}
	return func(yield func(*waHistorySync.HistorySync) bool) {
		for _, s := range syncs {
			for part := range s.in.Parts(s.t, c) {
				if !yield(part) {
					return
				}
			}
		}
	}
}

// Bootstrap yields the notifications of the parts that Inbox.Bootstrap yields. The file of each is kept.
func (s *Store) Bootstrap(in Inbox, latest int, c Chunking) iter.Seq2[*waE2E.HistorySyncNotification, error] {
	return func(yield func(*waE2E.HistorySyncNotification, error) bool) {
		for part := range in.Bootstrap(latest, c) {
			inline := 0
			if part.GetSyncType() == waHistorySync.HistorySync_INITIAL_BOOTSTRAP {
				inline = c.Inline
			}
			n, err := s.PutHistory(part, inline)
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}

// PutHistory makes the notification of a part, which is compressed: inside the notification when it is then shorter than
// inline bytes, else as a file.
func (s *Store) PutHistory(part *waHistorySync.HistorySync, inline int) (*waE2E.HistorySyncNotification, error) {
	raw, err := proto.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("encode history: %w", err)
	}
	var buf bytes.Buffer
	zip := zlib.NewWriter(&buf)
	if _, err := zip.Write(raw); err != nil {
		return nil, fmt.Errorf("compress history: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("compress history: %w", err)
	}
	n := &waE2E.HistorySyncNotification{
		SyncType:   waE2E.HistorySyncType(part.GetSyncType()).Enum(),
		ChunkOrder: part.ChunkOrder,
		Progress:   part.Progress,
	}
	if t := oldest(part); t > 0 {
		n.OldestMsgInChunkTimestampSec = proto.Int64(int64(t))
	}
	if buf.Len() < inline {
		n.InitialHistBootstrapInlinePayload = buf.Bytes()
		return n, nil
	}
	f, err := s.Put(History, buf.Bytes())
	if err != nil {
		return nil, fmt.Errorf("store history: %w", err)
	}
	n.FileSHA256, n.FileEncSHA256, n.MediaKey = f.FileSHA256, f.FileEncSHA256, f.MediaKey
	n.FileLength, n.DirectPath = &f.FileLength, &f.DirectPath
	return n, nil
}

func (in Inbox) conversations() iter.Seq[*waHistorySync.Conversation] {
	if in.Conversations == nil {
		return func(func(*waHistorySync.Conversation) bool) {}
	}
	return in.Conversations
}

// cut leaves the messages from one place to another (-1 is the end) of every conversation. Past the first place, a
// conversation without any is left out.
func (in Inbox) cut(from, to int) iter.Seq[*waHistorySync.Conversation] {
	return func(yield func(*waHistorySync.Conversation) bool) {
		for c := range in.conversations() {
			n := len(c.Messages)
			if from > 0 && n <= from {
				continue
			}
			end := n
			if to >= 0 {
				end = min(n, to)
			}
			if !yield(piece(c, min(from, n), end)) {
				return
			}
		}
	}
}

// split cuts a conversation into pieces of at most so many messages.
func split(c *waHistorySync.Conversation, most int) iter.Seq[*waHistorySync.Conversation] {
	return func(yield func(*waHistorySync.Conversation) bool) {
		from := 0
		for ; len(c.Messages)-from > most; from += most {
			if !yield(piece(c, from, from+most)) {
				return
			}
		}
		yield(piece(c, from, len(c.Messages)))
	}
}

// piece is a conversation with a part of its messages; it says so when older ones remain. What lies deeper is shared.
func piece(c *waHistorySync.Conversation, from, to int) *waHistorySync.Conversation {
	if from == 0 && to == len(c.Messages) {
		return c
	}
	out := &waHistorySync.Conversation{}
	fields := out.ProtoReflect()
	c.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		fields.Set(f, v)
		return true
	})
	out.Messages = c.Messages[from:to]
	if to < len(c.Messages) {
		out.EndOfHistoryTransfer = proto.Bool(false)
		out.EndOfHistoryTransferType = waHistorySync.Conversation_COMPLETE_BUT_MORE_MESSAGES_REMAIN_ON_PRIMARY.Enum()
	}
	return out
}

// oldest is the time of a part's oldest message in seconds, 0 without one.
func oldest(part *waHistorySync.HistorySync) uint64 {
	var out uint64
	for _, c := range part.Conversations {
		for _, m := range c.Messages {
			if t := m.GetMessage().GetMessageTimestamp(); t > 0 && (out == 0 || t < out) {
				out = t
			}
		}
	}
	return out
}

func percent(done, of int) int {
	if of <= 0 {
		return 0
	}
	return min(99, done*100/of)
}
