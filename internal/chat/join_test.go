package chat

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const (
	alice    JID = "6281111111111@s.whatsapp.net"
	aliceLID JID = "111111111111111@lid"
	bob      JID = "6282222222222@s.whatsapp.net"
	own      JID = "6280000000000@s.whatsapp.net"
	team     JID = "120363041234567890@g.us"
)

// joins checks that join commutes and associates, and that repeating it changes nothing.
func joins[T any](t *testing.T, draw func(*rapid.T) T, join func(into *T, o T)) {
	t.Helper()
	copied := func(v T) T { // through JSON, as stores do
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var c T
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	all := func(values ...T) T {
		var joined T
		for _, v := range values {
			join(&joined, copied(v))
		}
		return joined
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, b, c := draw(rt), draw(rt), draw(rt)
		one := all(a, b, c)
		for _, other := range []T{all(c, b, a), all(b, a, c), all(a, all(b, c)), all(a, b, c, a, b), all(all(a, b), all(b, c))} {
			if !reflect.DeepEqual(copied(one), copied(other)) {
				rt.Fatalf("%+v\n%+v\n%+v\nbecome %+v\nor %+v", a, b, c, one, other)
			}
		}
	})
}

func drawOf[T any](t *rapid.T, values ...T) T { return rapid.SampledFrom(values).Draw(t, "of") }

func TestRegisterJoins(t *testing.T) {
	joins(t, func(t *rapid.T) Register[int64] {
		return Register[int64]{drawOf[int64](t, 0, -1, 1, 9, 10), drawOf[int64](t, 1, 2)}
	}, func(into *Register[int64], o Register[int64]) { into.Join(o) })
}

func TestRegisterTies(t *testing.T) {
	for _, pair := range [][2]Register[int64]{
		{{Value: MutedForEver, At: Baseline}, {Value: 0, At: Baseline}},
		{{Value: 5, At: Baseline}, {Value: 0, At: Baseline}},
		{{Value: 0, At: 2}, {Value: MutedForEver, At: 1}},
		{{Value: 0, At: 1}, {}},
	} {
		for i := range pair {
			r := pair[i]
			r.Join(pair[1-i])
			if r != pair[0] {
				t.Errorf("%+v and %+v become %+v", pair[i], pair[1-i], r)
			}
		}
	}
}

func drawRange(t *rapid.T) Range {
	return RangeOf(drawOf[int64](t, 0, 1, 2), rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2).Draw(t, "ids")...)
}

func TestRangeJoins(t *testing.T) {
	joins(t, func(t *rapid.T) Range {
		r := drawRange(t)
		if r.Through == 0 {
			return Range{}
		}
		return r
	}, func(into *Range, o Range) { into.Join(o) })
}

func TestRangeCovers(t *testing.T) {
	both := RangeOf(10, "b", "a", "b")
	both.Join(RangeOf(10, "c"))
	all := RangeOf(10, "a")
	all.Join(RangeOf(10))
	later := RangeOf(9)
	later.Join(RangeOf(10, "a"))
	for _, c := range []struct {
		r    Range
		time int64
		id   string
		want bool
	}{
		{Range{}, 0, "a", false}, {Range{}, -1, "a", false},
		{RangeOf(10), 9, "x", true}, {RangeOf(10), 10, "x", true}, {RangeOf(10), 11, "x", false},
		{both, 9, "x", true}, {both, 10, "a", true}, {both, 10, "b", true}, {both, 10, "c", true}, {both, 10, "x", false}, {both, 11, "a", false},
		{all, 10, "x", true}, {later, 10, "a", true}, {later, 10, "x", false}, {later, 9, "x", true},
	} {
		if got := c.r.Covers(c.time, c.id); got != c.want {
			t.Errorf("%+v covers %s at %d: %v", c.r, c.id, c.time, got)
		}
	}
}

