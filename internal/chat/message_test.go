package chat

import (
	"fmt"
	"slices"
	"testing"
)

func TestStatusNames(t *testing.T) {
	for s, want := range map[Status]string{
		-1: "", NoStatus: "", StatusError: "ERROR", Pending: "PENDING", ServerAck: "SERVER_ACK", DeliveryAck: "DELIVERY_ACK", Read: "READ", Played: "PLAYED", Played + 1: "",
	} {
		if s.String() != want {
			t.Errorf("%d is %q", s, s.String())
		}
	}
}

// TestClassesMoveAndCount: the table of classes decides what moves a chat and what counts.
func TestClassesMoveAndCount(t *testing.T) {
	for class, want := range map[Class][2]bool{
		Default: {true, true}, Ambient: {true, true}, Significant: {true, false}, Noteworthy: {true, false}, Ignored: {false, false},
	} {
		th := thread(alice, nil, nil)
		m := say("m", 50)
		m.Content.Class = class
		mustApply(t, th, Change{Chat: alice, Messages: []Message{m}})
		unread, _ := th.Chat.UnreadCount()
		if moved, counted := th.Chat.Activity == 50, unread == 1; moved != want[0] || counted != want[1] || (th.Chat.Received == 50) != want[1] {
			t.Errorf("class %d: moved %t, counted %t, received %d", class, moved, counted, th.Chat.Received)
		}
		if th.Chat.Last.ID != "m" {
			t.Errorf("class %d: the line is %+v", class, th.Chat.Last)
		}
	}
}

// TestEditables: an edit changes what its kind carries of a message that can be edited so.
func TestEditables(t *testing.T) {
	for message, edits := range map[Editable][]Editable{
		NotEditable: {}, TextEdit: {TextEdit, WholeEdit}, CaptionEdit: {CaptionEdit, TextEdit, WholeEdit}, EventEdit: {EventEdit, WholeEdit},
		PollEdit: {PollEdit, WholeEdit}, WholeEdit: {WholeEdit},
	} {
		for _, kind := range []Editable{TextEdit, CaptionEdit, EventEdit, PollEdit, WholeEdit} {
			m := say("m", 10)
			m.Content.Editable = message
			m.Edits = map[JID]Register[Edit]{alice: {Edit{Kind: kind, Body: "e"}, 1}}
			if _, ok := m.edit(); ok != slices.Contains(edits, kind) {
				t.Errorf("an edit of %q to one of %q counts: %v", kind, message, ok)
			}
			m.Content.Message = "" // couldn't be decrypted
			if _, ok := m.edit(); ok {
				t.Errorf("an edit of %q to a placeholder counts", kind)
			}
		}
	}
	m := say("m", 10)
	m.Edits = map[JID]Register[Edit]{bob: {Edit{Kind: TextEdit}, 1}}
	if _, ok := m.edit(); ok {
		t.Error("another's edit counts")
	}
}

// TestMentions: mentions the account or quotes it, as it was last edited.
func TestMentions(t *testing.T) {
	for _, c := range []struct{ mentions, quotes, edited, editMentions, want bool }{
		{false, false, false, false, false}, {true, false, false, false, true}, {false, true, false, false, true},
		{true, false, true, false, false}, {false, false, true, true, true}, {false, true, true, false, true}, {true, true, true, true, true},
	} {
		m := say("m", 10)
		m.Content.MentionMe, m.Content.QuotesMe = c.mentions, c.quotes
		if c.edited {
			m.Edits = map[JID]Register[Edit]{alice: {Edit{Kind: TextEdit, MentionMe: c.editMentions}, 1}}
		}
		th := thread(team, nil, nil)
		mustApply(t, th, Change{Chat: team, Messages: []Message{m}})
		if _, got := th.Chat.UnreadCount(); (got == 1) != c.want {
			t.Errorf("%+v: %d mentions", c, got)
		}
	}
}

func TestParts(t *testing.T) {
	var m Message
	parts := make(map[string]Part)
	for i := range maxParts + 2 {
		parts[fmt.Sprintf("p%03d", i)] = Part{Body: "a"}
	}
	m.joinParts(parts)
	m.joinParts(map[string]Part{"p000": {Body: "b"}, "q": {Body: "b"}})
	if len(m.Parts) != maxParts || m.Parts["p000"].Body != "b" || m.Parts[fmt.Sprintf("p%03d", maxParts-1)].Body != "a" {
		t.Errorf("%d parts, the first is %+v", len(m.Parts), m.Parts["p000"])
	}
}

