package chat

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestScopes(t *testing.T) {
	order := []Scope{ReadScope, CommandScope, AdminScope}
	for i, has := range order {
		for j, needed := range order {
			if has.Allows(needed) != (i >= j) {
				t.Errorf("%s allows %s: %v", has, needed, i < j)
			}
		}
		if !has.Valid() {
			t.Errorf("%s is no scope", has)
		}
	}
	for _, none := range []Scope{"", "root", "READ"} {
		if none.Valid() || none.Allows(ReadScope) || none.Allows("") {
			t.Errorf("%q is a scope", none)
		}
	}
}

// TestKeysOfAnAccount: each opens the account that it is of until it ends, and is told from the others.
func TestKeysOfAnAccount(t *testing.T) {
	key := func(b byte) (Key, []byte) {
		text, hash, err := NewKey(account, bytes.NewReader(bytes.Repeat([]byte{b}, KeySize)))
		if err != nil {
			t.Fatal(err)
		}
		k, err := ParseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		return k, hash
	}
	first, firstHash := key(1)
	second, secondHash := key(2)
	third, thirdHash := key(3)
	none, _ := key(4)
	a := Account{ID: account, KeyHash: firstHash, CreatedAt: noon, Limits: Limits{PerSecond: 5}, Keys: []APIKey{
		{ID: "2", Name: "shop", Scope: ReadScope, Hash: secondHash, Ends: noon}, {ID: "3", Name: "till", Scope: CommandScope, Hash: thirdHash},
	}}
	for name, c := range map[string]struct {
		k    Key
		now  time.Time
		want string
	}{
		"the first": {first, noon, MainKey}, "before its end": {second, noon.Add(-1), "2"}, "at its end": {second, noon, ""},
		"without an end": {third, noon.Add(10 * 365 * 24 * time.Hour), "3"}, "none": {none, noon.Add(-1), ""},
	} {
		found, ok := c.k.Find(a, c.now)
		if ok != (c.want != "") || ok && found.ID != c.want {
			t.Errorf("%s: %+v, %v", name, found, ok)
		}
	}
	if f, ok := first.Find(a, noon); !ok || f.Scope != AdminScope || f.Limits.PerSecond != 5 || f.Ended(noon) {
		t.Errorf("the first key is %+v", f)
	}
	a.ID = "01ARZ3NDEKTSV4RRFFQ69G5FAW"
	for _, k := range []Key{first, third} {
		if f, ok := k.Find(a, noon.Add(-1)); ok {
			t.Errorf("another account's key opens as %+v", f)
		}
	}
}

func TestProxies(t *testing.T) {
	for _, good := range []string{
		"http://proxy.example:3128", "https://user:secret@proxy.example:443/", "socks5://[::1]:65535", "socks5://10.0.0.1:1",
		"http://" + strings.Repeat("a", maxProxy-len("http://:80")) + ":80",
	} {
		if u, err := ParseProxy(good); err != nil || u.String() != good {
			t.Errorf("%s is read as %v, %v", good, u, err)
		}
	}
	for _, bad := range []string{
		"", "proxy.example:3128", "ftp://proxy.example:21", "http://proxy.example", "http://proxy.example:0", "http://proxy.example:65536",
		"http://:3128", "http://proxy.example:3128/path", "http://proxy.example:3128?x=1", "http://proxy.example:3128#x", "http:proxy.example:3128", "\x7f",
		"http://" + strings.Repeat("a", maxProxy-len("http://:80")+1) + ":80",
	} {
		if u, err := ParseProxy(bad); CodeOf(err) != InvalidParameter {
			t.Errorf("%q is read as %v, %v", bad, u, err)
		}
	}
}

// TestOwners: what is stored belongs to the number that it came from, or to who has its LID.
func TestOwners(t *testing.T) {
	const device = "6282222222222:7@s.whatsapp.net"
	for name, c := range map[string]struct {
		a       Account
		foreign bool
		number  JID
	}{
		"never linked":              {Account{}, false, ""},
		"linked":                    {Account{Owner: alice, Device: "6281111111111:1@s.whatsapp.net", JID: alice}, false, alice},
		"unlinked":                  {Account{Owner: alice, OwnerLID: aliceLID}, false, alice},
		"another number":            {Account{Owner: alice, OwnerLID: aliceLID, Device: device, JID: bob, LID: "2@lid"}, true, bob},
		"another, not linked yet":   {Account{Owner: alice, OwnerLID: aliceLID, Device: device}, true, ""},
		"the same, not linked yet":  {Account{Owner: bob, Device: device}, false, bob},
		"the number has changed":    {Account{Owner: alice, OwnerLID: aliceLID, Device: device, JID: bob, LID: aliceLID}, false, alice},
		"the owner's LID unknown":   {Account{Owner: alice, Device: device, JID: bob, LID: aliceLID}, true, bob},
		"linked without its device": {Account{Owner: alice, JID: bob}, true, bob},
	} {
		if c.a.Foreign() != c.foreign || c.a.Number() != c.number || c.a.Linked() != (c.a.JID != "") {
			t.Errorf("%s: foreign %t, number %s, linked %t", name, c.a.Foreign(), c.a.Number(), c.a.Linked())
		}
	}
	if (Account{}).OwnedBy("", "") || !(Account{Owner: alice}).OwnedBy(alice, "") || !(Account{OwnerLID: aliceLID}).OwnedBy(bob, aliceLID) {
		t.Error("an account is owned by another")
	}
}

func TestUsage(t *testing.T) {
	u := Usage{1, 2, 3, 4, 5, 6}
	u.Add(Usage{10, 20, 30, 40, 50, 60})
	if u != (Usage{11, 22, 33, 44, 55, 66}) {
		t.Errorf("the sum is %+v", u)
	}
	east := time.FixedZone("", 9*60*60)
	for at, want := range map[time.Time]string{
		noon: "2026-03 2026-04-01T00:00:00Z", time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC): "2026-12 2027-01-01T00:00:00Z",
		time.Date(2026, 3, 1, 5, 0, 0, 0, east): "2026-02 2026-03-01T00:00:00Z",
	} {
		if got := MonthOf(at) + " " + NextMonth(at).Format(time.RFC3339); got != want {
			t.Errorf("%v lies in %s, want %s", at, got, want)
		}
	}
	th := thread(alice, nil, nil)
	here := say("here", 1)
	th.Messages["here"], th.Messages["stub"] = &here, &Message{ID: "stub", Status: Read}
	for name, c := range map[string]struct {
		c    Change
		want int
	}{
		"new":            {Change{Messages: []Message{say("a", 1), say("b", 2), say("here", 1)}}, 2},
		"known as stub":  {Change{Messages: []Message{say("stub", 1)}}, 1},
		"of a history":   {Change{Past: true, Messages: []Message{say("a", 1)}}, 0},
		"only a receipt": {Change{Messages: []Message{{ID: "a", Status: Read}}}, 0},
	} {
		if got := th.arrivals(c.c); got != c.want {
			t.Errorf("%s: %d have arrived", name, got)
		}
	}
}
