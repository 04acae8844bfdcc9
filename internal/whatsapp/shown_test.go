package whatsapp

import (
	"encoding/json"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/sim"
)

// shownHere is a chat as the API shows it, in the simulator's words.
func (w *world) shownHere(in types.JID) (c sim.ShownChat, ok bool) {
	v, err := w.store.WholeChat(w.soon(), account, jidOf(in))
	if err != nil {
		return c, false
	}
	var row struct {
		Name           string
		Participant    []struct{ Rank, UserJID string }
		ReadOnly       bool
		Timer          uint32 `json:"ephemeralExpiration"`
		Archived       bool
		MarkedAsUnread bool
		Pinned         int64
		MuteEndTime    int64
		UnreadCount    int
		Time           int64 `json:"conversationTimestamp"`
		Messages       []struct {
			Message struct{ Key struct{ ID string } }
		}
	}
	w.ok(json.Unmarshal(render.AppendChat(nil, &v, render.Single, time.Now()), &row))
	c = sim.ShownChat{
		Name: row.Name, ReadOnly: row.ReadOnly, Timer: row.Timer, Muted: row.MuteEndTime, Pinned: row.Pinned != 0, Archived: row.Archived,
		MarkedUnread: row.MarkedAsUnread, Unread: row.UnreadCount, Time: row.Time,
	}
	for _, p := range row.Participant {
		c.Members = append(c.Members, chat.JID(p.UserJID).User()+" "+p.Rank)
	}
	slices.Sort(c.Members)
	if in.Server == types.GroupServer {
		c.Time = 0
	}
	if len(row.Messages) > 0 {
		c.Last = row.Messages[0].Message.Key.ID
	}
	for _, document := range w.messages(jidOf(in)) {
		var m struct {
			ID, Body, MessageStubType, Sender string
			FromMe, Starred                   bool
			Reactions                         []struct {
				Key struct {
					FromMe      bool
					Participant string
				}
				Text string
			}
		}
		w.ok(json.Unmarshal([]byte(document), &m))
		shown := sim.ShownMessage{
			ID: m.ID, By: chat.JID(m.Sender).User(), FromMe: m.FromMe, Text: m.Body, Revoked: m.MessageStubType == "REVOKE", Starred: m.Starred,
			Reactions: map[string]string{},
		}
		for _, r := range m.Reactions {
			by := chat.JID(r.Key.Participant).User()
			switch {
			case r.Key.FromMe:
				by = ownNumber
			case by == "":
				by = in.User
			}
			shown.Reactions[by] = r.Text
		}
		c.Messages = append(c.Messages, shown)
	}
	return c, true
}
