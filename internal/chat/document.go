package chat

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// View is a chat as it is read: what filters and order need, and its document. It is stored when the chat changes, so
// that reading renders nothing.
type View struct {
	JID      JID
	Shows    bool
	Activity int64 // seconds since 1970
	MuteEnd  int64 // ms since 1970; MutedForEver; 0: not muted
	Pinned   bool
	Archived bool
	Unread   bool
	Last     Last
	Document JSON // an object: what doesn't depend on the moment of reading
}

// Form tells apart the two endpoints that show a chat.
type Form int

// The forms of a chat's document.
const (
	Listed Form = iota // in getChats, where conversationTimestamp is a Long
	Single             // in getChatById, where it is a number
)

// View renders the chat.
func (c *Chat) View() View {
	unread, mentions := c.Unread.total()
	marked := c.MarkedUnread.Value
	fields := make(map[string]JSON, len(c.Fields)+10)
	for name, field := range c.Fields {
		if field.Value != "" {
			fields[name] = field.Value
		}
	}
	fields["id"] = quote(string(c.JID))
	fields["archived"] = JSON(strconv.FormatBool(c.Archived.Value))
	fields["participant"] = c.participants()
	fields["unreadCount"] = number(int64(unread))
	fields["unreadMentionCount"] = number(int64(mentions))
	if c.LID != "" {
		fields["lidJid"] = quote(string(c.LID))
	}
	if name := c.Name(); name != "" {
		fields["name"] = quote(name)
	}
	if c.MarkedUnread.Set() {
		fields["markedAsUnread"] = JSON(strconv.FormatBool(marked))
	}
	if c.Pin.Value != 0 {
		fields["pinned"] = number(c.Pin.Value)
	}
	if c.Received != 0 {
		fields["lastMessageRecvTimestamp"] = number(c.Received)
	}
	return View{
		JID:      c.JID,
		Shows:    c.Shows(),
		Activity: c.Activity,
		MuteEnd:  c.Mute.Value,
		Pinned:   c.Pin.Value != 0,
		Archived: c.Archived.Value,
		Unread:   unread > 0 || marked,
		Last:     c.Last,
		Document: object(fields),
	}
}

func (c *Chat) participants() JSON {
	b := []byte{'['}
	for _, jid := range slices.Sorted(maps.Keys(c.Members)) {
		rank := c.Members[jid].Value
		if rank == RankLeft {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, `{"rank":`...)
		b = append(b, quote(string(rank))...)
		b = append(b, `,"userJid":`...)
		b = append(b, quote(string(jid))...)
		b = append(b, '}')
	}
	return JSON(append(b, ']'))
}

// Append writes the chat's document as it is at a moment.
func (v *View) Append(b []byte, form Form, now time.Time) []byte {
	b = append(b, `{"conversationTimestamp":`...)
	if form == Listed {
		b = AppendLong(b, uint64(v.Activity), true)
	} else {
		b = strconv.AppendInt(b, v.Activity, 10)
	}
	b = append(b, `,"messages":[`...)
	if v.Last.ID != "" && (v.Last.Expires == 0 || v.Last.Expires > now.Unix()) {
		b = append(b, `{"message":`...)
		b = append(b, v.Last.Document...)
		b = append(b, '}')
	}
	b = append(b, `],"muted":`...)
	muted := MutedAt(v.MuteEnd, now)
	b = strconv.AppendBool(b, muted)
	if muted {
		b = append(b, `,"muteEndTime":`...)
		b = strconv.AppendInt(b, v.MuteEnd, 10)
	}
	b = append(b, ',')
	return append(b, v.Document[1:]...) // the document always has fields
}

// AppendLong writes a 64-bit integer as JavaScript's Long objects print.
func AppendLong(b []byte, v uint64, unsigned bool) []byte {
	b = append(b, `{"low":`...)
	b = strconv.AppendInt(b, int64(int32(v)), 10)
	b = append(b, `,"high":`...)
	b = strconv.AppendInt(b, int64(int32(v>>32)), 10)
	b = append(b, `,"unsigned":`...)
	b = strconv.AppendBool(b, unsigned)
	return append(b, '}')
}

// MessageView is a message as it is read.
type MessageView struct {
	ID       string
	Time     int64 // seconds since 1970
	Order    int64
	Expires  int64 // seconds since 1970; 0: never
	Starred  bool
	Listed   bool // false: a stub, or deleted
	Document JSON // an object, as fetchMessageById shows it
}

// ViewMessage renders one of the chat's messages.
func (c *Chat) ViewMessage(m *Message) MessageView {
	v := MessageView{
		ID: m.ID, Time: m.Content.Time, Order: m.Content.Order, Expires: m.Content.Expires,
		Starred: m.Starred.Value, Listed: m.Content.known() && !m.Gone,
	}
	if v.Listed {
		v.Document = c.messageDocument(m)
	}
	return v
}

