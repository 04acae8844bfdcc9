package chat

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func say(id string, at int64) Message {
	return Message{ID: id, Content: Content{Sender: alice, Time: at, Type: "conversation", Body: id, Editable: TextEdit, Message: JSON(`{"conversation":"` + id + `"}`)}}
}

// thread is one whose store is a map.
func thread(jid JID, stored map[string]*Message, last *Message) *Thread {
	t := &Thread{Chat: Chat{JID: jid}, Messages: map[string]*Message{}}
	if last != nil {
		t.Chat.Last = Last{Line: Line{ID: last.ID, Time: last.Content.Time, Order: last.Content.Order, Document: "{}"}}
		t.Chat.Activity = last.Content.Time
	}
	t.Newest = func(shows func(MessageView) bool) (*Message, error) {
		var newest *Message
		for id, m := range stored {
			if t.Messages[id] == nil && shows(t.Chat.Place(m)) && (newest == nil || newest.before(m)) {
				newest = m
			}
		}
		return newest, nil
	}
	t.Each = func(from int64, visit func(*Message)) error {
		for id, m := range stored {
			if t.Messages[id] == nil && m.Content.Time >= from {
				visit(m)
			}
		}
		return nil
	}
	return t
}

func mustApply(t interface {
	Helper()
	Fatal(...any)
}, th *Thread, c Change) {
	t.Helper()
	if err := th.Apply(c, noon); err != nil {
		t.Fatal(err)
	}
}

func TestHiddenForGoodIsNotStored(t *testing.T) {
	for _, state := range []Chat{{Cleared: RangeOf(10)}, {Deleted: RangeOf(10)}} {
		th := thread(alice, nil, nil)
		mustApply(t, th, Change{Chat: alice, State: state, Messages: []Message{say("old", 10), say("new", 11)}})
		if got := slices.Sorted(maps.Keys(th.Changed)); !slices.Equal(got, []string{"new"}) {
			t.Errorf("stored are %v", got)
		}
		if len(th.Prune) != 1 || th.Prune[0].Through != 10 {
			t.Errorf("pruned is %v", th.Prune)
		}
		th.Prune = nil
		mustApply(t, th, Change{Chat: alice, State: state})
		if len(th.Prune) != 0 {
			t.Errorf("pruned again is %v", th.Prune)
		}
	}
	th := thread(alice, nil, nil)
	mustApply(t, th, Change{Chat: alice, State: Chat{ClearedUnstarred: RangeOf(10)}, Messages: []Message{say("old", 10)}})
	if th.Changed["old"] == nil || len(th.Prune) != 0 || th.Chat.Last.ID != "" {
		t.Errorf("what a star would bring back: stored %v, pruned %v, last %v", th.Changed, th.Prune, th.Chat.Last)
	}
}

// TestAClearIsAMoment: a clear that keeps starred messages takes what isn't starred at that moment, in whatever order it is told,
// once or more; what becomes of the stars of others later doesn't matter to it.
func TestAClearIsAMoment(t *testing.T) {
	star := func(on bool, at int64) Change {
		return Change{Chat: alice, Messages: []Message{{ID: "m", Starred: Register[bool]{on, at}}}}
	}
	clear := func(through, at int64) Change {
		return Change{Chat: alice, State: Chat{ClearedUnstarred: RangeOf(through), ClearedAt: at}}
	}
	told := Change{Chat: alice, Messages: []Message{say("m", 10)}}
	old := Change{Chat: alice, Past: true, Messages: []Message{say("m", 10)}}
	old.Messages[0].Starred = Register[bool]{true, Baseline}
	for name, c := range map[string]struct {
		changes []Change
		shows   bool
	}{
		"never starred":                      {[]Change{told, clear(10, 50)}, false},
		"starred":                            {[]Change{told, star(true, 30), clear(10, 50)}, true},
		"starred, as a history told":         {[]Change{old, clear(10, 50)}, true},
		"unstarred later":                    {[]Change{told, star(true, 30), clear(10, 50), star(false, 70)}, true},
		"unstarred later, after a history":   {[]Change{old, clear(10, 50), star(false, 70)}, true},
		"unstarred before":                   {[]Change{told, star(true, 30), star(false, 40), clear(10, 50)}, false},
		"starred later":                      {[]Change{told, clear(10, 50), star(true, 70)}, true},
		"starred and unstarred later":        {[]Change{told, clear(10, 50), star(true, 60), star(false, 70)}, true},
		"unstarred between two clears":       {[]Change{told, star(true, 30), clear(10, 50), star(false, 60), clear(20, 80)}, false},
		"unstarred after two clears":         {[]Change{told, star(true, 30), clear(10, 50), clear(20, 80), star(false, 90)}, true},
		"all told anew, in the same order":   {[]Change{told, star(true, 30), clear(10, 50), star(false, 70), clear(10, 1001), star(false, 1002)}, true},
		"all told anew, unstarred before it": {[]Change{told, star(false, 40), clear(10, 50), star(false, 1001), clear(10, 1002)}, false},
		"the clear's range ends before":      {[]Change{told, star(false, 40), clear(9, 50)}, true},
	} {
		rapid.Check(t, func(t *rapid.T) {
			changes := rapid.Permutation(slices.Concat(c.changes, c.changes[:2])).Draw(t, "changes")
			th := thread(alice, nil, nil)
			for _, change := range changes {
				mustApply(t, th, change)
			}
			v := th.Chat.Place(th.Messages["m"])
			if got := th.Chat.Lists(v, noon); got != c.shows || (th.Chat.Last.ID == "m") != c.shows {
				t.Fatalf("%s: shows %t, last %q", name, got, th.Chat.Last.ID)
			}
		})
	}
}

