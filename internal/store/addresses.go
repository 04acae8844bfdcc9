package store

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Export implements chat.ChatStore.
func (s *Store) Export(
	ctx context.Context, account string, jid chat.JID, p chat.Page,
) (c chat.Chat, messages []chat.Message, next string, err error) {
	after, err := openCursor(exportCursor, p.Cursor, func(position string) bool {
		_, _, _, placed := placeIn(position)
		return placed || strings.HasPrefix(position, byID)
	})
	if err != nil {
		return c, nil, "", err
	}
	at, err := s.look(ctx, account, jid)
	if err != nil {
		return c, nil, "", failed("export chat", err)
	}
	if !at.stands() {
		return c, nil, "", &chat.Error{Code: chat.ChatNotFound}
	}
	if c, err = s.wholeState(ctx, at.item); err != nil {
		return c, nil, "", failed("export chat", err)
	}
	last := ""
	for it, err := range s.stored(ctx, account, jid, after, p.Limit+1) {
		if err != nil {
			return c, nil, "", failed("export messages", err)
		}
		if len(it.Data) == 0 { // a claim
			continue
		}
		if owner, _, beside := ofBlock(it.Sort); beside {
			if owner == last {
				b, err := blockOf(&it)
				if err != nil {
					return c, nil, "", failed("export messages", err)
				}
				b.join(&messages[len(messages)-1])
			}
			continue
		}
		if len(messages) == p.Limit {
			return c, messages, makeCursor(exportCursor, last), nil
		}
		m, err := stateOfMessage(it.Data)
		if err != nil {
			return c, nil, "", failed("export messages", err)
		}
		messages, last = append(messages, *m), it.Sort
	}
	return c, messages, "", nil
}

// stored are the items of a conversation behind a position, messages first: who wants a few of these mustn't pay for all claims.
func (s *Store) stored(ctx context.Context, account string, jid chat.JID, after string, expect int) iter.Seq2[kv.Item, error] {
	of := kv.Query{Collection: kv.Messages, Partition: conversation(account, jid)}
	messages, claims := of.Prefix(timeline), of.Prefix(byID)
	messages.Expect = expect
	both := []kv.Query{messages, claims}
	if strings.HasPrefix(after, byID) {
		both = both[1:]
	}
	if after != "" {
		both[0].From = kv.After(after)
	}
	return func(yield func(kv.Item, error) bool) {
		for _, q := range both {
			for it, err := range s.kv.Query(ctx, q) {
				if !yield(it, err) || err != nil {
					return
				}
			}
		}
	}
}

// Alias implements chat.ChatStore. The alias takes the chat's place first; what a crash leaves of its messages nobody sees,
// and the next call deletes it.
func (s *Store) Alias(ctx context.Context, account string, from, to chat.JID) error {
	if from == to {
		return nil
	}
	if err := s.mend(ctx, account); err != nil {
		return failed("make alias", err)
	}
	name := chatName{account, from}
	release, err := s.locks.acquire(ctx, name)
	if err != nil {
		return failed("make alias", err)
	}
	defer release()
	s.kept().take(s.recently(name))
	defer s.lists.note(account, from)
	err = retryOnConflict(ctx, func() error {
		at, err := s.look(ctx, account, from)
		if err != nil || at.target == to {
			return err
		}
		err = s.alias(ctx, name, to, at)
		if at.item == nil && errors.Is(err, kv.ErrConflict) {
			if _, _, gone := s.account(ctx, account, kv.Strong); gone != nil {
				return gone
			}
		}
		return err
	})
	if err == nil {
		err = s.deleteAll(ctx, kv.Query{Collection: kv.Messages, Partition: conversation(account, from)})
	}
	return failed("make alias", err)
}

