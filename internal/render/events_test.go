package render

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pesan/internal/chat"
)

const account = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

// told are the kinds of the events that an entry tells of, with their bodies as the vendor's form has them.
func told(t *testing.T, e chat.FeedEntry, document chat.JSON) []string {
	t.Helper()
	e.Seq, e.At = 42, noon
	events, err := Events(account, &e, func(chat.FeedMessage) (chat.JSON, error) { return document, nil })
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, event := range events {
		head, foot := `"id":"`+chat.EventID(account, 42, i)+`","number":42,"results":{"apiKey":"pk_`+account+`_…",`, `},"timestamp":"2026-03-01T12:00:00.000Z","type":"`+string(event.Kind)+`"}`
		body := strings.TrimPrefix(string(event.Body), "{"+head)
		if event.Number != 42 || event.ID != chat.EventID(account, 42, i) || !event.At.Equal(noon) || body == string(event.Body) || !strings.HasSuffix(body, foot) {
			t.Errorf("event %d is %+v", i, event)
		}
		all = append(all, string(event.Kind)+" "+strings.TrimSuffix(body, foot))
	}
	return all
}

func TestEvents(t *testing.T) {
	v := chat.View{Document: `{"id":"x"}`}
	const to, inChat = `"to":"6281111111111"`, `chat "deleted":false,`
	message := func(what chat.FeedChange, status chat.Status) []chat.FeedMessage {
		return []chat.FeedMessage{{ID: "M", What: what, Status: status}}
	}
	for name, c := range map[string]struct {
		e        chat.FeedEntry
		document chat.JSON
		want     []string
	}{
		"linked":              {chat.FeedEntry{Kind: chat.FeedState, State: chat.Connected}, "", []string{`change_state "state":"CONNECTED"`, `ready "message":"API for device is ready to use."`}},
		"off":                 {chat.FeedEntry{Kind: chat.FeedState, State: chat.ServiceOff}, "", []string{`change_state "state":"SERVICE_OFF"`, `disconnected "reason":"","reconnect":false,"state":"SERVICE_OFF"`}},
		"lost":                {chat.FeedEntry{Kind: chat.FeedState, State: chat.Pairing, Reason: "STREAM"}, "", []string{`change_state "state":"PAIRING"`, `disconnected "reason":"STREAM","reconnect":true,"state":"PAIRING"`}},
		"begins":              {chat.FeedEntry{Kind: chat.FeedState, State: chat.Pairing}, "", []string{`change_state "state":"PAIRING"`}},
		"waits for a scan":    {chat.FeedEntry{Kind: chat.FeedState, State: chat.ServiceScan, Reason: "X"}, "", []string{`change_state "state":"SERVICE_SCAN"`}},
		"a command":           {chat.FeedEntry{Kind: chat.FeedCommand, Command: &chat.FeedOutcome{ID: "c", Kind: chat.ConnectCommand, State: chat.CommandDone}}, "", []string{`command_ "command":"connect","commandId":"c","state":"done"`}},
		"a command of a chat": {chat.FeedEntry{Kind: chat.FeedCommand, Command: &chat.FeedOutcome{ID: "c", Kind: chat.MuteCommand, Chat: alice, State: chat.CommandFailed, Error: chat.Unavailable}}, "", []string{`command_ "command":"mute","commandId":"c","error":"UNAVAILABLE","state":"failed",` + to}},
		"no command":          {chat.FeedEntry{Kind: chat.FeedCommand}, "", nil},
		"a batch":             {chat.FeedEntry{Kind: chat.FeedBatch, Batch: &chat.FeedProgress{ID: "b", State: "running", Total: 9, Done: 2, Failed: 1}}, "", []string{`batch_ "batchId":"b","done":2,"failed":1,"state":"running","total":9`}},
		"no batch":            {chat.FeedEntry{Kind: chat.FeedBatch}, "", nil},
		"nothing":             {chat.FeedEntry{Kind: chat.FeedVoid}, "", nil},
		"emptied":             {chat.FeedEntry{Kind: chat.FeedEmptied}, "", nil},
		"a chat":              {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true}, "", []string{inChat + to}},
		"with what it is":     {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, View: &v}, "", []string{`chat "chat":{"conversationTimestamp":0,"messages":[],"muted":false,"id":"x"},"deleted":false,` + to}},
		"it has gone":         {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Moved: bob, Cleared: true, Many: true}, "", []string{`chat "cleared":true,"deleted":true,"more":true,"movedTo":"6282222222222",` + to}},
		"a message": {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, Messages: message(chat.FeedNew, 0)}, `{"id":"M","body":"x"}`,
			[]string{`message_ "body":"x","id":"M",` + to, inChat + `"messages":[{"id":"M","what":"new"}],` + to}},
		"one that has gone": {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, Messages: message(chat.FeedNew, 0)}, "",
			[]string{`message_ "gone":true,"id":"M",` + to, inChat + `"messages":[{"id":"M","what":"new"}],` + to}},
		"read": {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, Messages: message(chat.FeedAcked, chat.Read)}, `{"id":"M"}`,
			[]string{`message_ack "id":"M",` + to, inChat + `"messages":[{"id":"M","what":"acked"}],` + to}},
		"a receipt alone": {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, Messages: message(chat.FeedAcked, 0)}, `{"id":"M"}`, []string{inChat + `"messages":[{"id":"M","what":"acked"}],` + to}},
		"edited":          {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, Messages: message(chat.FeedChanged, chat.Read)}, `{"id":"M"}`, []string{inChat + `"messages":[{"id":"M","what":"changed"}],` + to}},
		"of a history":    {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, Messages: message(chat.FeedAdded, 0)}, `{"id":"M"}`, []string{inChat + `"messages":[{"id":"M","what":"added"}],` + to}},
		"two": {chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Shows: true, Messages: append(message(chat.FeedGone, 0), message(chat.FeedAdded, 0)...)}, "",
			[]string{inChat + `"messages":[{"id":"M","what":"gone"},{"id":"M","what":"added"}],` + to}},
	} {
		for i := range c.want { // a kind's own name stands before its fields
			c.want[i] = strings.Replace(c.want[i], "_ ", " ", 1)
		}
		if got := told(t, c.e, c.document); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	fault := errors.New("fault")
	e := chat.FeedEntry{Kind: chat.FeedChat, Chat: alice, Messages: message(chat.FeedNew, 0)}
	if events, err := Events(account, &e, func(chat.FeedMessage) (chat.JSON, error) { return "", fault }); !errors.Is(err, fault) || events != nil {
		t.Errorf("a fault: %v, %v", events, err)
	}
	test := TestEvent("E", account, noon)
	golden(t, "the test's event", []byte(test.Body), `{"id":"E","results":{"apiKey":"pk_`+account+`_…","message":"This is a test of the webhook."},
		"timestamp":"2026-03-01T12:00:00.000Z","type":"test"}`)
}
