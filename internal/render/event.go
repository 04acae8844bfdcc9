package render

import (
	"time"

	"pesan/internal/chat"
)

// Event makes an event as endpoints get it: type and results as the vendor sends them, and beside them what tells a repetition.
// number is that of the feed's entry, 0 for an event of none.
func Event(id string, seq int64, kind chat.EventKind, at time.Time, results chat.JSON) chat.Event {
	fields := map[string]chat.JSON{
		"type": quote(string(kind)), "id": quote(id), "timestamp": quote(at.UTC().Format("2006-01-02T15:04:05.000Z")), "results": results,
	}
	if seq != 0 {
		fields["number"] = number(seq)
	}
	return chat.Event{ID: id, Number: seq, Kind: kind, At: at, Body: object(fields)}
}

// MaskedKey stands for an account's key, which is known to its holder alone.
func MaskedKey(account string) string { return "pk_" + account + "_…" }

// TestEvent is sent to try an endpoint.
func TestEvent(id, account string, at time.Time) chat.Event {
	return Event(id, 0, chat.TestEvent, at, object(map[string]chat.JSON{
		"apiKey": quote(MaskedKey(account)), "message": quote("This is a test of the webhook."),
	}))
}

// Events are those that an entry of an account's feed tells of, in their order. Which there are, and under which ids, is the same
// each time. find returns a message as fetchMessageById shows it, "" where it doesn't show any more.
func Events(account string, e *chat.FeedEntry, find func(chat.FeedMessage) (chat.JSON, error)) (events []chat.Event, err error) {
	add := func(kind chat.EventKind, results map[string]chat.JSON) {
		results["apiKey"] = quote(MaskedKey(account))
		events = append(events, Event(chat.EventID(account, e.Seq, len(events)), e.Seq, kind, e.At, object(results)))
	}
	switch e.Kind {
	case chat.FeedState:
		stateEvents(e, add)
	case chat.FeedChat:
		for _, m := range e.Messages {
			if err := messageEvent(e, m, find, add); err != nil {
				return nil, err
			}
		}
		add(chat.ChatEvent, chatResults(e))
	case chat.FeedCommand:
		if o := e.Command; o != nil {
			results := map[string]chat.JSON{"commandId": quote(o.ID), "command": quote(string(o.Kind)),
				"state": quote(string(o.State))}
			if o.Chat != "" {
				results["to"] = quote(o.Chat.Echo())
			}
			if o.Error != "" {
				results["error"] = quote(string(o.Error))
			}
			add(chat.CommandEvent, results)
		}
	case chat.FeedBatch:
		if b := e.Batch; b != nil {
			add(chat.BatchEvent, map[string]chat.JSON{
				"batchId": quote(b.ID), "state": quote(b.State), "total": number(int64(b.Total)), "done": number(int64(b.Done)),
				"failed": number(int64(b.Failed)),
			})
		}
	case chat.FeedWebhook, chat.FeedEmptied, chat.FeedVoid:
	}
	return events, nil
}

// stateEvents tell of the link. One that WhatsApp or a fault has ended carries a reason.
func stateEvents(e *chat.FeedEntry, add func(chat.EventKind, map[string]chat.JSON)) {
	add(chat.ChangeStateEvent, map[string]chat.JSON{"state": quote(string(e.State))})
	switch {
	case e.State == chat.Connected:
		add(chat.ReadyEvent, map[string]chat.JSON{"message": quote("API for device is ready to use.")})
	case e.State == chat.ServiceOff, e.State == chat.Pairing && e.Reason != "":
		add(chat.DisconnectedEvent, map[string]chat.JSON{
			"state": quote(string(e.State)), "reason": quote(e.Reason), "reconnect": boolean(e.State == chat.Pairing),
		})
	}
}

// messageEvent tells of a message that came or was sent, or of how far a sent one has got. What else happens to messages, the
// chat's event names: who answers messages must not take an edited or an old one for a new one.
func messageEvent(
	e *chat.FeedEntry, m chat.FeedMessage, find func(chat.FeedMessage) (chat.JSON, error),
	add func(chat.EventKind, map[string]chat.JSON),
) error {
	kind := chat.MessageEvent
	switch {
	case m.What == chat.FeedNew:
	case m.What == chat.FeedAcked && m.Status != chat.NoStatus:
		kind = chat.MessageAckEvent
	default:
		return nil
	}
	document, err := find(m)
	if err != nil {
		return err
	}
	results := fieldsOf([]byte(document))
	all := make(map[string]chat.JSON, len(results)+2)
	for name, value := range results {
		all[name] = chat.JSON(value)
	}
	if document == "" {
		all["id"], all["gone"] = quote(m.ID), boolean(true)
	}
	all["to"] = quote(e.Chat.Echo())
	add(kind, all)
	return nil
}

// chatResults tell of a chat as it was when the entry was made, and of what happened to its messages.
func chatResults(e *chat.FeedEntry) map[string]chat.JSON {
	results := map[string]chat.JSON{"to": quote(e.Chat.Echo()), "deleted": boolean(!e.Shows)}
	if e.View != nil {
		results["chat"] = chat.JSON(AppendChat(nil, e.View, Single, e.At))
	}
	if e.Moved != "" {
		results["movedTo"] = quote(e.Moved.Echo())
	}
	if e.Cleared {
		results["cleared"] = boolean(true)
	}
	if len(e.Messages) > 0 {
		results["messages"] = eventMessages(e.Messages)
	}
	if e.Many {
		results["more"] = boolean(true)
	}
	return results
}

func eventMessages(messages []chat.FeedMessage) chat.JSON {
	b := []byte{'['}
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, object(map[string]chat.JSON{"id": quote(m.ID), "what": quote(string(m.What))})...)
	}
	return chat.JSON(append(b, ']'))
}
