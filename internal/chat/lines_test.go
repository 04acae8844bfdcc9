package chat

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestShows(t *testing.T) {
	for _, c := range []struct {
		activity, deleted int64
		last              string
		want              bool
	}{
		{0, 0, "", false}, {0, 0, "m", false}, {10, 0, "", true}, {10, 9, "", true}, {10, 10, "", false}, {10, 10, "m", true}, {10, 11, "m", false},
	} {
		chat := Chat{Activity: c.activity, Deleted: Range{Through: c.deleted}, Last: Last{Line: Line{ID: c.last}}}
		if chat.Shows() != c.want || chat.Outline().Shows != c.want {
			t.Errorf("%+v shows: %v", c, !c.want)
		}
	}
}

func TestOutline(t *testing.T) {
	empty, full := (&Chat{JID: alice}).Outline(), (&Chat{
		JID: alice, Activity: 10, Mute: Register[int64]{5, 1}, Pin: Register[int64]{7, 1}, Unread: Unread{Count: 1}, Contact: Register[string]{"Ali", 1},
		AddOns: []Beside{{Line: Line{Time: 20}}}, Labels: map[string]Register[bool]{"1": {true, 1}},
	}).Outline()
	if empty != (View{JID: alice}) {
		t.Errorf("the outline of nothing is %+v", empty)
	}
	if full != (View{JID: alice, Shows: true, Activity: 20, Time: 10, MuteEnd: 5, Pinned: true, Unread: true, Name: "ali", Labels: "1 "}) {
		t.Errorf("the outline is %+v", full)
	}
}

// counting finds messages as a store does, newest first, and counts how often it is asked and what it looks at.
func counting(th *Thread, stored map[string]*Message) (asked, looked *int) {
	asked, looked = new(int), new(int)
	th.Newest = func(shows func(MessageView) bool) (*Message, error) {
		*asked++
		var all []*Message
		for id, m := range stored {
			if th.Messages[id] == nil {
				all = append(all, m)
			}
		}
		SortMessages(all)
		for _, m := range slices.Backward(all) {
			if *looked++; shows(th.Chat.Place(m)) {
				return m, nil
			}
		}
		return nil, nil
	}
	return asked, looked
}

// TestSearchesAreRare: messages are looked for only where the line may have gone.
func TestSearchesAreRare(t *testing.T) {
	stored := map[string]*Message{}
	for i, id := range []string{"a", "b", "c"} {
		m := say(id, int64(10*i+1))
		stored[id] = &m
	}
	ends := say("c", 21)
	ends.Content.Expires = noon.Unix() - 1
	for name, c := range map[string]struct {
		change Change
		load   string
		asked  int
		want   string
	}{
		"a newer one":                {Change{Messages: []Message{say("d", 30)}}, "", 0, "d"},
		"an older one":               {Change{Messages: []Message{say("d", 15)}}, "", 0, "c"},
		"a receipt of an older":      {Change{Messages: []Message{{ID: "a", Status: Read}}}, "a", 0, "c"},
		"a receipt of the last":      {Change{Messages: []Message{{ID: "c", Status: Read}}}, "c", 0, "c"},
		"the last deleted":           {Change{Messages: []Message{{ID: "c", Gone: true}}}, "c", 1, "b"},
		"an older deleted":           {Change{Messages: []Message{{ID: "a", Gone: true}}}, "a", 0, "c"},
		"all cleared":                {Change{State: Chat{Cleared: RangeOf(21)}}, "", 1, ""},
		"all cleared, then a newer":  {Change{State: Chat{Cleared: RangeOf(21)}, Messages: []Message{say("d", 22)}}, "", 1, "d"},
		"older ones cleared":         {Change{State: Chat{Cleared: RangeOf(20)}}, "", 0, "c"},
		"a setting":                  {Change{State: Chat{Mute: Register[int64]{5, 5}}}, "", 0, "c"},
		"the last moves back":        {Change{Messages: []Message{say("c", 5)}}, "c", 1, "b"},
		"the last has an earlier id": {Change{Messages: []Message{say("Z", 21)}}, "", 0, "c"},
	} {
		th := thread(alice, stored, stored["c"])
		asked, _ := counting(th, stored)
		if c.load != "" {
			loaded := *stored[c.load]
			th.Messages[c.load] = &loaded
		}
		c.change.Chat = alice
		mustApply(t, th, c.change)
		if th.Chat.Last.ID != c.want || *asked != c.asked {
			t.Errorf("%s: the last is %+v, want %q; asked %d times", name, th.Chat.Last.Line, c.want, *asked)
		}
	}
	// An empty chat isn't searched, nor one whose only line has expired forgotten.
	th := thread(alice, nil, nil)
	asked, _ := counting(th, nil)
	mustApply(t, th, Change{Chat: alice, State: Chat{Mute: Register[int64]{5, 5}}})
	if *asked != 0 {
		t.Error("an empty chat was searched")
	}
	th = thread(alice, stored, stored["c"])
	th.Chat.Last.Expires = ends.Content.Expires
	asked, _ = counting(th, map[string]*Message{"a": stored["a"], "c": &ends})
	mustApply(t, th, Change{Chat: alice, State: Chat{Mute: Register[int64]{5, 5}}})
	if th.Chat.Last.ID != "a" || *asked != 1 {
		t.Errorf("when the last has expired the line is %+v; asked %d times", th.Chat.Last.Line, *asked)
	}
}

