package chat

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const account = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

func TestKeys(t *testing.T) {
	key, hash, err := NewKey(account, bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(key, "pk_"+account+"_") || bytes.Contains(hash, []byte(key)) {
		t.Errorf("the key is %s", key)
	}
	parsed, err := ParseKey(key)
	if err != nil || parsed.AccountID != account {
		t.Fatalf("the key is parsed as %v, %v", parsed, err)
	}
	other, otherHash, err := NewKey(account, bytes.NewReader(bytes.Repeat([]byte{8}, 32)))
	if err != nil || other == key {
		t.Fatal(other, err)
	}
	for _, c := range []struct {
		a    Account
		want bool
	}{
		{Account{ID: account, KeyHash: hash}, true},
		{Account{ID: account, KeyHash: otherHash}, false},
		{Account{ID: "01ARZ3NDEKTSV4RRFFQ69G5FAW", KeyHash: hash}, false},
		{Account{ID: account}, false},
	} {
		if parsed.Opens(c.a) != c.want {
			t.Errorf("the key opens %+v: %v", c.a, !c.want)
		}
	}
	if _, _, err := NewKey(account, strings.NewReader("too short")); err == nil {
		t.Error("a key was made of too little randomness")
	}
	for _, bad := range []string{
		"", "pk_", "pk__", key[3:], key[:len(key)-1], key + "a", strings.ToLower(key), "pk_" + account, strings.Replace(key, "_", "-", 2),
		"pk_" + strings.Repeat("U", 26) + "_" + strings.Repeat("a", 52), strings.Repeat("pk_", 1000), "\xff\x00",
	} {
		if k, err := ParseKey(bad); CodeOf(err) != InvalidAPIKey || k != (Key{}) {
			t.Errorf("ParseKey(%q) = %v, %v", bad, k, err)
		}
	}
}

func TestCommandValidate(t *testing.T) {
	good := Command{Version: 1, ID: "x", Account: account, Kind: MuteCommand, Chat: alice, RequestedAt: noon}
	with := func(change func(*Command)) Command { c := good; change(&c); return c }
	for _, c := range []Command{
		with(func(c *Command) { c.Kind, c.Chat, c.Passkey = PasskeyCommand, "", "{}" }), with(func(c *Command) { c.Kind = ConfirmPasskeyCommand }),
		good, with(func(c *Command) { c.Seconds = MaxMuteSeconds }), with(func(c *Command) { c.Kind, c.Chat = ConnectCommand, "" }),
		with(func(c *Command) { c.Kind, c.Phone = ConnectCommand, "6281234567890" }), with(func(c *Command) { c.Chat = team }),
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for want, bad := range map[Code][]Command{
		InvalidParameter: {
			{}, with(func(c *Command) { c.Version = 2 }), with(func(c *Command) { c.ID = "" }), with(func(c *Command) { c.ID = "a b" }),
			with(func(c *Command) { c.ID = strings.Repeat("x", 129) }), with(func(c *Command) { c.Account = "x" }),
			with(func(c *Command) { c.Kind = "explode" }), with(func(c *Command) { c.Kind = PasskeyCommand }),
			with(func(c *Command) { c.Kind, c.Passkey = PasskeyCommand, JSON(strings.Repeat("x", MaxPasskey+1)) }), with(func(c *Command) { c.RequestedAt = Account{}.CreatedAt }),
		},
		InvalidPhone: {
			with(func(c *Command) { c.Chat = "" }), with(func(c *Command) { c.Chat = "08123" }), with(func(c *Command) { c.Chat = "6281111111111@c.us" }),
			with(func(c *Command) { c.Kind, c.Phone = ConnectCommand, "+62" }),
		},
		InvalidSecond: {with(func(c *Command) { c.Seconds = -1 }), with(func(c *Command) { c.Seconds = MaxMuteSeconds + 1 })},
	} {
		for _, c := range bad {
			if err := c.Validate(); CodeOf(err) != want {
				t.Errorf("%+v: %v, want %s", c, err, want)
			}
		}
	}
}

func TestMuteEnd(t *testing.T) {
	c := Command{Seconds: 3600, RequestedAt: noon}
	if got := c.MuteEnd(); got != noon.UnixMilli()+3_600_000 {
		t.Errorf("a mute of an hour ends at %d", got)
	}
	c.Seconds = 0
	if got := c.MuteEnd(); got != MutedForEver {
		t.Errorf("a mute without end ends at %d", got)
	}
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("get chat: %w", &Error{Code: ChatNotFound, Message: "detail"})
	if CodeOf(err) != ChatNotFound || !errors.Is(err, &Error{Code: ChatNotFound}) || errors.Is(err, &Error{Code: Internal}) {
		t.Errorf("%v has code %s", err, CodeOf(err))
	}
	if e := AsError(err); e.Code != ChatNotFound || e.Message != "detail" {
		t.Errorf("%v as an error is %+v", err, e)
	}
	foreign := errors.New("password=secret")
	if e := AsError(foreign); e.Code != Internal || strings.Contains(e.Error(), "secret") || CodeOf(foreign) != Internal || CodeOf(nil) != "" {
		t.Errorf("a foreign error becomes %v", e)
	}
}

func TestFilter(t *testing.T) {
	v := View{JID: team, MuteEnd: MutedForEver, Pinned: true}
	for _, c := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true}, {Filter{Kind: Group}, true}, {Filter{Kind: Private}, false}, {Filter{Muted: new(true)}, true}, {Filter{Muted: new(false)}, false},
		{Filter{Pinned: new(true), Unread: new(false), Archived: new(false)}, true}, {Filter{Pinned: new(true), Unread: new(true)}, false},
	} {
		if c.f.Accepts(&v, noon) != c.want {
			t.Errorf("%+v accepts: %v", c.f, !c.want)
		}
	}
}
