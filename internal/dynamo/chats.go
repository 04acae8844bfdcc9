package dynamo

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/chat"
)

// ChatReader implements chat.ChatReader. Its reads are strongly consistent, so that what a command changed shows.
type ChatReader struct{ chats table }

var _ chat.ChatReader = (*ChatReader)(nil)

// NewChatReader reads from the table named Names.Chats.
func NewChatReader(db *dynamodb.Client, chats string) *ChatReader {
	go decoder() // it is ready when the first answer is there
	return &ChatReader{table{db, chats}}
}

// Chats that don't show stand apart, so that listing the others doesn't pay for them. An alias stands with them.
const (
	shown  = "c/"
	hidden = "h/"
)

const attrTarget = "to" // S, in an alias: the canonical JID

// place is the sort key of a chat.
func place(jid chat.JID, shows bool) string {
	if shows {
		return shown + string(jid)
	}
	return hidden + string(jid)
}

// listed is a chat whose texts aren't decoded yet.
type listed struct {
	view chat.View
	data []byte
}

// Chats implements chat.ChatReader. Whatever the page, it reads all chats that show: their order isn't stored.
func (r *ChatReader) Chats(ctx context.Context, account string, f chat.Filter, p chat.Page, now time.Time) (views []chat.View, next string, err error) {
	after, err := openCursor('c', p.Cursor, func(position string) bool { return len(position) > activitySize })
	if err != nil {
		return nil, "", err
	}
	var all []listed
	err = r.chats.scanRecords(ctx, query{partition: account, condition: beginsWith, from: shown}, func(sort string, data []byte) error {
		l := listed{data: data}
		l.view.JID = chat.JID(strings.TrimPrefix(sort, shown))
		if err := decodeChatHead(data, &l.view); err != nil {
			return fmt.Errorf("decode chat: %w", err)
		}
		if f.Accepts(&l.view, now) && (after == "" || chatPosition(&l.view) > after) {
			all = append(all, l)
		}
		return nil
	})
	if err != nil {
		return nil, "", failed("list chats", err)
	}
	slices.SortFunc(all, func(a, b listed) int {
		return cmp.Or(cmp.Compare(b.view.Activity, a.view.Activity), cmp.Compare(a.view.JID, b.view.JID))
	})
	if len(all) > p.Limit {
		all = all[:p.Limit]
		next = makeCursor('c', chatPosition(&all[p.Limit-1].view))
	}
	views, err = decodeAll(all)
	return views, next, err
}

func decodeAll(all []listed) ([]chat.View, error) {
	views := make([]chat.View, len(all))
	var r record
	for i := range all {
		views[i] = all[i].view
		if err := decodeChatTexts(&r, all[i].data, &views[i]); err != nil {
			return nil, fmt.Errorf("decode chat: %w", err)
		}
	}
	return views, nil
}

const activitySize = 8

// chatPosition orders as Chats does: newest activity first, then by JID.
func chatPosition(v *chat.View) string {
	inverse := ^(uint64(v.Activity) ^ 1<<63)
	return string(binary.BigEndian.AppendUint64(nil, inverse)) + string(v.JID)
}

// Chat implements chat.ChatReader.
func (r *ChatReader) Chat(ctx context.Context, account string, jid chat.JID) (chat.View, error) {
	found, err := r.find(ctx, account, jid)
	if err != nil {
		return chat.View{}, failed("get chat", err)
	}
	if !found.shows() {
		return chat.View{}, &chat.Error{Code: chat.ChatNotFound}
	}
	l := listed{view: chat.View{JID: found.jid}, data: found.data}
	if err := decodeChatHead(l.data, &l.view); err != nil {
		return chat.View{}, fmt.Errorf("decode chat: %w", err)
	}
	views, err := decodeAll([]listed{l})
	if err != nil {
		return chat.View{}, err
	}
	return views[0], nil
}

// stored is what the table holds of a chat; without data there is none.
type stored struct {
	jid     chat.JID // canonical
	sort    string   // where it stands
	version []byte
	data    []byte
}

func (s *stored) shows() bool { return strings.HasPrefix(s.sort, shown) }

// maxAliases bounds the way from an alias to its chat; one step is usual.
const maxAliases = 4

// find looks for a chat by any of its addresses.
func (r *ChatReader) find(ctx context.Context, account string, jid chat.JID) (stored, error) {
	for range maxAliases {
		s, target, err := r.look(ctx, account, jid)
		if err != nil || target == "" {
			return s, err
		}
		jid = target
	}
	return stored{}, fmt.Errorf("%w: aliases without end", errCorrupt)
}

// look finds what stands under exactly this address: a chat, or the target of an alias.
func (r *ChatReader) look(ctx context.Context, account string, jid chat.JID) (s stored, target chat.JID, err error) {
	for _, sort := range []string{place(jid, true), place(jid, false)} {
		it, err := r.chats.get(ctx, account, sort, true)
		if err != nil {
			return stored{}, "", err
		}
		if it != nil {
			s, target := storedOf(it, jid)
			return s, target, nil
		}
	}
	return stored{jid: jid}, "", nil
}

func storedOf(it item, jid chat.JID) (s stored, target chat.JID) {
	if to := textOf(it, attrTarget); to != "" {
		return stored{jid: jid}, chat.JID(to)
	}
	return stored{jid: jid, sort: textOf(it, attrSort), version: binaryOf(it, attrVersion), data: binaryOf(it, attrData)}, ""
}
