package dynamo

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

// Chats implements chat.ChatStore. All its reads are strongly consistent, but for those of Messages.
//
// A chat and its messages are items of their own, stored one after the other: first the messages, each under the
// condition that it is as it was loaded, then the chat under the same. Whoever loses against another writer loads again
// and applies the change again. Now and then that is a change whose answer got lost, which is why all changes join. A crash
// in between leaves messages that the chat doesn't know of yet, which the same change, applied again, completes. Only
// messages that change their place in the conversation do so together with the chat, which counts them by their time.
type Chats struct {
	ChatReader
	MessageReader
}

var _ chat.ChatStore = (*Chats)(nil)

// NewChats works on the tables named Names.Chats and Names.Messages.
func NewChats(db *dynamodb.Client, chats, messages string) *Chats {
	reader := NewMessageReader(db, chats, messages)
	return &Chats{reader.chats, *reader}
}

// Update implements chat.ChatStore.
func (s *Chats) Update(ctx context.Context, account string, jid chat.JID, ids []string, change func(*chat.Thread) error) error {
	var refused error
	err := untilSettled(ctx, func() error {
		l, err := s.load(ctx, account, jid, ids)
		if err != nil {
			return err
		}
		if refused = change(&l.Thread); refused != nil {
			return nil
		}
		return l.store(ctx)
	})
	if refused != nil {
		return refused
	}
	return failed("update chat", err)
}

// loaded is a thread with what it was made of.
type loaded struct {
	chat.Thread
	*Chats
	account  string
	chat     stored
	messages map[string]storedMessage // by id

	mu    sync.Mutex
	moves []types.TransactWriteItem // of messages, to be made together with the chat
}

// load reads the chat and the messages in one round trip, and in a second one the messages that are no stubs.
func (s *Chats) load(ctx context.Context, account string, jid chat.JID, ids []string) (*loaded, error) {
	for range maxAliases {
		addresses := []address{{s.chats().name, account, place(jid, true)}}
		for _, id := range ids {
			addresses = append(addresses, address{s.messages.name, conversation(account, jid), byID + messageID(id)})
		}
		found, err := getMany(ctx, s.messages.db, unique(addresses))
		if err != nil {
			return nil, err
		}
		at, target := stored{jid: jid}, chat.JID("")
		if it := found[addresses[0]]; it != nil {
			at, target = storedOf(it, jid)
		} else if it, err = s.chats().get(ctx, account, place(jid, false), true); err != nil {
			return nil, err
		} else if it != nil {
			at, target = storedOf(it, jid)
		}
		if target == "" {
			return s.thread(ctx, account, at, ids, found)
		}
		jid = target
	}
	return nil, fmt.Errorf("%w: aliases without end", errCorrupt)
}

func (s *Chats) chats() *table { return &s.ChatReader.chats }

func unique(addresses []address) []address {
	seen := make(map[address]bool, len(addresses))
	kept := addresses[:0:0]
	for _, a := range addresses {
		if !seen[a] {
			seen[a] = true
			kept = append(kept, a)
		}
	}
	return kept
}

func (s *Chats) thread(ctx context.Context, account string, at stored, ids []string, found map[address]item) (*loaded, error) {
	l := &loaded{Chats: s, account: account, chat: at}
	l.Chat = chat.Chat{JID: at.jid}
	if at.data != nil {
		var err error
		if l.Chat, err = decodeChatState(at.data); err != nil {
			return nil, fmt.Errorf("decode chat: %w", err)
		}
		l.Chat.JID = at.jid
	}
	var err error
	if l.messages, err = s.storedMessages(ctx, conversation(account, at.jid), ids, found); err != nil {
		return nil, err
	}
	l.Messages = make(map[string]*chat.Message, len(ids))
	for id, m := range l.messages {
		if m.message != nil {
			l.Messages[id] = m.message
		}
	}
	l.Newest = func(shows func(chat.MessageView) bool) (*chat.Message, error) { return l.newest(ctx, shows) }
	return l, nil
}

// newestPage is how many messages are looked at first, and at a time.
const newestPage = 20