// TestSearchesEnd: a chat full of what doesn't show isn't read to its end.
func TestSearchesEnd(t *testing.T) {
	for hidden, want := range map[int]string{maxSearch - 1: "old", maxSearch: "", maxSearch + 50: ""} {
		stored := map[string]*Message{}
		old := say("old", 1)
		stored["old"] = &old
		for i := range hidden {
			m := say(fmt.Sprint("m", i), int64(10+i))
			m.Content.Aside = true
			stored[m.ID] = &m
		}
		last := say("last", 1<<20)
		th := thread(alice, stored, &last)
		th.Messages["last"] = &last
		_, looked := counting(th, stored)
		mustApply(t, th, Change{Chat: alice, Messages: []Message{{ID: "last", Gone: true}}})
		if th.Chat.Last.ID != want || *looked > maxSearch+1 {
			t.Errorf("with %d that don't show the line is %q, after %d", hidden, th.Chat.Last.ID, *looked)
		}
	}
}

// TestStepsAreBounded: of many lines that end one after the other the chat holds a few.
func TestStepsAreBounded(t *testing.T) {
	stored := map[string]*Message{}
	for i := range 3 * maxSteps {
		m := say(fmt.Sprintf("m%02d", i), int64(100-i))
		m.Content.Expires = noon.Unix() + int64(1+i)
		stored[m.ID] = &m
	}
	first := stored["m00"]
	gone := say("z", 200)
	th := thread(alice, stored, &gone)
	th.Messages["z"] = &gone
	mustApply(t, th, Change{Chat: alice, Messages: []Message{{ID: "z", Gone: true}}})
	if th.Chat.Last.ID != first.ID || len(th.Chat.Last.Older) != maxSteps-1 || th.Chat.Last.Older[0].ID != "m01" {
		t.Errorf("the lines are %+v", th.Chat.Last.lines())
	}
}

// TestLostDocuments: a line whose document is lost is rendered again from its message.
func TestLostDocuments(t *testing.T) {
	last, other := say("c", 20), say("a", 10)
	for name, document := range map[string]JSON{"none": "", "broken": "[0,99,{"} {
		for _, fault := range []error{nil, errShelves} {
			th := thread(alice, map[string]*Message{"c": &last, "a": &other}, &last)
			th.Chat.Last.Document = document
			if fault != nil {
				th.Newest = func(func(MessageView) bool) (*Message, error) { return nil, fault }
			}
			err := th.Apply(Change{Chat: alice, Messages: []Message{{ID: "a", Status: Read}}}, noon)
			if !errors.Is(err, fault) || fault == nil && (th.Chat.Last.ID != "c" || th.Chat.Last.message != &last) {
				t.Errorf("%s: the line is %+v, %v", name, th.Chat.Last, err)
			}
		}
	}
	th := thread(alice, map[string]*Message{}, &last) // its message is lost, too
	th.Chat.Last.Document = ""
	mustApply(t, th, Change{Chat: alice, State: Chat{Mute: Register[int64]{5, 5}}})
	if th.Chat.Last.ID != "" {
		t.Errorf("the line without a message is %+v", th.Chat.Last)
	}
}

