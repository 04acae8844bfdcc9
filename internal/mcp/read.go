package mcp

import (
	"context"
	"net/url"
	"strconv"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// filters select chats, as getChats does.
type filters struct {
	Kind     string `json:"type,omitempty" jsonschema:"private, group, newsletter or broadcast"`
	Name     string `json:"name,omitempty" jsonschema:"part of the chat's name, in any case"`
	Unread   *bool  `json:"unread,omitempty" jsonschema:"true: only with unread messages; false: only without"`
	Archived *bool  `json:"archived,omitempty"`
	Muted    *bool  `json:"muted,omitempty"`
	Pinned   *bool  `json:"pinned,omitempty"`
	IdleDays int    `json:"idleDays,omitempty" jsonschema:"without any activity for so many days"`
	Label    string `json:"label,omitempty" jsonschema:"id of a label"`
}

func (f filters) params() url.Values {
	p := url.Values{}
	set(p, "type", f.Kind)
	set(p, "name", f.Name)
	set(p, "label", f.Label)
	for name, v := range map[string]*bool{"unread": f.Unread, "archived": f.Archived, "muted": f.Muted, "pinned": f.Pinned} {
		if v != nil {
			p.Set(name, strconv.FormatBool(*v))
		}
	}
	if f.IdleDays != 0 {
		p.Set("idleDays", strconv.Itoa(f.IdleDays))
	}
	return p
}

func set(p url.Values, name, value string) {
	if value != "" {
		p.Set(name, value)
	}
}

// paged are what pages of an answer take.
type paged struct {
	Limit  int    `json:"limit,omitempty" jsonschema:"how many, 1 to 100; 30 without it"`
	Cursor string `json:"cursor,omitempty" jsonschema:"nextCursor of the answer before, to go on"`
}

// most that an answer lists, and how many unless said.
const (
	maxListed = 100
	usual     = 30
)

func (g paged) into(p url.Values) {
	limit := g.Limit
	if limit == 0 {
		limit = usual
	}
	p.Set("limit", strconv.Itoa(min(limit, maxListed)))
	set(p, "cursor", g.Cursor)
}

// fresh says how far stored things can be believed.
type fresh struct {
	State string `json:"state" jsonschema:"of the link to WhatsApp: CONNECTED, or why nothing new comes"`
	AsOf  string `json:"asOf,omitempty" jsonschema:"when something was heard of WhatsApp last"`
}

// told is what answers of stored things have.
type told struct {
	State  string  `json:"state"`
	AsOf   *string `json:"asOf"`
	Cursor string  `json:"nextCursor"`
	Since  string  `json:"nextSince"`
	More   bool    `json:"more"`
}

func (t told) fresh() fresh {
	f := fresh{State: short(t.State, maxName)}
	if t.AsOf != nil {
		f.AsOf = short(*t.AsOf, maxName)
	}
	return f
}

type chatsIn struct {
	filters
	paged
}

type chatsOut struct {
	Chats  []chatLine `json:"chats"`
	Cursor string     `json:"nextCursor,omitempty" jsonschema:"there are more: give it as cursor"`
	Since  string     `json:"nextSince,omitempty" jsonschema:"for whats_new"`
	fresh
}

func (s *Server) listChats(ctx context.Context, _ *sdk.CallToolRequest, in chatsIn) (*sdk.CallToolResult, chatsOut, error) {
	p := in.params()
	in.into(p)
	var a struct {
		told
		Results []chatDocument `json:"results"`
	}
	if _, err := s.call(ctx, "getChats", p, "", &a); err != nil {
		return nil, chatsOut{}, err
	}
	lines := chatLines(a.Results)
	return nil, fit(func(text int) chatsOut {
		return chatsOut{Chats: within(lines, text, chatLine.within), Cursor: a.Cursor, Since: a.Since, fresh: a.fresh()}
	}), nil
}

func chatLines(all []chatDocument) []chatLine {
	lines := make([]chatLine, len(all))
	for i := range all {
		lines[i] = all[i].shown()
	}
	return lines
}

type conversationIn struct {
	Chat  string `json:"chat" jsonschema:"field chat of list_chats, or a phone number"`
	Since string `json:"since,omitempty" jsonschema:"nextSince of an earlier answer: only what has changed of this chat since then"`
	paged
}

type conversationOut struct {
	Chat     string   `json:"chat"`
	Messages []line   `json:"messages" jsonschema:"oldest first"`
	Deleted  []string `json:"deleted,omitempty" jsonschema:"ids of messages that are no more, of since"`
	Cursor   string   `json:"nextCursor,omitempty" jsonschema:"there are older ones: give it as cursor"`
	Since    string   `json:"nextSince,omitempty"`
	More     bool     `json:"more,omitempty" jsonschema:"more has changed: go on with nextSince at once"`
	fresh
}

func (s *Server) readConversation(
	ctx context.Context, _ *sdk.CallToolRequest, in conversationIn,
) (*sdk.CallToolResult, conversationOut, error) {
	p := url.Values{"phone": {in.Chat}}
	in.into(p)
	set(p, "since", in.Since)
	var a struct {
		told
		Query   struct{ To string } `json:"query"`
		Results []document          `json:"results"`
		Deleted []string            `json:"deleted"`
	}
	if _, err := s.call(ctx, "fetchMessageById", p, "", &a); err != nil {
		return nil, conversationOut{}, err
	}
	lines := make([]line, len(a.Results))
	for i := range a.Results {
		lines[i] = a.Results[i].shown()
	}
	return nil, fit(func(text int) conversationOut {
		return conversationOut{
			Chat: jid(a.Query.To), Messages: within(lines, text, line.within), Deleted: a.Deleted, Cursor: a.Cursor,
			Since: a.Since, More: a.More, fresh: a.fresh(),
		}
	}), nil
}

type newIn struct {
	Since string `json:"since,omitempty" jsonschema:"nextSince of an earlier answer; without it the answer only has a nextSince to begin with"`
	Limit int    `json:"limit,omitempty" jsonschema:"how many changes, 1 to 100; 30 without it"`
	Wait  int    `json:"waitSeconds,omitempty" jsonschema:"where nothing is new, wait for it up to so many seconds, at most 20"`
}

type newOut struct {
	Chats   []chatLine `json:"chats" jsonschema:"chats that have changed, as they are now"`
	Deleted []string   `json:"deleted,omitempty" jsonschema:"chats that are no more"`
	Cleared []string   `json:"cleared,omitempty" jsonschema:"chats that were emptied"`
	Since   string     `json:"nextSince" jsonschema:"for the next call"`
	More    bool       `json:"more,omitempty" jsonschema:"more has changed: call again at once"`
	fresh
}

// longest that a call waits.
const longest = 20

func (s *Server) whatsNew(ctx context.Context, _ *sdk.CallToolRequest, in newIn) (*sdk.CallToolResult, newOut, error) {
	var a struct {
		told
		Results []chatDocument `json:"results"`
		Deleted []string       `json:"deleted"`
		Cleared []string       `json:"cleared"`
	}
	if in.Since == "" || in.Wait > 0 { // the feed itself knows where it is, and waits
		p := url.Values{"limit": {"1"}}
		set(p, "since", in.Since)
		if in.Since != "" {
			p.Set("wait", strconv.Itoa(min(max(in.Wait, 0), longest)))
		}
		var feed struct {
			told
			Results []struct{} `json:"results"`
		}
		if _, err := s.call(ctx, "getChanges", p, "", &feed); err != nil {
			return nil, newOut{}, err
		}
		if len(feed.Results) == 0 {
			return nil, newOut{Chats: []chatLine{}, Since: feed.Since, fresh: feed.fresh()}, nil
		}
	}
	p := url.Values{"since": {in.Since}}
	paged{Limit: in.Limit}.into(p)
	if _, err := s.call(ctx, "getChats", p, "", &a); err != nil {
		return nil, newOut{}, err
	}
	lines := chatLines(a.Results)
	return nil, fit(func(text int) newOut {
		return newOut{
			Chats: within(lines, text, chatLine.within), Deleted: a.Deleted, Cleared: a.Cleared, Since: a.Since, More: a.More,
			fresh: a.fresh(),
		}
	}), nil
}
