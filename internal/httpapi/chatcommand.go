package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"pesan/internal/chat"
)

// Each command about a chat is an endpoint of its own, so that a function links one alone. What it takes, does and answers is
// its row in the domain's table.

// MuteChat mutes a chat, for some seconds or until it is unmuted.
func MuteChat(d Deps) Endpoint { return chatCommand(d, chat.MuteCommand, "second=3600") }

// UnmuteChat ends a mute.
func UnmuteChat(d Deps) Endpoint { return chatCommand(d, chat.UnmuteCommand) }

// PinChat pins a chat to the top of the list.
func PinChat(d Deps) Endpoint { return pinned(chatCommand(d, chat.PinCommand)) }

// UnpinChat takes the pin off a chat.
func UnpinChat(d Deps) Endpoint { return pinned(chatCommand(d, chat.UnpinCommand)) }

// ArchiveChat puts a chat into the archive, and takes its pin off.
func ArchiveChat(d Deps) Endpoint { return chatCommand(d, chat.ArchiveCommand) }

// UnarchiveChat takes a chat out of the archive.
func UnarchiveChat(d Deps) Endpoint { return chatCommand(d, chat.UnarchiveCommand) }

// ReadChat marks a chat as read, and tells those who wrote so unless receipts are not wanted.
func ReadChat(d Deps) Endpoint { return chatCommand(d, chat.ReadCommand, "receipts=false") }

// UnreadChat marks a chat as unread.
func UnreadChat(d Deps) Endpoint { return chatCommand(d, chat.UnreadCommand) }

// StarMessage stars a message.
func StarMessage(d Deps) Endpoint { return chatCommand(d, chat.StarCommand, "id={message}") }

// UnstarMessage takes the star off a message.
func UnstarMessage(d Deps) Endpoint { return chatCommand(d, chat.UnstarCommand, "id={message}") }

// SetDisappearing sets after which time the messages of a chat disappear.
func SetDisappearing(d Deps) Endpoint { return chatCommand(d, chat.DisappearCommand, "seconds=604800") }

// ClearMessageByID deletes a chat's messages, on all the account's devices.
func ClearMessageByID(d Deps) Endpoint { return chatCommand(d, chat.ClearCommand, "starred=keep") }

// DeleteChat deletes a chat with its messages, on all the account's devices.
func DeleteChat(d Deps) Endpoint { return chatCommand(d, chat.DeleteChatCommand) }

// FetchOlder asks the phone for messages before those that are here.
func FetchOlder(d Deps) Endpoint { return rowCommand(d, chat.OlderRow(), "limit=50") }

func chatCommand(d Deps, kind chat.CommandKind, example ...string) Endpoint {
	row, _ := chat.ChatCommandOf(kind)
	return rowCommand(d, row, example...)
}

func rowCommand(d Deps, row chat.ChatCommand, example ...string) Endpoint {
	return Endpoint{
		Name: row.Endpoint, Group: OfChats, Methods: changing, Needs: []Port{Chats, Commands},
		begin:  onChat(d.Chats, d.commander(), row),
		Params: append([]string{"phone"}, row.Takes...), Example: append([]string{"phone={phone}"}, example...),
	}
}

// pinned has the example be of a chat that is pinned: for another one there may be no room.
func pinned(e Endpoint) Endpoint {
	e.Example[0] = "phone={pinned}"
	return e
}

type done struct {
	Message string `json:"message"`
}

// query is what an answer says that was asked about.
type query struct {
	ID      string  `json:"id,omitempty"`      // of a message
	Seconds *string `json:"seconds,omitempty"` // of a mute, empty until it is unmuted; of disappearing messages, 0 never
	To      string  `json:"to"`
}

// onChat commands something about a chat that the account has.
func onChat(chats chat.ChatReader, o commander, row chat.ChatCommand) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		cmd := chat.Command{Kind: row.Kind}
		if cmd.ID, err = c.commandID(); err != nil {
			return nil, err
		}
		for _, name := range row.Takes {
			if err := c.take(name, &cmd); err != nil {
				return nil, err
			}
		}
		echo := query{ID: cmd.Message}
		switch row.Kind {
		case chat.MuteCommand:
			echo.Seconds = secondsEcho(cmd.Seconds)
		case chat.DisappearCommand:
			echo.Seconds = new(strconv.FormatInt(cmd.Seconds, 10))
		}
		view, err := lookup(address, func(jid chat.JID) (chat.View, error) { return chats.Chat(ctx, c.claimed, jid) })
		if chat.CodeOf(err) == chat.ChatNotFound { // the command may have been the chat's end
			if r, known := o.about(ctx, c.claimed, cmd.ID); known && slices.Contains(address.JIDs, r) {
				view, err = chat.View{JID: r}, nil
			}
		}
		if err != nil {
			return nil, err
		}
		cmd.Chat, c.target = view.JID, view.JID.Echo()
		if row.Kind == chat.MuteCommand && cmd.Seconds > 0 && view.JID.Kind() == chat.Newsletter {
			return nil, &chat.Error{Code: chat.InvalidSecond} // a channel's mute has no end
		}
		if through := view.Through(); row.Ranged && through.Time > 0 {
			cmd.Through = &through
		}
		echo.To = c.target
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if err := connected(a); err != nil && !o.earlier(ctx, a.ID, cmd.ID) {
				return 0, err
			}
			r, err := o.do(ctx, c, a, cmd)
			if err != nil {
				return 0, err
			}
			reply := answer{Code: http.StatusOK, Query: echo, Results: true}
			if row.Act != "" {
				reply.Results = done{"Anda berhasil " + row.Act + " " + c.target}
			}
			if r.State == chat.CommandPending {
				reply.Code, reply.Results = http.StatusAccepted, c.pending(r)
			}
			c.json(reply)
			return reply.Code, nil
		}, nil
	}
}

// take reads one of the parameters that commands about a chat take.
func (c *call) take(name string, cmd *chat.Command) (err error) {
	switch name {
	case chat.TakesSecond:
		cmd.Seconds, err = c.seconds()
	case chat.TakesSeconds:
		cmd.Seconds, err = c.disappearAfter()
	case chat.TakesStarred:
		cmd.Starred, err = c.starred()
	case chat.TakesReceipts:
		var give *bool
		give, err = c.flag(name)
		cmd.Quiet = give != nil && !*give
	case chat.TakesLimit:
		cmd.Limit, err = c.olderLimit()
	case chat.TakesID:
		cmd.Message, err = c.message()
	default:
		err = &chat.Error{Code: chat.Internal}
	}
	return err
}

// about is the chat of an earlier command with this id.
func (o commander) about(ctx context.Context, account, id string) (jid chat.JID, known bool) {
	if id == "" {
		return "", false
	}
	r, err := o.commands.Command(ctx, account, id)
	return r.Chat, err == nil && r.Chat != ""
}

func secondsEcho(seconds int64) *string {
	s := ""
	if seconds > 0 {
		s = strconv.FormatInt(seconds, 10)
	}
	return &s
}
