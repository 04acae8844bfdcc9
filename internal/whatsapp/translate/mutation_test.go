package translate

import (
	"fmt"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
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
