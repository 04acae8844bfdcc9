package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"pesan/internal/chat"
)

// MessageView renders one of the chat's messages.
func MessageView(c *chat.Chat, m *chat.Message) chat.MessageView {
	v := c.Place(m)
	if v.Listed {
		v.Document = message(c, m)
	}
	return v
}

// said is what a message says as it is rendered.
type said struct {
	kind     string
	body     string
	message  chat.JSON
	mentions []chat.JID
	revoked  bool
	edited   bool // by who wrote it
}

func saidOf(c *chat.Chat, m *chat.Message) said {
	s := said{kind: m.Content.Type, body: m.Content.Body, message: m.Content.Message, mentions: m.Content.Mentions}
	now := c.Said(m)
	switch {
	case now.Revoked:
		return said{kind: "protocolMessage", message: "{}", revoked: true}
	case now.Edit.Message != "":
		s.message, s.kind = patched(s.message, s.kind, &now.Edit)
		s.body, s.mentions = now.Edit.Body, now.Edit.Mentions.List()
		s.edited = s.kind != "callLogMesssage" // how a call has ended is told by an edit, too
	}
	if s.message == "" {
		s.message = "{}"
	}
	return s
}

func message(c *chat.Chat, m *chat.Message) chat.JSON {
	s := saidOf(c, m)
	from := c.JID
	if m.Content.FromMe {
		from = m.Content.Sender
	}
	t := long(m.Content.Time)
	b := make([]byte, 0, 512+len(s.message)+len(m.Content.Info)+len(m.Content.Quoted))
	b = appendField(b, '{', "body", quote(s.body))
	b = appendField(b, ',', "chatId", quote(string(c.JID)))
	if s.edited {
		b = appendField(b, ',', "edited", "true")
	}
	b = appendField(b, ',', "from", quote(string(from)))
	b = appendField(b, ',', "fromMe", boolean(m.Content.FromMe))
	b = appendField(b, ',', "id", quote(m.ID))
	b = appendField(b, ',', "isEphemeralMessage", boolean(m.Content.Ephemeral))
	b = appendField(b, ',', "isGroupMsg", boolean(c.JID.Kind() == chat.Group))
	b = appendField(b, ',', "isMedia", boolean(m.Content.Media && s.message != "{}"))
	b = appendField(b, ',', "mentionedJidList", list(s.mentions))
	quoted := m.Content.Quoted
	if quoted == "" {
		quoted = "false"
	}
	b = appendField(b, ',', "quotedMsg", quoted)
	b = appendField(b, ',', "sender", quote(string(m.Content.Sender)))
	b = appendField(b, ',', "t", t)
	b = appendField(b, ',', "timestamp", t)
	b = appendField(b, ',', "type", quote(s.kind))
	b = append(b, ',')
	return chat.JSON(append(b, info(c, m, s, false)[1:]...))
}

// maxInLine is how many persons' doings of a kind a group's last line shows.
const maxInLine = 8

// info renders WhatsApp's WebMessageInfo. In a group's last line who got and read a message is left out, and what many have done
// about it: it would grow the chat with every member of a group, and change it with each.
func info(c *chat.Chat, m *chat.Message, s said, inLine bool) chat.JSON {
	short := inLine && c.JID.Kind() != chat.Private
	fields := make(map[string]chat.JSON, 12)
	fields["key"] = key(c, m.ID, m.Content.FromMe, m.Content.Sender)
	fields["message"] = s.message
	fields["messageTimestamp"] = long(m.Content.Time)
	if s.revoked {
		fields["messageStubType"] = `"REVOKE"`
	}
	set := func(name string, value chat.JSON) {
		if value != "" && value != "[]" {
			fields[name] = value
		}
	}
	if !short || len(m.Reactions) <= maxInLine {
		set("reactions", reactions(c, m))
	}
	if !short || len(m.Votes) <= maxInLine {
		set("pollUpdates", votes(c, m))
		set("pollResults", results(m))
	}
	if !short || len(m.Answers) <= maxInLine {
		set("eventResponses", answers(c, m))
	}
	set("associatedMessages", parts(c, m))
	if replies := max(len(m.Comments), m.Content.Replies); replies > 0 {
		fields["commentMetadata"] = object(map[string]chat.JSON{
			"commentParentKey": fields["key"], "replyCount": number(int64(replies)),
		})
	}
	set("keepInChat", kept(c, m))
	if !inLine || m.Pin.Value.Seconds == 0 { // a line shows nothing that ends by itself
		set("pinInChat", pinned(c, m))
	}
	if m.Starred.Value {
		fields["starred"] = "true"
	}
	if status := status(m); status != chat.NoStatus {
		fields["status"] = quote(status.String())
	}
	if !short {
		set("userReceipt", userReceipts(m))
	}
	b := []byte(object(fields))
	if rest := m.Content.Info; len(rest) > len("{}") {
		b[len(b)-1] = ','
		return chat.JSON(append(b, rest[1:]...))
	}
	return chat.JSON(b)
}