func TestReceiptJoins(t *testing.T) {
	joins(t, func(t *rapid.T) Receipt {
		at := func() int64 { return drawOf[int64](t, 0, 1, 2) }
		return Receipt{at(), at(), at()}
	}, func(into *Receipt, o Receipt) { *into = into.join(o) })
}

func drawContent(t *rapid.T) Content {
	if rapid.IntRange(0, 3).Draw(t, "known") == 0 {
		return Content{}
	}
	return Content{
		Sender: drawOf(t, alice, aliceLID, bob), Time: drawOf[int64](t, 1, 2), Order: drawOf[int64](t, 0, 1),
		Message: drawOf[JSON](t, "", `{"conversation":"a"}`, `{"conversation":"b"}`), Type: "conversation", Partial: rapid.Bool().Draw(t, "partial"),
	}
}

func drawMessage(t *rapid.T) Message {
	m := Message{
		ID: "m", Content: drawContent(t), Status: Status(rapid.IntRange(0, int(Played)).Draw(t, "status")),
		ReadHere: rapid.Bool().Draw(t, "read"), Gone: rapid.Bool().Draw(t, "gone"),
	}
	m.Told = Told{drawOf[int64](t, 0, 1, 2), drawOf[int64](t, 0, 1, 2)}
	who := drawOf(t, alice, aliceLID, bob)
	at := drawOf[int64](t, 1, 2)
	switch rapid.IntRange(0, 10).Draw(t, "fact") {
	case 0:
		m.Edits = map[JID]Register[Edit]{who: {Edit{Message: drawOf[JSON](t, `{"a":1}`, `{"b":1}`)}, at}}
	case 1:
		m.Revoked = map[JID]int64{who: 1}
	case 2:
		m.Receipts = map[JID]Receipt{who: {Received: at}}
	case 3:
		m.Reactions = map[JID]Register[Reaction]{who: {Reaction{AddOn: drawLink(t), Text: drawOf(t, "", "a")}, at}}
	case 4:
		m.Votes = map[JID]Register[Vote]{who: {Vote{AddOn: drawLink(t), Options: drawOf(t, "", "aa", "bb")}, at}}
	case 5:
		m.Answers = map[JID]Register[Answer]{who: {Answer{Response: drawOf(t, "GOING", "MAYBE")}, at}}
	case 6:
		m.Keeps = map[JID]Register[bool]{who: {at == 1, at}}
	case 7:
		m.Pin = Register[Pin]{Pin{AddOn: drawLink(t), By: who, Pinned: at == 1}, at}
	case 8:
		m.Comments = map[string]Comment{drawOf(t, "x", "y"): {By: who, Body: drawOf(t, "a", "b")}}
	case 9:
		m.Options = map[string]bool{drawOf(t, "x", "y"): true}
	default:
		m.Starred = Register[bool]{at == 1, at}
	}
	return m
}

func drawLink(t *rapid.T) AddOn { return AddOn{Link: drawOf[int64](t, 1, 2, 10)} }

func TestMessageJoins(t *testing.T) {
	joins(t, drawMessage, func(into *Message, o Message) { into.Join(o) })
}

func TestChatJoins(t *testing.T) {
	joins(t, func(t *rapid.T) Chat {
		at := func() int64 { return drawOf[int64](t, 1, 2) }
		return Chat{
			LID:     drawOf(t, "", aliceLID, "222222222222222@lid"),
			Subject: Register[string]{drawOf(t, "a", "b"), at()},
			Fields:  map[string]Register[JSON]{drawOf(t, "x", "y"): {drawOf[JSON](t, "1", "2"), at()}},
			Members: map[JID]Register[Rank]{drawOf(t, alice, bob): {drawOf(t, RankMember, RankAdmin, RankLeft), at()}},
			Read:    RangeOf(at(), "a"), Cleared: RangeOf(at()), Activity: at(), Received: at(),
			ClearedUnstarred: RangeOf(at()), ClearedAt: at(),
			Unread: Unread{Count: drawOf(t, 1, 2), At: at(), Other: base{Count: drawOf(t, 1, 2), At: at()}},
		}
	}, func(into *Chat, o Chat) { into.Join(o) })
}

