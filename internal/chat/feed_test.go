package chat

import (
	"testing"
	"time"
)

func TestPositions(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, p := range []Position{
		{At: at}, {Seq: 1, At: at}, {Seq: 1 << 52, At: at, Until: 1_700_000_060}, {At: time.Unix(0, 0)},
	} {
		if got, err := ParsePosition(p.String()); err != nil || got != p {
			t.Errorf("%s is read as %+v, %v", p, got, err)
		}
	}
	good := Position{Seq: 40, At: at, Until: 50}.String()
	for _, bad := range []string{
		"", "-", "14", "x", good + "-", good + "-1", "-" + good, "0" + good, "1--1", "1-1-0", "1-!", "A-1", "1-1-+2", "zzzzzzzzzzzzzzzz-1", " 1-1",
	} {
		if p, err := ParsePosition(bad); CodeOf(err) != InvalidSince || p != (Position{}) {
			t.Errorf("%q is read as %+v, %v", bad, p, err)
		}
	}
	p := Position{Seq: 1, At: at}
	for _, now := range []time.Time{at.Add(-time.Second), at, at.Add(time.Second)} {
		if got := p.Before(now); got.At.After(now) || got.At.After(at) || now.Before(at) != got.At.Equal(now) && !now.Equal(at) {
			t.Errorf("before %v it is %v", now, got.At)
		}
	}
}

// TestUntil: what time alone changes of a chat, and when.
func TestUntil(t *testing.T) {
	now := noon.Unix()
	line := func(document JSON, expires int64) Line { return Line{ID: "m", Expires: expires, Document: document} }
	for name, c := range map[string]struct {
		v    View
		f    Filter
		want int64
	}{
		"nothing":                {View{Last: line(`{"a":1}`, 0)}, Filter{}, 0},
		"no line":                {View{Last: Line{Document: `{"a":1}`, Expires: now + 9}}, Filter{}, 0},
		"no document":            {View{Last: line("", now+9)}, Filter{}, 0},
		"a line ends":            {View{Last: line(`{"a":1}`, now+9)}, Filter{}, now + 9},
		"a line ends now":        {View{Last: line(`{"a":1}`, now)}, Filter{}, 0},
		"the first of two":       {View{Last: line(pack([]Line{line(`{"a":1}`, now+9), line(`{"b":1}`, 0)}), now+9)}, Filter{}, now + 9},
		"the second of two":      {View{Last: line(pack([]Line{line(`{"a":1}`, now), line(`{"b":1}`, now+20)}), now)}, Filter{}, now + 20},
		"what stays":             {View{Last: line(pack([]Line{line(`{"a":1}`, now), line(`{"b":1}`, 0)}), now)}, Filter{}, 0},
		"both have ended":        {View{Last: line(pack([]Line{line(`{"a":1}`, now-1), line(`{"b":1}`, now)}), now-1)}, Filter{}, 0},
		"broken":                 {View{Last: line("[1,", now+9)}, Filter{}, 0},
		"a mute ends":            {View{MuteEnd: 1000*now + 5001}, Filter{}, now + 6},
		"at the full second":     {View{MuteEnd: 1000*now + 5000}, Filter{}, now + 5},
		"a mute without end":     {View{MuteEnd: MutedForEver}, Filter{}, 0},
		"a mute that ended":      {View{MuteEnd: 1000 * now}, Filter{}, 0},
		"the sooner":             {View{MuteEnd: 1000*now + 5000, Last: line(`{"a":1}`, now+9)}, Filter{}, now + 5},
		"it becomes idle":        {View{Activity: now - 3600}, Filter{IdleDays: 1}, now - 3600 + 86400},
		"it is idle":             {View{Activity: now - 86400}, Filter{IdleDays: 1}, 0},
		"the mute before it is":  {View{Activity: now - 3600, MuteEnd: 1000*now + 5000}, Filter{IdleDays: 1}, now + 5},
		"it would, but isn't so": {View{Activity: now - 3600}, Filter{}, 0},
	} {
		if got := c.f.Until(&c.v, noon); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	for f, want := range map[Filter]bool{{}: false, {Muted: new(true)}: true, {IdleDays: 1}: true, {Name: "x", Unread: new(true)}: false} {
		if f.Timed() != want {
			t.Errorf("%+v depends on the time: %v", f, !want)
		}
	}
	c := Conversation{Messages: []MessageView{{}, {Expires: 20}, {Expires: 10}, {Expires: 30}, {}}}
	if c.Until() != 10 || (&Conversation{Messages: c.Messages[:1]}).Until() != 0 {
		t.Errorf("the messages stay until %d", c.Until())
	}
}

func TestFiltersOfNamesAndLabels(t *testing.T) {
	v := View{JID: team, Name: Fold("Arisan RT 5"), Labels: "1 12 3 "}
	for f, want := range map[Filter]bool{
		{Name: "rt"}: true, {Name: "rw"}: false, {Label: "1"}: true, {Label: "12"}: true, {Label: "3"}: true, {Label: "2"}: false,
	} {
		if f.Accepts(&v, noon) != want || !f.Head().Accepts(&v, noon) {
			t.Errorf("%+v accepts: %v", f, !want)
		}
	}
	if f := (Filter{Kind: Group, Name: "x", Label: "1", IdleDays: 3}).Head(); f != (Filter{Kind: Group, IdleDays: 3}) {
		t.Errorf("the head of a filter is %+v", f)
	}
}

func TestShards(t *testing.T) {
	seen := make(map[int]bool)
	for queue := range 5 {
		for _, shard := range ShardsOf(queue, 5) {
			if shard%5 != queue || shard >= Shards || seen[shard] {
				t.Errorf("shard %d of queue %d", shard, queue)
			}
			seen[shard] = true
		}
	}
	if len(seen) != Shards {
		t.Errorf("%d shards", len(seen))
	}
}
