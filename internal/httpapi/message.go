package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pesan/internal/chat"
)

// GetMessage shows one message of a chat.
func GetMessage(d Deps) Endpoint {
	return Endpoint{
		Name: "getMessage", Group: OfChats, Methods: reading, Needs: []Port{Messages}, begin: getMessage(d.Messages),
		Params: []string{"phone", "id"}, Example: []string{"phone={phone}", "id={message}"},
	}
}

func getMessage(messages chat.MessageReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		found, id, err := c.one(ctx, messages)
		if err != nil {
			return nil, err
		}
		c.foundMessage(found.Chat, id)
		c.out = append(c.out, found.Messages[0].Document...)
		return fresh(""), nil
	}
}

// one finds the message that the parameters phone and id name.
func (c *call) one(ctx context.Context, messages chat.MessageReader) (found chat.Conversation, id string, err error) {
	address, err := c.phone()
	if err != nil {
		return found, "", err
	}
	if id, err = c.message(); err != nil {
		return found, "", err
	}
	found, err = lookup(address, func(jid chat.JID) (chat.Conversation, error) {
		return messages.Message(ctx, c.claimed, jid, id, c.now)
	})
	return found, id, err
}

// foundMessage starts the answer about one message.
func (c *call) foundMessage(jid chat.JID, id string) {
	c.target = jid.Echo()
	c.out = append(c.out, `{"code":200,"query":`...)
	c.json(query{ID: id, To: c.target})
	c.out = append(c.out, `,"results":`...)
}

// GetPoll shows how a poll stands.
func GetPoll(d Deps) Endpoint {
	return Endpoint{
		Name: "getPoll", Group: OfChats, Methods: reading, Needs: []Port{Messages}, begin: getPoll(d.Messages),
		Params: []string{"phone", "id"}, Example: []string{"phone={pollChat}", "id={poll}"},
	}
}

// poll is how a poll stands.
type poll struct {
	Question   string       `json:"question"`
	Selectable int          `json:"selectable"` // how many options a person may choose; 0: any number
	Voters     int          `json:"voters"`
	Options    []pollOption `json:"options"`
}

type pollOption struct {
	Name   string  `json:"name"`
	Votes  int     `json:"votes"`
	Voters []voter `json:"voters"`
}

type voter struct {
	JID string  `json:"id"`
	At  *string `json:"votedAt,omitempty"`
}

func getPoll(messages chat.MessageReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		found, id, err := c.one(ctx, messages)
		if err != nil {
			return nil, err
		}
		p, ok, err := pollOf(found.Messages[0].Document)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, wrong(chat.InvalidParameter, "id", "id sebuah polling; pesan ini bukan polling",
				"the id of a poll; this message is none")
		}
		c.foundMessage(found.Chat, id)
		c.json(p)
		return fresh(""), nil
	}
}

// pollOf reads a poll from its message's document; ok is false where that is none.
func pollOf(document chat.JSON) (p poll, ok bool, err error) {
	var m struct {
		Body    string `json:"body"`
		Type    string `json:"type"`
		Message map[string]json.RawMessage
		Results []struct {
			Name   string
			Voters []string
		} `json:"pollResults"`
		Updates []struct {
			Key struct {
				Participant, RemoteJID string
				FromMe                 bool
			} `json:"pollUpdateMessageKey"`
			At json.Number `json:"senderTimestampMs"`
		} `json:"pollUpdates"`
		Sender string
	}
	if err := json.Unmarshal([]byte(document), &m); err != nil {
		return p, false, fmt.Errorf("read poll: %w", err)
	}
	if !strings.HasPrefix(m.Type, "pollCreationMessage") || m.Results == nil {
		return p, false, nil
	}
	p.Question, p.Selectable = m.Body, selectable(m.Message, 0)
	voted, all := map[string]*string{}, map[string]bool{}
	for _, u := range m.Updates {
		if ms, err := strconv.ParseInt(u.At.String(), 10, 64); err == nil && !u.Key.FromMe {
			voted[cmp.Or(u.Key.Participant, u.Key.RemoteJID)] = moment(time.UnixMilli(ms))
		}
	}
	for _, option := range m.Results {
		o := pollOption{Name: option.Name, Votes: len(option.Voters), Voters: []voter{}}
		for _, by := range option.Voters {
			o.Voters = append(o.Voters, voter{by, voted[by]})
			all[by] = true
		}
		p.Options = append(p.Options, o)
	}
	p.Voters = len(all)
	return p, true, nil
}