// TestWhatLiftsAChat: reactions and votes by the account or to its messages, and every comment.
func TestWhatLiftsAChat(t *testing.T) {
	for _, mine := range []bool{true, false} {
		for _, byMe := range []bool{true, false} {
			for _, taken := range []bool{false, true} {
				added := AddOn{ID: "x", FromMe: byMe, Time: 30}
				who, text, options := bob, "x", "aa"
				if byMe {
					who = own
				}
				if taken {
					text, options = "", ""
				}
				for kind, o := range map[Added]Message{
					AddedReaction: {ID: "m", Reactions: map[JID]Register[Reaction]{who: {Reaction{added, text}, 1}}},
					AddedVote:     {ID: "m", Votes: map[JID]Register[Vote]{who: {Vote{added, options}, 1}}},
					AddedComment:  {ID: "m", Comments: map[string]Comment{"x": {AddOn: added, By: who}}},
				} {
					m := say("m", 10)
					if mine {
						m.Content.Sender, m.Content.FromMe = own, true
					}
					th := thread(team, nil, nil)
					mustApply(t, th, Change{Chat: team, Messages: []Message{m, o}})
					want := kind == AddedComment || (mine || byMe) && !taken
					if got := th.Chat.lifted() == 30; got != want || (th.Chat.Last.Kind == kind) != want || th.Chat.Activity != 10 {
						t.Errorf("%s, mine %t, by me %t, taken back %t: lifted %t, the line is %+v", kind, mine, byMe, taken, got, th.Chat.Last.Line)
					}
				}
			}
		}
	}
}

// TestAdditionsGo with their message, or when the chat is cleared behind them.
func TestAdditionsGo(t *testing.T) {
	comment := func(id string, at int64) Message {
		return Message{ID: "m", Comments: map[string]Comment{id: {AddOn: AddOn{Time: at}, By: bob}}}
	}
	m := say("m", 10)
	m.Content.Expires = noon.Unix() + 60
	all := []Message{m}
	for i := range maxBeside + 3 {
		all = append(all, comment(fmt.Sprintf("c%02d", i), int64(100+i)))
	}
	for name, c := range map[string]struct {
		change Change
		left   int
	}{
		"nothing":         {Change{State: Chat{Mute: Register[int64]{5, 5}}}, maxBeside},
		"cleared":         {Change{State: Chat{Cleared: RangeOf(10)}}, 0},
		"cleared before":  {Change{State: Chat{Cleared: RangeOf(9)}}, maxBeside},
		"its message":     {Change{Messages: []Message{{ID: "m", Gone: true}}}, 0},
		"revoked":         {Change{Messages: []Message{{ID: "m", Revoked: map[JID]int64{alice: 20}}}}, 0},
		"a newer comment": {Change{Messages: []Message{comment("z", 500)}}, maxBeside},
	} {
		s := newShelf(t, alice)
		s.apply(Change{Chat: alice, Messages: all}, false)
		c.change.Chat = alice
		s.apply(c.change, false)
		if len(s.chat.AddOns) != c.left || c.left > 0 && name != "a newer comment" && s.chat.lifted() != int64(100+maxBeside+2) {
			t.Errorf("%s: %d are left, lifted to %d", name, len(s.chat.AddOns), s.chat.lifted())
		}
	}
	th := thread(alice, nil, nil)
	th.Chat.AddOns = []Beside{{Line: Line{ID: "x", Kind: AddedComment, By: "c", Time: 20, Expires: noon.Unix(), Document: "{}"}, Of: 10}}
	mustApply(t, th, Change{Chat: alice, State: Chat{Mute: Register[int64]{5, 5}}})
	if th.Chat.AddOns != nil {
		t.Errorf("of a message that has disappeared are left %+v", th.Chat.AddOns)
	}
	th.Chat.AddOns = []Beside{{Line: Line{ID: "x", Kind: AddedComment, By: "c", Time: 20, Expires: noon.Unix() + 1, Document: "{}"}, Of: 10}}
	mustApply(t, th, Change{Chat: alice, State: Chat{Mute: Register[int64]{6, 6}}})
	if len(th.Chat.AddOns) != 1 {
		t.Errorf("of a message that will disappear are left %+v", th.Chat.AddOns)
	}
}

