// Package render writes the vendor's documents of chats and messages, from what package chat knows of them. What WhatsApp's
// own messages say comes as JSON, which package wajson makes of protobufs; so a function may link this package.
//
// What a chat or message is doesn't depend on the moment of reading, and is rendered when it changes; what time changes is
// put in when it is read.
package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pesan/internal/chat"
)

// Form tells apart the two endpoints that show a chat.
type Form int

// The forms of a chat's document.
const (
	Listed Form = iota // in getChats, where conversationTimestamp is a Long
	Single             // in getChatById, where it is a number
)

// View renders the chat, and in it the lines that have changed.
func View(c *chat.Chat) chat.View {
	c.Last.Render(func(l chat.Line, m *chat.Message) chat.JSON { return line(c, l, m) })
	v := c.Outline()
	v.Last = chat.Line{ID: c.Last.ID, Time: c.Last.Time, Order: c.Last.Order, Expires: c.Last.Expires, Document: c.Last.Document}
	v.Document = document(c)
	return v
}

func document(c *chat.Chat) chat.JSON {
	unread, mentions := c.UnreadCount()
	fields := make(map[string]chat.JSON, len(c.Fields)+10)
	for name, field := range c.Fields {
		if field.Value != "" {
			fields[name] = field.Value
		}
	}
	fields["id"] = quote(string(c.JID))
	fields["archived"] = boolean(c.InArchive())
	fields["participant"] = participants(c.Members)
	fields["unreadCount"] = number(int64(unread))
	fields["unreadMentionCount"] = number(int64(mentions))
	if c.LID != "" {
		fields["lidJid"] = quote(string(c.LID))
	}
	if name := c.Name(); name != "" {
		fields["name"] = quote(name)
	}
	if c.Username.Value != "" {
		fields["username"] = quote(c.Username.Value)
	}
	if c.MarkedUnread.Set() {
		fields["markedAsUnread"] = boolean(c.Marked())
	}
	if labels := c.LabelIDs().List(); len(labels) > 0 {
		fields["labels"] = list(labels)
	}
	if c.Pin.Value != 0 {
		fields["pinned"] = number(c.Pin.Value)
	}
	if c.Received != 0 {
		fields["lastMessageRecvTimestamp"] = number(c.Received)
	}
	return object(fields)
}

// WithMembers puts members into the document of a chat that was rendered without any.
func WithMembers(document chat.JSON, members map[chat.JID]chat.Register[chat.Rank]) chat.JSON {
	const none = `"participant":[]`
	return chat.JSON(strings.Replace(string(document), none, strings.TrimSuffix(none, "[]")+string(participants(members)), 1))
}

func participants(members map[chat.JID]chat.Register[chat.Rank]) chat.JSON {
	b := []byte{'['}
	for _, jid := range slices.Sorted(maps.Keys(members)) {
		rank := members[jid].Value
		if rank == chat.RankLeft {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, `{"rank":`...)
		b = appendQuoted(b, string(rank))
		b = append(b, `,"userJid":`...)
		b = appendQuoted(b, string(jid))
		b = append(b, '}')
	}
	return chat.JSON(append(b, ']'))
}

// AppendChat writes a chat's document as it is at a moment.
func AppendChat(b []byte, v *chat.View, form Form, now time.Time) []byte {
	b = append(b, `{"conversationTimestamp":`...)
	if form == Listed {
		b = appendLong(b, uint64(v.Time))
	} else {
		b = strconv.AppendInt(b, v.Time, 10)
	}
	b = append(b, `,"messages":[`...)
	if last := v.Last.At(now); last != "" {
		b = append(b, `{"message":`...)
		b = append(b, last...)
		b = append(b, '}')
	}
	b = append(b, `],"muted":`...)
	muted := chat.MutedAt(v.MuteEnd, now)
	b = strconv.AppendBool(b, muted)
	if muted {
		b = append(b, `,"muteEndTime":`...)
		b = strconv.AppendInt(b, v.MuteEnd, 10)
	}
	b = append(b, ',')
	return append(b, v.Document[1:]...) // the document always has fields
}
