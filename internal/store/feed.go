package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// The feed of an account is a log: an entry is appended before its change is stored, as the first step of the same write,
// under the number behind the last, if nobody has taken it. So nothing is stored that wasn't told, wherever a process ends.
// Numbers follow one another: one that isn't there is on its way. What was told but isn't stored is known by the chat's item,
// which carries the number of its last change; until it is, readers don't get the entry. Each entry says from which number on
// that may be so, so that only the last few are looked at. See feedend.go for who appends.

// The fields of an entry, beside those of the chat that it holds.
const (
	fieldAt   = "at"   // ms since 1970
	fieldOpen = "open" // the least number whose change wasn't known to be stored when it was appended
	fieldView = "view" // it holds the chat as it is then
)

// feedMargin is how much longer than they may be asked for entries are kept, for clocks that differ.
const feedMargin = time.Hour

// An entry fits into 1 KB, the unit of DynamoDB's writes, unless it names many messages: a chat that doesn't is left out.
const (
	maxFeedData     = 850
	maxFeedMessages = 50
)

// beginning stands in place of a number for where the entries of a feed begin that was empty: its time is the first number.
const beginning = 0

func feedPartition(account string) string { return "feed/" + account }

func feedKey(account string, seq int64) kv.Key {
	return kv.Key{Collection: kv.Chats, Partition: feedPartition(account), Sort: sortable(seq)}
}

// feedItem is the item of an entry that nobody has put before.
func (s *Store) feedItem(account string, e *chat.FeedEntry, open int64) (kv.Op, error) {
	it := kv.Item{
		Key: feedKey(account, e.Seq), Token: s.token, Expires: e.At.Add(s.feedAge + feedMargin).Unix(),
		Fields: map[string]int64{fieldAt: e.At.UnixMilli(), fieldOpen: open},
	}
	head, err := marshal(e)
	if err != nil {
		return kv.Op{}, fmt.Errorf("encode entry: %w", err)
	}
	if v := e.View; v != nil {
		it.Data = s.compression.encode(string(head), string(v.Document), string(v.Last.Document), v.Last.ID, string(placesOf(v)))
		if len(it.Data) <= maxFeedData {
			it.Fields[fieldView] = 1
			maps.Copy(it.Fields, fieldsOfView(v))
			return kv.Put(it, kv.Absent()), nil
		}
	}
	it.Data = s.compression.encode(string(head))
	return kv.Put(it, kv.Absent()), nil
}

// feedEntry is an entry as it is stored.
type feedEntry struct {
	chat.FeedEntry
	open  int64
	token int64
}

