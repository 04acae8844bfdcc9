package store

import (
	"context"
	"errors"
	"strings"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Export implements chat.ChatStore.
func (s *Store) Export(ctx context.Context, account string, jid chat.JID, p chat.Page) (c chat.Chat, messages []chat.Message, next string, err error) {
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
	if c, err = stateOfChat(at.item.Data); err != nil {
		return c, nil, "", failed("export chat", err)
	}
	q := kv.Query{Collection: kv.Messages, Partition: conversation(account, jid), Expect: 2 * (p.Limit + 1)}
	if after != "" {
		q.From = kv.After(after)
	}
	last := ""
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return c, nil, "", failed("export messages", err)
		}
		if len(it.Data) == 0 { // a claim
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

// Alias implements chat.ChatStore. The alias takes the chat's place first; what a crash leaves of its messages nobody sees,
// and the next call deletes it.
func (s *Store) Alias(ctx context.Context, account string, from, to chat.JID) error {
	if from == to {
		return nil
	}
	name := chatName{account, from}
	release, err := s.locks.acquire(ctx, name)
	if err != nil {
		return failed("make alias", err)
	}
	defer release()
	s.recent.take(name)
	defer s.lists.note(account, from)
	err = retryOnConflict(ctx, func() error {
		at, err := s.look(ctx, account, from)
		if err != nil || at.target == to {
			return err
		}
		err = s.kv.Write(ctx, s.aliasing(name, to, at))
		if at.item == nil && errors.Is(err, kv.ErrConflict) {
			if _, _, gone := s.account(ctx, account, kv.Strong); gone != nil {
				return gone
			}
		}
		return err
	})
	if err == nil {
		err = s.deleteAll(ctx, kv.Query{Collection: kv.Messages, Partition: conversation(account, from)}, 0, nil)
	}
	return failed("make alias", err)
}

// aliasing puts an alias in the place of what stands there.
func (s *Store) aliasing(name chatName, to chat.JID, at standing) kv.Step {
	there, other := chatKey(name.account, name.jid, false), chatKey(name.account, name.jid, true)
	it := kv.Item{Key: there, Data: append([]byte{aliasRecord}, to...)}
	switch {
	case at.item == nil:
		return kv.Together(kv.Put(it, kv.Absent()), kv.Check(other, kv.Absent(), 0), s.accountExists(name.account))
	case at.item.Key == other:
		return kv.Together(kv.Put(it, kv.Absent()), kv.Delete(other, kv.Unchanged(at.item.Version), 0))
	}
	return kv.Together(kv.Put(it, kv.Unchanged(at.item.Version)), kv.Check(other, kv.Absent(), 0))
}

// DeleteChats implements chat.ChatStore. A chat goes after its messages, so that what a crash leaves is found again. Who has
// lost the account to a later owner is refused.
func (s *Store) DeleteChats(ctx context.Context, account string) error {
	if s.token != 0 {
		if err := s.kv.Write(ctx, kv.Together(kv.Check(accountKey(account), kv.Always(), s.token))); err != nil {
			return failed("delete chats", err)
		}
	}
	defer s.lists.drop(account)
	defer s.recent.drop()
	var keys []kv.Key
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Chats, Partition: account, KeysOnly: true}) {
		if err != nil {
			return failed("list chats", err)
		}
		keys = append(keys, it.Key)
	}
	for len(keys) > 0 {
		some := keys[:min(len(keys), deletesTogether)]
		keys = keys[len(some):]
		var ops []kv.Op
		for _, k := range some {
			_, jid, ok := strings.Cut(k.Sort, "/")
			if !ok {
				return failed("delete chats", errCorrupt)
			}
			q := kv.Query{Collection: kv.Messages, Partition: conversation(account, chat.JID(jid))}
			if err := s.deleteAll(ctx, q, 0, nil); err != nil {
				return failed("delete chats", err)
			}
			ops = append(ops, kv.Delete(k, kv.Always(), 0))
		}
		if err := s.kv.Write(ctx, kv.Each(ops...)); err != nil {
			return failed("delete chats", err)
		}
	}
	return nil
}
