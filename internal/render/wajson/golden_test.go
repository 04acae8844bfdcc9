package wajson

import (
	"encoding/json"
	"os"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"
)

// goldenCase is a message as it is on the wire and as Baileys prints it, with its keys sorted.
type goldenCase struct {
	Name string
	Type string
	Wire []byte
	Want string
}

// message decodes the case's message.
func (c goldenCase) message(t testing.TB) proto.Message {
	t.Helper()
	var m proto.Message
	switch c.Type {
	case "Conversation":
		m = new(waHistorySync.Conversation)
	case "WebMessageInfo":
		m = new(waWeb.WebMessageInfo)
	case "Message":
		m = new(waE2E.Message)
	default:
		t.Fatalf("%s: unknown type %s", c.Name, c.Type)
	}
	if err := proto.Unmarshal(c.Wire, m); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return m
}

// printed is m by the rule for its type.
func printed(m proto.Message) []byte {
	if chat, ok := m.(*waHistorySync.Conversation); ok {
		return appendObject(nil, Conversation(chat)...)
	}
	return Message(m)
}

// goldenCases reads testdata/baileys.json; the file says where it comes from.
func goldenCases(t testing.TB) []goldenCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/baileys.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Cases []goldenCase }
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) == 0 {
		t.Fatal("no cases")
	}
	return golden.Cases
}

func TestPrintsAsBaileys(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			if got := string(printed(c.message(t))); got != c.Want {
				t.Errorf("got  %s\nwant %s", got, c.Want)
			}
		})
	}
}
