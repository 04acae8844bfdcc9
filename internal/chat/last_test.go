package chat

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// rendered stands for render.View: a line's document is its id.
func rendered(th *Thread) {
	th.Chat.Last.Render(func(l Line, _ *Message) JSON { return JSON(fmt.Sprintf(`{"%s%s"}`, l.ID, l.Kind)) })
}

// TestLineOfAnyMoment has messages come that end at some time, be deleted, kept and cleared, and compares the line at every
// moment, which nothing was written for, with the newest message that shows then.
func TestLineOfAnyMoment(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		stored := map[string]*Message{}
		c := Chat{JID: alice}
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			change := Change{Chat: alice}
			id := fmt.Sprint("m", rapid.IntRange(0, 7).Draw(rt, "id"))
			m := Message{ID: id}
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				m.Gone = true
			case 1:
				m.Keeps = map[JID]Register[bool]{bob: {rapid.Bool().Draw(rt, "keep"), int64(step + 1)}}
			case 2:
				change.State.Cleared = RangeOf(noon.Unix() - int64(rapid.IntRange(0, 8).Draw(rt, "cleared")))
			default:
				m = say(id, noon.Unix()-int64(id[1]-'0'))
				m.Content.Expires = noon.Unix() + rapid.SampledFrom([]int64{0, 60, 120, 180}).Draw(rt, "ends")
				if m.Content.Expires == noon.Unix() {
					m.Content.Expires = 0
				}
				if stored[id] != nil {
					m.Content.Expires = stored[id].Content.Expires
				}
			}
			change.Messages = []Message{m}
			th := thread(alice, stored, nil)
			th.Chat = c
			if was := stored[id]; was != nil {
				th.Messages[id] = was
			}
			if err := th.Apply(change, noon); err != nil {
				rt.Fatal(err)
			}
			rendered(th)
			c = th.Chat
			maps.Copy(stored, th.Changed)
			for _, r := range th.Prune {
				maps.DeleteFunc(stored, func(id string, m *Message) bool { return m.Content.known() && r.Covers(m.Content.Time, id) })
			}
			packed := c.Last.Document
			for _, now := range []time.Time{noon, noon.Add(time.Minute), noon.Add(2 * time.Minute), noon.Add(time.Hour)} {
				if got, want := c.Last.At(now), newestAt(&c, stored, now); got != want {
					rt.Fatalf("after %d steps, at %v: the line is %s, want %s; packed %s", step+1, now.Sub(noon), got, want, packed)
				}
			}
		}
	})
}

func newestAt(c *Chat, stored map[string]*Message, now time.Time) JSON {
	var newest *Message
	for _, m := range stored {
		if v := c.Place(m); v.Heads && c.Lists(v, now) && (newest == nil || newest.before(m)) {
			newest = m
		}
	}
	if newest == nil {
		return ""
	}
	return JSON(`{"` + newest.ID + `"}`)
}

func TestBrokenLines(t *testing.T) {
	whole := pack([]Line{{Expires: 5, Document: `{"a":1}`}, {Document: `{"b":[2]}`}})
	if whole != `[5,7,{"a":1},0,9,{"b":[2]}]` {
		t.Fatalf("packed is %s", whole)
	}
	for i := range whole {
		l := Line{ID: "m", Document: whole[:i]}
		_ = l.At(time.Unix(3, 0)) // doesn't panic
		_ = l.At(time.Unix(9, 0))
	}
	l := Line{ID: "m", Document: whole}
	if l.At(time.Unix(3, 0)) != `{"a":1}` || l.At(time.Unix(5, 0)) != `{"b":[2]}` {
		t.Error("the lines are read wrong")
	}
}

