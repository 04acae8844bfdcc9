package translate

import (
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
)

// TestGroupNoticesMove: a group's news moves its chat where its class says so, live as from a history.
func TestGroupNoticesMove(t *testing.T) {
	at, other := time.Unix(1_800_000_000, 0), []types.JID{people[0][0]}
	for name, test := range map[string]struct {
		evt  events.GroupInfo
		want int64
	}{
		"a new subject":         {events.GroupInfo{Name: &types.GroupName{Name: "Arisan"}}, at.Unix()},
		"oneself added":         {events.GroupInfo{Join: []types.JID{ownLID}}, at.Unix()},
		"oneself removed":       {events.GroupInfo{Leave: []types.JID{ownPN}}, at.Unix()},
		"removed by an admin":   {events.GroupInfo{Leave: []types.JID{ownLID}, Sender: &other[0]}, at.Unix()},
		"oneself left":          {events.GroupInfo{Leave: []types.JID{ownLID}, Sender: &ownPN}, 0},
		"somebody asks to join": {events.GroupInfo{UnknownChanges: []*waBinary.Node{{Tag: "created_membership_requests"}}}, at.Unix()},
		"somebody asks no more": {events.GroupInfo{UnknownChanges: []*waBinary.Node{{Tag: "revoked_membership_requests"}}}, 0},
		"a community's":         {events.GroupInfo{Link: &types.GroupLinkChange{}}, at.Unix()},
		"somebody added":        {events.GroupInfo{Join: other}, 0},
		"somebody left":         {events.GroupInfo{Leave: other}, 0},
		"an admin made":         {events.GroupInfo{Promote: other}, 0},
		"a new description":     {events.GroupInfo{Topic: &types.GroupTopic{Topic: "x"}}, 0},
		"a new timer":           {events.GroupInfo{Ephemeral: &types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 60}}, 0},
	} {
		test.evt.JID, test.evt.Timestamp = theGroup, at
		if got := knowing().GroupChange(&test.evt, 1)[0].State.Activity; got != test.want {
			t.Errorf("%s: the chat moves to %d, want %d", name, got, test.want)
		}
	}
}

// TestCommunities: a community isn't in the list, from a history as live; its groups are, and a group that has become one isn't any
// more.
func TestCommunities(t *testing.T) {
	told := func(parent bool) []chat.Change {
		return knowing().Conversation(&waHistorySync.Conversation{
			ID: proto.String(theGroup.String()), IsParentGroup: &parent, ConversationTimestamp: proto.Uint64(firstAt), Name: proto.String("RT 5"),
		}, true, 100)
	}
	joined := func(parent bool) []chat.Change {
		return knowing().JoinedGroup(&events.JoinedGroup{GroupInfo: types.GroupInfo{
			JID: theGroup, GroupName: types.GroupName{Name: "RT 5"}, GroupParent: types.GroupParent{IsParent: parent},
		}}, firstAt*1_000_000)
	}
	for what, test := range map[string]struct {
		changes []chat.Change
		shows   bool
	}{
		"told": {told(true), false}, "a group of one, told": {told(false), true}, "joined": {joined(true), false},
		"a group of one, joined": {joined(false), true}, "told, then no more": {append(told(true), joined(false)...), true},
		"told as a group, then one": {append(told(false), joined(true)...), false},
	} {
		if th := threadOf(t, test.changes...); th.Chat.Shows() != test.shows {
			t.Errorf("%s: it shows: %t", what, !test.shows)
		}
	}
}
