package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"pesan/internal/chat"
)

// MuteChat mutes a chat, for some seconds or until it is unmuted.
func MuteChat(d Deps) Endpoint {
	return Endpoint{
		Name: "muteChat", Group: OfChats, Methods: changing, Needs: []Port{Chats, Commands}, begin: muteChat(d.Chats, d.commander()),
		Params: []string{"phone", "second"}, Example: []string{"phone={phone}", "second=3600"},
	}
}

func muteChat(chats chat.ChatReader, o commander) begin {
	return onChat(chats, o, chat.MuteCommand, func(to string) any { return done{"Anda berhasil mute " + to} })
}

// UnmuteChat ends a mute.
func UnmuteChat(d Deps) Endpoint {
	return Endpoint{
		Name: "unmuteChat", Group: OfChats, Methods: changing, Needs: []Port{Chats, Commands}, begin: unmuteChat(d.Chats, d.commander()),
		Params: []string{"phone"}, Example: []string{"phone={phone}"},
	}
}

func unmuteChat(chats chat.ChatReader, o commander) begin {
	return onChat(chats, o, chat.UnmuteCommand, func(to string) any { return done{"Anda berhasil unmute " + to} })
}

// ClearMessageByID deletes a chat's messages, on all the account's devices.
func ClearMessageByID(d Deps) Endpoint {
	return Endpoint{
		Name: "clearMessageById", Group: OfChats, Methods: changing, Needs: []Port{Chats, Commands}, begin: clearMessageByID(d.Chats, d.commander()),
		Params: []string{"phone", "starred"}, Example: []string{"phone={phone}", "starred=keep"},
	}
}

func clearMessageByID(chats chat.ChatReader, o commander) begin {
	return onChat(chats, o, chat.ClearCommand, func(string) any { return true })
}

type done struct {
	Message string `json:"message"`
}

// chatAnswer answers a command about a chat.
type chatAnswer struct {
	Code  int `json:"code"`
	Query struct {
		Seconds *string `json:"seconds,omitempty"` // of a mute; empty: until it is unmuted
		To      string  `json:"to"`
	} `json:"query"`
	Results any `json:"results"`
}

// onChat commands something about a chat that the account has.
func onChat(chats chat.ChatReader, o commander, kind chat.CommandKind, results func(to string) any) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		cmd := chat.Command{Kind: kind}
		if cmd.ID, err = c.commandID(); err != nil {
			return nil, err
		}
		var answer chatAnswer
		if kind == chat.MuteCommand {
			if cmd.Seconds, err = c.seconds(); err != nil {
				return nil, err
			}
			answer.Query.Seconds = secondsEcho(cmd.Seconds)
		}
		if kind == chat.ClearCommand {
			if cmd.Starred, err = c.starred(); err != nil {
				return nil, err
			}
		}
		view, err := lookup(address, func(jid chat.JID) (chat.View, error) { return chats.Chat(ctx, c.claimed, jid) })
		if err != nil {
			return nil, err
		}
		cmd.Chat, c.target = view.JID, view.JID.Echo()
		if cmd.Seconds > 0 && view.JID.Kind() == chat.Newsletter {
			return nil, &chat.Error{Code: chat.InvalidSecond} // a channel's mute has no end
		}
		if through := view.Through(); kind == chat.ClearCommand && through.Time > 0 {
			cmd.Through = &through
		}
		answer.Query.To = c.target
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if err := connected(a); err != nil && !o.earlier(ctx, a.ID, cmd.ID) {
				return 0, err
			}
			r, err := o.do(ctx, c, a, cmd)
			if err != nil {
				return 0, err
			}
			answer.Code, answer.Results = http.StatusOK, results(c.target)
			if r.State == chat.CommandPending {
				answer.Code, answer.Results = http.StatusAccepted, c.pending(r)
			}
			c.json(answer)
			return answer.Code, nil
		}, nil
	}
}

func secondsEcho(seconds int64) *string {
	s := ""
	if seconds > 0 {
		s = strconv.FormatInt(seconds, 10)
	}
	return &s
}
