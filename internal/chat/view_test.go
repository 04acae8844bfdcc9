package chat

import (
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	for want, c := range map[string]Chat{
		"":       {JID: alice, Subject: Register[string]{"subject", 1}},
		"push":   {JID: alice, PushName: Register[string]{"push", 1}, Contact: Register[string]{"", 2}},
		"book":   {JID: alice, PushName: Register[string]{"push", 1}, Contact: Register[string]{"book", 1}},
		"saved":  {JID: alice, PushName: Register[string]{"push", 1}, Contact: Register[string]{"", 3}, Saved: Register[string]{"saved", 2}},
		"later":  {JID: alice, Contact: Register[string]{"book", 2}, Saved: Register[string]{"later", 3}},
		"newest": {JID: alice, Contact: Register[string]{"newest", 3}, Saved: Register[string]{"saved", 2}},
		"lid":    {JID: aliceLID, PushName: Register[string]{"lid", 1}},
		"the us": {JID: team, PushName: Register[string]{"push", 1}, Subject: Register[string]{"the us", 1}},
		"paper":  {JID: "123456@newsletter", Contact: Register[string]{"book", 1}, Subject: Register[string]{"paper", 1}},
	} {
		if got := c.Name(); got != want {
			t.Errorf("%s is named %q, want %q", c.JID, got, want)
		}
	}
}

func TestLists(t *testing.T) {
	c := Chat{Cleared: RangeOf(10, "a"), ClearedUnstarred: RangeOf(20), ClearedAt: 7, Deleted: RangeOf(5)}
	for _, one := range []struct {
		v    MessageView
		want bool
	}{
		{MessageView{ID: "a", Time: 10, Starred: true, Listed: true}, false},
		{MessageView{ID: "b", Time: 10, Starred: true, Listed: true}, true},
		{MessageView{ID: "b", Time: 10, Listed: true}, false},
		{MessageView{ID: "b", Time: 5, Starred: true, Listed: true}, false},
		{MessageView{ID: "b", Time: 20, Unstarred: 8, Listed: true}, true},
		{MessageView{ID: "b", Time: 20, Unstarred: 7, Listed: true}, false},
		{MessageView{ID: "a", Time: 10, Unstarred: 8, Listed: true}, false},
		{MessageView{ID: "b", Time: 5, Unstarred: 8, Listed: true}, false},
		{MessageView{ID: "b", Time: 21, Listed: true}, true},
		{MessageView{ID: "b", Time: 21}, false},
		{MessageView{ID: "b", Time: 21, Listed: true, Expires: noon.Unix()}, false},
		{MessageView{ID: "b", Time: 21, Listed: true, Expires: noon.Unix() + 1}, true},
	} {
		if c.Lists(one.v, noon) != one.want {
			t.Errorf("%+v is listed: %v", one.v, !one.want)
		}
	}
}

// TestUnplacedClear: of a clear that was stored without its place nobody knows what was starred then.
func TestUnplacedClear(t *testing.T) {
	c := Chat{ClearedUnstarred: RangeOf(20)}
	if c.Lists(MessageView{ID: "a", Time: 10, Unstarred: 8, Listed: true}, noon) {
		t.Error("what was unstarred at some time is listed")
	}
}

// TestIdle: idle is what nothing has happened in for as many days, to the second.
func TestIdle(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for days, since := range map[int]time.Time{1: now.AddDate(0, 0, -1), 90: now.AddDate(0, 0, -90)} {
		f := Filter{IdleDays: days}
		for at, want := range map[int64]bool{
			since.Unix(): true, since.Unix() - 1: true, since.Unix() + 1: false, now.Unix(): false, now.Unix() + 60: false, 0: true,
		} {
			if got := f.Accepts(&View{Activity: at}, now); got != want {
				t.Errorf("%d days: a chat of %d is idle: %v", days, at, got)
			}
		}
	}
}
