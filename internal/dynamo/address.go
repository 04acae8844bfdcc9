package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

// Export implements chat.ChatStore.
func (s *Chats) Export(ctx context.Context, account string, jid chat.JID, p chat.Page) (c chat.Chat, messages []chat.Message, next string, err error) {
	after, err := openCursor('x', p.Cursor, validExport)
	if err != nil {
		return c, nil, "", err
	}
	at, target, err := s.look(ctx, account, jid)
	if err != nil {
		return c, nil, "", failed("export chat", err)
	}
	if target != "" || at.data == nil {
		return c, nil, "", &chat.Error{Code: chat.ChatNotFound}
	}
	if c, err = decodeChatState(at.data); err != nil {
		return c, nil, "", fmt.Errorf("decode chat: %w", err)
	}
	q := query{partition: conversation(account, jid), filter: "attribute_exists(" + attrData + ")", after: after, limit: 2 * (p.Limit + 1)}
	last := ""
	for it, err := range s.messages.all(ctx, q) {
		if err != nil {
			return c, nil, "", failed("export messages", err)
		}
		if len(messages) == p.Limit {
			return c, messages, makeCursor('x', last), nil
		}
		m, err := decodeMessageState(binaryOf(it, attrData))
		if err != nil {
			return c, nil, "", fmt.Errorf("decode message: %w", err)
		}
		messages, last = append(messages, *m), textOf(it, attrSort)
	}
	return c, messages, "", nil
}

func validExport(position string) bool {
	return validSpot(position) || strings.HasPrefix(position, byID)
}

// Alias implements chat.ChatStore. The alias takes the chat's place first; what a crash leaves of its messages nobody
// sees, and the next call deletes it.
func (s *Chats) Alias(ctx context.Context, account string, from, to chat.JID) error {
	if from == to {
		return nil
	}
	err := untilSettled(ctx, func() error {
		at, target, err := s.look(ctx, account, from)
		if err != nil || target == to {
			return err
		}
		t := s.chats()
		it := key(account, place(from, false))
		it[attrTarget] = text(string(to))
		if at.shows() {
			return transact(ctx, t.db, t.putting(it, nil), t.deleting(account, at.sort, at.version))
		}
		return transact(ctx, t.db, types.TransactWriteItem{Put: &types.Put{TableName: &t.name, Item: it}}, t.absent(account, place(from, true)))
	})
	if err == nil {
		err = s.messages.deleteAll(ctx, query{partition: conversation(account, from)})
	}
	return failed("make alias", err)
}

// DeleteChats implements chat.ChatStore. A chat goes after its messages, so that what a crash leaves is found again.
func (s *Chats) DeleteChats(ctx context.Context, account string) error {
	t := s.chats()
	var keys []item
	for it, err := range t.all(ctx, query{partition: account, projection: attrPartition + ", " + attrSort}) {
		if err != nil {
			return failed("list chats", err)
		}
		keys = append(keys, it)
	}
	err := inParallel(ctx, len(keys), func(ctx context.Context, i int) error {
		_, jid, ok := strings.Cut(textOf(keys[i], attrSort), "/")
		if !ok {
			return errors.New("a chat without an address")
		}
		return s.messages.deleteAll(ctx, query{partition: conversation(account, chat.JID(jid))})
	})
	if err == nil {
		err = t.deleteMany(ctx, keys)
	}
	return failed("delete chats", err)
}
