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
	Inline        int // bytes: a shorter compressed part travels inside its notification; 0 for none
}

// Sync yields the notifications of one type of history sync, each with its part of the inbox: conversations, and in the
// first part everything else. Parts are compressed as they fill, so that memory is bounded by one part and what the store
// keeps.
func (s *Store) Sync(in Inbox, t SyncType, c Chunking) iter.Seq2[*waE2E.HistorySyncNotification, error] {
	return func(yield func(*waE2E.HistorySyncNotification, error) bool) {
		w := newWriter(s, t, c)
		w.add(&waHistorySync.HistorySync{
			Pushnames: in.Pushnames, PhoneNumberToLidMappings: in.Mappings, GlobalSettings: in.Settings, StatusV3Messages: in.Status,
		})
		emit := func(progress int) bool {
			n, err := w.close(progress)
			return yield(n, err) && err == nil
		}
		done := 0
		if in.Conversations != nil {
			for conversation := range in.Conversations {
				for part := range w.split(conversation) {
					if !w.fits(len(part.Messages)) && !emit(percent(done, in.Count)) {
						return
					}
					w.addConversation(part)
				}
				done++
			}
		}
		emit(100)
	}
}

// Bootstrap yields all notifications in the order of a real phone: every chat with its latest messages, status updates,
// push names, settings, then the older messages.
func (s *Store) Bootstrap(in Inbox, latest int, c Chunking) iter.Seq2[*waE2E.HistorySyncNotification, error] {
	type sync struct {
		in Inbox
		t  SyncType
		c  Chunking
	}
	old := c
	old.Inline = 0 // only the first sync is in such a hurry
	syncs := []sync{
		{Inbox{Conversations: cut(in.Conversations, 0, latest), Count: in.Count, Mappings: in.Mappings}, waHistorySync.HistorySync_INITIAL_BOOTSTRAP, c},
		{Inbox{Status: in.Status}, waHistorySync.HistorySync_INITIAL_STATUS_V3, old},
		{Inbox{Pushnames: in.Pushnames}, waHistorySync.HistorySync_PUSH_NAME, old},
		{Inbox{Settings: in.Settings}, waHistorySync.HistorySync_NON_BLOCKING_DATA, old},
		{Inbox{Conversations: cut(in.Conversations, latest, -1), Count: in.Count}, waHistorySync.HistorySync_RECENT, old},
	}
	return func(yield func(*waE2E.HistorySyncNotification, error) bool) {
		for _, y := range syncs {
			for n, err := range s.Sync(y.in, y.t, y.c) {
				if !yield(n, err) {
					return
				}
			}
		}
	}
}

// cut leaves the messages from one place to another (-1 is the end) of every conversation. Past the first place, a
// conversation without any is left out.
func cut(all iter.Seq[*waHistorySync.Conversation], from, to int) iter.Seq[*waHistorySync.Conversation] {
	return func(yield func(*waHistorySync.Conversation) bool) {
		if all == nil {
			return
		}
		for c := range all {
			n := len(c.Messages)
			if from > 0 && n <= from {
				continue
			}
			end := n
			if to >= 0 {
				end = min(n, to)
			}
			part := withMessages(c, c.Messages[min(from, n):end])
			if end < n {
				part.EndOfHistoryTransfer = proto.Bool(false)
				part.EndOfHistoryTransferType = waHistorySync.Conversation_COMPLETE_BUT_MORE_MESSAGES_REMAIN_ON_PRIMARY.Enum()
			}
			if !yield(part) {
				return
			}
		}
	}
}

// writer fills one part after the other.
type writer struct {
	store *Store
	kind  SyncType
	limit Chunking

	buf                     bytes.Buffer
	zip                     *zlib.Writer
	order                   uint32
	conversations, messages int
	oldest                  uint64 // seconds, 0 when there is no message
	err                     error  // the first that occurred
}