// TestTakenBackBetweenLinks: a history tells a message with what was added to it. What only an earlier link told of it was taken
// back since, whatever the link of the history has told live, before or after it. Messages that it doesn't tell keep what they
// have.
func TestTakenBackBetweenLinks(t *testing.T) {
	reaction := func(by JID, text string, at int64) map[JID]Register[Reaction] {
		return map[JID]Register[Reaction]{by: {Reaction{AddOn: AddOn{ID: text}, Text: text}, at}}
	}
	vote := map[JID]Register[Vote]{bob: {Vote{Options: "aa"}, 5}}
	pin := Register[Pin]{Pin{By: bob, Pinned: true}, 5}
	in := func(epoch int64, past bool, changes ...func(*Message)) Change {
		m := Message{ID: "m"}
		if past {
			m = say("m", 10)
		}
		for _, f := range changes {
			f(&m)
		}
		c := Change{Chat: alice, Past: past, Messages: []Message{m}}
		c.In(epoch)
		return c
	}
	reacts := func(by JID, text string, at int64) func(*Message) {
		return func(m *Message) { m.Reactions = reaction(by, text, at) }
	}
	first := in(1, true, reacts(alice, "👍", 5), func(m *Message) { m.Votes, m.Pin = vote, pin })
	live := in(1, false, reacts(bob, "❤️", 9))
	for name, c := range map[string]struct {
		changes []Change
		want    map[JID]string
		votes   int
		pinned  bool
	}{
		"nothing new":           {nil, map[JID]string{alice: "👍", bob: "❤️"}, 1, true},
		"all taken back":        {[]Change{in(2, true)}, map[JID]string{}, 1, false},
		"one taken back":        {[]Change{in(2, true, reacts(bob, "❤️", 9))}, map[JID]string{bob: "❤️"}, 1, false},
		"another instead":       {[]Change{in(2, true, reacts(bob, "🙏", 8))}, map[JID]string{bob: "🙏"}, 1, false},
		"live, before or after": {[]Change{in(2, true), in(2, false, reacts(bob, "🙏", 12))}, map[JID]string{bob: "🙏"}, 1, false},
		"taken back live": {[]Change{in(2, true, reacts(bob, "❤️", 9)), in(2, false, func(m *Message) {
			m.Reactions = map[JID]Register[Reaction]{bob: {Reaction{AddOn: AddOn{ID: "x"}}, 12}}
		})}, map[JID]string{bob: ""}, 1, false},
		"live only":     {[]Change{in(2, false, reacts(bob, "🙏", 12))}, map[JID]string{alice: "👍", bob: "🙏"}, 1, true},
		"another vote":  {[]Change{in(2, true, func(m *Message) { m.Votes = map[JID]Register[Vote]{alice: {Vote{Options: "bb"}, 6}} })}, map[JID]string{}, 1, false},
		"pinned still":  {[]Change{in(2, true, func(m *Message) { m.Pin = pin })}, map[JID]string{}, 1, true},
		"a third link":  {[]Change{in(2, true, reacts(bob, "❤️", 9)), in(3, true)}, map[JID]string{}, 1, false},
		"the same link": {[]Change{in(1, true)}, map[JID]string{alice: "👍", bob: "❤️"}, 1, true},
	} {
		rapid.Check(t, func(t *rapid.T) {
			th := thread(alice, nil, nil)
			links := make(map[int64][]Change)
			for _, change := range slices.Concat([]Change{first, live, first, live}, c.changes) {
				links[change.Epoch] = append(links[change.Epoch], change)
			}
			for _, epoch := range slices.Sorted(maps.Keys(links)) {
				for _, change := range rapid.Permutation(links[epoch]).Draw(t, "changes") {
					mustApply(t, th, change)
				}
			}
			m := th.Messages["m"]
			got := make(map[JID]string)
			for by, r := range m.Reactions {
				got[by] = r.Value.Text
			}
			if !maps.Equal(got, c.want) || len(m.Votes) != c.votes || m.Pin.Value.Pinned != c.pinned {
				t.Fatalf("%s: reactions %v, %d votes, pinned %t", name, got, len(m.Votes), m.Pin.Value.Pinned)
			}
		})
	}
	// Of what was stored before links were noted nobody knows when it was told: it stays.
	th := thread(alice, nil, nil)
	mustApply(t, th, Change{Chat: alice, Epoch: 1, Messages: []Message{{ID: "m", Reactions: reaction(bob, "❤️", 9), Pin: pin}}})
	mustApply(t, th, in(2, true, reacts(alice, "👍", 5)))
	if m := th.Messages["m"]; len(m.Reactions) != 2 || !m.Pin.Value.Pinned {
		t.Errorf("of an earlier release are %v and %v", m.Reactions, m.Pin)
	}
	// What was never added to needs no note of who told it.
	th = thread(alice, nil, nil)
	mustApply(t, th, in(2, true))
	if th.Messages["m"].Told != (Told{}) {
		t.Errorf("noted is %+v", th.Messages["m"].Told)
	}
}

