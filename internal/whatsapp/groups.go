package whatsapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// groups asks WhatsApp for the name and members of groups that write, where neither a history sync nor a notification
// has told them.
type groups struct {
	*run
	*questions

	mu      sync.Mutex
	known   map[chat.JID]bool // looked at since the start
	resumed map[chat.JID]bool // of which it is known what an earlier run was told
	echoes  map[chat.JID]echo // of timers that are being set
	asking  map[string]int    // questions without an answer, by the item of the backlog that they share

	stanza atomic.Int64 // WhatsApp's time of the notification that is handled, seconds since 1970
	last   atomic.Int64 // place in WhatsApp's order of what it told last, µs since 1970
}

// The prefixes of the backlog's items for groups that WhatsApp is still to be asked for: unless they are known by then, or although
// they are.
const (
	groupPrefix = "group/"
	anewPrefix  = "group anew/"
)

func newGroups(r *run) *groups {
	return &groups{
		run: r, questions: newQuestions(r),
		known: make(map[chat.JID]bool), resumed: make(map[chat.JID]bool), asking: make(map[string]int),
	}
}

// minVersion is the least version of a group's members that can be a time in µs.
const minVersion = 1e15

// order is the place of what WhatsApp tells of a group in its own order: the version of the members, a time in µs, where
// it is given; else WhatsApp's time of the event, and its arrival among those of the same second, also those that an earlier run
// was told.
func (g *groups) order(of types.JID, version string, at time.Time) (int64, error) {
	if v, err := strconv.ParseInt(version, 10, 64); err == nil && v > minVersion {
		g.reached(v)
		return v, nil
	}
	if err := g.resume(of); err != nil {
		return 0, err
	}
	return following(&g.last, at.UnixMicro()+1), nil // later than a name that an answer dates by the same second
}