func newWriter(s *Store, t SyncType, c Chunking) *writer {
	if c.Conversations <= 0 {
		c.Conversations = 250
	}
	if c.Messages <= 0 {
		c.Messages = 2000
	}
	w := &writer{store: s, kind: t, limit: c}
	w.zip = zlib.NewWriter(&w.buf)
	return w
}

// fits says whether a conversation with so many messages has room in the part.
func (w *writer) fits(messages int) bool {
	return w.conversations == 0 || w.conversations < w.limit.Conversations && w.messages+messages <= w.limit.Messages
}

// split cuts a conversation into pieces that fit into a part.
func (w *writer) split(c *waHistorySync.Conversation) iter.Seq[*waHistorySync.Conversation] {
	return func(yield func(*waHistorySync.Conversation) bool) {
		rest := c.Messages
		for len(rest) > w.limit.Messages {
			part := withMessages(c, rest[:w.limit.Messages])
			part.EndOfHistoryTransfer = proto.Bool(false)
			if !yield(part) {
				return
			}
			rest = rest[w.limit.Messages:]
		}
		yield(withMessages(c, rest))
	}
}

func (w *writer) addConversation(c *waHistorySync.Conversation) {
	w.conversations++
	w.messages += len(c.Messages)
	for _, m := range c.Messages {
		if t := m.GetMessage().GetMessageTimestamp(); t > 0 && (w.oldest == 0 || t < w.oldest) {
			w.oldest = t
		}
	}
	w.add(&waHistorySync.HistorySync{Conversations: []*waHistorySync.Conversation{c}})
}

// add appends a fragment: protobuf messages written one after the other are one message with the fields of all.
func (w *writer) add(fragment *waHistorySync.HistorySync) {
	if w.err != nil {
		return
	}
	b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(fragment)
	if err == nil {
		_, err = w.zip.Write(b)
	}
	if err != nil {
		w.err = fmt.Errorf("encode history: %w", err)
	}
}

// close ends the part, returns its notification and starts the next part.
func (w *writer) close(progress int) (*waE2E.HistorySyncNotification, error) {
	w.order++
	w.add(&waHistorySync.HistorySync{
		SyncType: w.kind.Enum(), ChunkOrder: proto.Uint32(w.order), Progress: proto.Uint32(uint32(progress)),
	})
	if w.err != nil {
		return nil, w.err
	}
	if err := w.zip.Close(); err != nil {
		return nil, fmt.Errorf("compress history: %w", err)
	}
	n := &waE2E.HistorySyncNotification{
		SyncType:   waE2E.HistorySyncType(w.kind).Enum(),
		ChunkOrder: proto.Uint32(w.order),
		Progress:   proto.Uint32(uint32(progress)),
	}
	if w.oldest > 0 {
		n.OldestMsgInChunkTimestampSec = proto.Int64(int64(w.oldest))
	}
	if w.buf.Len() < w.limit.Inline {
		n.InitialHistBootstrapInlinePayload = bytes.Clone(w.buf.Bytes())
	} else {
		f, err := w.store.Put(History, w.buf.Bytes())
		if err != nil {
			return nil, fmt.Errorf("store history: %w", err)
		}
		n.FileSHA256, n.FileEncSHA256, n.MediaKey = f.FileSHA256, f.FileEncSHA256, f.MediaKey
		n.FileLength, n.DirectPath = &f.FileLength, &f.DirectPath
	}
	w.buf.Reset()
	w.zip.Reset(&w.buf)
	w.conversations, w.messages, w.oldest = 0, 0, 0
	return n, nil
}

// withMessages is a copy of a conversation with other messages. What lies deeper is shared.
func withMessages(c *waHistorySync.Conversation, messages []*waHistorySync.HistorySyncMsg) *waHistorySync.Conversation {
	out := &waHistorySync.Conversation{}
	to := out.ProtoReflect()
	c.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Name() != "messages" {
			to.Set(f, v)
		}
		return true
	})
	out.Messages = messages
	return out
}

func percent(done, of int) int {
	if of <= 0 {
		return 0
	}
	return min(99, done*100/of)
}
