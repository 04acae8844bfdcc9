package chat

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func TestHookTakes(t *testing.T) {
	for _, c := range []struct {
		h      Hook
		kind   EventKind
		number int64
		want   bool
	}{
		{Hook{}, MessageEvent, 1, true}, {Hook{Since: 5}, MessageEvent, 5, false}, {Hook{Since: 5}, MessageEvent, 6, true},
		{Hook{Events: []EventKind{ChatEvent}}, MessageEvent, 1, false}, {Hook{Events: []EventKind{ChatEvent, MessageEvent}}, MessageEvent, 1, true},
	} {
		if c.h.Takes(c.kind, c.number) != c.want {
			t.Errorf("%+v takes %s %d: %v", c.h, c.kind, c.number, !c.want)
		}
	}
}

func TestEventIDs(t *testing.T) {
	for _, part := range []int{0, 7} {
		id := EventID(account, 42, part)
		if a, n, p, ok := ParseEventID(id); !ok || a != account || n != 42 || p != part {
			t.Errorf("%s is read as %s, %d, %d, %v", id, a, n, p, ok)
		}
	}
	for _, bad := range []string{"", account, account + "-1", account + "-0-0", account + "--1-0", account + "-1--1", account + "-01-0", account + "-1-0-", account + "-1-x", account + "-x-1"} {
		if _, _, _, ok := ParseEventID(bad); ok {
			t.Errorf("%q is taken for an event's id", bad)
		}
	}
}

func TestHookSecrets(t *testing.T) {
	secret, err := NewHookSecret(bytes.NewReader(make([]byte, newHookSecret)))
	if err != nil || !ValidHookSecret(secret) {
		t.Errorf("the new secret is %q, %v", secret, err)
	}
	if _, err := NewHookSecret(strings.NewReader("short")); err == nil {
		t.Error("a secret was made of too little randomness")
	}
	of := func(n int) string { return hookSecretPrefix + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for s, want := range map[string]bool{
		of(leastHookSecret): true, of(mostHookSecret): true, of(leastHookSecret - 1): false, of(mostHookSecret + 1): false,
		of(32)[1:]: false, hookSecretPrefix + strings.Repeat("!", 44): false, "": false, strings.TrimPrefix(of(32), hookSecretPrefix): false,
	} {
		if ValidHookSecret(s) != want {
			t.Errorf("%q may be a secret: %v", s, !want)
		}
	}
	if !(HookAttempt{Status: 200}).Delivered() || (HookAttempt{Error: "TIMEOUT"}).Delivered() {
		t.Error("an attempt is taken for another")
	}
}
