package chat

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// shelf is a store of one chat: what is on it went through JSON.
type shelf struct {
	t        interface{ Fatal(...any) }
	chat     Chat
	messages map[string]*Message
	visited  int // messages that were asked for to be counted
}

func newShelf(t interface{ Fatal(...any) }, jid JID) *shelf {
	return &shelf{t: t, chat: Chat{JID: jid}, messages: make(map[string]*Message)}
}

func throughJSON[T any](t interface{ Fatal(...any) }, v T) (c T) {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// apply makes a change, and whatever it leads to. With cut only the messages get stored.
func (s *shelf) apply(c Change, cut bool) {
	for range maxReviews {
		th := thread(s.chat.JID, s.messages, nil)
		th.Chat = throughJSON(s.t, s.chat)
		for _, id := range c.ids() {
			if m := s.messages[id]; m != nil {
				th.Messages[id] = m
			}
		}
		each := th.Each
		th.Each = func(from int64, visit func(*Message)) error {
			return each(from, func(m *Message) { s.visited++; visit(m) })
		}
		if err := th.Apply(c, noon); err != nil {
			s.t.Fatal(err)
		}
		for id, m := range th.Changed {
			stored := throughJSON(s.t, *m)
			s.messages[id] = &stored
		}
		for _, covered := range th.Prune {
			for id, m := range s.messages {
				if m.Content.known() && covered.Covers(m.Content.Time, id) {
					delete(s.messages, id)
				}
			}
		}
		if cut {
			return
		}
		th.Chat.Last = Last{} // has no document here
		s.chat = throughJSON(s.t, th.Chat)
		again, needed := th.review(c)
		if !needed {
			return
		}
		c = again
	}
}

func (s *shelf) unread() string {
	n, m := s.chat.UnreadCount()
	return fmt.Sprintf("%d, %d with a mention", n, m)
}

// waiting is what should be unread: messages that came, in their order.
type waiting struct {
	ids  []string
	at   map[string]Message
	gone map[string]bool
	read Range
	hide []Range
}

func (w *waiting) unread() string {
	n, mentions := 0, 0
	for _, id := range w.ids {
		m := w.at[id]
		covered := w.gone[id] || w.read.Covers(m.Content.Time, id)
		for _, r := range w.hide {
			covered = covered || r.Covers(m.Content.Time, id)
		}
		if covered {
			continue
		}
		n++
		if m.Content.MentionMe {
			mentions++
		}
	}
	return fmt.Sprintf("%d, %d with a mention", n, mentions)
}

// TestUnreadAtVolume has many messages come, within few seconds and not in the order of their times, while some are read, cleared
// or deleted, each change perhaps told twice, or stored in part before it is told again.
func TestUnreadAtVolume(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := newShelf(t, team), &waiting{at: make(map[string]Message), gone: make(map[string]bool)}
		seconds := drawOf[int64](t, 1, 3, 200)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) // as drawing each takes long
		apply := func(c Change) {
			c.Epoch = 1
			s.apply(c, random.IntN(10) == 0)
			s.apply(c, false)
			if random.IntN(10) == 0 {
				s.apply(c, false)
			}
		}
		pick := func() Message { return w.at[w.ids[random.IntN(len(w.ids))]] }
		for range rapid.IntRange(1, 8).Draw(t, "bursts") {
			burst := Change{Chat: team}
			for range 1 + random.IntN(2*maxStamps) {
				n := len(w.ids)
				m := say(fmt.Sprint("m", n), 100+random.Int64N(seconds))
				m.Content.Order, m.Content.MentionMe = int64(1000+n), n%7 == 0
				w.ids, w.at[m.ID] = append(w.ids, m.ID), m
				burst.Messages = append(burst.Messages, m)
				if random.IntN(20) == 0 {
					apply(burst)
					burst.Messages = nil
				}
			}
			apply(burst)
			m := pick()
			at := RangeOf(m.Content.Time, m.ID)
			switch rapid.IntRange(0, 6).Draw(t, "then") {
			case 0:
				w.read.Join(at)
				apply(Change{Chat: team, State: Chat{Read: at}})
			case 1:
				w.read.Join(at)
				apply(Change{Chat: team, Messages: []Message{{ID: m.ID, ReadHere: true}}})
			case 2:
				w.gone[m.ID] = true
				apply(Change{Chat: team, Messages: []Message{{ID: m.ID, Gone: true}}})
			case 3:
				at = RangeOf(m.Content.Time - 1)
				w.hide = append(w.hide, at)
				apply(Change{Chat: team, State: Chat{Cleared: at}})
			case 4:
				at = RangeOf(m.Content.Time - 1)
				w.hide = append(w.hide, at)
				apply(Change{Chat: team, State: Chat{ClearedUnstarred: at}})
			case 5: // a history that was taken meanwhile
				w.hide = append(w.hide, RangeOf(100))
				apply(Change{Chat: team, Past: true, State: Chat{Unread: Unread{At: 100}}})
			}
			if got, want := s.unread(), w.unread(); got != want {
				t.Fatalf("after %d messages %s are unread, and should be %s: %+v", len(w.ids), got, want, s.chat.Unread.Folded)
			}
			if len(s.chat.Unread.Since) > maxStamps {
				t.Fatalf("%d stamps", len(s.chat.Unread.Since))
			}
		}
	})
}

