package store

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/render"
)

// What many persons have to do with one message would make its item grow with each of them, and be written again with each: the
// receipts of a large group for one message were tens of thousands of write units. So they stand beside the message, in blocks
// that are small enough to be written for one unit, and so do the members of a large group beside its chat. A block's sort key is
// that of its owner, a space, and the block's name, so that whoever reads the conversation, or all chats, gets both by one query.
// An owner with persons beside it carries fieldBeside.

// persons is what persons have to do with a message or a chat.
type persons struct {
	Receipts  map[chat.JID]chat.Receipt                 `json:"r,omitempty"`
	Reactions map[chat.JID]chat.Register[chat.Reaction] `json:"re,omitempty"`
	Votes     map[chat.JID]chat.Register[chat.Vote]     `json:"vo,omitempty"`
	Answers   map[chat.JID]chat.Register[chat.Answer]   `json:"an,omitempty"`
	Comments  map[string]chat.Comment                   `json:"co,omitempty"`

	Members map[chat.JID]chat.Register[chat.Rank] `json:"mem,omitempty"`
	Since   map[chat.JID]chat.Register[int64]     `json:"sin,omitempty"`
}

func personsOf(m *chat.Message) persons {
	return persons{Receipts: m.Receipts, Reactions: m.Reactions, Votes: m.Votes, Answers: m.Answers, Comments: m.Comments}
}

// with is a message with what persons have to do with it, and no others.
func (p persons) with(m *chat.Message) *chat.Message {
	whole := *m
	whole.Receipts, whole.Reactions, whole.Votes, whole.Answers, whole.Comments = p.Receipts, p.Reactions, p.Votes, p.Answers, p.Comments
	return &whole
}

// maxInside is how many persons' doings a message holds itself, but for receipts: those of a group stand beside it from the
// first.
const maxInside = 8

// beside tells whether persons stand beside a message: never in a chat with one person.
func (t *thread) beside(m *chat.Message, old *storedMessage) bool {
	if kind := t.name.jid.Kind(); kind != chat.Group && kind != chat.Broadcast {
		return false
	}
	return old.beside() || m.Content.FromMe || len(m.Receipts) > 0 ||
		len(m.Reactions)+len(m.Votes)+len(m.Answers)+len(m.Comments) > maxInside
}

// maxMembersInside is how many members a group's chat holds itself.
const maxMembersInside = 48

// block is one that is stored.
type block struct {
	item kv.Item
	persons
}

// blockMark is between an owner's sort key and the name of a block beside it. No id in a key has it, and no JID.
const blockMark = " "

// ofBlock takes the sort key of a block apart.
func ofBlock(sort string) (owner, name string, ok bool) { return strings.Cut(sort, blockMark) }

// blocks reads all that stands beside an owner, by the blocks' names.
func (s *Store) blocks(ctx context.Context, owner kv.Key) (map[string]block, error) {
	all := make(map[string]block)
	q := kv.Query{Collection: owner.Collection, Partition: owner.Partition}
	for it, err := range s.kv.Query(ctx, q.Prefix(owner.Sort+blockMark)) {
		if err != nil {
			return nil, err
		}
		b, err := blockOf(&it)
		if err != nil {
			return nil, err
		}
		_, name, _ := ofBlock(it.Sort)
		all[name] = b
	}
	return all, nil
}

func blockOf(it *kv.Item) (b block, err error) {
	b.item = *it
	b.persons, err = packedOf[persons](it)
	return b, err
}

// join adds what stands in a block to a message whose maps nobody else has.
func (p *persons) join(m *chat.Message) {
	m.Join(chat.Message{ID: m.ID, Receipts: p.Receipts, Reactions: p.Reactions, Votes: p.Votes, Answers: p.Answers,
		Comments: p.Comments})
}

// joinMembers adds the members that stand in a block.
func (p *persons) joinMembers(c *chat.Chat) {
	if c.Members == nil {
		c.Members = make(map[chat.JID]chat.Register[chat.Rank])
	}
	maps.Copy(c.Members, p.Members)
	if c.Since == nil {
		c.Since = make(map[chat.JID]chat.Register[int64])
	}
	maps.Copy(c.Since, p.Since)
}

// How much of each kind fits into a block, so that it takes one unit to write.
const (
	receiptsTogether  = 32
	reactionsTogether = 12
	votesTogether     = 10
	answersTogether   = 12
	commentsTogether  = 2
	membersTogether   = 32
)

