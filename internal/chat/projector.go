package chat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Projector writes what WhatsApp tells into the store. It may be given the same change again, and changes in any order:
// the chats come out the same.
//
// The order does matter, by design, in two cases. Beyond maxDisputed messages that members of a group revoked without right,
// an admin who is known as such later isn't believed. And two messages of different times under one id, of which the earlier
// is kept, may leave the count or the later one behind when the chat is read or cleared between the two.
type Projector struct {
	store ChatStore
	now   func() time.Time

	// News is told how many messages came that weren't stored before, but for those of a history; nil: nobody is.
	News func(account string, messages int)

	mu       sync.Mutex
	links    map[link]bool            // known to be stored
	accounts map[string]*sync.RWMutex // held alone by what moves an address: nothing may come under it meanwhile
}

type link struct {
	account string
	pn, lid JID
}

// maxLinks bounds the memory of known links; beyond it they are looked up again.
const maxLinks = 100_000

// NewProjector makes a projector. For one account, one projector at a time may work on a store. Changes of different chats are
// projected at once; the store makes those of one chat one after the other.
func NewProjector(store ChatStore, now func() time.Time) *Projector {
	return &Projector{store: store, now: now, links: make(map[link]bool), accounts: make(map[string]*sync.RWMutex)}
}

// Apply projects changes, in order. On an error some may have been projected; applying all again is safe.
func (p *Projector) Apply(ctx context.Context, account string, changes ...Change) error {
	for _, c := range changes {
		if err := p.apply(ctx, account, c); err != nil {
			return fmt.Errorf("project change: %w", err)
		}
	}
	return nil
}

func (p *Projector) apply(ctx context.Context, account string, c Change) error {
	moves := p.moves(account)
	jid := c.Chat
	if pn, lid, ok := addresses(c.Chat, c.Alt); ok {
		if err := p.link(ctx, moves, link{account, pn, lid}); err != nil {
			return fmt.Errorf("link addresses: %w", err)
		}
		jid = pn
	}
	if c.empty() {
		return nil
	}
	c, err := p.withoutDeleted(ctx, account, c)
	if err != nil {
		return fmt.Errorf("look up labels: %w", err)
	}
	moves.RLock()
	defer moves.RUnlock()
	if err := p.update(ctx, account, jid, c); err != nil {
		return err
	}
	if name, ok := usernameJID(c.State.Username.Value); ok {
		return p.store.Alias(ctx, account, name, jid)
	}
	return nil
}

func (p *Projector) update(ctx context.Context, account string, jid JID, c Change) error {
	for range maxReviews {
		again, needed, news := Change{}, false, 0
		err := p.store.Update(ctx, account, jid, c.ids(), func(t *Thread) error {
			news = t.arrivals(c)
			err := t.Apply(c, p.now())
			again, needed = t.review(c)
			return err
		})
		if err == nil && news > 0 && p.News != nil {
			p.News(account, news)
		}
		if err != nil || !needed {
			return err
		}
		c = again
	}
	return nil
}

// maxReviews is how often a change leads to another: one of a message to one of its parent, and that to those of its parts.
const maxReviews = 4

func (p *Projector) moves(account string) *sync.RWMutex {
	p.mu.Lock()
	defer p.mu.Unlock()
	moves := p.accounts[account]
	if moves == nil {
		moves = new(sync.RWMutex)
		p.accounts[account] = moves
	}
	return moves
}

// addresses sorts the two addresses of one person.
func addresses(a, b JID) (pn, lid JID, ok bool) {
	switch {
	case a.IsPN() && b.IsLID():
		return a, b, true
	case a.IsLID() && b.IsPN():
		return b, a, true
	}
	return "", "", false
}

// exportPage is how many messages are moved at a time.
const exportPage = 500

