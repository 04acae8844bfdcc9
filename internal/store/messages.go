package store

import (
	"context"
	"slices"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Messages implements chat.MessageReader. All is read with strong consistency: a chat that was cleared is empty at once, and who
// follows the feed from where it was before misses no message.
func (s *Store) Messages(
	ctx context.Context, account string, jid chat.JID, p chat.Page, now time.Time,
) (chat.Conversation, error) {
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
func (s *Store) conversation(
	ctx context.Context, account string, jid chat.JID, limit int, before string, now time.Time,
) (out chat.Conversation, target chat.JID, err error) {
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
	var c, state chat.Chat
	var item *kv.Item
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
			var err error
			target, err = at.moved()
			return err
		}
		var err error
		item = at.item
		c, err = rangesOfChat(jid, at.item.Data)
		return err
	}
	q := kv.Query{
		Collection: kv.Messages, Partition: conversation(account, jid), Reverse: true, Expect: limit + 1,
	}.Prefix(timeline)
	if before != "" {
		q.To = before
	}
	out.Chat = jid
	var d decoder
	var blocks []kv.Item // beside the message that comes next
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return out, "", err
		}
		if _, _, beside := ofBlock(it.Sort); beside {
			blocks = append(blocks, it)
			continue
		}
		of := besideOf(&it, blocks)
		blocks = nil
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
		if len(of) == 0 && !pinEnded(&v, now) {
			v.Document, err = d.documentOfMessage(it.Data)
		} else {
			if state.JID == "" {
				if state, err = stateOfChat(item.Data); err != nil {
					return out, "", err
				}
			}
			err = shownAs(&v, &state, &it, of, now)
		}
		if err != nil {
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

// Message implements chat.MessageReader.
func (s *Store) Message(ctx context.Context, account string, jid chat.JID, id string, now time.Time) (chat.Conversation, error) {
	jid, it, err := s.showing(ctx, account, jid)
	if err != nil {
		return chat.Conversation{}, failed("get message", err)
	}
	c, err := rangesOfChat(jid, it.Data)
	if err != nil {
		return chat.Conversation{}, failed("get message", err)
	}
	v, err := s.message(ctx, account, jid, id, it, now)
	if err == nil && !c.Lists(v, now) {
		err = &chat.Error{Code: chat.MessageNotFound}
	}
	if err != nil {
		return chat.Conversation{}, failed("get message", err)
	}
	return chat.Conversation{Chat: jid, Messages: []chat.MessageView{v}}, nil
}

// Around implements chat.MessageReader.
func (s *Store) Around(ctx context.Context, account string, jid chat.JID, id string, now time.Time) (chat.Conversation, error) {
	jid, _, err := s.showing(ctx, account, jid)
	if err != nil {
		return chat.Conversation{}, failed("get message", err)
	}
	it, err := s.messageItem(ctx, account, jid, id)
	if err != nil {
		return chat.Conversation{}, failed("get message", err)
	}
	m, err := stateOfMessage(it.Data)
	if err != nil {
		return chat.Conversation{}, failed("get message", err)
	}
	found, err := s.Message(ctx, account, jid, m.Content.Parent, now)
	if err == nil && (m.Gone || m.Content.Parent == m.ID) {
		err = &chat.Error{Code: chat.MessageNotFound}
	}
	if err != nil {
		return chat.Conversation{}, err
	}
	return found, nil
}

// messageItem finds a message by its claim.
func (s *Store) messageItem(ctx context.Context, account string, jid chat.JID, id string) (*kv.Item, error) {
	missing := &chat.Error{Code: chat.MessageNotFound}
	claim, err := s.get(ctx, claimKey(account, jid, id))
	if err != nil {
		return nil, err
	}
	if claim == nil || len(claim.Data) > 0 { // a placeholder has no message yet
		return nil, missing
	}
	it, err := s.get(ctx, messageKey(account, jid, place(claim.Fields[fieldTime], claim.Fields[fieldOrder], id)))
	if err == nil && it == nil {
		err = missing
	}
	return it, err
}

// message is what a message shows as.
func (s *Store) message(
	ctx context.Context, account string, jid chat.JID, id string, of *kv.Item, now time.Time,
) (v chat.MessageView, err error) {
	it, err := s.messageItem(ctx, account, jid, id)
	if err != nil {
		return v, err
	}
	if v, err = headOfMessage(it); err != nil {
		return v, err
	}
	err = s.show(ctx, &v, of, it, now)
	return v, err
}

// Oldest implements chat.ChatStore.
func (s *Store) Oldest(ctx context.Context, account string, jid chat.JID) (chat.MessageView, error) {
	jid, _, err := s.showing(ctx, account, jid)
	if err != nil {
		return chat.MessageView{}, failed("find oldest message", err)
	}
	q := kv.Query{Collection: kv.Messages, Partition: conversation(account, jid), Expect: 1}.Prefix(timeline)
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return chat.MessageView{}, failed("find oldest message", err)
		}
		if _, _, beside := ofBlock(it.Sort); beside { // of a message that was deleted
			continue
		}
		v, err := headOfMessage(&it)
		return v, failed("find oldest message", err)
	}
	return chat.MessageView{}, &chat.Error{Code: chat.MessageNotFound}
}