// status is the lowest of an album's messages, and else the message's own.
func status(m *chat.Message) chat.Status {
	if m.Content.Type != "albumMessage" {
		return m.Status
	}
	lowest := m.Status
	for _, p := range m.Parts {
		if !p.Gone && p.FromMe && p.Status < lowest {
			lowest = p.Status
		}
	}
	return lowest
}

// line renders a chat's line: a message, or what somebody added to it.
func line(c *chat.Chat, l chat.Line, m *chat.Message) chat.JSON {
	by := chat.JID(l.By)
	switch l.Kind {
	case chat.AddedReaction:
		r := m.Reactions[by]
		return added(c, by, r.Value.AddOn, "reactionMessage", map[string]chat.JSON{
			"key": key(c, m.ID, m.Content.FromMe, m.Content.Sender), "text": quote(r.Value.Text), "senderTimestampMs": long(r.At),
		})
	case chat.AddedVote:
		r := m.Votes[by]
		return added(c, by, r.Value.AddOn, "pollUpdateMessage", map[string]chat.JSON{
			"pollCreationMessageKey": key(c, m.ID, m.Content.FromMe, m.Content.Sender), "senderTimestampMs": long(r.At),
			"vote": selected(r.Value),
		})
	case chat.AddedComment:
		comment := m.Comments[l.By]
		return added(c, comment.By, comment.AddOn, "commentMessage", map[string]chat.JSON{
			"message": cmp.Or(comment.Message, "{}"), "targetMessageKey": key(c, m.ID, m.Content.FromMe, m.Content.Sender),
		})
	}
	return info(c, m, saidOf(c, m), true)
}

// added is the WebMessageInfo of what was added to a message.
func added(c *chat.Chat, by chat.JID, a chat.AddOn, kind string, content map[string]chat.JSON) chat.JSON {
	return object(map[string]chat.JSON{
		"key":              key(c, a.ID, a.FromMe, by),
		"message":          object(map[string]chat.JSON{kind: object(content)}),
		"messageTimestamp": long(a.Time),
	})
}

func key(c *chat.Chat, id string, fromMe bool, sender chat.JID) chat.JSON {
	b := appendField(nil, '{', "fromMe", boolean(fromMe))
	b = appendField(b, ',', "id", quote(id))
	if c.JID.Kind() != chat.Private && !fromMe && sender != c.JID {
		b = appendField(b, ',', "participant", quote(string(sender)))
	}
	b = appendField(b, ',', "remoteJid", quote(string(c.JID)))
	return chat.JSON(append(b, '}'))
}

// array writes what is told of each key, in their order, as a list; what is "" is left out.
func array[K cmp.Ordered, V any](of map[K]V, tell func(K, V) chat.JSON) chat.JSON {
	b := []byte{'['}
	for _, k := range slices.Sorted(maps.Keys(of)) {
		value := tell(k, of[k])
		if value == "" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, value...)
	}
	return chat.JSON(append(b, ']'))
}

func userReceipts(m *chat.Message) chat.JSON {
	return array(m.Receipts, func(jid chat.JID, r chat.Receipt) chat.JSON {
		b := appendField(nil, '{', "playedTimestamp", long(r.Played))
		b = appendField(b, ',', "readTimestamp", long(r.Read))
		b = appendField(b, ',', "receiptTimestamp", long(r.Received))
		b = appendField(b, ',', "userJid", quote(string(jid)))
		return chat.JSON(append(b, '}'))
	})
}

func reactions(c *chat.Chat, m *chat.Message) chat.JSON {
	return array(m.Reactions, func(by chat.JID, r chat.Register[chat.Reaction]) chat.JSON {
		if r.Value.Text == "" {
			return "" // taken back
		}
		b := appendField(nil, '{', "key", key(c, r.Value.ID, r.Value.FromMe, by))
		b = appendField(b, ',', "senderTimestampMs", long(r.At))
		b = appendField(b, ',', "text", quote(r.Value.Text))
		return chat.JSON(append(b, '}'))
	})
}

func votes(c *chat.Chat, m *chat.Message) chat.JSON {
	return array(m.Votes, func(by chat.JID, r chat.Register[chat.Vote]) chat.JSON {
		if r.Value.Options == "" {
			return ""
		}
		b := appendField(nil, '{', "pollUpdateMessageKey", key(c, r.Value.ID, r.Value.FromMe, by))
		b = appendField(b, ',', "senderTimestampMs", long(r.At))
		b = appendField(b, ',', "vote", selected(r.Value))
		return chat.JSON(append(b, '}'))
	})
}