func (c *Chat) messageDocument(m *Message) JSON {
	said := c.said(m)
	from := c.JID
	if m.Content.FromMe {
		from = m.Content.Sender
	}
	t := `"` + strconv.FormatInt(m.Content.Time, 10) + `"`
	b := make([]byte, 0, 512+len(said.Message)+len(m.Content.Info)+len(m.Content.Quoted))
	b = appendField(b, '{', "body", quote(said.Body))
	b = appendField(b, ',', "chatId", quote(string(c.JID)))
	b = appendField(b, ',', "from", quote(string(from)))
	b = appendField(b, ',', "fromMe", JSON(strconv.FormatBool(m.Content.FromMe)))
	b = appendField(b, ',', "id", quote(m.ID))
	b = appendField(b, ',', "isEphemeralMessage", JSON(strconv.FormatBool(m.Content.Ephemeral)))
	b = appendField(b, ',', "isGroupMsg", JSON(strconv.FormatBool(c.JID.Kind() == Group)))
	b = appendField(b, ',', "isMedia", JSON(strconv.FormatBool(m.Content.Media && said.Message != "{}")))
	b = appendField(b, ',', "mentionedJidList", list(m.Content.Mentions))
	quoted := m.Content.Quoted
	if quoted == "" {
		quoted = "false"
	}
	b = appendField(b, ',', "quotedMsg", quoted)
	b = appendField(b, ',', "sender", quote(string(m.Content.Sender)))
	b = appendField(b, ',', "t", JSON(t))
	b = appendField(b, ',', "timestamp", JSON(t))
	b = appendField(b, ',', "type", quote(said.Type))
	b = append(b, ',')
	return JSON(append(b, c.info(m)[1:]...))
}

// info renders WhatsApp's WebMessageInfo.
func (c *Chat) info(m *Message) JSON {
	said := c.said(m)
	b := make([]byte, 0, 256+len(said.Message)+len(m.Content.Info))
	b = appendField(b, '{', "key", c.key(m))
	b = appendField(b, ',', "message", said.Message)
	b = appendField(b, ',', "messageTimestamp", JSON(`"`+strconv.FormatInt(m.Content.Time, 10)+`"`))
	if c.revokes(m) {
		b = appendField(b, ',', "messageStubType", `"REVOKE"`)
	}
	if reactions := m.reactions(); reactions != "[]" {
		b = appendField(b, ',', "reactions", reactions)
	}
	if m.Starred.Value {
		b = appendField(b, ',', "starred", "true")
	}
	if m.Status != NoStatus {
		b = appendField(b, ',', "status", quote(m.Status.String()))
	}
	if len(m.Receipts) > 0 {
		b = appendField(b, ',', "userReceipt", m.receipts())
	}
	if rest := m.Content.Info; len(rest) > len("{}") {
		b = append(b, ',')
		return JSON(append(b, rest[1:]...))
	}
	return JSON(append(b, '}'))
}

// said is what the message says now: its content, its sender's last edit, or nothing once it is revoked.
func (c *Chat) said(m *Message) Edit {
	said := Edit{Type: m.Content.Type, Body: m.Content.Body, Message: m.Content.Message}
	if c.revokes(m) {
		return Edit{Type: "protocolMessage", Message: "{}"}
	}
	if edit := m.Edits[m.Content.Sender]; edit.Set() {
		said = edit.Value
	}
	if said.Message == "" {
		said.Message = "{}"
	}
	return said
}

func (c *Chat) key(m *Message) JSON {
	b := appendField(nil, '{', "fromMe", JSON(strconv.FormatBool(m.Content.FromMe)))
	b = appendField(b, ',', "id", quote(m.ID))
	if c.JID.Kind() != Private && !m.Content.FromMe && m.Content.Sender != c.JID {
		b = appendField(b, ',', "participant", quote(string(m.Content.Sender)))
	}
	b = appendField(b, ',', "remoteJid", quote(string(c.JID)))
	return JSON(append(b, '}'))
}

func (m *Message) receipts() JSON {
	b := []byte{'['}
	for i, jid := range slices.Sorted(maps.Keys(m.Receipts)) {
		if i > 0 {
			b = append(b, ',')
		}
		r := m.Receipts[jid]
		b = append(b, `{"playedTimestamp":"`...)
		b = strconv.AppendInt(b, r.Played, 10)
		b = append(b, `","readTimestamp":"`...)
		b = strconv.AppendInt(b, r.Read, 10)
		b = append(b, `","receiptTimestamp":"`...)
		b = strconv.AppendInt(b, r.Received, 10)
		b = append(b, `","userJid":`...)
		b = append(b, quote(string(jid))...)
		b = append(b, '}')
	}
	return JSON(append(b, ']'))
}

func (m *Message) reactions() JSON {
	b := []byte{'['}
	for _, jid := range slices.Sorted(maps.Keys(m.Reactions)) {
		if m.Reactions[jid].Value == "" {
			continue // taken back
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, m.Reactions[jid].Value...)
	}
	return JSON(append(b, ']'))
}

func appendField(b []byte, separator byte, name string, value JSON) []byte {
	b = append(b, separator, '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return append(b, value...)
}

// object writes fields in the order of their names; there must be one.
func object(fields map[string]JSON) JSON {
	var b []byte
	separator := byte('{')
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b = appendField(b, separator, name, fields[name])
		separator = ','
	}
	return JSON(append(b, '}'))
}

func list(jids []JID) JSON {
	if len(jids) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(jids) // strings always marshal
	return JSON(b)
}

func number(v int64) JSON { return JSON(strconv.FormatInt(v, 10)) }

// quote writes a string as JavaScript does, without escapes for HTML.
func quote(s string) JSON {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return JSON(`"` + s + `"`)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always encodes
	return JSON(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