// TestNamesToldBefore: once all of the address book was told, names that were told before count no more.
func TestNamesToldBefore(t *testing.T) {
	name := func(n string, at int64) Register[string] { return Register[string]{n, at} }
	for what, c := range map[string]struct {
		contact, saved Register[string]
		want           string
	}{
		"a history's":         {name("lama", Baseline), Register[string]{}, "push"},
		"told since":          {name("Budi", 70), Register[string]{}, "Budi"},
		"told as that began":  {name("Budi", 50), Register[string]{}, "Budi"},
		"of an entry by LID":  {name("", 2), name("Budi", 40), "push"},
		"by LID, told since":  {name("lama", 40), name("Budi", 60), "Budi"},
		"both from before it": {name("lama", 40), name("Budi", 30), "push"},
	} {
		th := thread(alice, nil, nil)
		mustApply(t, th, Change{Chat: alice, State: Chat{Contact: c.contact, Saved: c.saved, PushName: name("push", 1)}})
		if got, want := th.Chat.TellsContact(50), c.want == "push" || c.contact.Set() && c.contact.At < 50; got != want {
			t.Errorf("%s: there is a name from before: %t", what, got)
		}
		mustApply(t, th, Change{Chat: alice, Contacts: 50})
		if got := th.Chat.Name(); got != c.want || th.Chat.TellsContact(50) {
			t.Errorf("%s: the name is %q, want %q", what, got, c.want)
		}
		mustApply(t, th, Change{Chat: alice, State: Chat{Contact: name("lama", Baseline)}, Contacts: 50, Past: true}) // late
		if got := th.Chat.Name(); got != c.want {
			t.Errorf("%s, and a late history: the name is %q, want %q", what, got, c.want)
		}
	}
}

func TestForgets(t *testing.T) {
	full := say("m", 5)
	full.Content.Quoted, full.Content.Info, full.Content.Mentions = `{"q":1}`, `{"i":1}`, []JID{bob}
	full.Edits = map[JID]Register[Edit]{alice: {Edit{Body: "secret"}, 1}}
	full.Reactions = map[JID]Register[Reaction]{bob: {Reaction{Text: "x"}, 1}}
	for name, o := range map[string]Message{
		"deleted for me": {ID: "m", Gone: true},
		"revoked":        {ID: "m", Revoked: map[JID]int64{alice: 1}},
	} {
		for _, order := range [][]Message{{full, o}, {o, full}, {full, o, full}} {
			th := thread(alice, nil, nil)
			mustApply(t, th, Change{Chat: alice, Messages: order})
			m := th.Changed["m"]
			if c := m.Content; c.Body != "" || c.Message != "{}" || c.Quoted != "" || c.Info != "" || c.Mentions != nil || m.Edits != nil || m.Reactions != nil {
				t.Errorf("%s: left is %+v", name, m)
			}
		}
	}
}

