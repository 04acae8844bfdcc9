package chat

import (
	"strings"
	"testing"
	"time"
)

// TestCommandBounds: what is allowed to its last value, and nothing beyond it.
func TestCommandBounds(t *testing.T) {
	good := Command{Version: 1, ID: "x", Account: account, Kind: MuteCommand, Chat: alice, RequestedAt: noon}
	with := func(kind CommandKind, change func(*Command)) Command {
		c := good
		c.Kind = kind
		if change(&c); c.Kind == PasskeyCommand || c.Kind == ConnectCommand || c.Kind == RestartCommand {
			c.Chat = ""
		}
		return c
	}
	for _, c := range []Command{
		with(MuteCommand, func(c *Command) { c.Hops, c.ID = MaxHops, strings.Repeat("~", maxCommandID) }), with(MuteCommand, func(c *Command) { c.ID = "!" }),
		with(StarCommand, func(c *Command) { c.Message = strings.Repeat("x", maxCommandID) }), with(MediaCommand, func(c *Command) { c.Message = "m" }),
		with(OlderCommand, func(c *Command) { c.Limit = MaxOlderMessages }), with(OlderCommand, func(*Command) {}),
		with(PasskeyCommand, func(c *Command) { c.Passkey = JSON(strings.Repeat("x", MaxPasskey)) }),
		with(ConnectCommand, func(c *Command) { c.Phone = "1234567" }), with(ConnectCommand, func(c *Command) { c.Phone = "123456789012345" }),
		with(RestartCommand, func(c *Command) { c.Shard = new(0) }), with(RestartCommand, func(c *Command) { c.Shard = new(Shards - 1) }), with(RestartCommand, func(*Command) {}),
		with(ClearCommand, func(c *Command) { c.Starred, c.Through = KeepStarred, &Through{Time: 1} }), with(ClearCommand, func(c *Command) { c.Starred = DeleteStarred }),
		with(DisappearCommand, func(c *Command) { c.Seconds = 7776000 }), with(DisappearCommand, func(*Command) {}), with(MuteCommand, func(c *Command) { c.Number = bob }),
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for want, bad := range map[string][]Command{
		"INVALID_PARAMETER: hops": {with(MuteCommand, func(c *Command) { c.Hops = -1 }), with(MuteCommand, func(c *Command) { c.Hops = MaxHops + 1 })},
		"INVALID_PARAMETER: id":   {with(MuteCommand, func(c *Command) { c.ID = "é" }), with(MuteCommand, func(c *Command) { c.ID = "\x7f" })},
		"INVALID_PARAMETER: message": {
			with(StarCommand, func(*Command) {}), with(UnstarCommand, func(*Command) {}), with(MediaCommand, func(*Command) {}), with(StarCommand, func(c *Command) { c.Message = "a b" }),
		},
		"INVALID_LIMIT": {
			with(OlderCommand, func(c *Command) { c.Limit = -1 }), with(OlderCommand, func(c *Command) { c.Limit = MaxOlderMessages + 1 }), with(MuteCommand, func(c *Command) { c.Limit = 1 }),
		},
		"INVALID_PHONE": {
			with(OlderCommand, func(c *Command) { c.Chat = "0812" }), with(MediaCommand, func(c *Command) { c.Message, c.Chat = "m", "" }),
			with(ConnectCommand, func(c *Command) { c.Phone = "123456" }), with(ConnectCommand, func(c *Command) { c.Phone = "1234567890123456" }),
		},
		"INVALID_PARAMETER: number": {with(MuteCommand, func(c *Command) { c.Number = "0812" }), with(MuteCommand, func(c *Command) { c.Number = "6281111111111@c.us" })},
		"INVALID_PARAMETER: shard": {
			with(RestartCommand, func(c *Command) { c.Shard = new(-1) }), with(RestartCommand, func(c *Command) { c.Shard = new(Shards) }), with(MuteCommand, func(c *Command) { c.Shard = new(0) }),
		},
		"INVALID_PARAMETER: starred": {with(ClearCommand, func(c *Command) { c.Starred = "some" })},
		"INVALID_PARAMETER: through": {with(ClearCommand, func(c *Command) { c.Through = &Through{} }), with(MuteCommand, func(c *Command) { c.Through = &Through{Time: 1} })},
		"INVALID_PARAMETER: seconds": {with(DisappearCommand, func(c *Command) { c.Seconds = 60 })},
	} {
		for _, c := range bad {
			if err := c.Validate(); err == nil || err.Error() != want {
				t.Errorf("%+v: %v, want %s", c, err, want)
			}
		}
	}
}

// TestSameCommand: a repeated id asks for the same.
func TestSameCommand(t *testing.T) {
	c := Command{ID: "x", Account: account, Kind: MuteCommand, Chat: alice}
	if !c.Same(c) {
		t.Error("it isn't the same as itself")
	}
	for name, change := range map[string]func(*Command){
		"account": func(c *Command) { c.Account = "y" }, "kind": func(c *Command) { c.Kind = PinCommand }, "chat": func(c *Command) { c.Chat = bob },
		"seconds": func(c *Command) { c.Seconds = 1 }, "phone": func(c *Command) { c.Phone = "1" }, "passkey": func(c *Command) { c.Passkey = "{}" },
		"name": func(c *Command) { c.Name = "n" }, "starred": func(c *Command) { c.Starred = DeleteStarred }, "message": func(c *Command) { c.Message = "m" },
		"quiet": func(c *Command) { c.Quiet = true }, "limit": func(c *Command) { c.Limit = 1 }, "shard": func(c *Command) { c.Shard = new(1) },
	} {
		o := c
		if change(&o); c.Same(o) || o.Same(c) || !o.Same(o) {
			t.Errorf("another %s is the same: %v", name, c.Same(o))
		}
	}
	keep, number, other := c, c, c
	keep.Starred, number.Number, other.Number = KeepStarred, alice, bob
	if !keep.Same(c) || !c.Same(keep) || !number.Same(c) || !c.Same(number) || number.Same(other) || !number.Same(number) {
		t.Error("what is meant by a command is told wrong from what was said")
	}
	here, there := c, c
	if here.Shard, there.Shard = new(1), new(1); !here.Same(there) {
		t.Error("the same shard is another")
	}
	if there.Shard = new(2); here.Same(there) {
		t.Error("another shard is the same")
	}
}

// TestWhoseCommand: one for the chats or the link of another number isn't carried out.
func TestWhoseCommand(t *testing.T) {
	mine := Account{Owner: alice, Device: "6281111111111:1@s.whatsapp.net", JID: alice, EmptiedAt: noon}
	foreign := Account{Owner: alice, Device: "6282222222222:1@s.whatsapp.net", JID: bob}
	for _, c := range []struct {
		kind   CommandKind
		number JID
		at     time.Time
		a      Account
		want   bool
	}{
		{MuteCommand, alice, noon, mine, true}, {MuteCommand, bob, noon, mine, false}, {MuteCommand, "", noon, mine, true}, {MuteCommand, "", noon.Add(-1), mine, false},
		{MuteCommand, "", noon, foreign, false}, {MuteCommand, bob, noon, foreign, true}, {MuteCommand, alice, noon, foreign, false},
		{ConnectCommand, bob, noon, mine, true}, {DisconnectCommand, bob, noon, mine, true}, {DeleteCommand, bob, noon, foreign, true}, {RestartCommand, bob, noon, mine, true},
		{LogoutCommand, bob, noon, mine, false},
	} {
		if got := (Command{Kind: c.kind, Number: c.number, RequestedAt: c.at}).Meant(c.a); got != c.want {
			t.Errorf("%s for %q of an account of %s is meant: %v", c.kind, c.number, c.a.JID, got)
		}
	}
}

func TestCommandsEnd(t *testing.T) {
	old := noon.Add(-CommandAge)
	for kind, want := range map[CommandKind]bool{MuteCommand: true, DeleteCommand: false} {
		if (Command{Kind: kind, RequestedAt: old}).Lost(noon) || (Command{Kind: kind, RequestedAt: old.Add(-1)}).Lost(noon) != want {
			t.Errorf("%s is lost wrongly after a day", kind)
		}
	}
	for name, c := range map[string]struct {
		r    Report
		want bool
	}{
		"a day old":  {Report{Command: CommandPending, At: old}, false},
		"older":      {Report{Command: CommandPending, At: old.Add(-1)}, true},
		"ended":      {Report{Command: CommandDone, At: old.Add(-1)}, false},
		"no command": {Report{At: old.Add(-1)}, false},
		"a batch":    {Report{Command: CommandPending, At: old.Add(-1), Going: true}, false},
	} {
		if c.r.Lost(noon) != c.want || c.r.Finished() != (c.r.Command != CommandPending) {
			t.Errorf("%s: lost %t, finished %t", name, c.r.Lost(noon), c.r.Finished())
		}
	}
	if (Outcome{}).State() != CommandDone || (Outcome{Failure: &Error{}}).State() != CommandFailed {
		t.Error("an outcome has the other's state")
	}
	if (Command{ID: "x"}).Dispatch() != "x" || (Command{ID: "x", Hops: 2}).Dispatch() != "x 2" {
		t.Error("sendings aren't told apart")
	}
}

// TestThrough: what was there when a call was made.
func TestThrough(t *testing.T) {
	line := Line{ID: "m", Time: 10, Order: 3}
	if got := (View{Activity: 10, Last: line}).Through(); got != (Through{10, 3, "m"}) {
		t.Errorf("a chat ends at %+v", got)
	}
	if got := (View{Activity: 11, Last: line}).Through(); got != (Through{Time: 11}) {
		t.Errorf("a chat with something after its line ends at %+v", got)
	}
	through := Through{10, 3, "m"}
	for _, c := range []struct {
		m    MessageView
		want bool
	}{
		{MessageView{ID: "z", Time: 9, Order: 9}, true}, {MessageView{ID: "z", Time: 10, Order: 2}, true}, {MessageView{ID: "m", Time: 10, Order: 3}, true},
		{MessageView{ID: "n", Time: 10, Order: 3}, false}, {MessageView{ID: "a", Time: 10, Order: 4}, false}, {MessageView{ID: "a", Time: 11}, false},
	} {
		if through.Covers(c.m) != c.want {
			t.Errorf("%+v was there: %v", c.m, !c.want)
		}
	}
}