// divide puts persons into blocks: who is in one already stays there.
func divide(all persons, stored map[string]block) map[string]*persons {
	into := make(map[string]*persons)
	divideKind(into, stored, 'r', receiptsTogether, func(p *persons) *map[chat.JID]chat.Receipt { return &p.Receipts },
		all.Receipts)
	divideKind(into, stored, 'e', reactionsTogether,
		func(p *persons) *map[chat.JID]chat.Register[chat.Reaction] { return &p.Reactions }, all.Reactions)
	divideKind(into, stored, 'v', votesTogether,
		func(p *persons) *map[chat.JID]chat.Register[chat.Vote] { return &p.Votes }, all.Votes)
	divideKind(into, stored, 'a', answersTogether,
		func(p *persons) *map[chat.JID]chat.Register[chat.Answer] { return &p.Answers }, all.Answers)
	divideKind(into, stored, 'c', commentsTogether, func(p *persons) *map[string]chat.Comment { return &p.Comments },
		all.Comments)
	return into
}

// divideMembers does so with a group's.
func divideMembers(c *chat.Chat, stored map[string]block) map[string]*persons {
	into := make(map[string]*persons)
	divideKind(into, stored, 'm', membersTogether,
		func(p *persons) *map[chat.JID]chat.Register[chat.Rank] { return &p.Members }, c.Members)
	for _, p := range into {
		for jid := range p.Members {
			if since, ok := c.Since[jid]; ok {
				if p.Since == nil {
					p.Since = make(map[chat.JID]chat.Register[int64])
				}
				p.Since[jid] = since
			}
		}
	}
	return into
}

// divideKind divides what is of one kind. A block that is full sends who comes to one of twice as many on the next level, by a
// hash of the key. So nothing ever moves, and nobody has to know beforehand how many there will be.
func divideKind[K ~string, V any](
	into map[string]*persons, stored map[string]block, kind byte, most int, of func(*persons) *map[K]V, all map[K]V,
) {
	there := make(map[K]string)
	for name, b := range stored {
		for key := range *of(&b.persons) {
			there[key] = name
		}
	}
	room := func(name string) int {
		if p := into[name]; p != nil {
			return most - len(*of(p))
		}
		return most
	}
	put := func(name string, key K, v V) {
		if into[name] == nil {
			into[name] = new(persons)
		}
		if m := of(into[name]); *m == nil {
			*m = map[K]V{key: v}
		} else {
			(*m)[key] = v
		}
	}
	var come []K
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if name, ok := there[key]; ok {
			put(name, key, all[key])
		} else {
			come = append(come, key)
		}
	}
	for _, key := range come {
		hash := fnv.New32a()
		hash.Write([]byte(key))
		level, name := 0, ""
		for ; name == "" || level < maxLevel && room(name) <= 0; level++ {
			name = string(kind) + strconv.Itoa(level) + "." + strconv.FormatUint(uint64(hash.Sum32())&(1<<level-1), 36)
		}
		put(name, key, all[key])
	}
}

// maxLevel bounds how many blocks there are, beyond which they grow: no group has as many members.
const maxLevel = 12

// blockWrites are the writes that bring the blocks beside an owner to what they shall hold.
type blockWrites struct{ puts, deletes []kv.Op }

func (w *blockWrites) none() bool { return len(w.puts) == 0 && len(w.deletes) == 0 }

// blockWrites compares what shall stand beside an owner with what does. Where the owner moves, all moves.
func (s *Store) blockWrites(
	owner kv.Key, moves bool, expires int64, want map[string]*persons, stored map[string]block,
) (w blockWrites, err error) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, there := stored[name]
		if there && !moves && have.item.Expires == expires && reflect.DeepEqual(have.persons, *want[name]) {
			continue
		}
		data, err := s.pack(want[name])
		if err != nil {
			return w, fmt.Errorf("encode block: %w", err)
		}
		it := kv.Item{Key: owner, Data: data, Expires: expires, Fields: maps.Clone(have.item.Fields)}
		it.Sort += blockMark + name
		condition := kv.Absent()
		if there && !moves {
			condition = kv.Unchanged(have.item.Version)
		}
		w.puts = append(w.puts, kv.Put(it, condition))
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		if moves || want[name] == nil {
			w.deletes = append(w.deletes, kv.Delete(stored[name].item.Key, kv.Unchanged(stored[name].item.Version), 0))
		}
	}
	return w, nil
}