// TestFolds: the older half of too many stamps becomes a number; those that came together stay together.
func TestFolds(t *testing.T) {
	fill := func(n int, news func(int) int64) (u Unread) {
		for i := range n {
			u.add(stamp{news: news(i), time: int64(100 + i), id: uint32(i), mention: i%2 == 0})
		}
		u.fold()
		return u
	}
	one := func(i int) int64 { return int64(i + 1) }
	u := fill(maxStamps, one)
	if len(u.Since) != maxStamps || u.Folded != (fold{}) {
		t.Errorf("%d stamps, folded %+v", len(u.Since), u.Folded)
	}
	u = fill(maxStamps+1, one)
	cut := maxStamps + 1 - maxStamps/2
	if want := (fold{cut, (cut + 1) / 2, int64(cut), int64(100 + cut - 1)}); len(u.Since) != maxStamps/2 || u.Folded != want {
		t.Errorf("%d stamps, folded %+v, want %+v", len(u.Since), u.Folded, want)
	}
	if n, mentions := u.total(); n != maxStamps+1 || mentions != maxStamps/2+1 {
		t.Errorf("%d, %d", n, mentions)
	}
	u = fill(maxStamps+1, func(i int) int64 { return int64(1 + i/2) }) // two at a time, and the cut between them
	if n, _ := u.total(); n != maxStamps+1 || u.Since[0].news == u.Folded.Through || u.Folded.Count != cut+cut%2 {
		t.Errorf("%d, folded %+v, the first behind is %+v", n, u.Folded, u.Since[0])
	}
	u = fill(maxStamps+1, func(int) int64 { return 1 })
	if n, _ := u.total(); n != maxStamps+1 || len(u.Since) != 0 {
		t.Errorf("all at once: %d, folded %+v", n, u.Folded)
	}
	u = Unread{At: 10, Folded: fold{Through: 5}}
	for _, s := range []stamp{{news: 9, time: 10}, {news: 5, time: 11}} {
		if u.add(s); len(u.Since) != 0 {
			t.Errorf("%+v was counted again", s)
		}
	}
	if u.add(stamp{news: 6, time: 11}); len(u.Since) != 1 {
		t.Error("a new one isn't counted")
	}
	u = Unread{Mentions: 1, Other: base{Mentions: 2}, Folded: fold{Count: 9, Mentions: 4}, Count: 1}
	if n, mentions := u.total(); n != 10 || mentions != 7 {
		t.Errorf("%d, %d of all kinds", n, mentions)
	}
}

// TestUnreadJoins: what both counted counts once, and where only numbers are known they are in doubt.
func TestUnreadJoins(t *testing.T) {
	a, b := stamp{news: 5, time: 20, id: 1}, stamp{news: 6, time: 21, id: 2}
	mentioned := a
	mentioned.mention = true
	for name, c := range map[string]struct {
		u, o  Unread
		n     int
		doubt bool
	}{
		"nothing":             {Unread{Since: stamps{a}, Folded: fold{Count: 3, Through: 1}}, Unread{}, 4, false},
		"the same":            {Unread{Since: stamps{a}}, Unread{Since: stamps{mentioned}}, 1, false},
		"another":             {Unread{Since: stamps{b}}, Unread{Since: stamps{a}}, 2, false},
		"with numbers":        {Unread{Since: stamps{b}, Folded: fold{Count: 3, Through: 1}}, Unread{Since: stamps{a}}, 5, true},
		"the same numbers":    {Unread{Folded: fold{Count: 3, Through: 1}}, Unread{Folded: fold{Count: 3, Through: 1}}, 3, false},
		"other numbers":       {Unread{}, Unread{Folded: fold{Count: 3, Through: 1}}, 3, true},
		"a history":           {Unread{Since: stamps{a, b}, Folded: fold{Count: 3, Through: 1}}, Unread{Count: 7, At: 20}, 11, false},
		"folded before":       {Unread{Since: stamps{a, b}}, Unread{Folded: fold{Count: 1, Through: 5}}, 2, true},
		"another's doubt":     {Unread{}, Unread{Since: stamps{a}, doubt: true}, 1, true},
		"the other address's": {Unread{Count: 1, At: 5}, Unread{Other: base{Count: 2, At: 5}}, 3, false},
	} {
		u := c.u
		u.join(c.o)
		if n, _ := u.total(); n != c.n || u.doubt != c.doubt {
			t.Errorf("%s: %d, doubt %t: %+v", name, n, u.doubt, u)
		}
		if name == "the same" && !u.Since[0].mention {
			t.Error("a mention was lost")
		}
	}
	for _, broken := range [][]byte{{1, 0x80, 0x80, 0x80, 0x80}, {0x80, 0x80, 0x80, 0x80, 0x80}, {1, 2, 0, 0, 0}, {1, 2, 0, 0, 0, 0, 1}} {
		var s stamps
		if err := s.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(broken))); err == nil {
			t.Errorf("%v is taken for %v", broken, s)
		}
	}
	var s stamps
	if err := s.UnmarshalText([]byte(base64.StdEncoding.EncodeToString([]byte{1, 4, 0, 0, 0, 7}))); err != nil || !slices.Equal(s, stamps{{1, 1, 7, false}}) {
		t.Errorf("a stamp is read as %v, %v", s, err)
	}
}

