package chat

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
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

// TestReadWithinAHistory reads, on another device, a part of what a history counted, in any order with the history's parts.
func TestReadWithinAHistory(t *testing.T) {
	at := func(i int) string { return fmt.Sprint("h", i) }
	message := func(i int) Message { // each third is the account's own, each second of the others mentions it
		m := say(at(i), int64(100+i))
		m.Content.Order = int64(i + 1)
		m.Content.FromMe, m.Content.MentionMe = i%3 == 0, i%2 == 0
		return m
	}
	const newest = 30
	bootstrap := Change{Chat: team, Past: true, State: Chat{Unread: Unread{
		Count: 12, Mentions: 6, At: 100 + newest, IDs: JoinIDs([]string{at(newest)}),
	}}}
	recent, older := Change{Chat: team, Past: true}, Change{Chat: team, Past: true}
	for i := newest; i >= 0; i-- {
		in := &bootstrap
		if i < 10 {
			in = &older
		} else if i < 20 {
			in = &recent
		}
		in.Messages = append(in.Messages, message(i))
	}
	revoked := bootstrap
	revoked.Messages = slices.Clone(bootstrap.Messages)
	for i := range revoked.Messages {
		if m := &revoked.Messages[i]; m.ID == at(25) {
			m.Content.Class, m.Revoked = Ignored, map[JID]int64{m.Content.Sender: 1}
		}
	}
	crowded := bootstrap // its last second has others
	crowded.State.Unread.IDs = JoinIDs([]string{at(27), at(28), at(29), at(newest)})
	crowded.Messages = slices.Clone(bootstrap.Messages)
	for i := range crowded.Messages {
		if m := &crowded.Messages[i]; m.Content.Time >= 127 {
			m.Content.Time = 100 + newest
		}
	}
	torn, behind := crowded, Change{Chat: team, Past: true} // its last second has others, which the next part tells
	torn.State.Unread.IDs, torn.Messages = JoinIDs([]string{at(29), at(newest)}), nil
	for _, m := range crowded.Messages {
		in := &torn
		if m.ID == at(27) || m.ID == at(28) {
			in = &behind
		}
		in.Messages = append(in.Messages, m)
	}
	beside := say("beside", 100+newest) // comes in that second, after the history was made
	beside.Content.Order = 1_000_000
	live := say("live", 200)
	live.Content.Order = 1_000_000
	receipt := func(ids ...string) (c Change) {
		c.Chat = team
		for _, id := range ids {
			c.Messages = append(c.Messages, Message{ID: id, ReadHere: true})
		}
		return c
	}
	clear := Change{Chat: team, State: Chat{Read: RangeOf(105)}}
	for _, c := range []struct {
		what string
		told []Change
		want string
	}{
		{"no read", []Change{bootstrap}, "12, 6 with a mention"},
		{"the first", []Change{bootstrap, receipt(at(14))}, "10, 5 with a mention"},
		{"some", []Change{bootstrap, receipt(at(22), at(23))}, "4, 2 with a mention"},
		{"some, beside one that was revoked", []Change{revoked, receipt(at(22), at(23))}, "4, 2 with a mention"},
		{"one of the last second", []Change{crowded, receipt(at(28))}, "1, 0 with a mention"},
		{"before a last second in two parts", []Change{torn, behind, receipt(at(25))}, "3, 2 with a mention"},
		{"that of the later part", []Change{torn, behind, receipt(at(28))}, "1, 0 with a mention"},
		{"all of both parts", []Change{torn, behind, receipt(at(28), at(29))}, "0, 0 with a mention"},
		{"before it, with news in it", []Change{torn, behind, receipt(at(25)), {Chat: team, Messages: []Message{beside}}},
			"4, 2 with a mention"},
		{"one by one", []Change{bootstrap, receipt(at(22)), receipt(at(25))}, "3, 2 with a mention"},
		{"all but what came since", []Change{bootstrap, receipt(at(29)), {Chat: team, Messages: []Message{live}}}, "1, 0 with a mention"},
		{"what came before", []Change{bootstrap, receipt(at(5))}, "12, 6 with a mention"},
		{"all by a later message", []Change{bootstrap, {Chat: team, Messages: []Message{live}}, receipt("live")}, "0, 0 with a mention"},
		{"a range that names no message here", []Change{bootstrap, clear}, "12, 6 with a mention"},
		{"what is cleared", []Change{bootstrap, receipt(at(22)), {Chat: team, State: Chat{Cleared: RangeOf(122)}}}, "12, 6 with a mention"},
		{"behind what is cleared", []Change{bootstrap, receipt(at(23)), {Chat: team, State: Chat{Cleared: RangeOf(122)}}}, "4, 2 with a mention"},
		{"one deleted", []Change{bootstrap, receipt(at(22)), {Chat: team, Messages: []Message{{ID: at(28), Gone: true}}}}, "4, 1 with a mention"},
	} {
		told := append(c.told, recent, older)
		indices := make([]int, len(told))
		for i := range indices {
			indices[i] = i
		}
		rapid.Check(t, func(t *rapid.T) {
			s := newShelf(t, team)
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(told)-1), 0, len(told)).Draw(t, "told twice") {
				change := told[i]
				change.Epoch = 1
				s.apply(change, false)
			}
			for _, i := range rapid.Permutation(indices).Draw(t, "told") {
				change := told[i]
				change.Epoch = 1
				if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
					s.apply(change, true)
				}
				s.apply(change, false)
			}
			if got := s.unread(); got != c.want {
				t.Fatalf("%s: %s are unread, want %s: %+v", c.what, got, c.want, s.chat.Unread)
			}
		})
	}
}