// maxWrapped bounds how deep a message is looked for in others.
const maxWrapped = 5

// selectable is how many options of a poll a person may choose, wherever in the message the poll stands.
func selectable(message map[string]json.RawMessage, depth int) int {
	for name, inner := range message {
		var poll struct {
			Selectable int `json:"selectableOptionsCount"`
			Message    map[string]json.RawMessage
		}
		if depth > maxWrapped || json.Unmarshal(inner, &poll) != nil {
			continue
		}
		if strings.HasPrefix(name, "pollCreationMessage") && poll.Message == nil {
			return poll.Selectable
		}
		if n := selectable(poll.Message, depth+1); n > 0 {
			return n
		}
	}
	return 0
}

// GetGroup shows a group with its members.
func GetGroup(d Deps) Endpoint {
	return Endpoint{
		Name: "getGroup", Group: OfChats, Methods: reading, Needs: []Port{Chats}, begin: getGroup(d.Chats), large: true,
		Params: []string{"phone"}, Example: []string{"phone={group}"},
	}
}

// group is what is known of one.
type group struct {
	ID          chat.JID `json:"id"`
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	CreatedAt   *string  `json:"createdAt,omitempty"`
	CreatedBy   string   `json:"createdBy,omitempty"`
	ReadOnly    bool     `json:"readOnly"` // the account is no member any more, or the group has ended
	Members     []member `json:"participants"`
}

type member struct {
	ID    chat.JID  `json:"id"`
	Rank  chat.Rank `json:"rank"`
	Since *string   `json:"since,omitempty"`
}

func getGroup(chats chat.ChatReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		if address.Own.Kind() != chat.Group {
			return nil, wrong(chat.InvalidParameter, "phone", "JID grup, seperti 120363041234567890@g.us",
				"a group's JID, such as 120363041234567890@g.us")
		}
		state, err := lookup(address, func(jid chat.JID) (chat.Chat, error) { return chats.State(ctx, c.claimed, jid) })
		if err != nil {
			return nil, err
		}
		c.found(state.JID)
		c.json(groupOf(&state))
		return fresh(""), nil
	}
}

func groupOf(s *chat.Chat) group {
	g := group{ID: s.JID, Name: s.Name(), Members: []member{}, ReadOnly: s.Fields["readOnly"].Value == "true"}
	field := func(name string, into any) { _ = json.Unmarshal([]byte(s.Fields[name].Value), into) } // absent: it stays as it is
	var created struct{ Low, High int64 }
	field("description", &g.Description)
	field("createdBy", &g.CreatedBy)
	if field("createdAt", &created); created.Low != 0 || created.High != 0 {
		g.CreatedAt = moment(time.Unix(created.High<<32|created.Low&0xFFFFFFFF, 0))
	}
	for jid, rank := range s.Members {
		if rank.Value == chat.RankLeft {
			continue
		}
		m := member{ID: jid, Rank: rank.Value}
		if since := s.Since[jid].Value; since > 0 {
			m.Since = moment(time.Unix(since, 0))
		}
		g.Members = append(g.Members, m)
	}
	order := []chat.Rank{chat.RankSuperAdmin, chat.RankAdmin, chat.RankMember}
	slices.SortFunc(g.Members, func(a, b member) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Rank), slices.Index(order, b.Rank)), cmp.Compare(a.ID, b.ID))
	})
	return g
}
