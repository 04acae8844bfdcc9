package whatsapp

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// groups asks WhatsApp for the name and members of groups that write, where neither a history sync nor a notification
// has told them.
type groups struct {
	*run
	asker *errand

	mu    sync.Mutex
	known map[chat.JID]bool // looked at since the start
	todo  []chat.JID
}

func newGroups(r *run) *groups {
	g := &groups{run: r, known: make(map[chat.JID]bool)}
	g.asker = newErrand(r.spawn, g.ask)
	return g
}

// seen is called for every message in a group.
func (g *groups) seen(jid chat.JID) {
	g.mu.Lock()
	known := g.known[jid]
	if !known {
		g.known[jid] = true
		g.todo = append(g.todo, jid)
	}
	g.mu.Unlock()
	if !known {
		g.asker.start()
	}
}

// connected goes on where the connection was lost.
func (g *groups) connected() {
	g.mu.Lock()
	left := len(g.todo) > 0
	g.mu.Unlock()
	if left {
		g.asker.start()
	}
}

func (g *groups) ask() {
	for g.ctx.Err() == nil && g.online.Load() {
		g.mu.Lock()
		if len(g.todo) == 0 {
			g.mu.Unlock()
			return
		}
		jid := g.todo[0]
		g.mu.Unlock()
		if err := g.learn(jid); err != nil {
			g.log.Warn("learn group", failure(err))
			if connectionLost(err) {
				return
			}
		}
		g.mu.Lock()
		g.todo = g.todo[1:]
		g.mu.Unlock()
	}
}

func (g *groups) learn(jid chat.JID) error {
	view, err := g.Chats.Chat(g.ctx, g.account, jid)
	if err == nil && named(view.Document) {
		return nil
	}
	if err != nil && chat.CodeOf(err) != chat.ChatNotFound {
		return err
	}
	info, err := g.wa.GetGroupInfo(g.ctx, translate.WireJID(jid))
	if errors.Is(err, whatsmeow.ErrGroupNotFound) || errors.Is(err, whatsmeow.ErrNotInGroup) {
		return nil
	}
	if err != nil {
		return err
	}
	b := g.book()
	return g.project(b, b.Group(info, g.Now().Add(-translate.ClockSkew).Truncate(time.Second)))
}

// named tells whether a chat's document has a name.
func named(document chat.JSON) bool {
	var d struct {
		Name string `json:"name"`
	}
	return json.Unmarshal([]byte(document), &d) == nil && d.Name != ""
}