func feedEntryOf(it *kv.Item) (e feedEntry, err error) {
	var ok bool
	if e.Seq, ok = unsortable(it.Sort); !ok {
		return e, fmt.Errorf("%w: a feed's entry under %q", errCorrupt, it.Sort)
	}
	e.open, e.token = it.Fields[fieldOpen], it.Token
	var d decoder
	var head, document, last, id, place []byte
	if it.Fields[fieldView] == 0 {
		err = d.decode(it.Data, &head)
	} else {
		err = d.decode(it.Data, &head, &document, &last, &id, &place)
	}
	if err != nil {
		return e, fmt.Errorf("decode entry: %w", err)
	}
	if err := json.Unmarshal(head, &e.FeedEntry); err != nil {
		return e, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	e.At = time.UnixMilli(it.Fields[fieldAt])
	if it.Fields[fieldView] == 0 {
		return e, nil
	}
	v := headOfChat(e.Chat, it)
	v.Seq = e.Seq
	v.Document, v.Last.Document, v.Last.ID = chat.JSON(document), chat.JSON(last), string(id)
	e.View = &v
	return e, placeOf(place, &v)
}

// After implements chat.Feed.
func (s *Store) After(
	ctx context.Context, account string, p chat.Position, limit int,
) (entries []chat.FeedEntry, next chat.Position, err error) {
	entries, next, _, err = s.told(ctx, account, p, limit)
	return entries, next, err
}

// told is After, and tells whether there may be more.
func (s *Store) told(
	ctx context.Context, account string, p chat.Position, limit int,
) (entries []chat.FeedEntry, next chat.Position, more bool, err error) {
	next = p
	for {
		want := limit - len(entries)
		stored, end, err := s.after(ctx, account, next, want)
		if err != nil {
			return nil, next, false, failed("read feed", err)
		}
		next = end
		for i := range stored {
			switch stored[i].Kind {
			case chat.FeedVoid:
			case chat.FeedEmptied:
				return nil, next, false, &chat.Error{Code: chat.SinceTooOld}
			default:
				entries = append(entries, stored[i].FeedEntry)
			}
		}
		if len(stored) < want || len(entries) == limit {
			return entries, next, len(stored) == want, nil
		}
	}
}

// after reads entries whose changes are stored, without a gap.
func (s *Store) after(
	ctx context.Context, account string, p chat.Position, limit int,
) (entries []feedEntry, next chat.Position, err error) {
	now := s.now()
	if p.Seq < 0 || now.Sub(p.At) > s.feedAge || p.At.After(now.Add(feedMargin)) {
		return nil, p, &chat.Error{Code: chat.SinceTooOld}
	}
	next = chat.Position{Seq: p.Seq, At: now, Until: p.Until}
	q := kv.Query{Collection: kv.Chats, Partition: feedPartition(account), From: sortable(p.Seq + 1), Expect: limit + 1}
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return nil, p, err
		}
		e, err := feedEntryOf(&it)
		if err != nil {
			return nil, p, err
		}
		entries = append(entries, e)
		if len(entries) >= limit {
			break
		}
	}
	if len(entries) == 0 {
		return nil, next, s.notAhead(ctx, account, p)
	}
	if entries, err = s.contiguous(ctx, account, p.Seq, entries); err != nil {
		return nil, p, err
	}
	if len(entries) > 0 {
		if first := entries[0].Seq; first > p.Seq+1 && now.Sub(p.At) > chat.LeastFeedAge {
			if err := s.expired(ctx, account, p, first); err != nil {
				return nil, p, err
			}
		}
		next.Seq = entries[len(entries)-1].Seq
	}
	return entries, next, nil
}

// expired refuses a position behind which entries were kept for less long than now, and have gone. Where the feed has begun
// anew since the position, nothing is missing.
func (s *Store) expired(ctx context.Context, account string, p chat.Position, first int64) error {
	it, err := s.get(ctx, feedKey(account, beginning))
	if err == nil && (it == nil || it.Fields[fieldAt] <= p.Seq || it.Fields[fieldAt] > first) {
		err = &chat.Error{Code: chat.SinceTooOld}
	}
	return err
}

// notAhead refuses a position that the feed hasn't reached: it comes from a database that was put back.
func (s *Store) notAhead(ctx context.Context, account string, p chat.Position) error {
	last, err := s.lastSeq(ctx, account, kv.Strong)
	if err == nil && last > 0 && last < p.Seq {
		err = &chat.Error{Code: chat.SinceTooOld}
	}
	return err
}

// contiguous cuts entries that follow a number off where one is missing, or its change isn't stored.
func (s *Store) contiguous(ctx context.Context, account string, after int64, entries []feedEntry) ([]feedEntry, error) {
	open := entries[len(entries)-1].open
	var looked []int
	for i := range entries {
		seq := entries[i].Seq
		if seq > after+1 && seq > open { // the one before is under way
			entries = entries[:i]
			break
		}
		if after = seq; seq >= open && entries[i].Kind == chat.FeedChat && !entries[i].Sure {
			looked = append(looked, i)
		}
	}
	if len(looked) == 0 {
		return entries, nil
	}
	keys := make([]kv.Key, len(looked))
	for n, i := range looked {
		keys[n] = chatKey(account, entries[i].Chat, entries[i].Shows)
	}
	found, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	for n, i := range looked {
		e := &entries[i].FeedEntry
		if found[n] != nil && found[n].Fields[fieldSeq] >= e.Seq {
			continue
		}
		if stored, err := s.hasStored(ctx, account, e, !e.Shows); err != nil || !stored {
			return entries[:i], err
		}
	}
	return entries, nil
}

