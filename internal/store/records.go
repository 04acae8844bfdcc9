package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/render"
)

// The fields of chats.
const (
	fieldActivity = "activity" // seconds since 1970
	fieldMuted    = "muted"    // when that ends: ms since 1970; chat.MutedForEver
	fieldPinned   = "pinned"
	fieldArchived = "archived"
	fieldUnread   = "unread"
	fieldExpires  = "expires" // seconds since 1970 from which on its last message doesn't show
	fieldLifted   = "lifted"  // seconds by which a reaction lifts it in the list
	fieldHidden   = "hidden"  // it doesn't show, though it stands among those that do
	fieldSeq      = "seq"     // number of its last change in the feed
)

// The fields of messages, and of their claims.
const (
	fieldStarred  = "starred"
	fieldUnstars  = "unstarred"
	fieldUnlisted = "unlisted"
	fieldAside    = "aside" // listed, but never the chat's last line
	fieldPinEnds  = "pinends"
	fieldBeside   = "beside" // persons stand beside it, see beside.go
	fieldTime     = "t"
	fieldOrder    = "o"
)

func bit(set bool) int64 {
	if set {
		return 1
	}
	return 0
}

// fieldsOf leaves out what is zero.
func fieldsOf(fields map[string]int64) map[string]int64 {
	for name, value := range fields {
		if value == 0 {
			delete(fields, name)
		}
	}
	return fields
}

// ranges are what of a chat's state decides which messages are listed.
type ranges struct {
	Cleared          chat.Range `json:"cl,omitzero"`
	ClearedUnstarred chat.Range `json:"clu,omitzero"`
	ClearedAt        int64      `json:"cla,omitempty"`
	Deleted          chat.Range `json:"del,omitzero"`
}

// maxDocument bounds the document of a last message in its chat's record.
const maxDocument = 64 << 10

// encodeChat makes view and record of a chat. The record's texts are the document, the last message's document and its id,
// which readers show; that message's place, with the chat's folded name and its labels; the ranges, none where they are empty;
// and the chat.Chat.
func (s *Store) encodeChat(c *chat.Chat) (v chat.View, record []byte, err error) {
	v = render.View(c)
	state, err := marshal(c)
	if err != nil {
		return v, nil, fmt.Errorf("encode chat: %w", err)
	}
	var hides []byte
	if c.Cleared.Through != 0 || c.ClearedUnstarred.Through != 0 || c.Deleted.Through != 0 {
		if hides, err = marshal(ranges{c.Cleared, c.ClearedUnstarred, c.ClearedAt, c.Deleted}); err != nil {
			return v, nil, fmt.Errorf("encode chat: %w", err)
		}
	}
	if len(v.Last.Document) > maxDocument {
		v.Last.Document = "{}" // what no client of WhatsApp's sends; see encodeFitting
	}
	record = s.compression.encode(string(v.Document), string(v.Last.Document), v.Last.ID, string(placesOf(&v)),
		string(hides), string(state))
	return v, record, nil
}

// placesOf is what placeOf reads.
func placesOf(v *chat.View) []byte {
	place := binary.AppendVarint(binary.AppendVarint(nil, v.Last.Time), v.Last.Order)
	return append(append(append(place, v.Name...), '\n'), v.Labels...)
}

// fieldsOfView is what headOfChat reads, but for the number of the last change.
func fieldsOfView(v *chat.View) map[string]int64 {
	return fieldsOf(map[string]int64{
		fieldActivity: v.Activity, fieldLifted: v.Activity - v.Time, fieldMuted: v.MuteEnd, fieldPinned: bit(v.Pinned),
		fieldArchived: bit(v.Archived), fieldUnread: bit(v.Unread), fieldExpires: v.Last.Expires, fieldHidden: bit(!v.Shows),
	})
}

// headOfChat is the view of a chat without what its record holds.
func headOfChat(jid chat.JID, it *kv.Item) chat.View {
	f := it.Fields
	return chat.View{
		JID: jid, Seq: f[fieldSeq], Shows: f[fieldHidden] == 0, Activity: f[fieldActivity], Time: f[fieldActivity] - f[fieldLifted],
		MuteEnd: f[fieldMuted], Pinned: f[fieldPinned] != 0, Archived: f[fieldArchived] != 0, Unread: f[fieldUnread] != 0,
		Last: chat.Line{Expires: f[fieldExpires]},
	}
}

// textsOfChat fills in the rest of a view.
func (d *decoder) textsOfChat(record []byte, v *chat.View) error {
	var document, last, id, place []byte
	if err := d.decode(record, &document, &last, &id, &place); err != nil {
		return fmt.Errorf("decode chat: %w", err)
	}
	all := string(document[:len(document)+len(last)+len(id)]) // side by side, so one string is enough
	v.Document, v.Last.Document = chat.JSON(all[:len(document)]), chat.JSON(all[len(document):len(document)+len(last)])
	v.Last.ID = all[len(document)+len(last):]
	return placeOf(place, v)
}