func TestContentWins(t *testing.T) {
	said := func(sender JID, time, order int64) Content {
		return Content{Sender: sender, Time: time, Order: order, Message: `{"conversation":"a"}`}
	}
	for name, c := range map[string]struct{ winner, loser Content }{
		"any over none":                {Content{Time: 9}, Content{}},
		"the earlier":                  {said(bob, 1, 5), said(alice, 2, 0)},
		"what says something":          {said(bob, 9, 5), Content{Sender: alice, Time: 1}},
		"the phone number":             {said("9@s.whatsapp.net", 1, 5), said("1@lid", 1, 0)},
		"the first in order":           {said(alice, 1, 0), said(alice, 1, 1)},
		"the smaller sender":           {said(alice, 1, 1), said(bob, 1, 0)},
		"of placeholders, the earlier": {Content{Sender: bob, Time: 1}, Content{Sender: alice, Time: 2}},
	} {
		for _, order := range [][]Content{{c.winner, c.loser}, {c.loser, c.winner}} {
			m := Message{ID: "m", Content: order[0]}
			m.Join(Message{ID: "m", Content: order[1]})
			if c.loser.known() {
				c.winner.Order = min(c.winner.Order, c.loser.Order) // it stays where the one that came first stood
			}
			if !reflect.DeepEqual(m.Content, c.winner) {
				t.Errorf("%s: %+v stays", name, m.Content)
			}
		}
	}
}

func TestUnreadStamps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u Unread
		for range rapid.IntRange(0, maxStamps).Draw(t, "n") {
			u.add(stamp{
				rapid.Int64Range(1, 1<<51).Draw(t, "news"), rapid.Int64Range(1, 1<<40).Draw(t, "time"),
				rapid.Uint32().Draw(t, "id"), rapid.Bool().Draw(t, "mention"),
			})
		}
		b, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		var back Unread
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, u) {
			t.Fatalf("%+v comes back as %+v, %v", u, back, err)
		}
	})
	for _, broken := range []string{"!", "AQ==", "AQEBAQ==", "////////////////"} {
		var s stamps
		if err := s.UnmarshalText([]byte(broken)); err == nil {
			t.Errorf("stamps %q are taken for %v", broken, s)
		}
	}
}

// TestUnreadBases has two histories tell of one person.
func TestUnreadBases(t *testing.T) {
	var u Unread
	u.join(Unread{Count: 2, Mentions: 1, At: 10})
	other := Unread{Count: 3, At: 20}
	other.aside()
	u.join(other)
	u.join(other)
	u.add(stamp{news: 1, time: 20})
	u.add(stamp{news: 2, time: 21})
	if n, m := u.total(); n != 6 || m != 1 {
		t.Errorf("%d, %d are unread", n, m)
	}
	none := func(int64, uint32) bool { return false }
	u.drop(9, none)
	if n, _ := u.total(); n != 6 {
		t.Errorf("%d are unread after a read before the histories", n)
	}
	u.drop(10, none)
	if n, _ := u.total(); n != 4 {
		t.Errorf("%d are unread after a read of the first history", n)
	}
	u.drop(20, none)
	if n, _ := u.total(); n != 1 {
		t.Errorf("%d are unread after a read of both", n)
	}
}

func TestSortMessages(t *testing.T) {
	at := func(id string, time, order int64) *Message {
		return &Message{ID: id, Content: Content{Time: time, Order: order}}
	}
	want := []*Message{at("z", 1, 9), at("b", 2, 0), at("c", 2, 0), at("a", 2, 1), at("0", 3, 0)}
	got := []*Message{want[3], want[4], want[2], want[0], want[1]}
	SortMessages(got)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %v", got)
	}
}
