package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
)

// TestBeginningsOfFeeds: two who begin a feed at about the same time begin with one number; a feed that begins anew begins behind
// what it had, also where its former beginning was to be kept for longer than that.
func TestBeginningsOfFeeds(t *testing.T) {
	now := noon
	clock := func() time.Time { return now }
	db := openFile(t, sqlite.Options{Now: clock})
	keeping := func(db kv.Store, age time.Duration) *store.Store {
		return store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: clock, FeedAge: age})
	}
	ctx, account := t.Context(), newAccount(t, keeping(db, 0))
	const day = 24 * time.Hour
	append := func(s *store.Store) (int64, error) {
		if err := s.AppendFeed(ctx, account, chat.FeedEntry{Kind: chat.FeedWebhook}); err != nil {
			return 0, err
		}
		end, err := s.End(ctx, account)
		return end.Seq, err
	}
	if _, err := append(keeping(kvtest.NewCrash(db, 1, false), 30*day)); !errors.Is(err, kvtest.ErrCrashed) {
		t.Fatal(err)
	}
	began, last := now.UnixMilli(), int64(0)
	for _, step := range []struct {
		after time.Duration
		want  func(seq int64) bool
	}{
		{time.Hour, func(seq int64) bool { return seq == began }},
		{time.Minute, func(seq int64) bool { return seq == began+1 }},
		{3 * day, func(seq int64) bool { return seq == now.UnixMilli() }},
		{3 * day, func(seq int64) bool { return seq == now.UnixMilli() }},
	} {
		now = now.Add(step.after)
		seq, err := append(keeping(db, 2*day))
		if err != nil || !step.want(seq) || seq <= last {
			t.Errorf("%v later it goes on with %d behind %d, %v", step.after, seq, last, err)
		}
		last = seq
	}
}

// TestFeedAge: how long the feed is kept is a setting. What has expired is never passed over in silence, also when the setting was
// another then.
func TestFeedAge(t *testing.T) {
	const day = 24 * time.Hour
	now := noon
	clock := func() time.Time { return now }
	db := openFile(t, sqlite.Options{Now: clock})
	keeping := func(days int) *store.Store {
		return store.New(db, store.Options{Compression: store.S2, SoleWriter: true, Now: clock, FeedAge: time.Duration(days) * day})
	}
	ctx, account := t.Context(), newAccount(t, keeping(2))
	said := 0
	say := func(s *store.Store) chat.Position {
		t.Helper()
		said++
		id := fmt.Sprint("m", said)
		project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{{ID: id, Content: chat.Content{
			Sender: budi, Time: now.Unix(), Type: "conversation", Body: id, Message: `{"conversation":"x"}`,
		}}}})
		end, err := s.End(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	wants := func(what string, s *store.Store, p chat.Position, want int) { // -1: too old
		t.Helper()
		entries, _, err := s.After(ctx, account, p, 100)
		if old := chat.CodeOf(err) == chat.SinceTooOld; err != nil && !old || old != (want < 0) || !old && len(entries) != want {
			t.Errorf("%s: %d entries, %v; want %d", what, len(entries), err, want)
		}
	}
	empty, err := keeping(2).End(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	first := say(keeping(2))
	say(keeping(2))
	now = now.Add(2*day - time.Hour)
	wants("before two days", keeping(2), first, 1)
	wants("of an empty feed, before two days", keeping(2), empty, 2)
	last := say(keeping(2))
	now = now.Add(2 * time.Hour)
	wants("after two days", keeping(2), first, -1)
	wants("after two days, of a feed that is kept for a day", keeping(1), last, 0)
	now = now.Add(2 * time.Hour) // what was kept for two days has gone
	wants("of a feed that is kept for longer now", keeping(30), first, -1)
	wants("of an empty feed that is kept for longer now", keeping(30), empty, -1)
	wants("behind what has gone", keeping(30), last, 0)
	now = now.Add(10 * day)
	quiet, next, err := keeping(30).After(ctx, account, last, 100)
	if err != nil || len(quiet) > 0 {
		t.Fatalf("%d entries, %v", len(quiet), err)
	}
	if begun := say(keeping(30)); begun.Seq <= last.Seq {
		t.Errorf("the feed goes from %d to %d", last.Seq, begun.Seq)
	}
	wants("of a feed that began anew since", keeping(30), next, 1)
	now = now.Add(3 * day)
	wants("of a feed that began anew since, days later", keeping(30), next, 1)
}
