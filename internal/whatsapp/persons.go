package whatsapp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"pesan/internal/chat"
	"pesan/internal/sleep"
	"pesan/internal/whatsapp/translate"
)

// persons keeps the addresses inside of chats canonical. Who is named by a LID while the number isn't known is named by the
// number from then on when it is: as member, admin, sender, in reactions, receipts, mentions and quotes. A chat says which
// LIDs it names so; whatever a crash interrupts is found by that when the device connects. A chat with one person rarely names
// another: those that do are in the backlog.
type persons struct {
	*run
	sweeper *errand
	storing sync.RWMutex // read-held from where a change is readdressed until it is stored

	mu      sync.Mutex
	swept   bool              // all chats were gone through: hidden has all LIDs
	hidden  map[chat.JID]bool // LIDs that some chat names, as far as known
	private map[chat.JID]bool // chats with persons that are in the backlog
}

const (
	namedPrefix = "named/" // of the backlog's items for chats with a person that name another by a LID
	maxNamed    = 1000     // such chats; beyond, they go on naming whom they name by LID
)

func newPersons(r *run) *persons {
	p := &persons{run: r, hidden: make(map[chat.JID]bool), private: make(map[chat.JID]bool)}
	p.sweeper = newErrand(r.spawn, p.sweep)
	return p
}

// begin goes on with what an earlier run has left.
func (p *persons) begin(items []chat.BacklogItem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, item := range items {
		if jid, ok := strings.CutPrefix(item.ID, namedPrefix); ok {
			p.private[chat.JID(jid)] = true
		}
	}
}

// keep has a chat with a person be found by the sweep. It is false for one too many.
func (p *persons) keep(jid chat.JID) (kept bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.private[jid] || len(p.private) >= maxNamed {
		return p.private[jid], nil
	}
	if err := p.Backlog.PutBacklog(p.ctx, p.account, namedPrefix+string(jid), nil); err != nil {
		return false, fmt.Errorf("note whom a chat names: %w", err)
	}
	p.private[jid] = true
	return true, nil
}

// readdress has a change name persons by their numbers, where they are known, and the chat remember the others.
func (p *persons) readdress(b *translate.Book, c *chat.Change) error {
	private := c.Chat.Kind() == chat.Private
	if private && !slices.ContainsFunc(c.Messages, func(m chat.Message) bool { return m.SaysLID() }) {
		return nil
	}
	numbers := make(map[chat.JID]chat.JID)
	for _, lid := range c.LIDs() {
		if number := b.Canonical(lid); number != lid {
			numbers[lid] = number
			continue
		}
		if private {
			if lid == c.Chat || lid == c.Alt { // the chat itself moves then
				continue
			}
			if kept, err := p.keep(c.Chat); err != nil || !kept {
				if err != nil {
					return err
				}
				continue
			}
		}
		if _, member := c.State.Members[lid]; !member { // whom the chat names anyway
			if c.State.Hidden == nil {
				c.State.Hidden = make(map[chat.JID]bool)
			}
			c.State.Hidden[lid] = true
		}
		p.mu.Lock()
		p.hidden[lid] = true
		p.mu.Unlock()
	}
	if b.Err() != nil {
		return fmt.Errorf("look up address: %w", b.Err())
	}
	if len(numbers) == 0 {
		return nil
	}
	return c.Readdress(numbers)
}

// learned is called when numbers of LIDs have become known. Those that chats need are kept where the sweep finds them, whoever
// told them.
func (p *persons) learned(numbers map[chat.JID]chat.JID) error {
	needed := make(map[chat.JID]chat.JID)
	p.mu.Lock()
	for lid, number := range numbers {
		if p.hidden[lid] || !p.swept {
			needed[lid] = number
		}
	}
	p.mu.Unlock()
	if len(needed) == 0 {
		return nil
	}
	lids := p.identity().lids
	for lid, number := range needed {
		known, err := alternative(p.ctx, lids, lid)
		if err == nil && known == "" {
			err = lids.PutLIDMapping(p.ctx, translate.WireJID(lid), translate.WireJID(number))
		}
		if err != nil {
			return fmt.Errorf("store address: %w", err)
		}
	}
	p.sweeper.start()
	return nil
}