// link makes one chat of a person's two addresses: what is stored under the LID moves to the PN. Interrupted, it is
// complete when it is called again.
func (p *Projector) link(ctx context.Context, moves *sync.RWMutex, l link) error {
	if p.linked(l) {
		return nil
	}
	moves.Lock()
	defer moves.Unlock()
	if p.linked(l) {
		return nil
	}
	before, err := p.leads(ctx, l)
	if err != nil {
		return err
	}
	changed := before.IsPN() && before != l.pn
	if changed {
		if err := p.move(ctx, link{l.account, l.pn, before}); err != nil {
			return err
		}
	}
	if err := p.move(ctx, l); err != nil {
		return err
	}
	if changed {
		if err := p.leave(ctx, l.account, before, l.pn); err != nil {
			return err
		}
	}
	if err := p.store.Alias(ctx, l.account, l.lid, l.pn); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.links) >= maxLinks {
		clear(p.links)
	}
	delete(p.links, link{l.account, before, l.lid})
	p.links[l] = true
	return nil
}

// leads is where the person's chat is found under the LID: under another number if the person has changed it.
func (p *Projector) leads(ctx context.Context, l link) (jid JID, err error) {
	err = p.store.Update(ctx, l.account, l.lid, nil, func(t *Thread) error {
		jid = t.Chat.JID
		return errLooked
	})
	if errors.Is(err, errLooked) {
		err = nil
	}
	return jid, err
}

var errLooked = errors.New("only looked")

// leave empties the chat of a number that its person has given up, once all of it has moved, and has it lead to the new one. What
// comes for it from then on is another person's, whose chat it becomes.
func (p *Projector) leave(ctx context.Context, account string, number, to JID) error {
	err := p.store.Update(ctx, account, to, nil, func(t *Thread) error {
		if t.Chat.Moved == "" {
			return errLooked
		}
		t.Chat.Moved = "" // its person has come back
		return nil
	})
	if err != nil && !errors.Is(err, errLooked) {
		return err
	}
	return p.store.Update(ctx, account, number, nil, func(t *Thread) error {
		t.Chat = Chat{JID: number, Epoch: t.Chat.Epoch, Moved: to}
		t.Prune = append(t.Prune, RangeOf(endOfTime))
		return nil
	})
}

// endOfTime is later than any message, in seconds since 1970.
const endOfTime = 1 << 40

// Renumber makes one chat of a person's two numbers, when nobody knows a LID.
func (p *Projector) Renumber(ctx context.Context, account string, from, to JID) error {
	moves := p.moves(account)
	moves.Lock()
	defer moves.Unlock()
	if err := p.move(ctx, link{account, to, from}); err != nil {
		return fmt.Errorf("move chat: %w", err)
	}
	return p.leave(ctx, account, from, to)
}

// MayMove tells whether projecting a change may move a chat to another address: it names both of a person's, and isn't known to
// have been.
func (p *Projector) MayMove(account string, c Change) bool {
	pn, lid, ok := addresses(c.Chat, c.Alt)
	return ok && !p.linked(link{account, pn, lid})
}

func (p *Projector) linked(l link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.links[l]
}

// move joins what is stored under the LID into the chat of the PN.
func (p *Projector) move(ctx context.Context, l link) error {
	for cursor := ""; ; {
		state, messages, next, err := p.store.Export(ctx, l.account, l.lid, Page{Limit: exportPage, Cursor: cursor})
		if CodeOf(err) == ChatNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.update(ctx, l.account, l.pn, moved(l.pn, l.lid, state, messages)); err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// moved is what a chat gets of the one under the person's other address: it was told in the same link, and isn't news any more.
func moved(pn, lid JID, state Chat, messages []Message) Change {
	return Change{Chat: lid, Alt: pn, State: state, Messages: messages, Epoch: state.Epoch, Past: true}
}

// Forget drops what the projector remembers of an account whose chats were deleted.
func (p *Projector) Forget(account string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.account == account {
			delete(p.links, l)
		}
	}
}