func (l *loaded) newest(ctx context.Context, shows func(chat.MessageView) bool) (*chat.Message, error) {
	q := query{partition: l.conversation(), condition: between, newest: true, limit: newestPage}
	q.from = timeline + sortable(max(l.Chat.Cleared.Through, l.Chat.Deleted.Through, 0)) // what is older is hidden
	q.to = timeline + "~"
	for it, err := range l.Chats.messages.all(ctx, q) {
		if err != nil {
			return nil, failed("find newest message", err)
		}
		v, err := decodeMessageHead(binaryOf(it, attrData), idIn(textOf(it, attrSort)))
		if err != nil {
			return nil, fmt.Errorf("decode message: %w", err)
		}
		if _, known := l.Messages[v.ID]; !known && shows(v) {
			return decodeMessageState(binaryOf(it, attrData))
		}
	}
	return nil, nil
}

func (l *loaded) conversation() string { return conversation(l.account, l.chat.jid) }

// store writes what the change left, in the order that Chats promises.
func (l *loaded) store(ctx context.Context) error {
	isNew := l.chat.data == nil
	if isNew && len(l.Changed) == 0 && reflect.DeepEqual(l.Chat, chat.Chat{JID: l.chat.jid}) {
		return nil
	}
	if isNew && len(l.Changed) > 0 {
		// Messages are found by their chat when all is to be deleted, so it comes into being before them.
		if err := l.begin(ctx); err != nil {
			return err
		}
	}
	if err := l.storeMessages(ctx); err != nil {
		return err
	}
	for _, covered := range l.Prune {
		if err := l.prune(ctx, covered); err != nil {
			return err
		}
	}
	return l.storeChat(ctx)
}

// begin stores a chat that nothing is known of yet.
func (l *loaded) begin(ctx context.Context) error {
	data, err := encodeChat(&chat.Chat{JID: l.chat.jid})
	if err != nil {
		return err
	}
	return l.put(ctx, data, false)
}

func (l *loaded) storeChat(ctx context.Context) error {
	l.Chat.JID = l.chat.jid
	data, err := encodeChat(&l.Chat)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, l.chat.data) {
		return l.put(ctx, data, l.Chat.Shows())
	}
	if len(l.moves) > 0 {
		return transact(ctx, l.Chats.messages.db, l.moves...)
	}
	return nil
}

// put stores the chat where it belongs. It is in one place at a time.
func (l *loaded) put(ctx context.Context, data []byte, shows bool) error {
	t, sort := l.Chats.chats(), place(l.chat.jid, shows)
	it := key(l.account, sort)
	it[attrData] = blob(data)
	var err error
	switch {
	case sort == l.chat.sort && len(l.moves) == 0:
		err = t.replace(ctx, it, l.chat.version)
	case sort == l.chat.sort:
		err = transact(ctx, t.db, append(l.moves, t.putting(it, l.chat.version))...)
	case l.chat.data == nil:
		err = transact(ctx, t.db, append(l.moves, t.putting(it, nil), t.absent(l.account, place(l.chat.jid, !shows)))...)
	default:
		err = transact(ctx, t.db, append(l.moves, t.putting(it, nil), t.deleting(l.account, l.chat.sort, l.chat.version))...)
	}
	if err != nil {
		return err
	}
	l.chat.sort, l.chat.version, l.chat.data = sort, binaryOf(it, attrVersion), data
	return nil
}

// prune deletes the messages that a range covers.
func (l *loaded) prune(ctx context.Context, covered chat.Range) error {
	t := &l.Chats.messages
	q := query{
		partition: l.conversation(), condition: between, from: timeline, to: timeline + sortable(covered.Through) + "/~",
		projection: attrPartition + ", " + attrSort + ", " + attrData,
	}
	var keys []item
	for it, err := range t.all(ctx, q) {
		if err != nil {
			return fmt.Errorf("list what to prune: %w", err)
		}
		id := idIn(textOf(it, attrSort))
		v, err := decodeMessageHead(binaryOf(it, attrData), id)
		if err != nil {
			return fmt.Errorf("decode message: %w", err)
		}
		if !covered.Covers(v.Time, v.ID) {
			continue
		}
		keys = append(keys, key(q.partition, textOf(it, attrSort)), key(q.partition, byID+id))
		if len(keys) >= batchWrites*parallel {
			if err := t.deleteMany(ctx, keys); err != nil {
				return err
			}
			keys = keys[:0]
		}
	}
	return t.deleteMany(ctx, keys)
}
