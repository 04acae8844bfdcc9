package chat

import "testing"

// TestArchive: an archived chat comes out when somebody writes after what it held, unless the account keeps its chats there,
// in whatever order all this is told.
func TestArchive(t *testing.T) {
	archived := func(on bool, at int64, r Range) Change {
		return Change{Chat: alice, State: Chat{Archived: Register[bool]{on, at}, ArchivedTo: Register[Reach]{ReachOf(r), at}}}
	}
	setting := func(unarchives bool, at int64) Change {
		return Change{Chat: alice, State: Chat{Unarchive: Register[bool]{unarchives, at}}}
	}
	says := func(id string, at int64) Change { return Change{Chat: alice, Messages: []Message{say(id, at)}} }
	mine := say("m", 30)
	mine.Content.FromMe, mine.Content.Sender = true, own
	for name, c := range map[string]struct {
		changes []Change
		want    bool
	}{
		"covers all":            {[]Change{says("a", 10), archived(true, 5, RangeOf(10, "a"))}, true},
		"news":                  {[]Change{says("a", 10), archived(true, 5, RangeOf(10, "a")), says("b", 11)}, false},
		"news of the same time": {[]Change{says("a", 10), archived(true, 5, RangeOf(10, "a")), says("b", 10)}, false},
		"own words":             {[]Change{says("a", 10), archived(true, 5, RangeOf(10, "a")), {Chat: alice, Messages: []Message{mine}}}, true},
		"kept":                  {[]Change{says("a", 10), archived(true, 5, RangeOf(10, "a")), says("b", 11), setting(false, 6)}, true},
		"kept no more":          {[]Change{archived(true, 5, RangeOf(10, "a")), says("b", 11), setting(false, 6), setting(true, 7)}, false},
		"kept again":            {[]Change{archived(true, 5, RangeOf(10, "a")), says("b", 11), setting(false, 8), setting(true, 7)}, true},
		"taken out":             {[]Change{archived(true, 5, RangeOf(10)), archived(false, 6, Range{}), setting(false, 7)}, false},
		"without a range":       {[]Change{{Chat: alice, State: Chat{Archived: Register[bool]{true, 5}}}, says("a", 10)}, true},
		"never archived":        {[]Change{says("a", 10), setting(false, 7)}, false},
	} {
		for _, backwards := range []bool{false, true} {
			th := thread(alice, nil, nil)
			for i := range c.changes {
				if backwards {
					i = len(c.changes) - 1 - i
				}
				mustApply(t, th, c.changes[i])
			}
			if got := th.Chat.InArchive(); got != c.want {
				t.Errorf("%s, backwards %t: archived %t", name, backwards, got)
			}
			if got := th.Chat.Outline().Archived; got != c.want {
				t.Errorf("%s: the outline says %t", name, got)
			}
		}
	}
}

// TestMarked: a message takes the place of the mark as unread.
func TestMarked(t *testing.T) {
	th := thread(alice, nil, nil)
	mustApply(t, th, Change{Chat: alice, State: Chat{MarkedUnread: Register[bool]{true, 5}}})
	if unread, _ := th.Chat.UnreadCount(); !th.Chat.Marked() || unread != 0 || !th.Chat.Outline().Unread {
		t.Errorf("marked %t, %d unread", th.Chat.Marked(), unread)
	}
	mustApply(t, th, Change{Chat: alice, Messages: []Message{say("a", 10)}})
	if unread, _ := th.Chat.UnreadCount(); th.Chat.Marked() || unread != 1 {
		t.Errorf("with a message: marked %t, %d unread", th.Chat.Marked(), unread)
	}
}

// TestLateRevoke: a message can be revoked for 2.5 days, and 12 hours for the way; in a channel for 30 days.
func TestLateRevoke(t *testing.T) {
	const day = 24 * 60 * 60
	for _, c := range []struct {
		in    JID
		by    JID
		after int64
		want  bool
	}{
		{alice, alice, 3 * day, true}, {alice, alice, 3*day + 1, false}, {team, bob, 3 * day, true}, {team, bob, 3*day + 1, false},
		{"123456@newsletter", alice, 30*day + day/2, true}, {"123456@newsletter", alice, 30*day + day/2 + 1, false},
	} {
		for _, first := range []bool{false, true} {
			th := thread(c.in, nil, nil)
			th.Chat.Admins = map[JID]bool{bob: true}
			changes := []Change{
				{Chat: c.in, Messages: []Message{say("a", 1000)}},
				{Chat: c.in, Messages: []Message{{ID: "a", Revoked: map[JID]int64{c.by: 1000 + c.after}}}},
			}
			if first {
				changes[0], changes[1] = changes[1], changes[0]
			}
			mustApply(t, th, changes[0])
			mustApply(t, th, changes[1])
			if got := th.Chat.revokes(th.Messages["a"]); got != c.want {
				t.Errorf("in %s by %s after %d s, first %t: revoked %t", c.in, c.by, c.after, first, got)
			}
		}
	}
}
