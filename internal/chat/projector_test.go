package chat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// shelves are a store of chats in memory, whose calls fail when they are told to.
type shelves struct {
	ChatStore
	t       *testing.T
	chats   map[JID]*shelf
	aliases map[JID]JID
	calls   map[string]int
	fail    string // the call that fails
}

var errShelves = errors.New("fault")

func newShelves(t *testing.T) *shelves {
	return &shelves{t: t, chats: make(map[JID]*shelf), aliases: make(map[JID]JID), calls: make(map[string]int)}
}

func (s *shelves) called(what string) error {
	if s.calls[what]++; s.fail == what {
		return errShelves
	}
	return nil
}

func (s *shelves) Update(_ context.Context, _ string, jid JID, ids []string, change func(*Thread) error) error {
	if to, ok := s.aliases[jid]; ok {
		jid = to
	}
	one := s.chats[jid]
	if one == nil {
		one = newShelf(s.t, jid)
	}
	th := thread(jid, one.messages, nil)
	th.Chat = throughJSON(s.t, one.chat)
	for _, id := range ids {
		if m := one.messages[id]; m != nil {
			th.Messages[id] = m
		}
	}
	if err := change(th); err != nil {
		return err
	}
	if err := s.called("update"); err != nil {
		return err
	}
	for id, m := range th.Changed {
		stored := throughJSON(s.t, *m)
		one.messages[id] = &stored
	}
	for _, covered := range th.Prune {
		maps.DeleteFunc(one.messages, func(id string, m *Message) bool { return m.Content.known() && covered.Covers(m.Content.Time, id) })
	}
	th.Chat.Last = Last{}
	one.chat = th.Chat
	s.chats[jid] = one
	return nil
}

func (s *shelves) Export(_ context.Context, _ string, jid JID, p Page) (c Chat, messages []Message, next string, err error) {
	if err := s.called("export"); err != nil {
		return c, nil, "", err
	}
	one := s.chats[jid]
	if one == nil || s.aliases[jid] != "" {
		return c, nil, "", &Error{Code: ChatNotFound}
	}
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(one.messages)) {
		if id > p.Cursor {
			ids = append(ids, id)
		}
	}
	if len(ids) > p.Limit {
		ids = ids[:p.Limit]
		next = ids[p.Limit-1]
	}
	for _, id := range ids {
		messages = append(messages, throughJSON(s.t, *one.messages[id]))
	}
	return throughJSON(s.t, one.chat), messages, next, nil
}

func (s *shelves) Alias(_ context.Context, _ string, from, to JID) error {
	if err := s.called("alias"); err != nil {
		return err
	}
	s.aliases[from] = to
	delete(s.chats, from)
	return nil
}

func (s *shelves) Labels(context.Context, string) (Labels, error) { return Labels{}, nil }

// shows is what chats there are, each with its messages and what is unread.
func (s *shelves) shows() string {
	var b strings.Builder
	for _, jid := range slices.Sorted(maps.Keys(s.chats)) {
		if c := s.chats[jid]; c.chat.Shows() {
			unread, _ := c.chat.UnreadCount()
			fmt.Fprintf(&b, "%s %v %d;", jid.User(), slices.Sorted(maps.Keys(c.messages)), unread)
		}
	}
	return b.String()
}

// TestOneChatAPerson: whatever came under either address stands in one chat once it is known that both are one person's.
func TestOneChatAPerson(t *testing.T) {
	from := func(jid, alt JID, id string, at int64) Change {
		m := say(id, at)
		m.Content.Sender = jid
		return Change{Chat: jid, Alt: alt, Messages: []Message{m}}
	}
	changes := []Change{from(alice, "", "a", 1), from(aliceLID, "", "b", 2), {Chat: aliceLID, Alt: alice}, from(alice, aliceLID, "c", 3), from(aliceLID, "", "d", 4)}
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {1, 4, 2, 0, 3}, {2, 4, 1, 0, 3, 2}} {
		s := newShelves(t)
		told := 0
		p := NewProjector(s, func() time.Time { return noon })
		p.News = func(of string, n int) {
			if told += n; of != account || n < 1 {
				t.Errorf("%d messages of %s are new", n, of)
			}
		}
		for _, i := range order {
			if err := p.Apply(t.Context(), account, changes[i]); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.shows(); got != "6281111111111 [a b c d] 4;" || told != 4 {
			t.Errorf("%v: %s, %d were new", order, got, told)
		}
		if c := s.chats[alice].chat; c.LID != aliceLID {
			t.Errorf("%v: the person's other address is %q", order, c.LID)
		}
		linked := s.calls["alias"]
		if err := p.Apply(t.Context(), account, changes[2], changes[3]); err != nil || s.calls["alias"] != linked {
			t.Errorf("%v: linked %d times, then %d, %v", order, linked, s.calls["alias"], err)
		}
		p.Forget("another")
		if err := p.Apply(t.Context(), account, changes[2]); err != nil || s.calls["alias"] != linked {
			t.Errorf("%v: linked again when another account was forgotten, %v", order, err)
		}
		p.Forget(account)
		if err := p.Apply(t.Context(), account, changes[2]); err != nil || s.calls["alias"] != linked+1 {
			t.Errorf("%v: not looked up again after it was forgotten, %v", order, err)
		}
	}
}

