package httpapi

import (
	"context"
	"strings"

	"pesan/internal/chat"
)

// FetchMessageByID shows the newest messages of a chat, oldest first; the cursor leads to older ones.
func FetchMessageByID(d Deps) Endpoint {
	return Endpoint{
		Name: "fetchMessageById", Group: OfChats, Methods: reading, Needs: []Port{Messages}, begin: fetchMessageByID(d.Messages), large: true,
		Params: []string{"phone", "limit", "cursor"}, Example: []string{"phone={phone}", "limit=100"},
	}
}

func fetchMessageByID(messages chat.MessageReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		page, err := c.page(defaultLimit)
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
		separator := byte('[')
		for i := range conversation.Messages {
			c.out = append(append(c.out, separator), conversation.Messages[i].Document...)
			separator = ','
		}
		if separator == '[' {
			c.out = append(c.out, separator)
		}
		c.out = append(c.out, ']')
		return fresh(conversation.Next), nil
	}
}

// conversation reads as many of the newest messages as the answer holds, at least one.
func (c *call) conversation(ctx context.Context, messages chat.MessageReader, jid chat.JID, p chat.Page) (chat.Conversation, error) {
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