func TestNewsOfLinks(t *testing.T) {
	for name, c := range map[string]struct {
		told [][2]int64 // news, link
		want [2]int64
	}{
		"the first of a link": {[][2]int64{{5, 1}, {3, 1}, {4, 1}}, [2]int64{3, 1}}, "the newest link": {[][2]int64{{3, 1}, {9, 2}, {1, 1}}, [2]int64{9, 2}},
		"a history": {[][2]int64{{0, 3}}, [2]int64{0, 0}}, "a history after news": {[][2]int64{{3, 1}, {0, 2}}, [2]int64{3, 1}},
	} {
		var m Message
		for _, told := range c.told {
			m.joinNews(told[0], told[1])
		}
		if got := [2]int64{m.News, m.Link}; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// album is a message with pictures that are messages of their own.
func album(expects int, ids ...string) []Message {
	parent := say("album", 10)
	parent.Content.Expects = expects
	all := []Message{parent}
	for i, id := range ids {
		m := say(id, int64(11+i))
		m.Content.Parent, m.Content.Slim = "album", JSON(`{"slim":"`+id+`"}`)
		all = append(all, m)
	}
	return all
}

// TestAlbums: an album shows as one message, once all its pictures are there, in whatever order they come.
func TestAlbums(t *testing.T) {
	whole := album(2, "a", "b")
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 1, 2, 1, 0}} {
		for _, together := range []bool{true, false} {
			s := newShelf(t, alice)
			var all []Message
			for _, i := range order {
				if all = append(all, whole[i]); !together {
					s.apply(Change{Chat: alice, Messages: []Message{whole[i]}}, false)
				}
			}
			if together {
				s.apply(Change{Chat: alice, Messages: all}, false)
			}
			var listed []string
			for id, m := range s.messages {
				if v := s.chat.Place(m); v.Listed {
					listed = append(listed, id)
				}
			}
			a := s.messages["album"]
			unread, _ := s.chat.UnreadCount()
			if !slices.Equal(listed, []string{"album"}) || len(a.Parts) != 2 || a.Parts["a"].Message != `{"slim":"a"}` || a.Parts["a"].Body != "a" || unread != 1 {
				t.Errorf("%v, together %t: listed %v, %d unread, the album %s", order, together, listed, unread, text(a))
			}
		}
	}
	for name, c := range map[string]struct {
		all    []Message
		listed []string
	}{
		"without all pictures": {album(3, "a", "b"), nil},
		"a picture revoked":    {append(album(2, "a", "b"), Message{ID: "a", Revoked: map[JID]int64{alice: 20}}), nil},
		"a picture deleted":    {append(album(1, "a", "b"), Message{ID: "a", Gone: true}), []string{"album"}},
		"only pictures":        {album(2, "a", "b")[1:], nil},
	} {
		s := newShelf(t, alice)
		for _, m := range c.all {
			s.apply(Change{Chat: alice, Messages: []Message{m}}, false)
		}
		var listed []string
		for id, m := range s.messages {
			if s.chat.Place(m).Listed {
				listed = append(listed, id)
			}
		}
		if !slices.Equal(listed, c.listed) {
			t.Errorf("%s: listed %v", name, listed)
		}
		if p := s.messages["album"].Parts["a"]; name[:2] == "a " && (!p.Gone || p.Body != "" || p.Message != "") {
			t.Errorf("%s: the part is %+v", name, p)
		}
	}
}

// TestBetterCopies: one shows by itself until its parent is here, then inside of it, and an edit of it shows there.
func TestBetterCopies(t *testing.T) {
	parent, copied := say("photo", 10), say("hd", 11)
	copied.Content.Parent, copied.Content.Alone = "photo", true
	edit := Message{ID: "hd", Edits: map[JID]Register[Edit]{alice: {Edit{Kind: TextEdit, Body: "edited"}, 1}}, Status: Read}
	s := newShelf(t, alice)
	s.apply(Change{Chat: alice, Messages: []Message{copied}}, false)
	if unread, _ := s.chat.UnreadCount(); !s.chat.Place(s.messages["hd"]).Listed || unread != 1 {
		t.Errorf("alone: listed %t, %d unread", s.chat.Place(s.messages["hd"]).Listed, unread)
	}
	s.apply(Change{Chat: alice, Messages: []Message{parent}}, false)
	s.apply(Change{Chat: alice, Messages: []Message{edit}}, false)
	unread, _ := s.chat.UnreadCount()
	if p := s.messages["photo"].Parts["hd"]; s.chat.Place(s.messages["hd"]).Listed || unread != 1 || p.Edit.Body != "edited" || p.Status != Read || p.Gone {
		t.Errorf("inside: listed %t, %d unread, the part is %+v", s.chat.Place(s.messages["hd"]).Listed, unread, p)
	}
	s.apply(Change{Chat: alice, Messages: []Message{{ID: "photo", Gone: true}}}, false)
	if m := s.messages["photo"]; len(m.Parts) != 0 {
		t.Errorf("the deleted parent has %+v", m.Parts)
	}
	s.apply(Change{Chat: alice, Messages: []Message{{ID: "hd", Status: Played}}}, false)
	if m := s.messages["photo"]; len(m.Parts) != 0 {
		t.Errorf("the deleted parent has %+v again", m.Parts)
	}
	own := say("own", 20)
	own.Content.Parent = "own"
	s.apply(Change{Chat: alice, Messages: []Message{own}}, false)
	if m := s.messages["own"]; len(m.Parts) != 0 {
		t.Errorf("its own parent has %+v", m.Parts)
	}
	s.apply(Change{Chat: alice, Messages: []Message{{ID: "never", Inside: true}}}, false)
	if s.messages["never"] != nil {
		t.Error("a part that isn't there is stored")
	}
}