// TestManyMove has more messages than one page move to the number.
func TestManyMove(t *testing.T) {
	s := newShelves(t)
	p := NewProjector(s, func() time.Time { return noon })
	c := Change{Chat: aliceLID}
	for i := range exportPage + 1 {
		c.Messages = append(c.Messages, say(fmt.Sprintf("m%04d", i), int64(1+i)))
	}
	if err := p.Apply(t.Context(), account, c, Change{Chat: alice, Alt: aliceLID}); err != nil {
		t.Fatal(err)
	}
	if unread, _ := s.chats[alice].chat.UnreadCount(); len(s.chats[alice].messages) != exportPage+1 || unread != exportPage+1 {
		t.Errorf("%d messages, %d unread", len(s.chats[alice].messages), unread)
	}
}

// TestANumberIsGivenUp: its person's chat goes on under the new number, and whoever gets the old one begins anew.
func TestANumberIsGivenUp(t *testing.T) {
	for _, known := range []bool{true, false} {
		s := newShelves(t)
		p := NewProjector(s, func() time.Time { return noon })
		apply := func(all ...Change) {
			t.Helper()
			if err := p.Apply(t.Context(), account, all...); err != nil {
				t.Fatal(err)
			}
			if !known {
				p = NewProjector(s, func() time.Time { return noon })
			}
		}
		apply(Change{Chat: alice, Alt: aliceLID, Messages: []Message{say("a", 10)}}, Change{Chat: bob, Alt: aliceLID, Messages: []Message{say("b", 20)}})
		if got := s.shows(); got != "6282222222222 [a b] 2;" {
			t.Errorf("known %t: %s", known, got)
		}
		apply(Change{Chat: alice, Messages: []Message{say("c", 30)}}, Change{Chat: bob, Alt: aliceLID, Messages: []Message{say("d", 40)}})
		if got := s.shows(); got != "6281111111111 [c] 1;6282222222222 [a b d] 3;" || s.chats[alice].chat.Moved != "" {
			t.Errorf("known %t: %s", known, got)
		}
	}
}

// TestANumberLeads: a number that was given up leads to its person's new one, until somebody else has it, also where it is taken up
// again, however often that is told, and wherever it was interrupted.
func TestANumberLeads(t *testing.T) {
	for _, hidden := range []bool{false, true} { // the LID
		s := newShelves(t)
		p := NewProjector(s, func() time.Time { return noon })
		change := func(from, to JID) {
			t.Helper()
			tell := func() error {
				if hidden {
					return p.Renumber(t.Context(), account, from, to)
				}
				return p.Apply(t.Context(), account, Change{Chat: aliceLID, Alt: to})
			}
			for _, fails := range []string{"update", "export", "alias"} {
				s.fail = fails
				_ = tell()
			}
			s.fail = ""
			for range 2 {
				if err := tell(); err != nil {
					t.Fatal(err)
				}
			}
		}
		first := Change{Chat: alice, Messages: []Message{say("a", 10)}}
		if !hidden {
			first.Alt = aliceLID
		}
		if err := p.Apply(t.Context(), account, first); err != nil {
			t.Fatal(err)
		}
		change(alice, bob)
		if got := s.shows(); got != "6282222222222 [a] 1;" || s.chats[alice].chat.Moved != bob {
			t.Errorf("hidden %t: %s leads to %q", hidden, got, s.chats[alice].chat.Moved)
		}
		change(bob, alice)
		if got := s.shows(); got != "6281111111111 [a] 1;" || s.chats[alice].chat.Moved != "" || s.chats[bob].chat.Moved != alice {
			t.Errorf("hidden %t, back again: %s leads to %q", hidden, got, s.chats[bob].chat.Moved)
		}
	}
}

// TestFaultsOfAProjection: each is told, and the same changes again complete what was begun.
func TestFaultsOfAProjection(t *testing.T) {
	changes := []Change{
		{Chat: aliceLID, Messages: []Message{say("a", 1)}}, {Chat: alice, Alt: aliceLID, Messages: []Message{say("b", 2)}},
		{Chat: bob, Alt: aliceLID, Messages: []Message{say("c", 3)}},
	}
	for _, fault := range []string{"update", "export", "alias"} {
		for begun := range changes {
			s := newShelves(t)
			p := NewProjector(s, func() time.Time { return noon })
			if err := p.Apply(t.Context(), account, changes[:begun]...); err != nil {
				t.Fatal(err)
			}
			if begun == 0 && fault != "update" {
				continue
			}
			s.fail = fault
			told := 0
			p.News = func(string, int) { told++ }
			if err := p.Apply(t.Context(), account, changes[begun]); !errors.Is(err, errShelves) || told != 0 {
				t.Errorf("a fault of %s in change %d: %v, told %d", fault, begun, err, told)
			}
			s.fail = ""
			if err := p.Apply(t.Context(), account, changes[begun:]...); err != nil {
				t.Fatal(err)
			}
			if got := s.shows(); got != "6282222222222 [a b c] 3;" {
				t.Errorf("after a fault of %s in change %d: %s", fault, begun, got)
			}
		}
	}
}

// TestEmptyChangesWriteNothing, but for the link of two addresses.
func TestEmptyChangesWriteNothing(t *testing.T) {
	s := newShelves(t)
	p := NewProjector(s, func() time.Time { return noon })
	if err := p.Apply(t.Context(), account, Change{Chat: alice, Epoch: 3}, Change{Chat: team, Alt: alice, Past: true}); err != nil || len(s.calls) != 0 {
		t.Errorf("calls %v, %v", s.calls, err)
	}
	p.links = make(map[link]bool, maxLinks)
	for i := range maxLinks {
		p.links[link{account: fmt.Sprint(i)}] = true
	}
	if err := p.Apply(t.Context(), account, Change{Chat: alice, Alt: aliceLID}); err != nil || len(p.links) != 1 {
		t.Errorf("%d links are remembered, %v", len(p.links), err)
	}
}
