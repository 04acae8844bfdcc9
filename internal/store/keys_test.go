package store

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// TestSortable: the texts of numbers sort as they do and give them back, and nothing else is taken for one.
func TestSortable(t *testing.T) {
	numbers := []int64{math.MinInt64, -1 << 40, -10, -9, -1, 0, 1, 9, 10, 11, 99, 100, 1 << 40, math.MaxInt64}
	for i, n := range numbers {
		if back, ok := unsortable(sortable(n)); !ok || back != n {
			t.Errorf("%d becomes %q and %d, %v", n, sortable(n), back, ok)
		}
		if i > 0 && sortable(numbers[i-1]) >= sortable(n) {
			t.Errorf("%q of %d isn't before %q of %d", sortable(numbers[i-1]), numbers[i-1], sortable(n), n)
		}
	}
	for _, other := range []string{
		"", "-", "a", "b", "c1", "b01", "b+1", "b-1", "5", "-1", "-0000000000000000", "-ffffffffffffffg",
	} {
		if n, ok := unsortable(other); ok {
			t.Errorf("%q is taken for %d", other, n)
		}
	}
}

// TestPlaces: a place tells what it was made of, and is told from other sort keys, which cursors may name.
func TestPlaces(t *testing.T) {
	for _, want := range []struct {
		time, order int64
		id          string
	}{{5, -1, "A"}, {-7, 0, "a/ü%"}, {1 << 40, 1 << 50, strings.Repeat("x", 300)}} {
		time, order, id, ok := placeIn(place(want.time, want.order, want.id))
		if !ok || time != want.time || order != want.order || id != keyID(want.id) {
			t.Errorf("the place of %+v is that of %d, %d, %q, %v", want, time, order, id, ok)
		}
	}
	for _, other := range []string{
		"", "t/", "t/b5", "t/b5/b7", "t/b5/b7/", "t/b5/7/A", "t/5/b7/A", "i/b5/b7/A", "b5/b7/A", "t/b5/b7/\xff",
	} {
		if _, _, _, ok := placeIn(other); ok {
			t.Errorf("%q is taken for a place", other)
		}
	}
}

// TestKeyIDs: an id stands in a key as it is where a key can hold it; of two others neither is taken for the other, nor for one
// that is as it is.
func TestKeyIDs(t *testing.T) {
	for _, id := range []string{"A", "a/ü%", "a#", strings.Repeat("x", maxKeyID)} {
		if keyID(id) != id {
			t.Errorf("%q stands in a key as %q", id, keyID(id))
		}
	}
	seen := map[string]string{}
	for _, id := range []string{
		"", strings.Repeat("x", maxKeyID+1), strings.Repeat("x", maxKeyID+2), "\xff", "\xfe", "#a", hashMark, "a b",
	} {
		key := keyID(id)
		other, twice := seen[key]
		if twice || !isHashed(key) || len(key) > maxKeyID || !utf8.ValidString(key) || strings.Contains(key, blockMark) {
			t.Errorf("%q stands in a key as %q, as %q does", id, key, other)
		}
		seen[key] = id
	}
}

// TestAccountOf: a damaged item's key tells whose it is, and of which chat, wherever it stands.
func TestAccountOf(t *testing.T) {
	const account, jid = "01JNGKX0T00000000000000001", chat.JID("120363041234567890@g.us")
	beside := func(k kv.Key) kv.Key { k.Sort += blockMark + "m0.0"; return k }
	for _, one := range []struct {
		key     kv.Key
		account string
		jid     chat.JID
	}{
		{accountKey(account), account, ""},
		{listedKey(account), account, ""},
		{listedUnder(3, account), account, ""},
		{chatKey(account, jid, true), account, jid},
		{chatKey(account, jid, false), account, jid},
		{beside(chatKey(account, jid, true)), account, jid},
		{labelsKey(account), account, ""},
		{feedKey(account, 12), account, ""},
		{claimKey(account, jid, "A"), account, jid},
		{beside(messageKey(account, jid, place(1, 2, "A"))), account, jid},
		{commandKey(account, "a command"), account, ""},
		{batchKey(account, batchRecord+"1"), account, ""},
		{heartbeatKey("host"), "", ""},
		{reportKey(account, "1"), account, ""},
		{kv.Key{Collection: kv.Reports, Partition: usagePartition(account), Sort: "2026-03-01/a"}, account, ""},
		{hookKey(account, hookSort), account, ""},
		{secretKey(account), account, ""},
		{leaseKey(7), "", ""},
		{workKey(account, "1"), account, ""},
	} {
		if a, c := AccountOf(one.key); a != one.account || c != one.jid {
			t.Errorf("%s is of account %q, chat %q; want %q, %q", one.key, a, c, one.account, one.jid)
		}
	}
}