// TestBounds: the last value that is taken of what is bounded, and what ties come to.
func TestBounds(t *testing.T) {
	long := strings.Repeat("0", 4*maxAddress)
	if _, err := ParseAddress(strings.Repeat("-", 4*maxAddress-13)+"6281234567890", "62"); err != nil {
		t.Errorf("the longest way to write a number: %v", err)
	}
	if _, err := ParseAddress(strings.Repeat("-", 4*maxAddress-12)+"6281234567890", "62"); CodeOf(err) != InvalidPhone {
		t.Errorf("a longer one: %v", err)
	}
	for _, one := range []struct{ written, country, want string }{
		{"1234567", "62", "1234567 621234567"}, {"123456", "62", ""}, {"6281234567", "62", "6281234567 626281234567"}, {"62812345678", "62", "62812345678"},
		{"+551160000000", "55", "551160000000 5511960000000"}, {"+551150000000", "55", "551150000000"},
		{"+22912345678", "229", "22912345678 2290112345678 229012345678"},
	} {
		a, err := ParseAddress(one.written, one.country)
		var got []string
		for _, jid := range a.JIDs {
			got = append(got, jid.User())
		}
		want := strings.Fields(one.want)
		slices.Sort(got)
		if slices.Sort(want); (err != nil) != (len(want) == 0) || !slices.Equal(got, want) {
			t.Errorf("%s may be %v, want %v; %v", one.written, got, want, err)
		}
	}
	for written, want := range map[string]JID{
		"+5528912345678": "5528912345678@s.whatsapp.net", "+552881234567": "5528981234567@s.whatsapp.net",
		"+5531981234567": "553181234567@s.whatsapp.net", "+553181234567": "553181234567@s.whatsapp.net",
	} {
		if a, err := ParseAddress(written, "55"); err != nil || a.Own != want {
			t.Errorf("WhatsApp's own form of %s is %s, %v", written, a.Own, err)
		}
	}
	if _, err := ParseJID(long[:maxUser] + "@g.us"); err != nil {
		t.Error(err)
	}
	if jid, err := ParseJID(strings.Repeat("1", maxUser) + "-" + strings.Repeat("1", maxAddress-maxUser-6) + "@g.us"); err != nil || len(jid) != maxAddress {
		t.Errorf("the longest JID: %v", err)
	}
	for s, want := range map[string]string{
		" \n a  b ": "a b", strings.Repeat("x", maxFolded): strings.Repeat("x", maxFolded), strings.Repeat("x", maxFolded) + "y": strings.Repeat("x", maxFolded),
	} {
		if got := Fold(s); got != want {
			t.Errorf("%q is compared as %q", s, got)
		}
	}
	name := strings.Repeat("n", maxFileName)
	if got := (Media{Name: name}).SafeName(); got != name {
		t.Errorf("the longest name becomes %q", got)
	}
	nested := func(depth int) JSON {
		file := `{"imageMessage":{"directPath":"/v","fileSha256":"` + hash + `"}}`
		return JSON(`{"message":` + strings.Repeat(`{"ephemeralMessage":{"message":`, depth) + file + strings.Repeat("}}", depth) + "}")
	}
	if _, ok := mediaOf(nested(maxWrapped), ""); !ok {
		t.Error("a file isn't found as deep as files are looked for")
	}
	if _, ok := mediaOf(nested(maxWrapped+1), ""); ok {
		t.Error("a file is found deeper")
	}
	low, high := Register[int64]{5, 1}, Register[int64]{9, 1}
	low.Join(high)
	if high.Join(Register[int64]{5, 1}); low.Value != 9 || high.Value != 9 {
		t.Errorf("of two at once stay %+v and %+v", low, high)
	}
	var m Message
	for _, body := range []string{"b", "c", "a"} {
		m.joinComments(map[string]Comment{"x": {Body: body}})
	}
	if m.Comments["x"].Body != "c" {
		t.Errorf("of three comments of one id stays %+v", m.Comments)
	}
	var j struct{ A, B JSON }
	if err := json.Unmarshal([]byte(`{"A":null,"B":{"x":1}}`), &j); err != nil || j.A != "" || j.B != `{"x":1}` || text(j) != `{"A":null,"B":{"x":1}}` {
		t.Errorf("JSON is read as %+v, %v", j, err)
	}
	for rank, want := range map[Rank]bool{RankAdmin: true, RankSuperAdmin: true, RankMember: false, RankLeft: false} {
		c := Chat{}
		if c.Join(Chat{Members: map[JID]Register[Rank]{bob: {rank, 1}}}); c.Admins[bob] != want {
			t.Errorf("a %s is an admin: %v", rank, !want)
		}
	}
	if (&Error{Code: Internal}).Error() != "INTERNAL" || (&Error{Code: Internal, Message: "x"}).Error() != "INTERNAL: x" {
		t.Error("an error tells something else")
	}
}