// selected is a PollVoteMessage.
func selected(v chat.Vote) chat.JSON {
	b := []byte(`{"selectedOptions":[`)
	for i, hash := range strings.Fields(v.Options) {
		if i > 0 {
			b = append(b, ',')
		}
		raw, _ := hex.DecodeString(hash)
		b = append(b, '"')
		b = append(base64.StdEncoding.AppendEncode(b, raw), '"')
	}
	return chat.JSON(append(b, "]}"...))
}

// options are a poll's, those that others added behind its own.
func options(m *chat.Message) []string {
	all := slices.Clone(m.Content.Options)
	for _, option := range slices.Sorted(maps.Keys(m.Options)) {
		if !slices.Contains(all, option) {
			all = append(all, option)
		}
	}
	return all
}

// results says for each option of a poll who voted for it.
func results(m *chat.Message) chat.JSON {
	if len(m.Content.Options) == 0 || m.Content.Message == "{}" {
		return ""
	}
	b := []byte{'['}
	for i, option := range options(m) {
		sum := sha256.Sum256([]byte(option))
		hash := hex.EncodeToString(sum[:])
		var voters []chat.JID
		for _, by := range slices.Sorted(maps.Keys(m.Votes)) {
			if slices.Contains(strings.Fields(m.Votes[by].Value.Options), hash) {
				voters = append(voters, by)
			}
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, '{', "name", quote(option))
		b = appendField(b, ',', "voters", list(voters))
		b = append(b, '}')
	}
	return chat.JSON(append(b, ']'))
}

func answers(c *chat.Chat, m *chat.Message) chat.JSON {
	return array(m.Answers, func(by chat.JID, r chat.Register[chat.Answer]) chat.JSON {
		response := map[string]chat.JSON{"response": quote(r.Value.Response), "timestampMs": long(r.At)}
		if r.Value.Guests != 0 {
			response["extraGuestCount"] = number(int64(r.Value.Guests))
		}
		b := appendField(nil, '{', "eventResponseMessage", object(response))
		b = appendField(b, ',', "eventResponseMessageKey", key(c, r.Value.ID, r.Value.FromMe, by))
		b = appendField(b, ',', "timestampMs", long(r.At))
		return chat.JSON(append(b, '}'))
	})
}

// parts are the messages that show inside of m.
func parts(c *chat.Chat, m *chat.Message) chat.JSON {
	ids := slices.SortedFunc(maps.Keys(m.Parts), func(a, b string) int {
		x, y := m.Parts[a], m.Parts[b]
		return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Order, y.Order), cmp.Compare(a, b))
	})
	b := []byte{'['}
	for _, id := range ids {
		p := m.Parts[id]
		if p.Gone {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		said, kind, body := cmp.Or(p.Message, "{}"), p.Type, p.Body
		if p.Edit.Message != "" {
			said, kind = patched(said, kind, &p.Edit)
			body = p.Edit.Body
		}
		b = appendField(b, '{', "body", quote(body))
		b = appendField(b, ',', "id", quote(id))
		b = appendField(b, ',', "key", key(c, id, p.FromMe, p.Sender))
		b = appendField(b, ',', "message", said)
		b = appendField(b, ',', "messageTimestamp", long(p.Time))
		if p.Status != chat.NoStatus {
			b = appendField(b, ',', "status", quote(p.Status.String()))
		}
		b = appendField(b, ',', "type", quote(kind))
		b = append(b, '}')
	}
	return chat.JSON(append(b, ']'))
}

func kept(c *chat.Chat, m *chat.Message) chat.JSON {
	if len(m.Keeps) == 0 {
		return ""
	}
	newest := chat.Register[bool]{}
	for _, keep := range m.Keeps {
		newest.Join(keep)
	}
	kind := `"UNDO_KEEP_FOR_ALL"`
	if m.IsKept() {
		kind = `"KEEP_FOR_ALL"`
	}
	return object(map[string]chat.JSON{
		"clientTimestampMs": long(newest.At), "keepType": chat.JSON(kind),
		"key": key(c, m.ID, m.Content.FromMe, m.Content.Sender),
	})
}

func pinned(c *chat.Chat, m *chat.Message) chat.JSON {
	pin := m.Pin.Value
	if !pin.Pinned {
		return ""
	}
	fields := map[string]chat.JSON{
		"key": key(c, m.ID, m.Content.FromMe, m.Content.Sender), "senderTimestampMs": long(m.Pin.At), "type": `"PIN_FOR_ALL"`,
	}
	if pin.Seconds != 0 {
		fields["messageAddOnContextInfo"] = object(map[string]chat.JSON{"messageAddOnDurationInSecs": number(pin.Seconds)})
	}
	return object(fields)
}
