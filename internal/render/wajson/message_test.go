package wajson

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestMessageOfNothing(t *testing.T) {
	for _, m := range []proto.Message{nil, (*waE2E.Message)(nil)} {
		if got := string(Message(m)); got != "null" {
			t.Errorf("%T: got %s", m, got)
		}
	}
	if got := string(Message(&waE2E.Message{})); got != "{}" {
		t.Errorf("got %s", got)
	}
}

// TestMessageWithMap takes a type with a map from elsewhere: WhatsApp's have none yet.
func TestMessageWithMap(t *testing.T) {
	s, err := structpb.NewStruct(map[string]any{"b": 1.5, "a\n": []any{true}, "": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"fields":{"":{"struct_value":{}},"a\n":{"list_value":{"values":[{"bool_value":true}]}},"b":{"number_value":1.5}}}`
	if got := string(Message(s)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestMessageWithoutStruct prints messages that have no generated struct, though their descriptors are the same.
func TestMessageWithoutStruct(t *testing.T) {
	for _, c := range goldenCases(t) {
		m := c.message(t)
		dynamic := dynamicpb.NewMessage(descriptorOf(m))
		if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(c.Wire, dynamic); err != nil {
			t.Fatal(err)
		}
		if got, want := string(Message(dynamic)), string(Message(m)); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.Name, got, want)
		}
	}
}

// TestDepth nests quotes just below protobuf's own limit: only maxDepth messages are printed.
func TestDepth(t *testing.T) {
	const quotes = 3300 // three messages each
	var wire []byte
	for range quotes {
		info := appendMessageField(nil, 3, wire)  // ContextInfo.quotedMessage
		text := appendMessageField(nil, 17, info) // ExtendedTextMessage.contextInfo
		wire = appendMessageField(nil, 6, text)   // Message.extendedTextMessage
	}
	m := new(waE2E.Message)
	if err := proto.Unmarshal(wire, m); err != nil {
		t.Fatal(err)
	}
	got := Message(m)
	if opened := bytes.Count(got, []byte{'{'}); opened != maxDepth || !json.Valid(got) {
		t.Errorf("%d messages: %s", opened, got)
	}
	chat := &waHistorySync.Conversation{Messages: []*waHistorySync.HistorySyncMsg{{Message: &waWeb.WebMessageInfo{Message: m}}}}
	got = appendObject(nil, Conversation(chat)...)
	if opened := bytes.Count(got, []byte{'{'}); opened != maxDepth || !json.Valid(got) {
		t.Errorf("%d messages in a chat: %s", opened, got)
	}
}

func appendMessageField(dst []byte, number protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), m)
}

// TestConcurrentUse prints types for the first time from many goroutines at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	cases := goldenCases(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, c := range cases {
				if got := string(printed(c.message(t))); got != c.Want {
					t.Errorf("%s: got %s", c.Name, got)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzMessage holds any bytes that decode: the JSON is valid, the same each time, not too deep, and reading the
// content doesn't panic.
func FuzzMessage(f *testing.F) {
	for _, c := range goldenCases(f) {
		f.Add(c.Wire)
	}
	f.Add(protowire.AppendBytes(protowire.AppendTag(nil, 19, protowire.BytesType), []byte("\xff\xc0\x80\xed\xa0\x80\"")))
	f.Fuzz(func(t *testing.T, wire []byte) {
		for _, m := range []proto.Message{new(waWeb.WebMessageInfo), new(waHistorySync.Conversation), new(waE2E.Message)} {
			if (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(wire, m) != nil {
				continue
			}
			got := printed(m)
			if !json.Valid(got) {
				t.Fatalf("not JSON: %q", got)
			}
			if depth := nesting(got); depth > 2*maxDepth { // a list for each message at most
				t.Fatalf("%d deep", depth)
			}
			if again := printed(m); !bytes.Equal(got, again) {
				t.Fatalf("not the same again: %s, %s", got, again)
			}
			if e2e, ok := m.(*waE2E.Message); ok {
				c := ContentOf(e2e)
				_, _, _ = c.Body(), c.IsMedia(), c.Quoted()
			}
		}
	})
}

// nesting is how many objects and lists stand inside each other in valid JSON.
func nesting(b []byte) int {
	deepest, depth, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

func textMessage() *waWeb.WebMessageInfo {
	return &waWeb.WebMessageInfo{
		Key: &waCommon.MessageKey{
			RemoteJID: proto.String("6281234567890@s.whatsapp.net"),
			FromMe:    proto.Bool(false),
			ID:        proto.String("97857C48913C304E4CA0D330A39AE8EA"),
		},
		Message: &waE2E.Message{
			ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("Sudah sampai? Kabari ya kalau sudah di rumah.")},
			MessageContextInfo:  &waE2E.MessageContextInfo{MessageSecret: make([]byte, 32)},
		},
		MessageTimestamp: proto.Uint64(1669278146),
		Status:           waWeb.WebMessageInfo_DELIVERY_ACK.Enum(),
	}
}

func BenchmarkMessage(b *testing.B) {
	m, dst := textMessage(), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendMessage(dst[:0], m)
	}
}

// BenchmarkProtojson is for comparison: protobuf's own printer with the same message.
func BenchmarkProtojson(b *testing.B) {
	m, dst := textMessage(), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = (protojson.MarshalOptions{AllowPartial: true}).MarshalAppend(dst[:0], m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConversation(b *testing.B) {
	var chat *waHistorySync.Conversation
	for _, c := range goldenCases(b) {
		if c.Name == "chat of getChats" {
			chat = c.message(b).(*waHistorySync.Conversation)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = Conversation(chat, "messages", "conversationTimestamp", "unreadCount", "archived", "pinned", "muteEndTime")
	}
}

func BenchmarkContent(b *testing.B) {
	m := textMessage().Message
	b.ReportAllocs()
	for b.Loop() {
		c := ContentOf(m)
		_, _ = c.Body(), c.IsMedia()
	}
}
