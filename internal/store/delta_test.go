package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// TestChatsChangedByTime: a chat that shows otherwise by itself, since its mute or its last message has ended, is told from that
// second on, once, though nothing is written; a position says when the next one is.
func TestChatsChangedByTime(t *testing.T) {
	clock := func() time.Time { return noon }
	for _, sole := range []bool{true, false} {
		db := openFile(t, sqlite.Options{Now: clock})
		s := store.New(db, store.Options{Compression: store.S2, SoleWriter: sole, Now: clock})
		ctx, account := t.Context(), newAccount(t, s)
		at := func(second int64) time.Time { return time.Unix(noon.Unix()+second, 0) }
		mutes := func(jid chat.JID, until int64) {
			project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{said(jid, "a", 1)},
				State: chat.Chat{Mute: chat.Register[int64]{Value: until, At: 5}}})
		}
		mutes(budi, at(10).UnixMilli())
		mutes(siti, at(20).UnixMilli())
		mutes(listedJID(1), chat.MutedForEver)
		mutes(listedJID(2), 0)
		ephemeral := said(listedJID(3), "a", 1)
		ephemeral.Content.Expires = at(20).Unix()
		project(t, s, account, chat.Change{Chat: listedJID(3), Messages: []chat.Message{ephemeral}})
		muted := chat.Filter{Muted: new(true)}
		p, err := s.End(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		p.Until = at(10).Unix()
		for _, step := range []struct {
			second      int64
			views, gone []chat.JID
			until       int64 // seconds; 0: never
		}{
			{9, nil, nil, 10},
			{10, nil, []chat.JID{budi}, 20},
			{10, nil, nil, 20},
			{19, nil, nil, 20},
			{20, nil, []chat.JID{siti, listedJID(3)}, 0},
			{21, nil, nil, 0},
		} {
			when := fmt.Sprintf("sole writer %v, at second %d", sole, step.second)
			d, err := s.ChatsSince(ctx, account, p, muted, 100, at(step.second))
			if err != nil {
				t.Fatal(when, err)
			}
			var views []chat.JID
			for _, v := range d.Views {
				views = append(views, v.JID)
			}
			slices.Sort(step.gone)
			until := int64(0)
			if step.until != 0 {
				until = at(step.until).Unix()
			}
			if !slices.Equal(views, step.views) || !slices.Equal(d.Gone, step.gone) || d.Next.Until != until || d.More {
				t.Errorf("%s: views %v, gone %v, until %d; want %v, %v, %d", when, views, d.Gone, d.Next.Until, step.views, step.gone, until)
			}
			p = d.Next
			p.At = at(step.second) // as the clock goes on
		}
		project(t, s, account, chat.Change{Chat: siti, State: chat.Chat{Mute: chat.Register[int64]{Value: at(40).UnixMilli(), At: 6}}})
		d, err := s.ChatsSince(ctx, account, p, muted, 100, at(22))
		if err != nil || len(d.Views) != 1 || d.Next.Until != at(40).Unix() {
			t.Errorf("sole writer %v: a new mute gives %+v, %v", sole, d, err)
		}
	}
}

// TestManyChangedMessages: up to 200 changed messages are told one by one; of more the newest are told as if nothing had been
// known.
func TestManyChangedMessages(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", storetest.Now)
	ctx, account := t.Context(), newAccount(t, s)
	project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "before", 0)}})
	for _, n := range []int{0, 1, 200, 201} {
		start, err := s.End(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		for from := 0; from < n; from += 50 { // an entry names as many
			var messages []chat.Message
			for i := from; i < min(from+50, n); i++ {
				messages = append(messages, said(budi, fmt.Sprint(n, "/", i), int64(i)))
			}
			project(t, s, account, chat.Change{Chat: budi, Messages: messages})
		}
		d, err := s.MessagesSince(ctx, account, budi, start, 10, noon)
		want := n
		if n > 200 {
			want = 10
		}
		if err != nil || d.Complete != (n > 200) || len(d.Messages) != want || len(d.Gone) != 0 || d.More || d.Chat != budi {
			t.Errorf("of %d changed messages %d are told, complete %v, more %v, %v", n, len(d.Messages), d.Complete, d.More, err)
		}
		for i, m := range d.Messages {
			if i > 0 && m.Time < d.Messages[i-1].Time {
				t.Errorf("message %d is older than the one before", i)
			}
		}
		again, err := s.MessagesSince(ctx, account, budi, d.Position, 10, noon)
		if err != nil || len(again.Messages) != 0 || again.Complete {
			t.Errorf("asked again: %+v, %v", again, err)
		}
	}
}

