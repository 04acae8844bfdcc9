package sqs

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"pesan/internal/chat"
)

const schemaFile = "../../../docs/command.schema.json"

func schema(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled, err := compiler.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func conforms(s *jsonschema.Schema, body string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// accepted is what the host makes of a body.
func accepted(body string) (chat.Command, error) {
	c, err := (&delivery{message: &types.Message{Body: &body}}).Command()
	if err == nil {
		err = c.Validate()
	}
	return c, err
}

// kinds are those of the table of commands about a chat, some others, and some that are none.
func kinds() (all []chat.CommandKind) {
	for _, row := range chat.ChatCommands() {
		all = append(all, row.Kind)
	}
	return append(all, chat.ConnectCommand, chat.DisconnectCommand, chat.LogoutCommand, chat.DeleteCommand, "", "MUTE", "send")
}

func drawCommand(t *rapid.T) chat.Command {
	return chat.Command{
		Version: rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "version"),
		ID:      rapid.SampledFrom([]string{"1", "a.client's~id!/#?%", strings.Repeat("x", 128), "", "a b", "ü", strings.Repeat("x", 129)}).Draw(t, "id"),
		Account: rapid.SampledFrom([]string{"01KXQZ5T9W4Y8N2M6P3R7V1B0C", "01KXQZ5T9W4Y8N2M6P3R7V1B0C", "", "01kxqz5t9w4y8n2m6p3r7v1b0c", "01KXQZ5T9W4Y8N2M6P3R7V1B0U"}).Draw(t, "account"),
		Kind:    rapid.SampledFrom(kinds()).Draw(t, "kind"),
		Message: rapid.SampledFrom([]string{"", "3EB0A1B2", "a b", strings.Repeat("x", 129)}).Draw(t, "message"),
		Quiet:   rapid.Bool().Draw(t, "quiet"),
		Chat: rapid.SampledFrom([]chat.JID{"6281234567890@s.whatsapp.net", "123456789012345@lid", "120363041234567890@g.us", "6281234567890-1600000000@g.us",
			"120363041234567890@newsletter", "status@broadcast", "", "081234567890@s.whatsapp.net", "6281234567890@c.us", "6281234567890:1@s.whatsapp.net",
			"6281234567890", "@g.us", "6281234567890@S.WHATSAPP.NET"}).Draw(t, "chat"),
		Seconds:     rapid.SampledFrom([]int64{0, 1, 3600, 86400, chat.MaxMuteSeconds, -1, chat.MaxMuteSeconds + 1}).Draw(t, "seconds"),
		Phone:       rapid.SampledFrom([]string{"", "6281234567890", "123", "+6281234567890"}).Draw(t, "phone"),
		RequestedAt: time.Unix(1772366400, rapid.SampledFrom([]int64{0, 1, 999999999}).Draw(t, "nanoseconds")).UTC(),
	}
}

// TestSchema: what the schema allows is carried out, and what is carried out for the API the schema allows.
func TestSchema(t *testing.T) {
	s := schema(t, schemaFile)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		conformed := conforms(s, string(b))
		if _, refused := accepted(string(b)); conformed == nil && refused != nil {
			t.Fatalf("the schema allows %s, but: %v", b, refused)
		}
		if _, chats := chat.ChatCommandOf(c.Kind); chats {
			c.Phone = "" // as the API sends it
		} else {
			c.Chat = ""
		}
		if b, err = json.Marshal(c); err != nil {
			t.Fatal(err)
		}
		if conformed = conforms(s, string(b)); conformed != nil && c.Validate() == nil {
			t.Fatalf("%s is carried out, but the schema forbids it: %v", b, conformed)
		}
	})
}

func TestSchemaForms(t *testing.T) {
	const head = `{"version":1,"id":"1","account":"01KXQZ5T9W4Y8N2M6P3R7V1B0C",`
	s := schema(t, schemaFile)
	for body, good := range map[string]bool{
		head + `"kind":"clear","chat":"6281234567890@s.whatsapp.net","requestedAt":"2026-03-01T12:00:00Z"}`:               true,
		head + `"kind":"clear","chat":"6281234567890@s.whatsapp.net","requestedAt":"2026-03-01T19:00:00.5+07:00"}`:        true,
		head + `"kind":"logout","requestedAt":"2026-03-01T12:00:00Z"}`:                                                    true,
		head + `"kind":"clear","requestedAt":"2026-03-01T12:00:00Z"}`:                                                     false,
		head + `"kind":"mute","chat":"6281234567890@s.whatsapp.net","seconds":"60","requestedAt":"2026-03-01T12:00:00Z"}`: false,
		head + `"kind":"mute","chat":"6281234567890@s.whatsapp.net","seconds":60.5,"requestedAt":"2026-03-01T12:00:00Z"}`: false,
		head + `"kind":"mute","chat":"6281234567890@s.whatsapp.net","seconds":60,"requestedAt":"yesterday"}`:              false,
		head + `"kind":"mute","chat":"6281234567890@s.whatsapp.net","seconds":60}`:                                        false,
		head + `"kind":"logout","requestedAt":"2026-03-01T12:00:00Z"}{}`:                                                  false,
		`[]`: false, `null`: false, `"x"`: false, `{}`: false, ``: false,
	} {
		if err := conforms(s, body); (err == nil) != good {
			t.Errorf("the schema on %s: %v", body, err)
		}
		if _, err := accepted(body); (err == nil) != good {
			t.Errorf("the receiver on %s: %v", body, err)
		}
	}
}

// TestLaterRelease: what a later release adds within this version is skipped, whatever it is; the schema, which is for senders of
// this release, allows none of it.
func TestLaterRelease(t *testing.T) {
	s := schema(t, schemaFile)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		if c.Validate() != nil {
			return
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		name := rapid.StringMatching(`[a-z]{3,12}New`).Draw(t, "field")
		value := rapid.SampledFrom([]string{`null`, `1`, `"x"`, `[1,{"a":2}]`, `{"seconds":{"account":[]}}`}).Draw(t, "value")
		body := strings.TrimSuffix(string(b), "}") + `,"` + name + `":` + value + `}`
		if got, err := accepted(body); err != nil || !got.Same(c) || got.ID != c.ID {
			t.Fatalf("%s: %+v, %v", body, got, err)
		}
		if conforms(s, body) == nil {
			t.Fatalf("the schema allows %s", body)
		}
	})
}

func TestSchemaExamples(t *testing.T) {
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		ID       string `json:"$id"`
		Examples []json.RawMessage
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Examples) == 0 {
		t.Error("no examples")
	}
	for _, example := range file.Examples {
		if err := conforms(schema(t, schemaFile), string(example)); err != nil {
			t.Error(err)
		}
		c, err := accepted(string(example))
		if err != nil {
			t.Errorf("%s: %v", example, err)
		}
		if !strings.HasSuffix(file.ID, ":"+string(rune('0'+c.Version))) {
			t.Errorf("schema %s has an example of version %d", file.ID, c.Version)
		}
	}
}
