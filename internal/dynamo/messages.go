package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
)

// MessageReader implements chat.MessageReader. What a chat hides is read with strong consistency, so that a chat that was
// cleared is empty at once; the messages themselves for half the price.
type MessageReader struct {
	chats    ChatReader
	messages table
}

var _ chat.MessageReader = (*MessageReader)(nil)

// NewMessageReader reads from the tables named Names.Chats and Names.Messages.
func NewMessageReader(db *dynamodb.Client, chats, messages string) *MessageReader {
	return &MessageReader{ChatReader{table{db, chats}}, table{db, messages}}
}

// A message stands in the order of its conversation. Another item tells by the message's id where that is, or holds a
// stub, which has no place in the conversation yet.
const (
	timeline = "t/"
	byID     = "i/"
)

func conversation(account string, jid chat.JID) string { return account + "/" + string(jid) }

// spot is the sort key of a message in its conversation.
func spot(m *chat.Message) string {
	return timeline + sortable(m.Content.Time) + "/" + sortable(m.Content.Order) + "/" + messageID(m.ID)
}

// sortable prints a number so that texts sort as numbers do: the count of its digits goes before them as a letter.
func sortable(n int64) string {
	if n < 0 {
		return fmt.Sprintf("-%016x", uint64(n))
	}
	digits := strconv.FormatInt(n, 10)
	return string(rune('a'+len(digits))) + digits
}

// maxKeyID is the length up to which an id stands in a key as it is.
const maxKeyID = 128

// messageID is the id in a key. The sender chooses ids; one that a key can't hold is hashed.
func messageID(id string) string {
	if len(id) <= maxKeyID && utf8.ValidString(id) && !strings.HasPrefix(id, "#") {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "#" + hex.EncodeToString(sum[:])
}

// idIn is the id in a message's sort key.
func idIn(sort string) string {
	parts := strings.SplitN(sort, "/", 4)
	return parts[len(parts)-1]
}

// Messages implements chat.MessageReader.
func (r *MessageReader) Messages(ctx context.Context, account string, jid chat.JID, p chat.Page, now time.Time) (chat.Conversation, error) {
	before, err := openCursor('m', p.Cursor, validSpot)
	if err != nil {
		return chat.Conversation{}, err
	}
	for range maxAliases {
		c, target, err := r.page(ctx, account, jid, p.Limit, before, now)
		if err != nil || target == "" {
			return c, failed("read conversation", err)
		}
		jid = target
	}
	return chat.Conversation{}, fmt.Errorf("%w: aliases without end", errCorrupt)
}

func validSpot(position string) bool {
	parts := strings.SplitN(position, "/", 4)
	return len(parts) == 4 && parts[0]+"/" == timeline && parts[1] != "" && parts[2] != "" && utf8.ValidString(position)
}

// page reads the chat and the newest messages at the same time; mostly those are the ones to show.
func (r *MessageReader) page(ctx context.Context, account string, jid chat.JID, limit int, before string, now time.Time) (chat.Conversation, chat.JID, error) {
	q := query{
		partition: conversation(account, jid), condition: beginsWith, from: timeline, after: before,
		newest: true, eventual: true, limit: limit + 1,
	}
	in := r.messages.input(q)
	var s stored
	var target chat.JID
	var first *dynamodb.QueryOutput
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) { s, target, err = r.chats.look(both, account, jid); return err })
	group.Go(func() (err error) { first, err = r.messages.db.Query(both, in); return err })
	if err := group.Wait(); err != nil || target != "" {
		return chat.Conversation{}, target, err
	}
	if !s.shows() {
		return chat.Conversation{}, "", &chat.Error{Code: chat.ChatNotFound}
	}
	c, err := decodeChatState(s.data)
	if err != nil {
		return chat.Conversation{}, "", err
	}
	out := chat.Conversation{Chat: jid}
	for items := first.Items; ; {
		done, err := collect(&out, &c, items, limit, now)
		if err != nil || done {
			slices.Reverse(out.Messages)
			return out, "", err
		}
		if in.ExclusiveStartKey = first.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			slices.Reverse(out.Messages)
			if jid.IsLID() { // it may have moved to the number since its chat was read, and its messages with it
				_, target, err = r.chats.look(ctx, account, jid)
			}
			return out, target, err
		}
		if first, err = r.messages.db.Query(ctx, in); err != nil {
			return chat.Conversation{}, "", err
		}
		items = first.Items
	}
}

// collect adds what the chat lists, newest first, and tells whether the rest can't matter.
func collect(out *chat.Conversation, c *chat.Chat, items []item, limit int, now time.Time) (done bool, err error) {
	var r record
	for _, it := range items {
		data, sort := binaryOf(it, attrData), textOf(it, attrSort)
		v, err := decodeMessageHead(data, idIn(sort))
		if err != nil {
			return false, fmt.Errorf("decode message: %w", err)
		}
		if v.Time != 0 && v.Time < max(c.Cleared.Through, c.Deleted.Through) {
			return true, nil // as all that are older
		}
		if !c.Lists(v, now) {
			continue
		}
		if len(out.Messages) == limit {
			out.Next = makeCursor('m', timeline+sortable(out.Messages[limit-1].Time)+"/"+
				sortable(out.Messages[limit-1].Order)+"/"+messageID(out.Messages[limit-1].ID))
			return true, nil
		}
		if err = r.decode(data); err == nil {
			err = r.texts((*string)(&v.Document))
		}
		if err != nil {
			return false, fmt.Errorf("decode message: %w", err)
		}
		out.Messages = append(out.Messages, v)
	}
	return false, nil
}