func TestLoadedMessagesStay(t *testing.T) {
	loaded := say("m", 5)
	loaded.Receipts = map[JID]Receipt{bob: {Received: 1}}
	loaded.Reactions = map[JID]Register[Reaction]{bob: {Reaction{Text: "x"}, 1}}
	loaded.Revoked = map[JID]int64{bob: 1}
	loaded.Edits = map[JID]Register[Edit]{bob: {Edit{Body: "b"}, 1}}
	want := loaded
	want.unshare()
	th := thread(team, nil, nil)
	th.Messages["m"] = &loaded
	mustApply(t, th, Change{Chat: team, Messages: []Message{{
		ID: "m", Status: Read, Receipts: map[JID]Receipt{alice: {Read: 2}}, Reactions: map[JID]Register[Reaction]{alice: {Reaction{Text: "1"}, 1}},
		Revoked: map[JID]int64{own: 1}, Edits: map[JID]Register[Edit]{alice: {Edit{Body: "a"}, 1}},
	}}})
	if !reflect.DeepEqual(loaded, want) {
		t.Errorf("the loaded message became %+v", loaded)
	}
	if th.Changed["m"] == &loaded || len(th.Changed["m"].Receipts) != 2 {
		t.Errorf("the changed message is %+v", th.Changed["m"])
	}
}

func TestChangeStays(t *testing.T) {
	c := Change{Chat: aliceLID, Alt: alice, State: Chat{Unread: Unread{Count: 1, At: 1}}, Messages: []Message{{
		ID: "m", Receipts: map[JID]Receipt{aliceLID: {Read: 2}}, Edits: map[JID]Register[Edit]{aliceLID: {Edit{Body: "a"}, 1}},
	}}}
	th := thread(alice, nil, nil)
	mustApply(t, th, c)
	if _, kept := c.Messages[0].Receipts[aliceLID]; !kept || c.State.Unread.Count != 1 {
		t.Errorf("the change became %+v", c)
	}
	if m := th.Changed["m"]; m.Receipts[alice].Read != 2 || len(m.Edits) != 1 || m.Edits[alice].Value.Body != "a" {
		t.Errorf("the message is %+v", m)
	}
	if th.Chat.LID != aliceLID || th.Chat.Unread.Other.Count != 1 {
		t.Errorf("the chat is %+v", th.Chat)
	}
}

func TestTimesMoveOn(t *testing.T) {
	th := thread(alice, nil, nil)
	sent := say("sent", 30)
	sent.Content.Sender, sent.Content.FromMe = own, true
	mustApply(t, th, Change{Chat: alice, Messages: []Message{say("m", 10), sent}})
	if th.Chat.Activity != 30 || th.Chat.Received != 10 {
		t.Errorf("activity %d, received %d", th.Chat.Activity, th.Chat.Received)
	}
	mustApply(t, th, Change{Chat: alice, Messages: []Message{say("m", 40)}}) // another under its id
	if th.Chat.Activity != 40 || th.Chat.Received != 40 || th.Messages["m"].Content.Time != 10 {
		t.Errorf("activity %d, received %d, message %+v", th.Chat.Activity, th.Chat.Received, th.Messages["m"])
	}
}

func TestLast(t *testing.T) {
	stored := map[string]*Message{}
	for i, id := range []string{"a", "b", "c"} {
		m := say(id, int64(10*i))
		m.Content.Time++
		stored[id] = &m
	}
	for name, c := range map[string]struct {
		change Change
		load   string
		want   string
	}{
		"a newer one":              {Change{Messages: []Message{say("d", 30)}}, "", "d"},
		"an older one":             {Change{Messages: []Message{say("d", 15)}}, "", "c"},
		"a receipt of an older":    {Change{Messages: []Message{{ID: "a", Status: Read}}}, "a", "c"},
		"the last deleted":         {Change{Messages: []Message{{ID: "c", Gone: true}}}, "c", "b"},
		"the last and one deleted": {Change{Messages: []Message{{ID: "c", Gone: true}, say("d", 15)}}, "c", "d"},
		"an older deleted":         {Change{Messages: []Message{{ID: "a", Gone: true}}}, "a", "c"},
		"all cleared":              {Change{State: Chat{Cleared: RangeOf(21)}}, "", ""},
		"one second cleared":       {Change{State: Chat{Cleared: RangeOf(21, "x")}}, "", "c"},
		"all but one cleared":      {Change{State: Chat{Cleared: RangeOf(21)}, Messages: []Message{say("d", 22)}}, "", "d"},
	} {
		th := thread(alice, stored, stored["c"])
		if c.load != "" {
			loaded := *stored[c.load]
			th.Messages[c.load] = &loaded
		}
		c.change.Chat = alice
		mustApply(t, th, c.change)
		if th.Chat.Last.ID != c.want || (th.Chat.Last.Document == "" && th.Chat.Last.message == nil) != (c.want == "") {
			t.Errorf("%s: the last is %+v, want %q", name, th.Chat.Last, c.want)
		}
	}
	fault := errors.New("fault")
	th := thread(alice, stored, stored["c"])
	th.Newest = func(func(MessageView) bool) (*Message, error) { return nil, fault }
	if err := th.Apply(Change{Chat: alice, State: Chat{Cleared: RangeOf(21)}}, noon); !errors.Is(err, fault) {
		t.Errorf("a fault of the store: %v", err)
	}
}

