package httpapi

import (
	"context"
	"net/http"
	"time"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// GetChats lists the chats, newest activity first.
func GetChats(d Deps) Endpoint {
	return Endpoint{
		Name: "getChats", Group: OfChats, Methods: reading, Needs: []Port{Chats}, begin: getChats(d.Chats), large: true,
		Params: append(filterParams(), "limit", "cursor"),
	}
}

func getChats(chats chat.ChatReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		filter, err := c.filter()
		if err != nil {
			return nil, err
		}
		page, err := c.page(0)
		if err != nil {
			return nil, err
		}
		c.out = append(c.out, `{"code":200,"results":[`...)
		next, err := c.list(ctx, chats, filter, page)
		if err != nil {
			return nil, err
		}
		c.out = append(c.out, ']')
		return fresh(next), nil
	}
}

// GetChatByID shows one chat.
func GetChatByID(d Deps) Endpoint {
	return Endpoint{
		Name: "getChatById", Group: OfChats, Methods: reading, Needs: []Port{Chats}, begin: getChatByID(d.Chats),
		Params: []string{"phone"}, Example: []string{"phone={phone}"},
	}
}

func getChatByID(chats chat.ChatReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		view, err := lookup(address, func(jid chat.JID) (chat.View, error) { return chats.Chat(ctx, c.claimed, jid) })
		if err != nil {
			return nil, err
		}
		c.found(view.JID)
		c.out = render.AppendChat(c.out, &view, render.Single, c.now)
		return fresh(""), nil
	}
}

// found starts the answer about one chat.
func (c *call) found(jid chat.JID) {
	c.target = jid.Echo()
	c.out = append(c.out, `{"code":200,"query":{"to":`...)
	c.json(c.target)
	c.out = append(c.out, `},"results":`...)
}

// fresh ends an answer of stored things: it says how fresh they are, and where they go on.
func fresh(next string) finish {
	return func(_ context.Context, c *call, a chat.Account) (int, error) {
		c.out = append(c.out, `,"asOf":`...)
		c.json(moment(a.AsOf))
		c.out = append(c.out, `,"state":`...)
		c.json(a.State)
		if next != "" {
			c.out = append(c.out, `,"nextCursor":`...)
			c.json(next)
		}
		c.out = append(c.out, '}')
		return http.StatusOK, nil
	}
}

// moment is a time as answers give it: RFC 3339 in UTC with milliseconds; null for none.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z")
	return &s
}

// filterParams are the parameters that select chats.
func filterParams() []string {
	return []string{"type", "unread", "archived", "muted", "pinned", "idleDays", "name", "label"}
}

func (c *call) filter() (f chat.Filter, err error) {
	switch f.Kind = chat.Kind(c.params.get("type")); f.Kind {
	case "", chat.Private, chat.Group, chat.Newsletter, chat.Broadcast:
	default:
		return f, wrong(chat.InvalidParameter, "type", "private, group, newsletter atau broadcast", "private, group, newsletter or broadcast")
	}
	for _, flag := range []struct {
		name string
		into **bool
	}{{"unread", &f.Unread}, {"archived", &f.Archived}, {"muted", &f.Muted}, {"pinned", &f.Pinned}} {
		if *flag.into, err = c.flag(flag.name); err != nil {
			return f, err
		}
	}
	if text := c.params.number("idleDays"); text != "" {
		n, ok := whole(text)
		if !ok || n < 1 || n > chat.MaxIdleDays {
			return f, wrong(chat.InvalidParameter, "idleDays", "bilangan bulat dari 1 sampai 10000", "a whole number from 1 to 10000")
		}
		f.IdleDays = int(n)
	}
	if f.Name, err = c.named(); err != nil {
		return f, err
	}
	f.Label, err = c.label()
	return f, err
}

// listStep is how many chats are asked for at once.
const listStep = 1000

// list appends chats, all where the page has no limit, as far as the answer holds them, and returns where they go on.
func (c *call) list(ctx context.Context, chats chat.ChatReader, f chat.Filter, p chat.Page) (next string, err error) {
	written, room := 0, c.max-weight(c.out)
	ask := listStep
	for {
		if p.Limit > 0 {
			ask = min(ask, p.Limit-written)
		}
		views, next, err := chats.Chats(ctx, c.claimed, f, chat.Page{Limit: ask, Cursor: p.Cursor}, c.now)
		if err != nil {
			return "", err
		}
		start, left, fit := len(c.out), room, 0
		for i := range views {
			mark := len(c.out)
			if written+i > 0 {
				c.out = append(c.out, ',')
			}
			c.out = render.AppendChat(c.out, &views[i], render.Listed, c.now)
			if left -= weight(c.out[mark:]); left < 0 && written+i > 0 {
				c.out = c.out[:mark]
				break
			}
			fit++
		}
		if fit < len(views) {
			if fit == 0 {
				return p.Cursor, nil
			}
			// Only the store knows the cursor that goes on from here, so it is asked for exactly what fits.
			c.out, ask = c.out[:start], fit
			continue
		}
		written, room, p.Cursor = written+fit, left, next
		if next == "" || written == p.Limit || ask < listStep {
			return next, nil
		}
	}
}