// placeOf reads the place of the last message, and what filters need. A record from before there were such has only the place:
// its name is the document's.
func placeOf(place []byte, v *chat.View) error {
	var width int
	if v.Last.Time, width = binary.Varint(place); width <= 0 {
		return errCorrupt
	}
	place = place[width:]
	if v.Last.Order, width = binary.Varint(place); width <= 0 {
		return errCorrupt
	}
	name, labels, ok := strings.Cut(string(place[width:]), "\n")
	if ok {
		v.Name, v.Labels = name, chat.LabelIDs(labels)
		return nil
	}
	var document struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal([]byte(v.Document), &document); err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	v.Name = chat.Fold(document.Name)
	return nil
}

// rangesOfChat is a chat that knows its ranges and nothing else.
func rangesOfChat(jid chat.JID, record []byte) (c chat.Chat, err error) {
	c.JID = jid
	var skipped, hides []byte
	if err := new(decoder).decode(record, &skipped, &skipped, &skipped, &skipped, &hides); err != nil {
		return c, fmt.Errorf("decode chat: %w", err)
	}
	var r ranges
	if len(hides) > 0 {
		if err := json.Unmarshal(hides, &r); err != nil {
			return c, fmt.Errorf("%w: %w", errCorrupt, err)
		}
	}
	c.Cleared, c.ClearedUnstarred, c.ClearedAt, c.Deleted = r.Cleared, r.ClearedUnstarred, r.ClearedAt, r.Deleted
	return c, nil
}

// stateOfChat is the whole chat.
func stateOfChat(record []byte) (c chat.Chat, err error) {
	var skipped, last, state []byte
	if err := new(decoder).decode(record, &skipped, &last, &skipped, &skipped, &skipped, &state); err != nil {
		return c, fmt.Errorf("decode chat: %w", err)
	}
	if err := json.Unmarshal(state, &c); err != nil {
		return c, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	c.Last.Document = chat.JSON(last)
	return c, nil
}

var errTooLarge = errors.New("the message is too large to be stored")

// encodeMessage makes view, fields and record of a message, whose texts are the document and the chat.Message.
func (s *Store) encodeMessage(
	c *chat.Chat, m *chat.Message,
) (v chat.MessageView, fields map[string]int64, record []byte, err error) {
	v = render.MessageView(c, m)
	state, err := marshal(m)
	if err != nil {
		return v, nil, nil, fmt.Errorf("encode message: %w", err)
	}
	if len(v.Document)+len(state) > maxRecord/2 {
		return v, nil, nil, errTooLarge
	}
	if record = s.compression.encode(string(v.Document), string(state)); len(record) > kv.MaxData {
		return v, nil, nil, errTooLarge
	}
	fields = fieldsOf(map[string]int64{
		fieldStarred: bit(v.Starred), fieldUnlisted: bit(!v.Listed), fieldAside: bit(v.Listed && !v.Heads),
		fieldPinEnds: v.PinEnds, fieldUnstars: v.Unstarred,
	})
	return v, fields, record, nil
}

// encodeFitting stores less of a message that is too large, rather than nothing: it would be delivered again and again.
// WhatsApp's own clients send none.
func (s *Store) encodeFitting(
	c *chat.Chat, m *chat.Message,
) (v chat.MessageView, fields map[string]int64, record []byte, err error) {
	less := *m
	for _, shorten := range []func(){
		func() {},
		func() { less.Content.Quoted, less.Content.Info = "", "" },
		func() { less.Content.Message, less.Content.Body, less.Content.Mentions = "", "", nil },
		func() { less.Edits, less.Reactions, less.Receipts, less.Revoked = nil, nil, nil, nil },
	} {
		shorten()
		if v, fields, record, err = s.encodeMessage(c, &less); !errors.Is(err, errTooLarge) {
			break
		}
	}
	return v, fields, record, err
}

// headOfMessage is the view of a message without its document.
func headOfMessage(it *kv.Item) (v chat.MessageView, err error) {
	time, order, id, ok := placeIn(it.Sort)
	if !ok {
		return v, fmt.Errorf("%w: a message under %q", errCorrupt, it.Sort)
	}
	v = chat.MessageView{
		ID: id, Time: time, Order: order, Expires: it.Expires, PinEnds: it.Fields[fieldPinEnds],
		Starred: it.Fields[fieldStarred] != 0, Unstarred: it.Fields[fieldUnstars], Listed: it.Fields[fieldUnlisted] == 0,
		Heads: it.Fields[fieldUnlisted] == 0 && it.Fields[fieldAside] == 0,
	}
	if isHashed(id) {
		m, err := stateOfMessage(it.Data)
		if err != nil {
			return v, err
		}
		v.ID = m.ID
	}
	return v, nil
}

func (d *decoder) documentOfMessage(record []byte) (chat.JSON, error) {
	var document []byte
	if err := d.decode(record, &document); err != nil {
		return "", fmt.Errorf("decode message: %w", err)
	}
	return chat.JSON(document), nil
}

func stateOfMessage(record []byte) (*chat.Message, error) {
	var skipped, state []byte
	if err := new(decoder).decode(record, &skipped, &state); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	m := new(chat.Message)
	if err := json.Unmarshal(state, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return m, nil
}
