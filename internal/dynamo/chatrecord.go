package dynamo

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// The head of a chat's record has what Chats filters and sorts by. Its texts are the document, the last message's document,
// that message's id in quotation marks, as the documents hold it, and the JSON of the chat.Chat.
const (
	flagShows = 1 << iota
	flagPinned
	flagArchived
	flagUnread
)

func bit(value byte, set bool) byte {
	if set {
		return value
	}
	return 0
}

func encodeChat(c *chat.Chat) ([]byte, error) {
	v := render.View(c)
	state, err := marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode chat: %w", err)
	}
	head := []byte{bit(flagShows, v.Shows) | bit(flagPinned, v.Pinned) | bit(flagArchived, v.Archived) | bit(flagUnread, v.Unread)}
	for _, n := range []int64{v.Activity, v.Time, v.MuteEnd, v.Last.Time, v.Last.Order, v.Last.Expires} {
		head = binary.AppendVarint(head, n)
	}
	if len(v.Last.Document) > largestRecord {
		v.Last.Document = "{}" // what no client of WhatsApp's sends; see encodeFitting
	}
	return encodeRecord(head, string(v.Document), string(v.Last.Document), `"`+v.Last.ID+`"`, state), nil
}

// decodeChatHead fills in what a view has beside its texts.
func decodeChatHead(b []byte, v *chat.View) error {
	head, _, err := headOf(b)
	if err != nil || len(head) == 0 {
		return errCorrupt
	}
	flags, head := head[0], head[1:]
	v.Shows, v.Pinned = flags&flagShows != 0, flags&flagPinned != 0
	v.Archived, v.Unread = flags&flagArchived != 0, flags&flagUnread != 0
	_, err = cutVarints(head, &v.Activity, &v.Time, &v.MuteEnd, &v.Last.Time, &v.Last.Order, &v.Last.Expires)
	return err
}

func cutVarints(b []byte, into ...*int64) (rest []byte, err error) {
	for _, n := range into {
		var width int
		if *n, width = binary.Varint(b); width <= 0 {
			return b, errCorrupt
		}
		b = b[width:]
	}
	return b, nil
}

// decodeChatTexts fills in a view's texts.
func decodeChatTexts(r *record, b []byte, v *chat.View) error {
	if err := r.decode(b); err != nil {
		return err
	}
	var id string
	err := r.texts((*string)(&v.Document), (*string)(&v.Last.Document), &id)
	v.Last.ID = strings.Trim(id, `"`)
	return err
}

// decodeChatState is the whole chat.
func decodeChatState(b []byte) (c chat.Chat, err error) {
	var r record
	var document, last, id, state string
	if err := r.decode(b); err != nil {
		return c, err
	}
	if err := r.texts(&document, &last, &id, &state); err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(state), &c); err != nil {
		return c, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	c.Last.Document = chat.JSON(last)
	return c, nil
}

// marshal is json.Marshal that leaves the JSON inside as it is.
func marshal(v any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}

// The head of a message's record has flags, time, order, expiry, and the id if the key hasn't. Its texts are the document
// and the JSON of the chat.Message.
const (
	flagStarred = 1 << iota
	flagListed
	flagHeads
)

func encodeMessage(c *chat.Chat, m *chat.Message) ([]byte, error) {
	v := render.MessageView(c, m)
	state, err := marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	head := []byte{bit(flagStarred, v.Starred) | bit(flagListed, v.Listed) | bit(flagHeads, v.Heads)}
	for _, n := range []int64{v.Time, v.Order, v.Expires} {
		head = binary.AppendVarint(head, n)
	}
	if id := m.ID; messageID(id) != id {
		head = append(head, id...)
	}
	if len(v.Document)+len(state) > maxContent/2 {
		return nil, errTooLarge
	}
	data := encodeRecord(head, string(v.Document), state)
	if len(data) > largestRecord {
		return nil, errTooLarge
	}
	return data, nil
}

// largestRecord leaves room for the rest of an item, which may have 400 KB.
const largestRecord = 390_000

var errTooLarge = errors.New("the message is too large to be stored")

// encodeFitting stores less of a message that is too large, rather than nothing: it would be delivered again and again.
// WhatsApp's own clients send none.
func encodeFitting(c *chat.Chat, m *chat.Message) ([]byte, error) {
	data, err := encodeMessage(c, m)
	if !errors.Is(err, errTooLarge) {
		return data, err
	}
	less := *m
	less.Content.Quoted, less.Content.Info = "", ""
	if data, err = encodeMessage(c, &less); !errors.Is(err, errTooLarge) {
		return data, err
	}
	less.Content.Message, less.Content.Body, less.Content.Mentions = "", "", nil
	if data, err = encodeMessage(c, &less); !errors.Is(err, errTooLarge) {
		return data, err
	}
	less.Edits, less.Reactions, less.Receipts, less.Revoked = nil, nil, nil, nil
	return encodeMessage(c, &less)
}

// decodeMessageHead is the view of the message without its document. id is the one of the item's key.
func decodeMessageHead(b []byte, id string) (v chat.MessageView, err error) {
	head, _, err := headOf(b)
	if err != nil || len(head) == 0 {
		return v, errCorrupt
	}
	v.ID, v.Starred, v.Listed, v.Heads = id, head[0]&flagStarred != 0, head[0]&flagListed != 0, head[0]&flagHeads != 0
	rest, err := cutVarints(head[1:], &v.Time, &v.Order, &v.Expires)
	if len(rest) > 0 {
		v.ID = string(rest)
	}
	return v, err
}

func decodeMessageState(b []byte) (*chat.Message, error) {
	var r record
	var document, state string
	if err := r.decode(b); err != nil {
		return nil, err
	}
	if err := r.texts(&document, &state); err != nil {
		return nil, err
	}
	m := new(chat.Message)
	if err := json.Unmarshal([]byte(state), m); err != nil {
		return nil, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return m, nil
}
