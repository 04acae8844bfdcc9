package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// GetChats lists the chats, newest activity first.
func GetChats(d Deps) Endpoint {
	return Endpoint{
		Name: "getChats", Group: OfChats, Methods: reading, Needs: []Port{Chats}, large: true,
		begin:  unlessSame(d.Feed, nil, getChats(d.Chats, d.Feed)),
		Params: append(filterParams(), "limit", "cursor", "since"),
	}
}

func getChats(chats chat.ChatReader, feed chat.Deltas) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		filter, err := c.filter()
		if err != nil {
			return nil, err
		}
		page, since, follows, err := c.pageOrSince(0)
		if err != nil {
			return nil, err
		}
		if follows {
			return c.chatsSince(ctx, feed, since, filter, page.Limit)
		}
		at, err := c.end(ctx, feed)
		if err != nil {
			return nil, err
		}
		c.out = append(c.out, `{"code":200,"results":[`...)
		next, until, err := c.list(ctx, chats, filter, page)
		if err != nil {
			return nil, err
		}
		c.out = append(c.out, ']')
		end := followed(at, next, until, page.Cursor == "" && next == "" && !filter.Timed(), c.now)
		if filter.Timed() {
			end.tag = nil
		}
		return end.finish, nil
	}
}

// deltaStep is how many entries of the feed an answer tells unless the client says so.
const deltaStep = 1000

// chatsSince answers what has changed.
func (c *call) chatsSince(ctx context.Context, feed chat.Deltas, since chat.Position, f chat.Filter, limit int) (finish, error) {
	limit = cmp.Or(limit, deltaStep)
	mark := len(c.out)
	var d chat.ChatDelta
	for {
		var err error
		if d, err = feed.ChatsSince(ctx, c.claimed, since, f, limit, c.now); err != nil {
			return nil, err
		}
		c.out = append(c.out[:mark], `{"code":200,"results":[`...)
		for i := range d.Views {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			c.out = render.AppendChat(c.out, &d.Views[i], render.Listed, c.now)
		}
		if weight(c.out) <= c.max || limit == 1 {
			break
		}
		limit = (limit + 1) / 2
	}
	c.out = append(c.out, ']')
	c.ids("deleted", d.Gone)
	c.ids("cleared", d.Cleared)
	return ending{since: d.Next.String(), more: d.More}.finish, nil
}

// GetChatByID shows one chat.
func GetChatByID(d Deps) Endpoint {
	return Endpoint{
		Name: "getChatById", Group: OfChats, Methods: reading, Needs: []Port{Chats},
		begin:  unlessSame(d.Feed, sameChat(d.Feed), getChatByID(d.Chats)),
		Params: []string{"phone"}, Example: []string{"phone={phone}"},
	}
}

func getChatByID(chats chat.ChatReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		view, err := lookup(address, func(jid chat.JID) (chat.View, error) { return chats.WholeChat(ctx, c.claimed, jid) })
		if err != nil {
			return nil, err
		}
		c.found(view.JID)
		c.out = render.AppendChat(c.out, &view, render.Single, c.now)
		return ending{tag: &chat.Position{Seq: view.Seq, At: c.now, Until: view.Until(c.now)}}.finish, nil
	}
}

// sameChat tells whether a chat is as it was when it had changed last by the position.
func sameChat(feed chat.Deltas) func(context.Context, *call, chat.Position) (bool, error) {
	return func(ctx context.Context, c *call, has chat.Position) (bool, error) {
		address, err := c.phone()
		if err != nil {
			return false, err
		}
		view, err := lookup(address, func(jid chat.JID) (chat.View, error) { return feed.Glance(ctx, c.claimed, jid) })
		c.target = view.JID.Echo()
		return err == nil && has.Seq != 0 && view.Seq == has.Seq, err
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
func fresh(next string) finish { return ending{next: next}.finish }

// ending is how an answer of stored things ends.
type ending struct {
	next  string         // cursor of what follows; "": nothing
	tag   *chat.Position // the answer's entity tag is made of; nil: it has none
	since string         // where to follow the feed from; "": nowhere
	more  bool           // there is more to follow at once
}

func (e ending) finish(_ context.Context, c *call, a chat.Account) (int, error) {
	c.out = append(c.out, `,"asOf":`...)
	c.json(moment(a.AsOf))
	c.out = append(c.out, `,"state":`...)
	c.json(a.State)
	if e.next != "" {
		c.out = append(c.out, `,"nextCursor":`...)
		c.json(e.next)
	}
	if e.more {
		c.out = append(c.out, `,"more":true`...)
	}
	if e.since != "" {
		c.out = append(c.out, `,"nextSince":`...)
		c.json(e.since)
	}
	c.out = append(c.out, '}')
	if e.tag != nil {
		c.etag = c.tag(*e.tag, a)
	}
	return http.StatusOK, nil
}

// followed ends an answer that was read at a position, and that holds by itself until a moment. Where whole is false, what isn't
// in it may change by itself too.
func followed(at chat.Position, next string, until int64, whole bool, now time.Time) ending {
	tag, since := at, at
	tag.Until, since.Until = until, until
	if !whole {
		since.Until = now.Unix()
	}
	return ending{next: next, tag: &tag, since: since.String()}
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
		return f, wrong(chat.InvalidParameter, "type", "private, group, newsletter atau broadcast",
			"private, group, newsletter or broadcast")
	}
	for _, flag := range []struct {
		name string
		into **bool
	}{{"unread", &f.Unread}, {"archived", &f.Archived}, {"muted", &f.Muted}, {"pinned", &f.Pinned}} {
		if *flag.into, err = c.flag(flag.name); err != nil {
			return f, err
		}
	}
	idle, err := c.between("idleDays", 1, chat.MaxIdleDays, 0,
		wrong(chat.InvalidParameter, "idleDays", "bilangan bulat dari 1 sampai 10000", "a whole number from 1 to 10000"))
	if err != nil {
		return f, err
	}
	f.IdleDays = int(idle)
	if f.Name, err = c.named(); err != nil {
		return f, err
	}
	f.Label, err = c.label()
	return f, err
}

// listStep is how many chats are asked for at once.
const listStep = 1000

// list appends chats, all where the page has no limit, as far as the answer holds them, and returns where they go on, and until
// when they are as they are.
func (c *call) list(
	ctx context.Context, chats chat.ChatReader, f chat.Filter, p chat.Page,
) (next string, until int64, err error) {
	written, room := 0, c.max-weight(c.out)
	ask := listStep
	for {
		if p.Limit > 0 {
			ask = min(ask, p.Limit-written)
		}
		views, next, err := chats.Chats(ctx, c.claimed, f, chat.Page{Limit: ask, Cursor: p.Cursor}, c.now)
		if err != nil {
			return "", 0, err
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
			until = chat.Sooner(until, views[i].Until(c.now))
			fit++
		}
		if fit < len(views) {
			if fit == 0 {
				return p.Cursor, until, nil
			}
			// Only the store knows the cursor that goes on from here, so it is asked for exactly what fits.
			c.out, ask = c.out[:start], fit
			continue
		}
		written, room, p.Cursor = written+fit, left, next
		if next == "" || written == p.Limit || ask < listStep {
			return next, until, nil
		}
	}
}
