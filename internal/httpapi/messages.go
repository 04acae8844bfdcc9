package httpapi

import (
	"context"
	"strings"

	"pesan/internal/chat"
)

// FetchMessageByID shows the newest messages of a chat, oldest first; the cursor leads to older ones.
func FetchMessageByID(d Deps) Endpoint {
	return Endpoint{
		Name: "fetchMessageById", Group: OfChats, Methods: reading, Needs: []Port{Messages}, large: true,
		begin:  unlessSame(d.Feed, nil, fetchMessageByID(d.Messages, d.Feed)),
		Params: []string{"phone", "limit", "cursor", "since"}, Example: []string{"phone={phone}", "limit=100"},
	}
}

func fetchMessageByID(messages chat.MessageReader, feed chat.Deltas) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		page, since, follows, err := c.pageOrSince(defaultLimit)
		if err != nil {
			return nil, err
		}
		if follows {
			return c.messagesSince(ctx, feed, address, since, page.Limit)
		}
		at, err := c.end(ctx, feed)
		if err != nil {
			return nil, err
		}
		conversation, err := lookup(address, func(jid chat.JID) (chat.Conversation, error) {
			return c.conversation(ctx, messages, jid, page)
		})
		if err != nil {
			return nil, err
		}
		c.found(conversation.Chat)
		c.messages(conversation.Messages)
		return followed(at, conversation.Next, conversation.Until(), true, c.now).finish, nil
	}
}

// messages appends their documents.
func (c *call) messages(messages []chat.MessageView) {
	separator := byte('[')
	for i := range messages {
		c.out = append(append(c.out, separator), messages[i].Document...)
		separator = ','
	}
	if separator == '[' {
		c.out = append(c.out, separator)
	}
	c.out = append(c.out, ']')
}

// messagesSince answers what has changed in a chat. Where that is too much for one answer, the client starts over.
func (c *call) messagesSince(
	ctx context.Context, feed chat.Deltas, address chat.Address, since chat.Position, limit int,
) (finish, error) {
	d, err := lookup(address, func(jid chat.JID) (chat.MessageDelta, error) {
		return feed.MessagesSince(ctx, c.claimed, jid, since, limit, c.now)
	})
	if err != nil {
		return nil, err
	}
	c.found(d.Chat)
	c.messages(d.Messages)
	if weight(c.out) > c.max {
		return nil, &chat.Error{Code: chat.SinceTooOld}
	}
	c.out = append(c.out, `,"deleted":`...)
	if d.Gone == nil {
		d.Gone = []string{}
	}
	c.json(d.Gone)
	if d.Complete {
		c.out = append(c.out, `,"complete":true`...)
	}
	return ending{next: d.Next, since: d.Position.String(), more: d.More}.finish, nil
}

// conversation reads as many of the newest messages as the answer holds, at least one.
func (c *call) conversation(
	ctx context.Context, messages chat.MessageReader, jid chat.JID, p chat.Page,
) (chat.Conversation, error) {
	for {
		v, err := messages.Messages(ctx, c.claimed, jid, p, c.now)
		if err != nil {
			return v, err
		}
		fit, room := 0, c.max
		for i := len(v.Messages) - 1; i >= 0; i-- {
			document := string(v.Messages[i].Document)
			if room -= len(document) + strings.Count(document, `"`) + strings.Count(document, `\`); room < 0 {
				break
			}
			fit++
		}
		if fit == len(v.Messages) || len(v.Messages) == 1 {
			return v, nil
		}
		// Only the store knows the cursor of what is older, so it is asked for exactly what fits.
		p.Limit = max(fit, 1)
	}
}