// TestAdditionsAsLines: what is taken back gives way to the one before it, in every order.
func TestAdditionsAsLines(t *testing.T) {
	mine := say("m", 10)
	mine.Content.Sender, mine.Content.FromMe = own, true
	react := func(by JID, text string, at int64) Change {
		return Change{Chat: team, Messages: []Message{{ID: "m", Reactions: map[JID]Register[Reaction]{by: {Reaction{AddOn{ID: "r", Time: at}, text}, at}}}}}
	}
	changes := []Change{
		{Chat: team, Messages: []Message{mine}}, {Chat: team, Messages: []Message{say("n", 20)}},
		react(alice, "a", 30), react(bob, "b", 40), react(bob, "", 50),
	}
	rapid.Check(t, func(rt *rapid.T) {
		th := thread(team, nil, nil)
		stored := map[string]*Message{}
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(rt, "order") {
			next := thread(team, stored, nil)
			next.Chat = th.Chat
			for _, id := range changes[i].ids() {
				if stored[id] != nil {
					next.Messages[id] = stored[id]
				}
			}
			if err := next.Apply(changes[i], noon); err != nil {
				rt.Fatal(err)
			}
			rendered(next)
			maps.Copy(stored, next.Changed)
			th = next
		}
		if got := th.Chat.Last.At(noon); got != `{"mr"}` || th.Chat.Outline().Activity != 30 || th.Chat.Activity != 20 {
			rt.Fatalf("the line is %s, lifted to %d", got, th.Chat.Outline().Activity)
		}
	})
}

func TestEditsInTime(t *testing.T) {
	m := say("m", 1000)
	edit := func(body string, sent, at int64) Message {
		return Message{ID: "m", Edits: map[JID]Register[Edit]{alice: {Edit{Kind: TextEdit, Type: "conversation", Body: body, Message: "{}", Sent: sent}, at}}}
	}
	for name, test := range map[string]struct {
		in   JID
		all  []Message
		want string
	}{
		"in time":              {team, []Message{m, edit("e", 2200, 5)}, "e"},
		"too late":             {team, []Message{m, edit("e", 2201, 5)}, ""},
		"too late, waiting":    {team, []Message{edit("e", 2201, 5), m}, ""},
		"late after timely":    {team, []Message{m, edit("e", 1100, 5), edit("f", 2201, 9)}, "e"},
		"the older comes last": {team, []Message{m, edit("f", 1200, 9), edit("e", 1100, 5)}, "f"},
		"a channel's":          {"120363000000000001@newsletter", []Message{m, edit("e", 1000+30*86400, 5)}, "e"},
	} {
		th := thread(test.in, nil, nil)
		mustApply(t, th, Change{Chat: test.in, Messages: test.all})
		if got := th.Chat.Said(th.Messages["m"]).Edit.Body; got != test.want {
			t.Errorf("%s: it says %q, want %q", name, got, test.want)
		}
	}
	notes := m
	notes.Content.FromMe = true
	th := thread(alice, nil, nil)
	mustApply(t, th, Change{Chat: alice, Messages: []Message{notes, edit("e", 1<<40, 5)}})
	if th.Chat.Said(th.Messages["m"]).Edit.Body != "e" {
		t.Error("a note to oneself can't be edited later")
	}
}

func TestWhoKeeps(t *testing.T) {
	keep := func(by JID, yes bool, at int64) map[JID]Register[bool] { return map[JID]Register[bool]{by: {yes, at}} }
	for name, test := range map[string]struct {
		all  []map[JID]Register[bool]
		want bool
	}{
		"kept":                        {[]map[JID]Register[bool]{keep(bob, true, 1)}, true},
		"unkept":                      {[]map[JID]Register[bool]{keep(bob, true, 1), keep(own, false, 2)}, false},
		"kept again":                  {[]map[JID]Register[bool]{keep(bob, true, 1), keep(own, false, 2), keep(bob, true, 3)}, true},
		"the author says no":          {[]map[JID]Register[bool]{keep(alice, false, 1), keep(bob, true, 2)}, false},
		"the author changes his mind": {[]map[JID]Register[bool]{keep(alice, false, 1), keep(alice, true, 2)}, true},
	} {
		backwards := slices.Clone(test.all)
		slices.Reverse(backwards)
		for _, all := range [][]map[JID]Register[bool]{test.all, backwards} {
			m := say("m", 5)
			m.Content.Expires = 9
			for _, k := range all {
				m.Join(Message{ID: "m", Keeps: k})
			}
			if m.kept() != test.want || (m.expires() == 0) != test.want {
				t.Errorf("%s: kept is %t", name, m.kept())
			}
		}
	}
}