// TestAdditionsExpire reacts to a message that has disappeared: no line comes of it, nor does the chat rise.
func TestAdditionsExpire(t *testing.T) {
	m := say("a", 10)
	m.Content.Expires = noon.Unix() - 1
	th := thread(alice, nil, nil)
	th.Messages["a"] = &m
	reaction := Reaction{AddOn: AddOn{ID: "r", FromMe: true, Time: 20}, Text: "x"}
	mustApply(t, th, Change{Chat: alice, Messages: []Message{
		{ID: "a", Reactions: map[JID]Register[Reaction]{own: {Value: reaction, At: 1}}},
	}})
	if th.Chat.Last.ID != "" || th.Chat.AddOns != nil || th.Chat.lifted() != 0 {
		t.Errorf("the last is %+v, additions %+v", th.Chat.Last, th.Chat.AddOns)
	}
}

// TestDisputes has members revoke what others said.
func TestDisputes(t *testing.T) {
	revoke := func(id string, who JID) Change {
		return Change{Chat: team, Messages: []Message{{ID: id, Revoked: map[JID]int64{who: 1}}}}
	}
	th := thread(team, nil, nil)
	mustApply(t, th, Change{Chat: team, Messages: []Message{say("m", 5), say("n", 6)}})
	mustApply(t, th, revoke("m", bob))
	if th.Chat.revokes(th.Messages["m"]) || !th.Chat.Disputed["m"] {
		t.Fatalf("a member revoked another's message: %+v", th.Chat)
	}
	mustApply(t, th, revoke("n", alice))
	if !th.Chat.revokes(th.Messages["n"]) || th.Chat.Disputed["n"] {
		t.Fatalf("a sender didn't revoke: %+v", th.Chat)
	}
	admin := Change{Chat: team, State: Chat{Members: map[JID]Register[Rank]{bob: {RankAdmin, 1}}}}
	mustApply(t, th, admin)
	again, needed := th.review(admin)
	if !needed || len(again.Messages) != 1 {
		t.Fatalf("to review: %+v", again)
	}
	mustApply(t, th, again)
	if !th.Chat.revokes(th.Messages["m"]) || th.Chat.Disputed != nil {
		t.Fatalf("an admin didn't revoke: %+v", th.Chat)
	}

	gone := thread(team, nil, nil)
	gone.Chat.Disputed = map[string]bool{"pruned": true, "other": true}
	mustApply(t, gone, Change{Chat: team, Messages: []Message{{ID: "pruned"}}})
	if len(gone.Changed) != 0 || len(gone.Chat.Disputed) != 1 {
		t.Errorf("a review of what isn't there: %+v, %v", gone.Chat, gone.Changed)
	}

	full := thread(team, nil, nil)
	for i := range 2 * maxDisputed {
		m := say(string(rune('a'+i)), 5)
		m.Revoked = map[JID]int64{bob: 1}
		mustApply(t, full, Change{Chat: team, Messages: []Message{m}})
	}
	if len(full.Chat.Disputed) != maxDisputed {
		t.Errorf("%d in dispute", len(full.Chat.Disputed))
	}
}

func TestMutedAt(t *testing.T) {
	for end, want := range map[int64]bool{0: false, MutedForEver: true, noon.UnixMilli() - 1: false, noon.UnixMilli(): false, noon.UnixMilli() + 1: true} {
		if MutedAt(end, noon) != want {
			t.Errorf("a mute that ends at %d holds: %v", end, !want)
		}
	}
}
