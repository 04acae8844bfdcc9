package wajson

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func TestConversationOmits(t *testing.T) {
	chat := &waHistorySync.Conversation{
		ID:                    proto.String("6281234567890@s.whatsapp.net"),
		Messages:              []*waHistorySync.HistorySyncMsg{{MsgOrderID: proto.Uint64(1)}},
		ConversationTimestamp: proto.Uint64(1669271834),
		UnreadCount:           proto.Uint32(3),
		NotSpam:               proto.Bool(true),
		PnJID:                 proto.String("6281234567890@s.whatsapp.net"),
	}
	fields := Conversation(chat, "messages", "conversationTimestamp", "unreadCount", "no such field")
	const want = `{"id":"6281234567890@s.whatsapp.net","notSpam":true,"participant":[],"pnJid":"6281234567890@s.whatsapp.net"}`
	if got := string(appendObject(nil, fields...)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A value that the caller lengthens must not run into the next one.
	_ = append(fields[0].JSON, "xxxxxxxx"...)
	if got := string(fields[1].JSON); got != "true" {
		t.Errorf("overwritten: %s", got)
	}
}

func TestConversationOfNothing(t *testing.T) {
	if got := Conversation(nil); got != nil {
		t.Errorf("got %v", got)
	}
	if got := string(appendObject(nil, Conversation(&waHistorySync.Conversation{})...)); got != `{"messages":[],"participant":[]}` {
		t.Errorf("got %s", got)
	}
	if got := string(appendObject(nil)); got != "{}" {
		t.Errorf("got %s", got)
	}
}

// TestConversationSplices is what the list is for: fields of one's own among those of the chat.
func TestConversationSplices(t *testing.T) {
	chat := &waHistorySync.Conversation{ID: proto.String("1@lid"), Pinned: proto.Uint32(7)}
	fields := append(Conversation(chat, "pinned", "messages"),
		Field{"pinned", []byte("1615539349265000")}, Field{"archived", AppendLong(nil, 1)}, Field{`a"b`, AppendString(nil, "\n")})
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	want := `{"a\"b":"\n","archived":{"high":0,"low":1,"unsigned":true},"id":"1@lid","participant":[],"pinned":1615539349265000}`
	if got := string(appendObject(nil, fields...)); got != want || !json.Valid([]byte(got)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestConversationListsHoldMessages guards what appendShallow builds on.
func TestConversationListsHoldMessages(t *testing.T) {
	fields := descriptorOf(&waHistorySync.Conversation{}).Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); (fd.IsList() || fd.IsMap()) && (fd.IsMap() || fd.Kind() != protoreflect.MessageKind) {
			t.Errorf("%s is a list of %s: print its elements by the rule of a chat", fd.Name(), fd.Kind())
		}
	}
}

// appendObject appends the fields as one object in the given order.
func appendObject(dst []byte, fields ...Field) []byte {
	dst = append(dst, '{')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, f.Name), ':')
		dst = append(dst, f.JSON...)
	}
	return append(dst, '}')
}
