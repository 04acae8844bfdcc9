package dynamo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

const attrSpot = "at" // S, in an item found by id: the sort key of the message; without it the item is a stub

// storedMessage is what the table holds of a message: nothing, a stub, or a message at its spot. A spot without a message
// is one that a writer has claimed but not filled.
type storedMessage struct {
	message *chat.Message
	claim   []byte // version of the item by id; nil: there is none
	spot    string
	version []byte // of the message at the spot
	data    []byte
}

// storedMessages completes what was found by ids.
func (s *Chats) storedMessages(ctx context.Context, conversation string, ids []string, found map[address]item) (map[string]storedMessage, error) {
	all := make(map[string]storedMessage, len(ids))
	var spots []address
	for _, id := range ids {
		it := found[address{s.messages.name, conversation, byID + messageID(id)}]
		if it == nil {
			continue
		}
		m := storedMessage{claim: binaryOf(it, attrVersion), spot: textOf(it, attrSpot)}
		if m.spot != "" {
			spots = append(spots, address{s.messages.name, conversation, m.spot})
		} else {
			m.data = binaryOf(it, attrData)
		}
		all[id] = m
	}
	at, err := getMany(ctx, s.messages.db, unique(spots))
	if err != nil {
		return nil, err
	}
	for id, m := range all {
		if it := at[address{s.messages.name, conversation, m.spot}]; it != nil {
			m.data, m.version = binaryOf(it, attrData), binaryOf(it, attrVersion)
		}
		if m.data != nil {
			if m.message, err = decodeMessageState(m.data); err != nil {
				return nil, fmt.Errorf("decode message: %w", err)
			}
		}
		all[id] = m
	}
	return all, nil
}

func (l *loaded) storeMessages(ctx context.Context) error {
	changed := make([]*chat.Message, 0, len(l.Changed))
	for _, m := range l.Changed {
		changed = append(changed, m)
	}
	return inParallel(ctx, len(changed), func(ctx context.Context, i int) error { return l.storeMessage(ctx, changed[i]) })
}

// storeMessage brings a message from where it was to where it belongs.
func (l *loaded) storeMessage(ctx context.Context, m *chat.Message) error {
	old := l.messages[m.ID]
	data, err := encodeFitting(&l.Chat, m)
	if err != nil || bytes.Equal(data, old.data) {
		return err
	}
	t := &l.Chats.messages
	to := old.spot
	if m.Content.Time != 0 {
		to = spot(m)
	}
	partition := l.conversation()
	byID := key(partition, byID+messageID(m.ID))
	if to == "" {
		byID[attrData] = blob(data)
		return t.replace(ctx, byID, old.claim)
	}
	byID[attrSpot] = text(to)
	there := key(partition, to)
	there[attrData] = blob(data)
	switch {
	case old.claim == nil:
		// Claimed first, so that two writers never put one message at two spots.
		if err := t.replace(ctx, byID, nil); err != nil {
			return err
		}
		return t.replace(ctx, there, nil)
	case to == old.spot:
		return t.replace(ctx, there, old.version)
	case old.spot != "" && old.version == nil:
		return l.fill(ctx, m.ID, old.spot)
	case old.spot == "":
		return transact(ctx, t.db, t.putting(byID, old.claim), t.putting(there, nil))
	}
	return l.move(ctx, t.putting(byID, old.claim), t.putting(there, nil), t.deleting(partition, old.spot, old.version))
}

// movesTogether is how many writes of moves fit into a transaction beside the chat's: 100 altogether.
const movesTogether = 96

// move leaves the writes to be made with the chat. What is too much, which nothing usual is, is made at once.
func (l *loaded) move(ctx context.Context, writes ...types.TransactWriteItem) error {
	l.mu.Lock()
	together := len(l.moves)+len(writes) <= movesTogether
	if together {
		l.moves = append(l.moves, writes...)
	}
	l.mu.Unlock()
	if together {
		return nil
	}
	return transact(ctx, l.Chats.messages.db, writes...)
}

// fill puts an empty message at a spot that was claimed and left, or is about to be filled, so that it can be moved under
// a condition. It always ends in a conflict: what is there now has to be loaded.
func (l *loaded) fill(ctx context.Context, id, spot string) error {
	data, err := encodeMessage(&l.Chat, &chat.Message{ID: id})
	if err != nil {
		return err
	}
	it := key(l.conversation(), spot)
	it[attrData] = blob(data)
	if err := l.Chats.messages.replace(ctx, it, nil); err != nil && !errors.Is(err, errConflict) {
		return err
	}
	return errConflict
}
