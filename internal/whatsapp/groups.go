package whatsapp

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
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
	todo  []*question
	full  int       // answers in a row that say that too much is asked
	after time.Time // until then nothing is asked

	echoes map[chat.JID]echo // of timers that are being set

	last atomic.Int64 // place in WhatsApp's order of what it told last, µs since 1970
}

// question is one for a group.
type question struct {
	group    chat.JID
	kept     bool // in the backlog
	failures int
	due      time.Time
}

// groupPrefix is that of the backlog's items for groups that WhatsApp is still to be asked for.
const groupPrefix = "group/"

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
		g.todo = append(g.todo, &question{group: jid})
	}
	g.mu.Unlock()
	if !known {
		g.asker.start()
	}
}

// begin goes on with what an earlier run has left.
func (g *groups) begin() {
	items, err := g.Backlog.ListBacklog(g.ctx, g.account)
	if err != nil {
		g.log.Warn("list backlog", failure(err)) // the next message in the group brings the question back
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, item := range items {
		if jid, ok := strings.CutPrefix(item.ID, groupPrefix); ok && !g.known[chat.JID(jid)] {
			g.known[chat.JID(jid)] = true
			g.todo = append(g.todo, &question{group: chat.JID(jid), kept: true})
		}
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

// next is the question that is due first, and when; nil when there is none.
func (g *groups) next() (q *question, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.todo) == 0 {
		return nil, 0
	}
	q = slices.MinFunc(g.todo, func(a, b *question) int { return a.due.Compare(b.due) })
	return q, max(time.Until(q.due), time.Until(g.after))
}

// ask asks one question after the other. One that WhatsApp doesn't answer is asked again, with growing pauses.
func (g *groups) ask() {
	for g.ctx.Err() == nil && g.online.Load() {
		q, wait := g.next()
		if q == nil {
			return
		}
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-g.asker.wanted: // another may be due before
			case <-g.ctx.Done():
			}
			timer.Stop()
			continue
		}
		err := g.learn(q)
		if err != nil && connectionLost(err) {
			return
		}
		g.answered(q, err)
	}
}

// answered puts a question off, or away.
func (g *groups) answered(q *question, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		g.full = 0
		g.todo = slices.DeleteFunc(g.todo, func(o *question) bool { return o == q })
		return
	}
	q.failures++
	q.due = time.Now().Add(g.retryAfter(q.failures))
	if errors.Is(err, whatsmeow.ErrIQRateOverLimit) {
		g.full++
		g.after = time.Now().Add(g.retryAfter(g.full))
	}
	g.log.Warn("learn group", failure(err), "failures", q.failures)
}

// learn asks for a group, unless it is known. The question outlives the process.
func (g *groups) learn(q *question) error {
	view, err := g.Chats.Chat(g.ctx, g.account, q.group)
	if err != nil && chat.CodeOf(err) != chat.ChatNotFound {
		return err
	}
	if err == nil && named(view.Document) {
		if !q.kept {
			return nil
		}
		return g.Backlog.DeleteBacklog(g.ctx, g.account, groupPrefix+string(q.group))
	}
	if !q.kept {
		if err := g.Backlog.PutBacklog(g.ctx, g.account, groupPrefix+string(q.group), nil); err != nil {
			return err
		}
		q.kept = true
	}
	asked := g.last.Load() // what is told while the question is under way may be newer than the answer
	info, err := g.wa.GetGroupInfo(g.ctx, translate.WireJID(q.group))
	switch {
	case errors.Is(err, whatsmeow.ErrGroupNotFound), errors.Is(err, whatsmeow.ErrNotInGroup):
	case err != nil:
		return err
	default:
		b := g.book()
		if info.ParticipantVersionID != "" {
			asked = g.order(info.ParticipantVersionID, info.GroupCreated)
		}
		if err := g.project(b, b.Group(info, max(asked, chat.Baseline))); err != nil {
			return err
		}
	}
	return g.Backlog.DeleteBacklog(g.ctx, g.account, groupPrefix+string(q.group))
}

// named tells whether a chat's document has a name.
func named(document chat.JSON) bool {
	var d struct {
		Name string `json:"name"`
	}
	return json.Unmarshal([]byte(document), &d) == nil && d.Name != ""
}