// with is what stands beside an owner once the writes are made.
func (w *blockWrites) with(stored map[string]block, want map[string]*persons) map[string]block {
	after := make(map[string]block, len(want))
	for name, p := range want {
		after[name] = block{item: stored[name].item, persons: *p}
	}
	for _, op := range w.puts {
		_, name, _ := ofBlock(op.Item.Sort)
		after[name] = block{item: op.Item, persons: *want[name]}
	}
	return after
}

// number has blocks carry the number under which they are told.
func number(ops []kv.Op, seq int64) {
	for i := range ops {
		if _, _, ok := ofBlock(ops[i].Item.Sort); ok && ops[i].Kind == kv.OpPut {
			ops[i].Item.Fields = numbered(ops[i].Item.Fields, seq)
		}
	}
}

// untold is a write of what stands beside a message if that may not have been told: the process ended between the two. It carries
// the number under which it is told now. Of what was told longer ago than the feed goes back nothing is known.
func (t *thread) untold(ctx context.Context, id string, old *storedMessage) ([]kv.Op, error) {
	var last kv.Item
	for _, b := range old.blocks {
		if b.item.Fields[fieldSeq] > last.Fields[fieldSeq] {
			last = b.item
		}
	}
	seq := last.Fields[fieldSeq]
	if seq == 0 {
		return nil, nil
	}
	it, err := t.s.get(ctx, feedKey(t.name.account, seq))
	if err != nil {
		return nil, err
	}
	if it != nil {
		e, err := feedEntryOf(it)
		names := slices.ContainsFunc(e.Messages, func(m chat.FeedMessage) bool { return m.ID == id })
		if err != nil || e.Chat == t.name.jid && (names || e.Many) {
			return nil, err
		}
	}
	return []kv.Op{kv.Put(last, kv.Unchanged(last.Version))}, nil
}

// wholeMessage is a stored message with the persons beside it.
func (s *Store) wholeMessage(ctx context.Context, it *kv.Item) (*chat.Message, error) {
	m, err := stateOfMessage(it.Data)
	if err != nil || it.Fields[fieldBeside] == 0 {
		return m, err
	}
	blocks, err := s.blocks(ctx, it.Key)
	for _, b := range blocks {
		b.join(m)
	}
	return m, err
}

// shownAs completes the view of a message as it is shown at a moment: with the persons beside it, and without a pin that has
// ended.
func shownAs(v *chat.MessageView, of *chat.Chat, it *kv.Item, blocks []kv.Item, now time.Time) error {
	m, err := stateOfMessage(it.Data)
	if err != nil {
		return err
	}
	for i := range blocks {
		b, err := blockOf(&blocks[i])
		if err != nil {
			return err
		}
		b.join(m)
	}
	if pinEnded(v, now) {
		v.PinEnds, m = 0, m.Unpinned()
	}
	v.Document = render.MessageView(of, m).Document
	return nil
}

// pinEnded tells whether a message's pin has.
func pinEnded(v *chat.MessageView, now time.Time) bool {
	return v.PinEnds != 0 && v.PinEnds <= now.Unix()
}

// show completes the view of one message of a chat, read by itself.
func (s *Store) show(ctx context.Context, v *chat.MessageView, of, it *kv.Item, now time.Time) error {
	blocks, err := s.besideItem(ctx, it)
	if err != nil {
		return err
	}
	if len(blocks) == 0 && !pinEnded(v, now) {
		v.Document, err = new(decoder).documentOfMessage(it.Data)
		return err
	}
	c, err := stateOfChat(of.Data)
	if err != nil {
		return err
	}
	return shownAs(v, &c, it, blocks, now)
}

// besideItem reads the blocks beside a message or a chat, if there are any.
func (s *Store) besideItem(ctx context.Context, it *kv.Item) (blocks []kv.Item, err error) {
	if it.Fields[fieldBeside] == 0 {
		return nil, nil
	}
	q := kv.Query{Collection: it.Collection, Partition: it.Partition}
	for b, err := range s.kv.Query(ctx, q.Prefix(it.Sort+blockMark)) {
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// besideOf are those of some blocks that stand beside a message.
func besideOf(message *kv.Item, blocks []kv.Item) []kv.Item {
	return slices.DeleteFunc(blocks, func(b kv.Item) bool {
		owner, _, _ := ofBlock(b.Sort)
		return owner != message.Sort || message.Fields[fieldBeside] == 0
	})
}