// alias puts an alias in the place of what stands there. Readers who saw that as a chat are told that it isn't one any more.
func (s *Store) alias(ctx context.Context, name chatName, to chat.JID, at standing) error {
	if !at.shows() {
		return s.kv.Write(ctx, s.aliasing(name, to, at, 0))
	}
	a, err := s.begin(ctx, name.account, &chat.FeedEntry{Kind: chat.FeedChat, Chat: name.jid, Moved: to})
	if err != nil {
		return err
	}
	return a.ended(ctx, s.kv.Write(ctx, a.step, s.aliasing(name, to, at, a.seq)))
}

func (s *Store) aliasing(name chatName, to chat.JID, at standing, seq int64) kv.Step {
	there, other := chatKey(name.account, name.jid, false), chatKey(name.account, name.jid, true)
	it := kv.Item{
		Key: there, Data: append([]byte{aliasRecord}, to...), Fields: fieldsOf(map[string]int64{fieldSeq: seq}),
	}
	switch {
	case at.item == nil:
		return kv.Together(kv.Put(it, kv.Absent()), kv.Check(other, kv.Absent(), 0), s.accountExists(name.account))
	case at.item.Key == other:
		return kv.Together(kv.Put(it, kv.Absent()), kv.Delete(other, kv.Unchanged(at.item.Version), 0))
	}
	return kv.Together(kv.Put(it, kv.Unchanged(at.item.Version)), kv.Check(other, kv.Absent(), 0))
}

// DeleteChats implements chat.ChatStore. A chat goes after its messages, so that what a crash leaves is found again. Who has
// lost the account to a later owner is refused. The feed says so before and behind, and keeps nothing from before.
func (s *Store) DeleteChats(ctx context.Context, account string) error {
	if s.token != 0 {
		if err := s.kv.Write(ctx, kv.Together(kv.Check(accountKey(account), kv.Always(), s.token))); err != nil {
			return failed("delete chats", err)
		}
	}
	defer s.lists.drop(account)
	defer s.kept().drop()
	if err := s.emptied(ctx, account); err != nil {
		return failed("delete chats", err)
	}
	var keys []kv.Key
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Chats, Partition: account, KeysOnly: true}) {
		if err != nil {
			return failed("list chats", err)
		}
		keys = append(keys, it.Key)
	}
	for some := range slices.Chunk(keys, deletesTogether) {
		var ops []kv.Op
		for _, k := range some {
			ops = append(ops, kv.Delete(k, kv.Always(), 0))
			if _, _, beside := ofBlock(k.Sort); beside {
				continue
			}
			_, jid, ok := strings.Cut(k.Sort, "/")
			if !ok {
				return failed("delete chats", errCorrupt)
			}
			q := kv.Query{Collection: kv.Messages, Partition: conversation(account, chat.JID(jid))}
			if err := s.deleteAll(ctx, q); err != nil {
				return failed("delete chats", err)
			}
		}
		if err := s.kv.Write(ctx, kv.Each(ops...)); err != nil {
			return failed("delete chats", err)
		}
	}
	return failed("delete chats", s.emptied(ctx, account))
}

// emptied tells that all chats are about to go or are gone, and deletes what was told before.
func (s *Store) emptied(ctx context.Context, account string) error {
	_, _, err := s.account(ctx, account, kv.Strong)
	if chat.CodeOf(err) == chat.DeviceNotFound {
		return s.deleteFeed(ctx, account, "")
	}
	e := chat.FeedEntry{Kind: chat.FeedEmptied}
	if err == nil {
		err = retryOnConflict(ctx, func() error { return s.tell(ctx, account, &e) })
	}
	if err != nil {
		return err
	}
	if err := s.EmptyHook(ctx, account, e.Seq); err != nil {
		return err
	}
	return s.deleteFeed(ctx, account, sortable(e.Seq))
}

// deleteFeed deletes the entries before a sort key; "" is behind all.
func (s *Store) deleteFeed(ctx context.Context, account, before string) error {
	return s.deleteAll(ctx, kv.Query{Collection: kv.Chats, Partition: feedPartition(account), To: before})
}
