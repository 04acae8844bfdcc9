package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// feeds are the ends of the feeds that a store appends to.
type feeds struct {
	mu      sync.Mutex
	all     map[string]*feedEnd // by account
	watches map[string]map[*func(string)]bool
}

// feedEnd is the end of an account's feed as its owner knows it.
type feedEnd struct {
	look    *semaphore.Weighted // held to look for the end
	mending *semaphore.Weighted // held to mend

	// Under the feeds' lock:
	known bool // next is
	token int64
	next  int64
	open  map[int64]openEntry // those whose changes aren't known to be stored
	moved chan struct{}       // closed when one ends
	late  map[lateMessage]bool
}

// lateMessage is one that a former owner was about to store, and perhaps still is. Who gets it again finds it stored then, but by
// a change that nobody was told.
type lateMessage struct {
	chat chat.JID
	id   string
}

// maxLate bounds the memory of them.
const maxLate = 1000

// awaitMessages notes messages that are to come again.
func (f *feeds) awaitMessages(account string, jid chat.JID, messages []chat.FeedMessage) {
	e := f.end(account)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range messages {
		if (m.What == chat.FeedNew || m.What == chat.FeedAdded) && len(e.late) < maxLate {
			e.late[lateMessage{jid, m.ID}] = true
		}
	}
}

// isAwaited tells whether a message is to come again.
func (f *feeds) isAwaited(account string, jid chat.JID, id string) bool {
	e := f.end(account)
	f.mu.Lock()
	defer f.mu.Unlock()
	return e.late[lateMessage{jid, id}]
}

// came notes messages that were told.
func (f *feeds) came(account string, jid chat.JID, messages []chat.FeedMessage) {
	e := f.end(account)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range messages {
		delete(e.late, lateMessage{jid, m.ID})
	}
}

type openEntry bool

// Whether somebody is about to store what an open entry tells. Of one in doubt nobody knows whether it is appended and stored.
const (
	underWay openEntry = true
	inDoubt  openEntry = false
)

// knownTo tells whether who has the token needs to look for the end no more. Without a token there is one owner for ever.
func (e *feedEnd) knownTo(token int64) bool { return e.known && (token == 0 || token == e.token) }

func newFeeds() *feeds {
	return &feeds{all: make(map[string]*feedEnd), watches: make(map[string]map[*func(string)]bool)}
}

func (f *feeds) end(account string) *feedEnd {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.all[account]
	if e == nil {
		e = &feedEnd{look: semaphore.NewWeighted(1), mending: semaphore.NewWeighted(1), open: make(map[int64]openEntry),
			moved: make(chan struct{}), late: make(map[lateMessage]bool)}
		f.all[account] = e
	}
	return e
}

// take gives an entry its number; ok is false where the end has to be looked for first.
func (f *feeds) take(e *feedEnd, token int64) (seq, open int64, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case token != 0 && token < e.token:
		return 0, 0, false, fmt.Errorf("%w: %w", kv.ErrFenced, errFenced)
	case !e.knownTo(token):
		return 0, 0, false, nil
	}
	seq, open = e.next, e.next
	for n := range e.open {
		open = min(open, n)
	}
	e.next++
	e.open[seq] = underWay
	return seq, open, true, nil
}

// ended notes that the changes of entries are stored.
func (f *feeds) ended(account string, e *feedEnd, seqs ...int64) {
	f.mu.Lock()
	for _, seq := range seqs {
		delete(e.open, seq)
	}
	e.move()
	var watches []*func(string)
	for _, of := range []string{account, ""} {
		watches = slices.AppendSeq(watches, maps.Keys(f.watches[of]))
	}
	f.mu.Unlock()
	for _, heard := range watches {
		(*heard)(account)
	}
}

// doubt notes that a write of an entry failed. Perhaps somebody else has appended meanwhile.
func (f *feeds) doubt(e *feedEnd, seq int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.open[seq] = inDoubt
	e.move()
	if errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrFenced) {
		e.known = false
	}
}

