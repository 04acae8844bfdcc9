package translate

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// TestGroupNoticesMove: a group's news moves its chat where its class says so, live as from a history.
func TestGroupNoticesMove(t *testing.T) {
	at, other := time.Unix(1_800_000_000, 0), []types.JID{people[0][0]}
	for name, test := range map[string]struct {
		evt  events.GroupInfo
		want int64
	}{
		"a new subject":     {events.GroupInfo{Name: &types.GroupName{Name: "Arisan"}}, at.Unix()},
		"oneself added":     {events.GroupInfo{Join: []types.JID{ownLID}}, at.Unix()},
		"oneself removed":   {events.GroupInfo{Leave: []types.JID{ownPN}}, at.Unix()},
		"a community's":     {events.GroupInfo{Link: &types.GroupLinkChange{}}, at.Unix()},
		"somebody added":    {events.GroupInfo{Join: other}, 0},
		"somebody left":     {events.GroupInfo{Leave: other}, 0},
		"an admin made":     {events.GroupInfo{Promote: other}, 0},
		"a new description": {events.GroupInfo{Topic: &types.GroupTopic{Topic: "x"}}, 0},
		"a new timer":       {events.GroupInfo{Ephemeral: &types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 60}}, 0},
	} {
		test.evt.JID, test.evt.Timestamp = theGroup, at
		if got := knowing().GroupChange(&test.evt, 1)[0].State.Activity; got != test.want {
			t.Errorf("%s: the chat moves to %d, want %d", name, got, test.want)
		}
	}
}