// resume goes on where an earlier run was with a group.
func (g *groups) resume(of types.JID) error {
	jid, ok := translate.Address(of)
	g.mu.Lock()
	done := !ok || g.resumed[jid]
	g.mu.Unlock()
	if done {
		return nil
	}
	err := g.look(g.ctx, jid, nil, func(t *chat.Thread) error {
		g.reached(t.Chat.Told)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up what was told of a group: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resumed[jid] = true
	return nil
}

// joined is when the account came into a group, which whatsmeow doesn't tell: the group may be older.
func (g *groups) joined(evt *events.JoinedGroup) time.Time {
	if at := time.Unix(g.stanza.Load(), 0); at.After(evt.GroupCreated) {
		return at
	}
	return evt.GroupCreated
}

// reached says that WhatsApp has told what happened up to some time.
func (g *groups) reached(at int64) {
	for last := g.last.Load(); last < at && !g.last.CompareAndSwap(last, at); last = g.last.Load() {
	}
}

// seen is called for every message in a group, with WhatsApp's time of it.
func (g *groups) seen(jid chat.JID, at time.Time) {
	g.reached(at.UnixMicro())
	g.want(jid, false)
}

// want asks for a group once. The question may be kept in the backlog.
func (g *groups) want(jid chat.JID, kept bool) {
	g.mu.Lock()
	known := g.known[jid]
	g.known[jid] = true
	g.mu.Unlock()
	if !known {
		g.begins(groupPrefix + string(jid))
		g.add(&question{what: "a group", ask: func() error { return g.learn(jid, &kept, false) }})
	}
}

// begins says that there is a question under an item of the backlog.
func (g *groups) begins(item string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking[item]++
}

// ends says that a question is answered. Its item stays, if it is kept, while another one has no answer.
func (g *groups) ends(item string, kept bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if kept && g.asking[item] == 1 {
		if err := g.Backlog.DeleteBacklog(g.ctx, g.account, item); err != nil {
			return err
		}
	}
	if g.asking[item]--; g.asking[item] == 0 {
		delete(g.asking, item)
	}
	return nil
}

// changed has WhatsApp be asked for a group in which more has changed than it told: the account was added and doesn't know what
// happened while it was out, or a member has another number.
func (g *groups) changed(evt *events.GroupInfo) error {
	own := g.identity()
	is := func(who types.JID) bool {
		jid, _ := translate.Address(who)
		return jid != "" && (jid == own.pn || jid == own.lid)
	}
	jid, ok := translate.Address(evt.JID)
	if !ok || !slices.ContainsFunc(evt.Join, is) &&
		!slices.ContainsFunc(evt.UnknownChanges, func(n *waBinary.Node) bool { return n.Tag == "modify" }) {
		return nil
	}
	item := anewPrefix + string(jid)
	g.begins(item)
	if err := g.Backlog.PutBacklog(g.ctx, g.account, item, nil); err != nil {
		return errors.Join(fmt.Errorf("store question for a group: %w", err), g.ends(item, false))
	}
	g.ask(jid)
	return nil
}

// ask asks for a group although it is known. The question is in the backlog, and has begun.
func (g *groups) ask(jid chat.JID) {
	kept := true
	g.add(&question{what: "a group", ask: func() error { return g.learn(jid, &kept, true) }})
}

// begin goes on with what an earlier run has left.
func (g *groups) begin(items []chat.BacklogItem) {
	for _, item := range items {
		if jid, ok := strings.CutPrefix(item.ID, groupPrefix); ok {
			g.want(chat.JID(jid), true)
		}
		if jid, ok := strings.CutPrefix(item.ID, anewPrefix); ok {
			g.begins(item.ID)
			g.ask(chat.JID(jid))
		}
	}
}

// learn asks for a group, unless it is known, or if it is wanted all the same. The question outlives the process.
func (g *groups) learn(group chat.JID, kept *bool, again bool) error {
	item := groupPrefix + string(group)
	if again {
		item = anewPrefix + string(group)
	}
	view, err := g.Chats.Chat(g.ctx, g.account, group)
	if err != nil && chat.CodeOf(err) != chat.ChatNotFound {
		return err
	}
	if err == nil && named(view.Document) && !again {
		return g.ends(item, *kept)
	}
	if !*kept {
		if err := g.Backlog.PutBacklog(g.ctx, g.account, item, nil); err != nil {
			return err
		}
		*kept = true
	}
	if err := g.resume(translate.WireJID(group)); err != nil {
		return err
	}
	asked := g.last.Load() // what is told while the question is under way may be newer than the answer
	info, err := g.info(translate.WireJID(group))
	switch {
	case errors.Is(err, whatsmeow.ErrIQNotFound), errors.Is(err, whatsmeow.ErrIQForbidden): // there is none, or it is others'
	case err != nil:
		return err
	default:
		b := g.book()
		if info.ParticipantVersionID != "" {
			if asked, err = g.order(info.JID, info.ParticipantVersionID, info.GroupCreated); err != nil {
				return err
			}
		}
		if err := g.project(b, b.Group(info, max(asked, chat.Baseline))); err != nil {
			return err
		}
	}
	return g.ends(item, true)
}

// info asks once, see channels.followed. Who is who in the group is stored.
func (g *groups) info(group types.JID) (*types.GroupInfo, error) {
	in := internals(g.wa)
	answer, err := in.SendIQ(g.ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "w:g2", Type: "get", To: group, NoRetry: true,
		Content: []waBinary.Node{{Tag: "query", Attrs: waBinary.Attrs{"request": "interactive"}}},
	})
	if err != nil {
		return nil, err
	}
	node, ok := answer.GetOptionalChildByTag("group")
	if !ok {
		return nil, &whatsmeow.ElementMissingError{Tag: "group", In: "answer about a group"}
	}
	info, err := in.ParseGroupNode(&node)
	if err != nil {
		return nil, fmt.Errorf("read answer about a group: %w", err)
	}
	pairs, _ := in.CacheGroupInfo(info, true)
	if err := g.identity().lids.PutManyLIDMappings(g.ctx, pairs); err != nil {
		return nil, fmt.Errorf("store members' addresses: %w", err)
	}
	return info, nil
}

// named tells whether a chat's document has a name.
func named(document chat.JSON) bool {
	var d struct {
		Name string `json:"name"`
	}
	return json.Unmarshal([]byte(document), &d) == nil && d.Name != ""
}
