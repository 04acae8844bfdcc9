package httpapi

import (
	"context"
	"net/http"

	"pesan/internal/chat"
)

// GetMedia says where the file of a message can be had. The first who asks has it fetched from WhatsApp.
func GetMedia(d Deps) Endpoint {
	return Endpoint{
		Name: "getMedia", Group: OfChats, Methods: either, Needs: []Port{Messages, Commands, Media}, scope: chat.ReadScope,
		begin:  getMedia(d.Messages, d.Media, d.commander()),
		Params: []string{"phone", "id", "redirect"}, Example: []string{"phone={phone}", "id={message}"},
		Idle: chat.InvalidParameter, // the message has no file
	}
}

type mediaFile struct {
	URL     string  `json:"url"`
	Expires *string `json:"expiresAt"` // of the URL
	Type    string  `json:"mimetype"`
	Name    string  `json:"fileName"`
	Size    int64   `json:"size"`
}

func getMedia(messages chat.MessageReader, links chat.MediaLinker, o commander) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		commandID, err := c.commandID()
		if err != nil {
			return nil, err
		}
		redirect, err := c.flag("redirect")
		if err != nil {
			return nil, err
		}
		address, err := c.phone()
		if err != nil {
			return nil, err
		}
		id, err := c.message()
		if err != nil {
			return nil, err
		}
		var m chat.Media
		var ok bool
		found, err := lookup(address, func(jid chat.JID) (found chat.Conversation, err error) {
			found, m, ok, err = chat.FindMedia(ctx, messages, c.claimed, jid, id, c.now)
			return found, err
		})
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, wrong(chat.InvalidParameter, "id", "id pesan yang berisi berkas; pesan ini tidak",
				"the id of a message with a file; this one has none")
		}
		c.target = found.Chat.Echo()
		reply := answer{Code: http.StatusOK, Query: query{ID: id, To: c.target}}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			link, err := links.MediaLink(ctx, a.ID, m, c.now)
			if chat.CodeOf(err) == chat.MediaNotFound {
				if err := connected(a); err != nil && !o.earlier(ctx, a.ID, commandID) {
					return 0, err
				}
				r, err := o.do(ctx, c, a, chat.Command{ID: commandID, Kind: chat.MediaCommand, Chat: found.Chat, Message: id})
				if err != nil {
					return 0, err
				}
				if r.State == chat.CommandPending {
					reply.Code, reply.Results = http.StatusAccepted, c.pending(r)
					c.json(reply)
					return reply.Code, nil
				}
				link, err = links.MediaLink(ctx, a.ID, m, c.now)
				if err != nil {
					return 0, err
				}
			} else if err != nil {
				return 0, err
			}
			if redirect != nil && *redirect {
				reply.Code, c.location = http.StatusSeeOther, link.URL
			}
			reply.Results = mediaFile{link.URL, moment(link.Ends), m.SafeType(), m.SafeName(), link.Size}
			c.json(reply)
			return reply.Code, nil
		}, nil
	}
}