// hasStored tells whether the change of a chat's entry, or a later one, is stored where the chat shows, or where it doesn't.
func (s *Store) hasStored(ctx context.Context, account string, e *chat.FeedEntry, shows bool) (bool, error) {
	it, err := s.get(ctx, chatKey(account, e.Chat, shows))
	return it != nil && it.Fields[fieldSeq] >= e.Seq, err
}

// lastEntries asks for the last entry of a feed, from the end.
func lastEntries(account string, c kv.Consistency) kv.Query {
	return kv.Query{Collection: kv.Chats, Partition: feedPartition(account), From: sortable(1), Reverse: true, Expect: 1,
		Consistency: c}
}

func (s *Store) lastEntry(ctx context.Context, account string) (e feedEntry, there bool, err error) {
	for it, err := range s.kv.Query(ctx, lastEntries(account, kv.Strong)) {
		if err != nil {
			return e, false, err
		}
		e, err = feedEntryOf(&it)
		return e, true, err
	}
	return e, false, nil
}

// lastSeq returns the number of the last entry, 0 where there is none.
func (s *Store) lastSeq(ctx context.Context, account string, c kv.Consistency) (int64, error) {
	q := lastEntries(account, c)
	q.KeysOnly = true
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return 0, err
		}
		seq, ok := unsortable(it.Sort)
		if !ok {
			err = fmt.Errorf("%w: a feed's entry under %q", errCorrupt, it.Sort)
		}
		return seq, err
	}
	return 0, nil
}

// End implements chat.Feed.
func (s *Store) End(ctx context.Context, account string) (chat.Position, error) {
	now := s.now()
	last, there, err := s.lastEntry(ctx, account)
	if err != nil || !there {
		return chat.Position{At: now}, failed("find the feed's end", err)
	}
	entries, before := []feedEntry{last}, last.Seq-1
	if last.open < last.Seq {
		before = last.open - 1
		q := kv.Query{Collection: kv.Chats, Partition: feedPartition(account), From: sortable(last.open), To: sortable(last.Seq)}
		entries = nil
		for it, err := range s.kv.Query(ctx, q) {
			if err != nil {
				return chat.Position{}, failed("find the feed's end", err)
			}
			e, err := feedEntryOf(&it)
			if err != nil {
				return chat.Position{}, failed("find the feed's end", err)
			}
			entries = append(entries, e)
		}
		entries = append(entries, last)
	}
	if entries, err = s.contiguous(ctx, account, before, entries); err != nil {
		return chat.Position{}, failed("find the feed's end", err)
	}
	if len(entries) > 0 {
		before = entries[len(entries)-1].Seq
	}
	return chat.Position{Seq: before, At: now}, nil
}

// Still implements chat.Feed.
func (s *Store) Still(ctx context.Context, account string, p chat.Position) (bool, error) {
	if s.now().Sub(p.At) > s.feedAge {
		return false, nil
	}
	last, err := s.lastSeq(ctx, account, kv.Eventual)
	if err != nil {
		return false, failed("look at the feed", err)
	}
	return last == 0 || last == p.Seq, nil
}

// AppendFeed implements chat.FeedAppender.
func (s *Store) AppendFeed(ctx context.Context, account string, e chat.FeedEntry) error {
	err := s.mend(ctx, account)
	if err == nil {
		err = retryOnConflict(ctx, func() error { return s.tell(ctx, account, &e) })
	}
	return failed("append to feed", err)
}

// named keeps the messages that an entry has room for.
func named(e *chat.FeedEntry, all []chat.FeedMessage) {
	for _, m := range all {
		if len(e.Messages) == maxFeedMessages || !utf8.ValidString(m.ID) || len(m.ID) > maxKeyID {
			e.Many = true
			continue
		}
		e.Messages = append(e.Messages, m)
	}
}

var errFenced = errors.New("a later owner appends to the feed")