func (e *feedEnd) move() {
	close(e.moved)
	e.moved = make(chan struct{})
}

// await waits until nobody is about to store what an entry before seq tells, behind which readers don't see this one yet.
func (f *feeds) await(ctx context.Context, e *feedEnd, seq int64) error {
	before := func() (moved chan struct{}) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for n, is := range e.open {
			if n < seq && is == underWay {
				return e.moved
			}
		}
		return nil
	}
	for {
		moved := before()
		if moved == nil {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// doubtful returns the numbers in doubt, and whether the end is known to who has the token.
func (f *feeds) doubtful(e *feedEnd, token int64) (seqs []int64, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for seq, is := range e.open {
		if is == inDoubt {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs, e.knownTo(token)
}

// WatchFeed implements chat.FeedWatcher.
func (s *Store) WatchFeed(account string, heard func(account string)) (stop func()) {
	f := s.feeds
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watches[account] == nil {
		f.watches[account] = make(map[*func(string)]bool)
	}
	f.watches[account][&heard] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if delete(f.watches[account], &heard); len(f.watches[account]) == 0 {
			delete(f.watches, account)
		}
	}
}

// appending is an entry that is about to be stored.
type appending struct {
	s       *Store
	account string
	end     *feedEnd
	seq     int64
	step    kv.Step // comes before all that the entry tells
}

// begin gives an entry its number and its time. The caller makes the step first, and then says how it went.
func (s *Store) begin(ctx context.Context, account string, e *chat.FeedEntry) (*appending, error) {
	a := &appending{s: s, account: account, end: s.feeds.end(account)}
	for {
		seq, open, ok, err := s.feeds.take(a.end, s.token)
		if err != nil {
			return nil, err
		}
		if !ok {
			if err := s.findEnd(ctx, account, a.end); err != nil {
				return nil, err
			}
			continue
		}
		a.seq, e.Seq, e.At = seq, seq, s.now()
		put, err := s.feedItem(account, e, open)
		if err != nil {
			s.feeds.doubt(a.end, seq, err)
			return nil, err
		}
		a.step = kv.Each(put)
		return a, nil
	}
}

// ended is told how it went to store the entry and what it tells, and returns when readers can see that.
func (a *appending) ended(ctx context.Context, err error) error {
	if err != nil {
		a.s.feeds.doubt(a.end, a.seq, err)
		return err
	}
	a.s.feeds.ended(a.account, a.end, a.seq)
	return a.s.feeds.await(ctx, a.end, a.seq)
}

// tell appends an entry, and makes the steps that store what it tells.
func (s *Store) tell(ctx context.Context, account string, e *chat.FeedEntry, steps ...kv.Step) error {
	a, err := s.begin(ctx, account, e)
	if err != nil {
		return err
	}
	return a.ended(ctx, s.kv.Write(ctx, slices.Insert(steps, 0, a.step)...))
}

// findEnd looks for the last entry. A new owner first takes the number behind it, so that a former one, who would take that
// next, is refused, and finds out.
func (s *Store) findEnd(ctx context.Context, account string, e *feedEnd) error {
	if err := e.look.Acquire(ctx, 1); err != nil {
		return err
	}
	defer e.look.Release(1)
	for {
		if _, known := s.feeds.doubtful(e, s.token); known {
			return nil // somebody else has looked meanwhile
		}
		last, there, err := s.lastEntry(ctx, account)
		if err == nil && !there {
			last, err = s.beginFeed(ctx, account)
		}
		switch {
		case errors.Is(err, kv.ErrConflict):
			continue
		case err != nil:
			return err
		case s.token != 0 && last.token > s.token:
			return fmt.Errorf("%w: %w", kv.ErrFenced, errFenced)
		}
		next, open := s.feeds.found(e, last)
		if s.token > last.token {
			fence, err := s.feedItem(account, &chat.FeedEntry{Seq: next, At: s.now(), Kind: chat.FeedVoid}, open)
			if err == nil {
				err = s.kv.Write(ctx, kv.Each(fence))
			}
			if errors.Is(err, kv.ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
			next++
		}
		s.feeds.know(e, s.token, next)
		return nil
	}
}

// begins is for how long an owner may be about to append the first entry of a feed.
const begins = time.Hour

// beginFeed is the end of a feed that has no entries: all have expired, or there were none. It is noted, so that two owners who
// look at the same time begin with the same number, and the later one's fence stands where the former would append.
func (s *Store) beginFeed(ctx context.Context, account string) (feedEntry, error) {
	it, err := s.get(ctx, feedKey(account, beginning))
	if err != nil {
		return feedEntry{}, err
	}
	if now := s.now(); it == nil || now.Sub(time.UnixMilli(it.Fields[fieldAt])) > begins {
		put, err := s.feedItem(account, &chat.FeedEntry{Seq: beginning, At: now, Kind: chat.FeedVoid}, beginning)
		if err != nil {
			return feedEntry{}, err
		}
		put.Condition = kv.As(it)
		if err := s.kv.Write(ctx, kv.Each(put)); err != nil {
			return feedEntry{}, err
		}
		it = &put.Item
	}
	e := feedEntry{open: it.Fields[fieldAt], token: it.Token}
	e.Seq = e.open - 1
	return e, nil
}

// found notes which entries may not be stored, and returns the next number and the least that is open.
func (f *feeds) found(e *feedEnd, last feedEntry) (next, open int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next = max(e.next, last.Seq+1)
	for seq := last.open; seq <= last.Seq; seq++ {
		if _, own := e.open[seq]; !own {
			e.open[seq] = inDoubt
		}
	}
	open = next
	for seq := range e.open {
		open = min(open, seq)
	}
	return next, open
}

func (f *feeds) know(e *feedEnd, token, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.known, e.token, e.next = true, max(e.token, token), max(e.next, next)
}

// mended mends after a change that needed more than one try.
func (s *Store) mended(ctx context.Context, account string, err error) error {
	if err == nil && s.owns() {
		err = s.mend(ctx, account)
	}
	return err
}

// mend makes the feed tell the truth, before anything else is changed: of what a former owner, or a write that failed, has
// told but not stored it tells what is stored instead. The caller holds no chat's lock.
func (s *Store) mend(ctx context.Context, account string) error {
	e := s.feeds.end(account)
	seqs, known := s.feeds.doubtful(e, s.token)
	if known && len(seqs) == 0 {
		return nil
	}
	if err := e.mending.Acquire(ctx, 1); err != nil {
		return err
	}
	defer e.mending.Release(1)
	if err := s.findEnd(ctx, account, e); err != nil {
		return err
	}
	seqs, _ = s.feeds.doubtful(e, s.token)
	for _, seq := range seqs {
		err := retryOnConflict(ctx, func() error { return s.mendEntry(ctx, account, seq) })
		if err != nil {
			return fmt.Errorf("mend feed: %w", err)
		}
		s.feeds.ended(account, e, seq)
	}
	return nil
}

func (s *Store) mendEntry(ctx context.Context, account string, seq int64) error {
	it, err := s.get(ctx, feedKey(account, seq))
	if err != nil {
		return err
	}
	if it == nil { // and never shall be
		void, err := s.feedItem(account, &chat.FeedEntry{Seq: seq, At: s.now(), Kind: chat.FeedVoid, Sure: true}, seq)
		if err != nil {
			return err
		}
		return s.kv.Write(ctx, kv.Each(void))
	}
	e, err := feedEntryOf(it)
	if err != nil {
		return err
	}
	switch e.Kind {
	case chat.FeedChat:
		if e.Sure {
			return nil
		}
		return s.mendChat(ctx, chatName{account, e.Chat}, &e.FeedEntry)
	case chat.FeedState:
		return s.mendState(ctx, account, &e.FeedEntry)
	case chat.FeedCommand, chat.FeedBatch, chat.FeedWebhook, chat.FeedEmptied, chat.FeedVoid: // whoever told it does so again
	}
	return nil
}

// mendChat tells what a chat is like, and has it carry the number.
func (s *Store) mendChat(ctx context.Context, name chatName, e *chat.FeedEntry) error {
	release, err := s.locks.acquire(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	at, err := s.look(ctx, name.account, name.jid)
	if err != nil || at.item != nil && at.item.Fields[fieldSeq] >= e.Seq {
		return err
	}
	s.kept().take(s.recently(name))
	now := chat.FeedEntry{Kind: chat.FeedChat, Chat: name.jid, Shows: at.shows(), Moved: at.target, Cleared: e.Cleared,
		Many: e.Many}
	s.feeds.awaitMessages(name.account, name.jid, e.Messages)
	for _, m := range e.Messages {
		m.What, m.Status = chat.FeedChanged, chat.NoStatus
		now.Messages = append(now.Messages, m)
	}
	if at.item == nil {
		return s.mendAbsent(ctx, name, now)
	}
	if now.Shows && at.item.Fields[fieldBeside] == 0 { // else it is too large
		v := headOfChat(name.jid, at.item)
		if err := new(decoder).textsOfChat(at.item.Data, &v); err != nil {
			return err
		}
		now.View = &v
	}
	a, err := s.begin(ctx, name.account, &now)
	if err != nil {
		return err
	}
	it := kv.Item{Key: at.item.Key, Data: at.item.Data, Fields: numbered(at.item.Fields, a.seq)}
	err = s.kv.Write(ctx, a.step, kv.Each(kv.Put(it, kv.Unchanged(at.item.Version))))
	s.lists.note(name.account, name.jid)
	return a.ended(ctx, err)
}

// mendAbsent has a chat that isn't there carry the number: one that doesn't show comes into being. Whoever told of it, and may
// only be paused, can't bring it into being any more.
func (s *Store) mendAbsent(ctx context.Context, name chatName, now chat.FeedEntry) error {
	if _, _, err := s.account(ctx, name.account, kv.Strong); chat.CodeOf(err) == chat.DeviceNotFound {
		now.Sure = true
		return s.tell(ctx, name.account, &now)
	} else if err != nil {
		return err
	}
	t := &thread{s: s, name: name, Thread: chat.Thread{Chat: chat.Chat{JID: name.jid}}}
	empty, _, err := t.next(ctx)
	if err != nil {
		return err
	}
	a, err := s.begin(ctx, name.account, &now)
	if err != nil {
		return err
	}
	put := kv.Put(kv.Item{
		Key: chatKey(name.account, name.jid, false), Data: empty.record, Fields: numbered(empty.fields, a.seq),
	}, kv.Absent())
	err = s.kv.Write(ctx, a.step, kv.Together(t.creating(put)...))
	s.lists.note(name.account, name.jid)
	return a.ended(ctx, err)
}

// numbered are a chat's fields with the number of its last change.
func numbered(fields map[string]int64, seq int64) map[string]int64 {
	fields = maps.Clone(fields)
	if fields == nil {
		fields = make(map[string]int64, 1)
	}
	fields[fieldSeq] = seq
	return fields
}

// mendState tells the account's state where another was told.
func (s *Store) mendState(ctx context.Context, account string, e *chat.FeedEntry) error {
	a, _, err := s.account(ctx, account, kv.Strong)
	if chat.CodeOf(err) == chat.DeviceNotFound {
		return nil
	}
	if err != nil || a.State == e.State && a.Reason == e.Reason {
		return err
	}
	return s.tell(ctx, account, &chat.FeedEntry{Kind: chat.FeedState, State: a.State, Reason: a.Reason})
}

// owns tells whether the store is that of an account's owner, who alone tells of the account and of its commands.
func (s *Store) owns() bool { return s.token != 0 || s.lists != nil }
