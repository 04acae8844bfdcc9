package translate

import (
	"fmt"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waServerSync"
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