// TestRecountIsRare: to read all costs nothing, to read in steps as much as there is to read.
func TestRecountIsRare(t *testing.T) {
	s := newShelf(t, team)
	const many = 20 * maxStamps
	for i := range many {
		m := say(fmt.Sprint("m", i), int64(100+i))
		m.Content.Order = int64(1 + i)
		s.apply(Change{Chat: team, Messages: []Message{m}}, false)
	}
	if s.visited != 0 {
		t.Errorf("%d messages were loaded to count arrivals", s.visited)
	}
	for i := 0; i < many/2; i += 100 {
		s.apply(Change{Chat: team, State: Chat{Read: RangeOf(int64(100 + i))}}, false)
		if n, _ := s.chat.UnreadCount(); n != many-1-i {
			t.Fatalf("%d are unread after %d were read", n, i+1)
		}
	}
	visited := s.visited
	s.apply(Change{Chat: team, State: Chat{Read: RangeOf(int64(100 + many))}}, false)
	if n, _ := s.chat.UnreadCount(); n != 0 || s.visited != visited {
		t.Errorf("%d are unread after all were read, %d were loaded", n, s.visited-visited)
	}
}

// TestUnreadOfMovedChat moves a chat with many unread messages to the person's number, in parts and repeatedly.
func TestUnreadOfMovedChat(t *testing.T) {
	lid, pn := newShelf(t, aliceLID), newShelf(t, alice)
	const many = 5 * maxStamps
	for i := range many {
		m := say(fmt.Sprint("m", i), int64(100+i/50))
		m.Content.Order = int64(1 + i)
		in := lid
		if i%4 == 0 {
			in = pn
		}
		in.apply(Change{Chat: in.chat.JID, Epoch: 7, Messages: []Message{m}}, false)
	}
	var page []Message
	for _, m := range lid.messages {
		if page = append(page, *m); len(page) == 100 {
			pn.apply(moved(alice, aliceLID, lid.chat, page), len(pn.messages)%3 == 0)
			pn.apply(moved(alice, aliceLID, lid.chat, page), false)
			page = nil
		}
	}
	pn.apply(moved(alice, aliceLID, lid.chat, page), false)
	pn.apply(moved(alice, aliceLID, lid.chat, page), false)
	if n, _ := pn.chat.UnreadCount(); n != many {
		t.Errorf("%d are unread of %d: %+v", n, many, pn.chat.Unread)
	}
	pn.apply(Change{Chat: alice, Epoch: 7, Messages: []Message{say("next", 10_000)}}, false)
	if n, _ := pn.chat.UnreadCount(); n != many+1 {
		t.Errorf("%d are unread when one more has come", n)
	}
}