// TestMessagesChangedByTime: who follows a conversation hears of a message that disappears from that second on, and where it has
// moved to.
func TestMessagesChangedByTime(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", func() time.Time { return noon })
	ctx, account := t.Context(), newAccount(t, s)
	ends := said(budi, "ends", 2)
	ends.Content.Expires = noon.Unix() + 10
	project(t, s, account, chat.Change{Chat: budi, Messages: []chat.Message{said(budi, "stays", 1), ends}})
	p, err := s.End(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	p.Until = ends.Content.Expires
	for _, step := range []struct {
		second   int64
		complete bool
		until    int64
	}{{9, false, 10}, {10, true, 0}, {11, false, 0}} {
		d, err := s.MessagesSince(ctx, account, budi, p, 10, time.Unix(noon.Unix()+step.second, 0))
		until := int64(0)
		if step.until != 0 {
			until = noon.Unix() + step.until
		}
		if err != nil || d.Complete != step.complete || d.Position.Until != until ||
			d.Complete && (len(d.Messages) != 1 || d.Messages[0].ID != "stays") {
			t.Errorf("at second %d: %+v, %v", step.second, d, err)
		}
		p = d.Position
	}
	var many []chat.Message // more than an entry names
	for i := range 51 {
		many = append(many, said(budi, fmt.Sprint("many", i), 100))
	}
	for _, step := range []struct {
		what     string
		change   chat.Change
		complete bool
	}{
		{"a mute", chat.Change{State: chat.Chat{Mute: chat.Register[int64]{Value: chat.MutedForEver, At: 5}}}, false},
		{"many messages", chat.Change{Messages: many}, true},
		{"one more", chat.Change{Messages: []chat.Message{said(budi, "more", 200)}}, false},
		{"a clear", chat.Change{State: chat.Chat{Cleared: chat.RangeOf(noon.Unix() - 5000 + 100)}}, true},
		{"a deletion and a new message", chat.Change{State: chat.Chat{Deleted: chat.RangeOf(noon.Unix() - 5000 + 200)},
			Messages: []chat.Message{said(budi, "stays", 300), said(budi, "new", 301)}}, true},
	} {
		step.change.Chat = budi
		project(t, s, account, step.change)
		d, err := s.MessagesSince(ctx, account, budi, p, 10, noon)
		if err != nil || d.Complete != step.complete {
			t.Errorf("%s: %+v, %v", step.what, d, err)
		}
		p = d.Position
	}
	project(t, s, account, chat.Change{Chat: "1@lid", Messages: []chat.Message{said("1@lid", "a", 1)}})
	if p, err = s.End(ctx, account); err != nil {
		t.Fatal(err)
	}
	project(t, s, account, chat.Change{Chat: siti, Messages: []chat.Message{said(siti, "a", 1)}})
	if d, err := s.MessagesSince(ctx, account, "1@lid", p, 10, noon); err != nil || d.Complete || len(d.Messages) != 0 {
		t.Errorf("another chat's message gives %+v, %v", d, err)
	}
	if err := s.Alias(ctx, account, "1@lid", budi); err != nil {
		t.Fatal(err)
	}
	d, err := s.MessagesSince(ctx, account, "1@lid", p, 10, noon)
	if err != nil || !d.Complete || d.Chat != budi || len(d.Messages) != 2 {
		t.Errorf("a conversation that has moved: %+v, %v", d, err)
	}
}

// TestEntriesNameMessages: an entry names up to 50 messages, and says that there are more; those whose ids no key holds it never
// names.
func TestEntriesNameMessages(t *testing.T) {
	s := storetest.Open(t, t.TempDir()+"/pesan.db", storetest.Now)
	ctx, account := t.Context(), newAccount(t, s)
	long := func(n int) string { return fmt.Sprintf("%0*d", n, 7) }
	many := func(n int) (ids []string) {
		for i := range n {
			ids = append(ids, fmt.Sprint(n, "/", i))
		}
		return ids
	}
	for what, one := range map[string]struct {
		ids   []string
		named int
		many  bool
	}{
		"50": {many(50), 50, false}, "51": {many(51), 50, true}, "a long id": {[]string{"a", long(128)}, 2, false},
		"a longer id": {[]string{"b", long(129)}, 1, true}, "one that is no text": {[]string{"c", "\xff"}, 1, true},
	} {
		start, err := s.End(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		var messages []chat.Message
		for i, id := range one.ids {
			m := said(budi, id, int64(i/2))
			m.Content.Order = int64(i % 2)
			messages = append(messages, m)
		}
		project(t, s, account, chat.Change{Chat: budi, Messages: messages})
		entries, _, err := s.After(ctx, account, start, 10)
		if err != nil || len(entries) != 1 || len(entries[0].Messages) != one.named || entries[0].Many != one.many {
			t.Errorf("%s: %+v, %v", what, entries, err)
			continue
		}
		for i, m := range entries[0].Messages {
			if m.ID != one.ids[i] {
				t.Errorf("%s: message %d is %q", what, i, m.ID)
			}
		}
	}
}
