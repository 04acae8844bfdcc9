package translate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"google.golang.org/protobuf/proto"

	"pgregory.net/rapid"

	"pesan/internal/chat"
)

func TestOrdered(t *testing.T) {
	set, remove := waServerSync.SyncdMutation_SET, waServerSync.SyncdMutation_REMOVE
	m := func(version uint64, operation waServerSync.SyncdMutation_SyncdOperation, index ...string) appstate.Mutation {
		return appstate.Mutation{PatchVersion: version, Operation: operation, Index: index}
	}
	got := Ordered([]appstate.Mutation{
		m(7, set, "a"), m(7, remove, "a"), m(7, remove, "b"), m(7, set, "c"), m(7, set), m(7, remove, "d"),
		m(8, remove, "a"), m(8, set, "b"),
		m(9, remove, "x", "y"), m(9, set, "x,y"),
	})
	var names []string
	last := int64(0)
	for _, g := range got {
		names = append(names, fmt.Sprint(g.Index, g.Removed))
		if g.Order <= last || g.Order>>placeBits < 7 {
			t.Errorf("%v has place %d after %d", g.Index, g.Order, last)
		}
		last = g.Order
	}
	want := []string{"[b] true", "[d] true", "[a] false", "[c] false", "[a] true", "[b] false", "[x y] true", "[x,y] false"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	// A patch that comes later counts more, whatever its place.
	if more := Ordered([]appstate.Mutation{m(10, set, "a")}); more[0].Order <= last {
		t.Errorf("version 10 has %d, version 9 %d", more[0].Order, last)
	}
}

// TestOrderedStars: of a snapshot's stars and clears the timestamps say what came first, of different patches the versions.
func TestOrderedStars(t *testing.T) {
	m := func(version uint64, at int64, index ...string) appstate.Mutation {
		return appstate.Mutation{PatchVersion: version, Operation: waServerSync.SyncdMutation_SET, Index: index,
			Action: &waSyncAction.SyncActionValue{Timestamp: &at}}
	}
	var got []string
	for _, o := range Ordered([]appstate.Mutation{
		m(7, 30, "star", "x"), m(7, 10, "mute", "a"), m(7, 20, "clearChat", "c"), m(7, 5, "mute", "b"), m(7, 10, "star", "y"),
		m(7, 20, "star", "z"), m(8, 1, "star", "x"),
	}) {
		got = append(got, strings.Join(o.Index, " "))
	}
	want := []string{"star y", "mute a", "clearChat c", "mute b", "star z", "star x", "star x"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCallBefore(t *testing.T) {
	call := func(started int64) Mutation {
		return Mutation{Index: []string{appstate.IndexCallLog, "creator", "id", "1"}, Value: &waSyncAction.SyncActionValue{
			CallLogAction: &waSyncAction.CallLogAction{CallLogRecord: &waSyncAction.CallLogRecord{StartTime: &started}},
		}}
	}
	other := Mutation{Index: []string{"mute", "x"}, Value: call(1).Value}
	removed := call(1_700_000_000)
	removed.Removed = true
	for name, c := range map[string]struct {
		m    Mutation
		at   int64
		want bool
	}{
		"before the link":   {call(1_700_000_000), 1_700_000_001, true},
		"with the link":     {call(1_700_000_001), 1_700_000_001, false},
		"in ms":             {call(1_700_000_000_500), 1_700_000_001, true},
		"after it, in ms":   {call(1_700_000_002_500), 1_700_000_001, false},
		"no link known":     {call(1_700_000_000), 0, false},
		"without a time":    {call(0), 1_700_000_001, false},
		"of another action": {other, 1_700_000_001, false},
		"removed":           {removed, 1_700_000_001, false},
		"without index":     {Mutation{}, 1_700_000_001, false},
	} {
		if got := c.m.CallBefore(c.at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTheCallLogCounts: what the call log tells of a call counts before what was seen of it here, whatever the clocks say and whichever
// comes first, and of two tellings the later.
func TestTheCallLogCounts(t *testing.T) {
	b := knowing()
	call := Call{ID: "C", Chat: jidOf(people[0][0]), Creator: jidOf(people[0][0]), At: firstAt}
	logged := func(order, at int64, result waSyncAction.CallLogRecord_CallResult) []chat.Change {
		return b.Mutation(Mutation{Index: []string{"call_log", people[0][0].String(), "C", "1"}, Order: order, Value: &action{Timestamp: proto.Int64(at), CallLogAction: &waSyncAction.CallLogAction{
			CallLogRecord: &waSyncAction.CallLogRecord{CallID: proto.String("C"), CallCreatorJID: proto.String(people[0][0].String()), StartTime: proto.Int64(firstAt), CallResult: &result},
		}}})
	}
	seen := b.Ended(call, "timeout", time.Unix(lastAt, 0))
	for _, at := range []int64{1, firstAt * 1000, (lastAt + 3600) * 1000} {
		told := logged(7, at, waSyncAction.CallLogRecord_CONNECTED)
		for what, changes := range map[string][]chat.Change{
			"behind": slices.Concat(seen, told), "before": slices.Concat(told, seen), "between": slices.Concat(b.Missed(call), told, seen),
			"twice": slices.Concat(logged(6, at+1, waSyncAction.CallLogRecord_REJECTED), told, seen, told),
		} {
			if row := rowOf(threadOf(t, changes...)); !strings.Contains(row, `"callOutcome":"CONNECTED"`) {
				t.Errorf("%s, logged at %d: %s", what, at, row)
			}
		}
	}
}

// TestNamesOfContacts: who is taken out of the address book loses the name, in whatever order it comes, unless it has an entry by
// username, too.
func TestNamesOfContacts(t *testing.T) {
	pn, lid := "6281200000002@s.whatsapp.net", "50000000000002@lid"
	name := func(n string) *string { return proto.String(n) }
	byNumber := func(full, username string) Mutation {
		a := &waSyncAction.ContactAction{FullName: name(full), LidJID: name(lid)}
		if username != "" {
			a.Username = name(username)
		}
		return Mutation{Index: []string{"contact", pn}, Value: &waSyncAction.SyncActionValue{ContactAction: a}}
	}
	byLID := func(full string) Mutation {
		return Mutation{Index: []string{"lid_contact", lid}, Value: &waSyncAction.SyncActionValue{
			LidContactAction: &waSyncAction.LidContactAction{FullName: name(full), Username: name("budi.s")}}}
	}
	gone := func(index ...string) Mutation { return Mutation{Index: index, Removed: true} }
	for what, c := range map[string]struct {
		told []Mutation
		want string
	}{
		"by number":                       {[]Mutation{byNumber("Budi", "")}, "Budi"},
		"by number, gone":                 {[]Mutation{byNumber("Budi", ""), gone("contact", pn)}, "~budi"},
		"with a username, gone":           {[]Mutation{byNumber("Budi", "budi.s"), gone("contact", pn)}, "Budi"},
		"with a username, renamed, gone":  {[]Mutation{byNumber("Budi", "budi.s"), byNumber("Budi S", "budi.s"), gone("contact", pn)}, "Budi S"},
		"by LID":                          {[]Mutation{byLID("Budi")}, "Budi"},
		"by LID, gone":                    {[]Mutation{byLID("Budi"), gone("lid_contact", lid)}, "~budi"},
		"by both, later by LID":           {[]Mutation{byNumber("Budi", ""), byLID("Budi S")}, "Budi S"},
		"by both, later by number":        {[]Mutation{byLID("Budi S"), byNumber("Budi", "")}, "Budi"},
		"by both, gone by number":         {[]Mutation{byNumber("Budi", ""), byLID("Budi S"), gone("contact", pn)}, "Budi S"},
		"by both, gone by LID":            {[]Mutation{byNumber("Budi", ""), byLID("Budi S"), gone("lid_contact", lid)}, "Budi"},
		"by both, both gone":              {[]Mutation{byNumber("Budi", ""), byLID("Budi S"), gone("contact", pn), gone("lid_contact", lid)}, "~budi"},
		"known from a history only, gone": {[]Mutation{gone("lid_contact", lid)}, "~budi"},
	} {
		rapid.Check(t, func(t *rapid.T) {
			told := []chat.Chat{{
				PushName: chat.Register[string]{Value: "~budi", At: 5}, Contact: chat.Register[string]{Value: "Lama", At: chat.Baseline},
			}}
			for i, m := range c.told {
				m.Order = OrderOf(uint64(i+1), 1)
				b := NewBook("6281200000001@s.whatsapp.net", "", func(chat.JID) (chat.JID, error) { return "", nil })
				for _, change := range b.Mutation(m) {
					told = append(told, change.State)
				}
			}
			got := chat.Chat{JID: chat.JID(pn)}
			for _, state := range rapid.Permutation(told).Draw(t, "told") {
				got.Join(state)
			}
			if got.Name() != c.want {
				t.Errorf("%s: the name is %q, want %q", what, got.Name(), c.want)
			}
		})
	}
}
