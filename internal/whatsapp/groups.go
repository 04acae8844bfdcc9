package whatsapp

import (
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
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

	last atomic.Int64 // place in WhatsApp's order of what it told last, µs since 1970
}

func newGroups(r *run) *groups {
	g := &groups{run: r, known: make(map[chat.JID]bool)}
	g.asker = newErrand(r.spawn, g.ask)
	return g
}

// minVersion is the least version of a group's members that can be a time in µs.
const minVersion = 1e15

// order is the place of what WhatsApp tells of a group in its own order: the version of the members, a time in µs, where
// it is given; else WhatsApp's time of the event, and its arrival among those of the same second.
func (g *groups) order(version string, at time.Time) int64 {
	if v, err := strconv.ParseInt(version, 10, 64); err == nil && v > minVersion {
		g.reached(v)
		return v
	}
	return following(&g.last, at.UnixMicro())
}

// reached says that WhatsApp has told what happened up to some time.
func (g *groups) reached(at int64) {
	for last := g.last.Load(); last < at && !g.last.CompareAndSwap(last, at); last = g.last.Load() {
	}
}

// seen is called for every message in a group, with WhatsApp's time of it.
func (g *groups) seen(jid chat.JID, at time.Time) {
	g.reached(at.UnixMicro())
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
	asked := g.last.Load() // what is told while the question is under way may be newer than the answer
	info, err := g.wa.GetGroupInfo(g.ctx, translate.WireJID(jid))
	if errors.Is(err, whatsmeow.ErrGroupNotFound) || errors.Is(err, whatsmeow.ErrNotInGroup) {
		return nil
	}
	if err != nil {
		return err
	}
	b := g.book()
	if info.ParticipantVersionID != "" {
		asked = g.order(info.ParticipantVersionID, info.GroupCreated)
	}
	return g.project(b, b.Group(info, max(asked, chat.Baseline)))
}

// named tells whether a chat's document has a name.
func named(document chat.JSON) bool {
	var d struct {
		Name string `json:"name"`
	}
	return json.Unmarshal([]byte(document), &d) == nil && d.Name != ""
}