// TestPositionsOfCursors: a cursor opens for the port that made it, and for a position that this finds good.
func TestPositionsOfCursors(t *testing.T) {
	good := func(position string) bool { return position != "bad" }
	for _, one := range []struct{ cursor, want string }{
		{makeCursor(chatCursor, "x"), "x"}, {makeCursor(chatCursor, "xyz"), "xyz"}, {"", ""},
		{makeCursor(chatCursor, ""), "no"}, {makeCursor(messageCursor, "x"), "no"}, {makeCursor(chatCursor, "bad"), "no"},
		{makeCursor(chatCursor, "x") + "=", "no"}, {"Y3i", "no"}, {"\n", "no"},
	} {
		position, err := openCursor(chatCursor, one.cursor, good)
		if chat.CodeOf(err) == chat.InvalidCursor && position == "" {
			position = "no"
		}
		if position != one.want {
			t.Errorf("cursor %q opens to %q, %v; want %q", one.cursor, position, err, one.want)
		}
	}
}

// TestMadeUpPositions: a position that no page ends at is refused before anything is read.
func TestMadeUpPositions(t *testing.T) {
	s, ctx := New(nil, Options{}), t.Context()
	for position, list := range map[string]func(p chat.Page) error{
		"c12345678":      func(p chat.Page) error { _, _, err := s.Chats(ctx, "a", chat.Filter{}, p, s.now()); return err },
		"mt/b5":          func(p chat.Page) error { _, err := s.Messages(ctx, "a", "1@lid", p, s.now()); return err },
		"xx":             func(p chat.Page) error { _, _, _, err := s.Export(ctx, "a", "1@lid", p); return err },
		"r01":            func(p chat.Page) error { _, _, err := s.ListReports(ctx, "a", p); return err },
		"b01":            func(p chat.Page) error { _, _, err := s.ListBatches(ctx, "a", p); return err },
		"ed/b5":          func(p chat.Page) error { _, _, err := s.DeadEvents(ctx, "a", p); return err },
		"eb5/b5":         func(p chat.Page) error { _, _, err := s.DeadEvents(ctx, "a", p); return err },
		"e/b5/b5":        func(p chat.Page) error { _, _, err := s.DeadEvents(ctx, "a", p); return err },
		"ed/b5/5":        func(p chat.Page) error { _, _, err := s.DeadEvents(ctx, "a", p); return err },
		"ed/5/b5":        func(p chat.Page) error { _, _, err := s.DeadEvents(ctx, "a", p); return err },
		"a\xff":          func(p chat.Page) error { _, _, err := s.Accounts(ctx, p); return err },
		"a" + tooLongKey: func(p chat.Page) error { _, _, err := s.Accounts(ctx, p); return err },
	} {
		if err := list(chat.Page{Limit: 5, Cursor: makeCursor(position[0], position[1:])}); chat.CodeOf(err) != chat.InvalidCursor {
			t.Errorf("%.20q: %v", position, err)
		}
	}
}

var tooLongKey = strings.Repeat("x", kv.MaxKey+1)

// TestReportIDs: a position among reports has the form of an id.
func TestReportIDs(t *testing.T) {
	const id = "0123456789ABCDEFGHJKMNPQRZ"
	if !validReport(id) {
		t.Errorf("%s is refused", id)
	}
	for _, other := range []string{
		"", id[1:], id + "0", id[1:] + "/", id[1:] + ":", id[1:] + "@", id[1:] + "[", id[1:] + "a", id[2:] + "é",
	} {
		if validReport(other) {
			t.Errorf("%q is taken for an id", other)
		}
	}
}
