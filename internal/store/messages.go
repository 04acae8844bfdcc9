package store

import (
	"context"
	"slices"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Messages implements chat.MessageReader. What a chat hides is read with strong consistency, so that a chat that was cleared
// is empty at once; the messages themselves for half the price.
func (s *Store) Messages(ctx context.Context, account string, jid chat.JID, p chat.Page, now time.Time) (chat.Conversation, error) {
	before, err := openCursor(messageCursor, p.Cursor, func(position string) bool {
		_, _, _, ok := placeIn(position)
		return ok
	})
	if err != nil {
		return chat.Conversation{}, err
	}
	for range maxAliases {
		c, target, err := s.conversation(ctx, account, jid, p.Limit, before, now)
		if err != nil || target == "" {
			return c, failed("read conversation", err)
		}
		jid = target
	}
	return chat.Conversation{}, failed("read conversation", errAliases)
}

// conversation reads the chat and the newest messages at the same time; mostly those are the ones to show.
func (s *Store) conversation(ctx context.Context, account string, jid chat.JID, limit int, before string, now time.Time) (out chat.Conversation, target chat.JID, err error) {
	ctx, cancel := context.WithCancel(ctx)
	type answer struct {
		standing
		err error
	}
	looked := make(chan answer, 1)
	go func() {
		c, err := s.look(ctx, account, jid)
		looked <- answer{c, err}
	}()
	known := false
	defer func() {
		if cancel(); !known {
			<-looked
		}
	}()
	var c chat.Chat
	look := func() error {
		at := <-looked
		known = true
		switch {
		case at.err != nil:
			return at.err
		case at.target != "":
			target = at.target
			return nil
		case !at.shows():
			return &chat.Error{Code: chat.ChatNotFound}
		}
		var err error
		c, err = rangesOfChat(jid, at.item.Data)
		return err
	}
	q := kv.Query{
		Collection: kv.Messages, Partition: conversation(account, jid), Reverse: true, Expect: limit + 1, Consistency: kv.Eventual,
	}.Prefix(timeline)
	if before != "" {
		q.To = before
	}
	out.Chat = jid
	var d decoder
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return out, "", err
		}
		if !known {
			if err := look(); err != nil || target != "" {
				return out, target, err
			}
		}
		v, err := headOfMessage(&it)
		if err != nil {
			return out, "", err
		}
		if v.Time < max(c.Cleared.Through, c.Deleted.Through) {
			break // as all that are older
		}
		if !c.Lists(v, now) {
			continue
		}
		if len(out.Messages) == limit {
			oldest := &out.Messages[limit-1]
			out.Next = makeCursor(messageCursor, place(oldest.Time, oldest.Order, oldest.ID))
			break
		}
		if v.Document, err = d.documentOfMessage(it.Data); err != nil {
			return out, "", err
		}
		out.Messages = append(out.Messages, v)
	}
	if !known {
		if err := look(); err != nil || target != "" {
			return out, target, err
		}
	}
	slices.Reverse(out.Messages)
	if out.Next == "" && jid.IsLID() { // it may have moved to the number since its chat was read, and its messages with it
		at, err := s.look(ctx, account, jid)
		return out, at.target, err
	}
	return out, "", nil
}
