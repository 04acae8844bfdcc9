package sqs

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pesan/internal/chat"
)

const batchSchemaFile = "../../../docs/batch.schema.json"

// acceptedBatch is what the host makes of a body, its operations included.
func acceptedBatch(body string) error {
	m, ok := chat.BatchMessageOf([]byte(body))
	if !ok {
		return &chat.Error{Code: chat.InvalidBody}
	}
	if err := m.Validate(); err != nil {
		return err
	}
	b := chat.Batch{ID: m.Batch, Account: m.Account, Number: m.Number, RequestedAt: m.RequestedAt}
	for _, o := range m.Operations {
		if err := o.Validate(b); err != nil {
			return err
		}
	}
	return nil
}

var (
	someChats = []chat.JID{"6281234567890@s.whatsapp.net", "120363041234567890@g.us", "120363041234567890@newsletter", "status@broadcast", "", "0812", "x@g.us"}
	someTimes = []int64{0, 1, 3600, 86400, chat.MaxMuteSeconds, -1, chat.MaxMuteSeconds + 1}
)

func drawBatch(t *rapid.T) chat.BatchMessage {
	pick := func(all []chat.JID) *rapid.Generator[chat.JID] { return rapid.SampledFrom(all) }
	m := chat.BatchMessage{
		Version: rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "version"),
		Account: rapid.SampledFrom([]string{"01KXQZ5T9W4Y8N2M6P3R7V1B0C", "01KXQZ5T9W4Y8N2M6P3R7V1B0C", "", "x"}).Draw(t, "account"),
		Batch:   rapid.SampledFrom([]string{"night", "a b", strings.Repeat("x", 128), strings.Repeat("x", 129)}).Draw(t, "batch"),
		Rate:    rapid.SampledFrom([]int{0, 1, chat.MaxBatchRate, -1, chat.MaxBatchRate + 1}).Draw(t, "rate"),
		Wait:    rapid.Bool().Draw(t, "wait"), Number: rapid.SampledFrom([]chat.JID{"", "", someChats[0], "0812"}).Draw(t, "number"),
		RequestedAt: time.Unix(1772366400, 0).UTC(),
	}
	if rapid.Bool().Draw(t, "listed") {
		for range rapid.SampledFrom([]int{1, 2, 0, 3}).Draw(t, "count") {
			m.Operations = append(m.Operations, chat.Operation{
				Op: rapid.SampledFrom(kinds()).Draw(t, "op"), Chat: pick(someChats).Draw(t, "chat"),
				Seconds: rapid.SampledFrom(someTimes).Draw(t, "seconds"), Quiet: rapid.Bool().Draw(t, "quiet"),
				Message: rapid.SampledFrom([]string{"", "3EB0", "a b"}).Draw(t, "message"),
				Starred: rapid.SampledFrom([]chat.Starred{"", chat.KeepStarred, "x"}).Draw(t, "starred"),
			})
		}
		return m
	}
	m.Op, m.Seconds = rapid.SampledFrom(kinds()).Draw(t, "op"), rapid.SampledFrom(someTimes).Draw(t, "seconds")
	m.Starred = rapid.SampledFrom([]chat.Starred{"", chat.DeleteStarred, "x"}).Draw(t, "starred")
	either := rapid.SampledFrom([]*bool{nil, nil, new(true), new(false)})
	m.Selection = &chat.Selection{
		Kind:   rapid.SampledFrom([]chat.Kind{"", chat.Group, chat.Private, "groups"}).Draw(t, "type"),
		Unread: either.Draw(t, "unread"), Archived: either.Draw(t, "archived"), Muted: either.Draw(t, "muted"), Pinned: either.Draw(t, "pinned"),
		IdleDays: rapid.SampledFrom([]int{0, 1, chat.MaxIdleDays, -1, chat.MaxIdleDays + 1}).Draw(t, "idleDays"),
		Name:     rapid.SampledFrom([]string{"", "budi", strings.Repeat("é", 100), strings.Repeat("é", 101)}).Draw(t, "name"),
		Label:    rapid.SampledFrom([]string{"", "12", strings.Repeat("1", 33)}).Draw(t, "label"), All: rapid.Bool().Draw(t, "all"),
		Except: rapid.SliceOfN(pick(someChats), 0, 2).Draw(t, "except"),
	}
	return m
}

// TestBatchSchema: the schema allows what the host carries out, and nothing else.
func TestBatchSchema(t *testing.T) {
	s := schema(t, batchSchemaFile)
	rapid.Check(t, func(t *rapid.T) {
		b, err := json.Marshal(drawBatch(t))
		if err != nil {
			t.Fatal(err)
		}
		conformed, refused := conforms(s, string(b)), acceptedBatch(string(b))
		if (conformed == nil) != (refused == nil) {
			t.Fatalf("%s: the schema says %v, the host %v", b, conformed, refused)
		}
	})
	b, err := os.ReadFile(batchSchemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(b, &file); err != nil || len(file.Examples) == 0 {
		t.Fatalf("%d examples, %v", len(file.Examples), err)
	}
	for _, example := range file.Examples {
		if err := conforms(s, string(example)); err != nil {
			t.Error(err)
		}
		if err := acceptedBatch(string(example)); err != nil {
			t.Errorf("%s: %v", example, err)
		}
	}
	for body, good := range map[string]bool{
		`{"version":1,"account":"01KXQZ5T9W4Y8N2M6P3R7V1B0C","batch":"x","op":"mute","selection":{"type":"group"},"requestedAt":"2026-03-01T15:00:00Z"}`: true,
		`{"version":1,"account":"01KXQZ5T9W4Y8N2M6P3R7V1B0C","batch":"x","op":"mute","selection":{},"requestedAt":"2026-03-01T15:00:00Z"}`:               false,
		`{"version":1,"account":"01KXQZ5T9W4Y8N2M6P3R7V1B0C","batch":"x","op":"star","selection":{"all":true},"requestedAt":"2026-03-01T15:00:00Z"}`:     false,
		`{"version":1,"account":"01KXQZ5T9W4Y8N2M6P3R7V1B0C","batch":"x","selection":{"all":true},"requestedAt":"2026-03-01T15:00:00Z"}`:                 false,
		`{"version":1,"account":"01KXQZ5T9W4Y8N2M6P3R7V1B0C","batch":"x","op":"mute","requestedAt":"2026-03-01T15:00:00Z"}`:                              false,
		`{"version":1,"account":"01KXQZ5T9W4Y8N2M6P3R7V1B0C","batch":"x","op":"mute","selection":{"type":"group"}}`:                                      false,
	} {
		if err := conforms(s, body); (err == nil) != good {
			t.Errorf("the schema on %s: %v", body, err)
		}
		if err := acceptedBatch(body); (err == nil) != good {
			t.Errorf("the host on %s: %v", body, err)
		}
	}
}
