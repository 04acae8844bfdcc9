package chat

import (
	"reflect"
	"slices"
	"testing"
)

const bobLID JID = "222222222222222@lid"

// namesEverywhere is a message that names a person wherever a message may.
func namesEverywhere(who JID) Message {
	return Message{
		ID: "m", Content: Content{
			Sender: who, Time: 10, Type: "extendedTextMessage", Body: string(bobLID), Mentions: []JID{who},
			Message: JSON(`{"extendedTextMessage":{"text":"` + string(bobLID) + `","contextInfo":{"participant":"` + string(who) + `","mentionedJid":["` + string(who) + `"]}}}`),
		},
		Edits:     map[JID]Register[Edit]{who: {Edit{Mentions: JoinJIDs([]JID{alice, who}), Message: "{}"}, 1}},
		Revoked:   map[JID]int64{who: 20},
		Receipts:  map[JID]Receipt{who: {Read: 20}},
		Reactions: map[JID]Register[Reaction]{who: {Reaction{Text: "x"}, 1}},
		Votes:     map[JID]Register[Vote]{who: {Vote{Options: "aa"}, 1}},
		Answers:   map[JID]Register[Answer]{who: {Answer{Response: "GOING"}, 1}},
		Keeps:     map[JID]Register[bool]{who: {true, 1}},
		Pin:       Register[Pin]{Pin{By: who}, 1},
		Comments:  map[string]Comment{"c": {By: who, Body: string(bobLID)}},
		Parts:     map[string]Part{"p": {Sender: who, Body: string(bobLID)}},
	}
}

// TestEveryAddressFollows: once a person's number is known, a message names the number wherever it named the LID, but for what
// somebody wrote.
func TestEveryAddressFollows(t *testing.T) {
	lids, want := namesEverywhere(bobLID), namesEverywhere(bob)
	for name, v := range map[string]any{"lids": lids, "want": want} { // no field is left out
		s := reflect.ValueOf(v)
		for i := range s.NumField() {
			holds := s.Field(i).Kind() == reflect.Map && s.Field(i).Type().Elem().Kind() != reflect.Bool
			if holds && s.Field(i).Len() == 0 {
				t.Errorf("%s has no %s", name, s.Type().Field(i).Name)
			}
		}
	}
	if got := lids.LIDs(); !slices.Equal(got, []JID{bobLID}) {
		t.Errorf("it names %v", got)
	}
	if got := want.LIDs(); len(got) != 0 {
		t.Errorf("with numbers it names %v", got)
	}
	lids.unshare()
	if err := lids.readdress(map[JID]JID{bobLID: bob, aliceLID: alice}); err != nil || text(lids) != text(want) {
		t.Errorf("it becomes\n%s, %v, want\n%s", text(lids), err, text(want))
	}
	// What the number did already is joined with it.
	both := Message{ID: "m", Revoked: map[JID]int64{bob: 5, bobLID: 3}, Receipts: map[JID]Receipt{bob: {Received: 4}, bobLID: {Read: 6}},
		Reactions: map[JID]Register[Reaction]{bob: {Reaction{Text: "new"}, 9}, bobLID: {Reaction{Text: "old"}, 8}}}
	if err := both.readdress(map[JID]JID{bobLID: bob}); err != nil {
		t.Fatal(err)
	}
	if both.Revoked[bob] != 3 || both.Receipts[bob] != (Receipt{Received: 4, Read: 6}) || both.Reactions[bob].Value.Text != "new" || len(both.Reactions) != 1 {
		t.Errorf("joined it is %s", text(both))
	}
}

func TestAChatsAddressesFollow(t *testing.T) {
	on := Register[Rank]{RankAdmin, 5}
	c := Change{Chat: team, State: Chat{
		Members: map[JID]Register[Rank]{bobLID: on, aliceLID: {RankMember, 5}}, Since: map[JID]Register[int64]{bobLID: {7, 5}},
		Fields: map[string]Register[JSON]{"createdBy": {`"` + JSON(bobLID) + `"`, 1}, "description": {`{"description":"` + JSON(aliceLID) + `"}`, 1}, "n": {"1", 1}},
		Admins: map[JID]bool{bobLID: true}, Hidden: map[JID]bool{bobLID: true, aliceLID: true},
	}, Messages: []Message{say("m", 1), namesEverywhere("333333333333333@lid")}}
	if got := c.LIDs(); !slices.Equal(got, []JID{aliceLID, bobLID, "333333333333333@lid"}) && !slices.Equal(got, slices.Sorted(slices.Values([]JID{aliceLID, bobLID, "333333333333333@lid"}))) {
		t.Errorf("the change names %v", got)
	}
	members := c.State.Members
	if err := c.Readdress(map[JID]JID{bobLID: bob}); err != nil {
		t.Fatal(err)
	}
	s := c.State
	if s.Members[bob] != on || len(s.Members) != 2 || s.Since[bob].Value != 7 || len(s.Since) != 1 || !s.Admins[bob] || len(s.Admins) != 1 ||
		s.Hidden[bobLID] || !s.Hidden[aliceLID] || s.Fields["createdBy"].Value != `"`+JSON(bob)+`"` || s.Fields["description"].Value != `{"description":"`+JSON(aliceLID)+`"}` {
		t.Errorf("the chat becomes %s", text(s))
	}
	if members[bobLID] != on {
		t.Error("the members that were given changed")
	}
}

// TestReaddress goes through a chat page by page; a revoke by who turns out to be the sender takes effect.
func TestReaddress(t *testing.T) {
	numbers := map[JID]JID{bobLID: bob}
	th := thread(team, nil, nil)
	th.Chat.Hidden = map[JID]bool{bobLID: true}
	m, other := say("m", 10), say("other", 5)
	m.Content.Sender, m.Revoked = bob, map[JID]int64{bobLID: 20}
	th.Messages["m"], th.Messages["other"] = &m, &other
	if err := th.Readdress(numbers, false, noon); err != nil {
		t.Fatal(err)
	}
	if !th.Chat.Hidden[bobLID] || th.Changed["other"] != nil || th.Changed["m"] == nil || th.Changed["m"].Content.Body != "" || m.Content.Body == "" {
		t.Errorf("after a page: hidden %v, changed %s", th.Chat.Hidden, text(th.Changed))
	}
	if th.Chat.Last.ID != "m" {
		t.Errorf("the line is %+v", th.Chat.Last)
	}
	if err := th.Readdress(numbers, true, noon); err != nil || th.Chat.Hidden != nil {
		t.Errorf("after the last page: hidden %v, %v", th.Chat.Hidden, err)
	}
}
