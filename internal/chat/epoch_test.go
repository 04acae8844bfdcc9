package chat

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawTold is a change as some link tells it: its bootstrap, a later chunk, an event, or a full list of members.
func drawTold(t *rapid.T) Change {
	c := Change{Chat: team, Epoch: drawOf[int64](t, 1, 2, 3)}
	at := drawOf[int64](t, 2, 3, 4)
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0: // the bootstrap
		c.Past = true
		c.State = Chat{
			Subject: Register[string]{fmt.Sprint("link ", c.Epoch), Baseline}, Listed: Baseline,
			Members: map[JID]Register[Rank]{alice: {RankAdmin, Baseline}, bob: {RankMember, Baseline}},
			Unread:  Unread{Count: int(c.Epoch), At: 100},
		}
	case 1: // a chunk behind it
		c.Past = true
		c.Messages = []Message{say(drawOf(t, "a", "b"), drawOf[int64](t, 50, 60))}
	case 2:
		c.State.Subject = Register[string]{fmt.Sprintf("renamed in %d at %d", c.Epoch, at), at}
	case 3:
		c.State.Members = map[JID]Register[Rank]{drawOf(t, alice, bob): {drawOf(t, RankLeft, RankMember, RankAdmin), at}}
	case 4:
		c.State.Listed = at
		c.State.Members = map[JID]Register[Rank]{drawOf(t, alice, bob): {RankMember, at}}
	case 5:
		c.State.Mute = Register[int64]{c.Epoch*10 + at, at}
	}
	return c
}

// toldBy is a chat after changes.
func toldBy(t *rapid.T, changes []Change) string {
	th := thread(team, nil, nil)
	for _, c := range changes {
		c.State.Members = maps.Clone(c.State.Members) // a store's are its own, too
		if err := th.Apply(c, noon); err != nil {
			t.Fatal(err)
		}
	}
	th.Chat.Last = Last{}
	b, err := json.Marshal(th.Chat)
	if err != nil {
		t.Fatal(err)
	}
	m, err := json.Marshal(th.Messages)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n" + string(m)
}

// TestLinksInAnyOrder: what several links told, in any order and repeated, is what the newest told of the chat, with the
// messages of all.
func TestLinksInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawTold), 1, 8).Draw(t, "all")
		again := rapid.SliceOfN(rapid.SampledFrom(all), 0, 3).Draw(t, "again")
		shuffled := rapid.Permutation(slices.Concat(all, again)).Draw(t, "shuffled")
		newest := int64(0)
		for _, c := range all {
			newest = max(newest, c.Epoch)
		}
		var want []Change
		for _, c := range all {
			if c.Epoch < newest {
				once := Chat{Admins: c.State.admins()} // who ever was one
				c = Change{Chat: c.Chat, State: once, Messages: c.Messages, Epoch: newest, Past: true}
			}
			want = append(want, c)
		}
		if one, two := toldBy(t, all), toldBy(t, shuffled); one != two {
			t.Fatalf("in order:\n%s\nshuffled:\n%s", one, two)
		}
		if got, oracle := toldBy(t, all), toldBy(t, want); got != oracle {
			t.Fatalf("told:\n%s\nthe newest link alone:\n%s", got, oracle)
		}
	})
}

// TestAFullListReplaces: who isn't on it is no member, whenever they were one.
func TestAFullListReplaces(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2, 0, 1}} {
		changes := []Change{
			{Chat: team, State: Chat{Listed: Baseline, Members: map[JID]Register[Rank]{alice: {RankAdmin, Baseline}, bob: {RankMember, Baseline}, own: {RankMember, Baseline}}}},
			{Chat: team, State: Chat{Members: map[JID]Register[Rank]{own: {RankLeft, 10}}}},
			{Chat: team, State: Chat{Listed: 20, Members: map[JID]Register[Rank]{alice: {RankMember, 20}, own: {RankMember, 20}}}},
			{Chat: team, State: Chat{Members: map[JID]Register[Rank]{alice: {RankAdmin, 30}}}},
		}
		th := thread(team, nil, nil)
		for _, i := range order {
			c := changes[i]
			c.State.Members = maps.Clone(c.State.Members)
			mustApply(t, th, c)
		}
		want := map[JID]Register[Rank]{alice: {RankAdmin, 30}, own: {RankMember, 20}}
		if !maps.Equal(th.Chat.Members, want) {
			t.Errorf("%v: members %v", order, th.Chat.Members)
		}
	}
}

// TestAdminsOfEarlierLinks: who was an admin in an earlier link could revoke, in whatever order both links are told.
func TestAdminsOfEarlierLinks(t *testing.T) {
	changes := []Change{
		{Chat: team, Epoch: 1, State: Chat{Members: map[JID]Register[Rank]{bob: {RankAdmin, 5}}}},
		{Chat: team, Epoch: 2, State: Chat{Subject: Register[string]{"new", 5}}},
		{Chat: team, Epoch: 2, Messages: []Message{say("a", 10)}},
		{Chat: team, Epoch: 2, Messages: []Message{{ID: "a", Revoked: map[JID]int64{bob: 11}}}},
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {1, 0, 2, 3}, {3, 2, 1, 0}, {1, 2, 0, 3}} {
		th := thread(team, nil, nil)
		for _, i := range order {
			c := changes[i]
			c.State.Members = maps.Clone(c.State.Members)
			mustApply(t, th, c)
		}
		if m := th.Messages["a"]; !th.Chat.revokes(m) || !th.Chat.Admins[bob] || len(th.Chat.Members) != 0 {
			t.Errorf("in the order %v: %+v", order, th.Chat)
		}
	}
}