// sweep goes through the chats that name somebody by a LID whose number is known now.
func (p *persons) sweep() {
	for failures := 1; ; failures++ {
		err := p.sweepAll()
		if err == nil || p.ctx.Err() != nil {
			return
		}
		p.log.Warn("put numbers for LIDs", failure(err))
		if sleep.For(p.ctx, p.backoff(failures)) != nil {
			return
		}
	}
}

func (p *persons) sweepAll() error {
	p.storing.Lock() // a chat that names somebody so may not be stored yet
	p.mu.Lock()
	private := slices.Collect(maps.Keys(p.private))
	p.mu.Unlock()
	p.storing.Unlock()
	for _, kind := range []chat.Kind{chat.Group, chat.Broadcast} {
		for cursor := ""; ; {
			page := chat.Page{Limit: renewPage, Cursor: cursor}
			views, next, err := p.Chats.Chats(p.ctx, p.account, chat.Filter{Kind: kind}, page, p.Now())
			if err != nil {
				return fmt.Errorf("list chats: %w", err)
			}
			for _, v := range views {
				if _, err := p.sweepChat(v.JID); err != nil && chat.CodeOf(err) != chat.ChatNotFound {
					return err
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	for _, jid := range private {
		if err := p.sweepPrivate(jid); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swept = true
	return nil
}

// sweepPrivate sweeps a chat with a person, which may have another address by now, and takes it off the backlog when it names
// everybody by number. A chat that is told of meanwhile comes back there.
func (p *persons) sweepPrivate(jid chat.JID) error {
	p.storing.Lock() // what put it there may not be stored yet
	p.mu.Lock()
	delete(p.private, jid)
	p.mu.Unlock()
	p.storing.Unlock()
	left, at := false, jid
	err := p.look(p.ctx, jid, nil, func(t *chat.Thread) error { at = t.Chat.JID; return nil })
	if err != nil {
		err = fmt.Errorf("find chat: %w", err)
	} else {
		left, err = p.sweepChat(at)
	}
	if err != nil && chat.CodeOf(err) != chat.ChatNotFound {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.private[jid] = true
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case left:
		p.private[jid] = true
	case !p.private[jid]:
		return p.Backlog.DeleteBacklog(p.ctx, p.account, namedPrefix+string(jid))
	}
	return nil
}

// sweepPage is how many messages are gone through at a time.
const sweepPage = 500

// sweepChat puts numbers for the LIDs of a chat, where they are known. It is true when others are left.
func (p *persons) sweepChat(jid chat.JID) (left bool, err error) {
	state, _, _, err := p.Chats.Export(p.ctx, p.account, jid, chat.Page{Limit: 1})
	if err != nil {
		return false, err
	}
	b := p.book()
	numbers := make(map[chat.JID]chat.JID)
	for _, lid := range state.LIDs() {
		if number := b.Canonical(lid); number != lid {
			numbers[lid] = number
			continue
		}
		left = true
		p.mu.Lock()
		p.hidden[lid] = true
		p.mu.Unlock()
	}
	if b.Err() != nil {
		return left, fmt.Errorf("look up address: %w", b.Err())
	}
	if len(numbers) == 0 {
		return left, nil
	}
	for cursor, last := "", false; !last; {
		_, messages, next, err := p.Chats.Export(p.ctx, p.account, jid, chat.Page{Limit: sweepPage, Cursor: cursor})
		if err != nil {
			return left, err
		}
		var ids []string
		for i := range messages {
			for _, lid := range messages[i].LIDs() {
				if numbers[lid] != "" {
					ids = append(ids, messages[i].ID)
					break
				}
			}
		}
		cursor, last = next, next == ""
		if len(ids) == 0 && !last {
			continue
		}
		err = p.Chats.Update(p.ctx, p.account, jid, ids, func(t *chat.Thread) error { return t.Readdress(numbers, last, p.Now()) })
		if err != nil {
			return left, fmt.Errorf("put numbers for LIDs: %w", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for lid := range numbers {
		delete(p.hidden, lid)
	}
	return left, nil
}
