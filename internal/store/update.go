package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Update implements chat.ChatStore.
//
// A chat and its messages are items of their own, written one after the other: first the messages, each on the condition that
// it is as it was loaded, then the chat on the same. Who loses against another writer loads again and makes the change again;
// now and then that is a change of his own whose answer got lost, which is why all changes join. A process that ends in
// between leaves messages that the chat doesn't know of yet, which the same change, made again, completes. Only messages that
// change their place in the conversation do so together with the chat, which counts them by their time.
func (s *Store) Update(ctx context.Context, account string, jid chat.JID, ids []string, change func(*chat.Thread) error) error {
	if err := s.mend(ctx, account); err != nil {
		return failed("update chat", err)
	}
	var refused error
	err := retryOnConflict(ctx, func() (err error) {
		for range maxAliases {
			var target chat.JID
			if target, refused, err = s.update(ctx, chatName{account, jid}, ids, change); err != nil || target == "" {
				return err
			}
			jid = target
		}
		return errAliases
	})
	if refused != nil {
		return refused
	}
	if err == nil {
		err = s.mend(ctx, account) // what a try that met a conflict has told
	}
	return failed("update chat", err)
}

// update makes the change to the chat under exactly this address, or returns where the address leads.
func (s *Store) update(
	ctx context.Context, name chatName, ids []string, change func(*chat.Thread) error,
) (target chat.JID, refused, err error) {
	release, err := s.locks.acquire(ctx, name)
	if err != nil {
		return "", nil, err
	}
	defer release()
	kept, drops := s.kept().take(s.recently(name))
	t, target, err := s.load(ctx, name, kept, ids)
	if err != nil || target != "" {
		return target, nil, err
	}
	if refused = change(&t.Thread); refused != nil {
		s.looked(name, &t.stored, drops)
		return "", refused, nil
	}
	defer s.lists.note(name.account, name.jid) // a write that failed may have been made
	if err := t.store(ctx); err != nil {
		return "", nil, t.orphaned(ctx, err)
	}
	if t.stored.there() {
		s.kept().put(s.recently(name), &t.stored, drops)
	}
	return "", nil, nil
}

// looked keeps a chat that was loaded and not changed, as it is stored: whoever looked may be about to change it.
func (s *Store) looked(name chatName, c *storedChat, drops int64) {
	if !s.owns() || !c.there() {
		return
	}
	at := kv.Item{Key: kv.Key{Sort: c.sort}, Version: c.version, Fields: c.fields, Data: c.record}
	again := new(storedChat) // the caller may have spoilt the other
	if again.read(&at) == nil {
		s.kept().put(s.recently(name), again, drops)
	}
}

// Prefetch implements chat.ChatStore. It passes over chats that somebody is about to change, and those under another address.
func (s *Store) Prefetch(ctx context.Context, account string, jids []chat.JID) error {
	if s.kept() == nil {
		return nil
	}
	drops := s.kept().dropped()
	var keys []kv.Key
	var names []chatName
	for _, jid := range jids[:min(len(jids), maxRecent)] {
		name := chatName{account, jid}
		if release := s.locks.tryAcquire(name); release != nil {
			defer release()
			keys, names = append(keys, chatKey(account, jid, true)), append(names, name)
		}
	}
	found, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return failed("prefetch chats", err)
	}
	for i, it := range found {
		if !standingOf(it).stands() {
			continue
		}
		c := new(storedChat)
		if err := c.read(it); err != nil {
			return failed("prefetch chats", err)
		}
		s.kept().put(s.recently(names[i]), c, drops)
	}
	return nil
}

// storedChat is a chat as it is stored.
type storedChat struct {
	chat    chat.Chat
	sort    string // "": there is none
	version kv.Version
	fields  map[string]int64
	record  []byte
	view    chat.View // without members that stand beside the chat

	whole  bool             // the members that stand beside it are in chat
	blocks map[string]block // then
}

// beside tells whether members stand beside the chat.
func (c *storedChat) beside() bool { return c.fields[fieldBeside] != 0 }

func (c *storedChat) there() bool { return c.sort != "" }

// storedMessage is what is stored of a message: nothing, a placeholder, or a message at its place. A place without a message
// is one that a writer has claimed but not filled.
type storedMessage struct {
	message *chat.Message // with the persons beside it
	claim   *kv.Item
	place   string // of a message; "" of a placeholder
	item    *kv.Item
	blocks  map[string]block // beside it, by their names
}

// beside tells whether persons stand beside the message.
func (m *storedMessage) beside() bool { return m.item != nil && m.item.Fields[fieldBeside] != 0 }

// thread is a chat.Thread with what it was made of.
type thread struct {
	chat.Thread
	s        *Store
	name     chatName
	stored   storedChat
	messages map[string]storedMessage // by id
	told     []chat.FeedMessage       // which messages readers see changed
}

// load reads the chat, unless it was kept, and the messages' claims, and then the messages that aren't placeholders.
func (s *Store) load(ctx context.Context, name chatName, kept *storedChat, ids []string) (t *thread, target chat.JID, err error) {
	t = &thread{s: s, name: name}
	var keys []kv.Key
	if kept == nil {
		keys = append(keys, chatKey(name.account, name.jid, true))
	}
	chats := len(keys)
	for _, id := range ids {
		keys = append(keys, claimKey(name.account, name.jid, id))
	}
	found, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, "", err
	}
	if kept != nil {
		t.stored = *kept
	} else {
		at := standingOf(found[0])
		if at.item == nil {
			it, err := s.get(ctx, chatKey(name.account, name.jid, false))
			if err != nil {
				return nil, "", err
			}
			at = standingOf(it)
		}
		if at.target != "" {
			return nil, at.target, nil
		}
		if err := t.stored.read(at.item); err != nil {
			return nil, "", err
		}
	}
	t.stored.chat.JID = name.jid
	t.Chat = t.stored.chat
	if t.stored.beside() && !t.stored.whole {
		t.LoadMembers = func() error { return t.loadMembers(ctx) }
	}
	if err := t.loadMessages(ctx, ids, found[chats:]); err != nil {
		return nil, "", err
	}
	t.Newest = func(shows func(chat.MessageView) bool) (*chat.Message, error) { return t.newest(ctx, shows) }
	t.Each = func(from int64, visit func(*chat.Message)) error { return t.each(ctx, from, visit) }
	return t, "", nil
}

// read takes over an item, nil for none.
func (c *storedChat) read(it *kv.Item) (err error) {
	if it == nil {
		return nil
	}
	c.sort, c.version, c.fields, c.record = it.Sort, it.Version, it.Fields, it.Data
	if c.chat, err = stateOfChat(it.Data); err != nil {
		return err
	}
	c.view = headOfChat(c.chat.JID, it)
	return new(decoder).textsOfChat(it.Data, &c.view)
}

// loadMembers completes the chat by the members that stand beside it.
func (t *thread) loadMembers(ctx context.Context) (err error) {
	if !t.stored.beside() || t.stored.whole {
		return nil
	}
	at := kv.Key{Collection: kv.Chats, Partition: t.name.account, Sort: t.stored.sort}
	if t.stored.blocks, err = t.s.blocks(ctx, at); err != nil {
		return failed("read members", err)
	}
	for _, b := range t.stored.blocks {
		b.joinMembers(&t.Chat)
	}
	t.stored.chat.Members, t.stored.chat.Since, t.stored.whole = t.Chat.Members, t.Chat.Since, true
	return nil
}

// loadMessages completes what was found under the ids.
func (t *thread) loadMessages(ctx context.Context, ids []string, claims []*kv.Item) error {
	t.messages = make(map[string]storedMessage, len(ids))
	var placed []string
	var keys []kv.Key
	for i, id := range ids {
		claim := claims[i]
		if claim == nil {
			continue
		}
		m := storedMessage{claim: claim}
		if len(claim.Data) > 0 {
			m.item = claim
		} else {
			m.place = place(claim.Fields[fieldTime], claim.Fields[fieldOrder], id)
			placed, keys = append(placed, id), append(keys, messageKey(t.name.account, t.name.jid, m.place))
		}
		t.messages[id] = m
	}
	found, err := t.s.kv.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	for i, id := range placed {
		m := t.messages[id]
		m.item = found[i]
		t.messages[id] = m
	}
	if err := t.loadBlocks(ctx); err != nil {
		return err
	}
	t.Messages = make(map[string]*chat.Message, len(t.messages))
	for id, m := range t.messages {
		if m.item == nil {
			continue
		}
		var err error
		if m.message, err = stateOfMessage(m.item.Data); err != nil {
			return err
		}
		for _, b := range m.blocks {
			b.join(m.message)
		}
		t.messages[id], t.Messages[id] = m, m.message
	}
	return nil
}

// loadBlocks reads what stands beside the messages. Where a message was claimed but not put there may be some already.
func (t *thread) loadBlocks(ctx context.Context) (err error) {
	for id, m := range t.messages {
		if m.item != nil && !m.beside() {
			continue
		}
		at := messageKey(t.name.account, t.name.jid, m.place)
		if m.item != nil {
			at = m.item.Key
		}
		if m.blocks, err = t.s.blocks(ctx, at); err != nil {
			return err
		}
		t.messages[id] = m
	}
	return nil
}

// newestPage is how many messages are asked for at first.
const newestPage = 20

func (t *thread) newest(ctx context.Context, shows func(chat.MessageView) bool) (*chat.Message, error) {
	q := t.timeline()
	q.From = timeline + sortable(max(t.Chat.Cleared.Through, t.Chat.Deleted.Through, 0)) // what is older is hidden
	q.Reverse, q.Expect = true, newestPage
	for it, err := range t.s.kv.Query(ctx, q) {
		if err != nil {
			return nil, failed("find newest message", err)
		}
		if _, _, beside := ofBlock(it.Sort); beside {
			continue
		}
		v, err := headOfMessage(&it)
		if err != nil {
			return nil, err
		}
		if _, known := t.Messages[v.ID]; !known && shows(v) {
			return t.s.wholeMessage(ctx, &it)
		}
	}
	return nil, nil
}

func (t *thread) each(ctx context.Context, from int64, visit func(*chat.Message)) error {
	q := t.timeline()
	q.From = timeline + sortable(from)
	for it, err := range t.s.kv.Query(ctx, q) {
		if err != nil {
			return failed("count unread messages", err)
		}
		if _, _, beside := ofBlock(it.Sort); beside {
			continue
		}
		m, err := stateOfMessage(it.Data)
		if err != nil {
			return err
		}
		if _, loaded := t.Messages[m.ID]; !loaded {
			visit(m)
		}
	}
	return nil
}

// timeline asks for all messages of the conversation.
func (t *thread) timeline() kv.Query {
	return kv.Query{Collection: kv.Messages, Partition: conversation(t.name.account, t.name.jid)}.Prefix(timeline)
}

// store writes what the change left, in the order that Update promises.
func (t *thread) store(ctx context.Context) error {
	t.Chat.JID = t.name.jid
	isNew := !t.stored.there()
	if isNew && len(t.Changed) == 0 && reflect.DeepEqual(t.Chat, chat.Chat{JID: t.name.jid}) {
		return nil
	}
	w, err := t.messageWrites(ctx)
	if err != nil {
		return err
	}
	next, members, err := t.next(ctx)
	if err != nil {
		return err
	}
	e := t.entry(&next, !members.none())
	if e == nil {
		return t.write(ctx, w, next, members, nil)
	}
	if t.Fresh && w.besideOnly() && bytes.Equal(next.record, t.stored.record) && maps.Equal(next.fields, t.stored.fields) &&
		!e.Cleared && members.none() {
		return t.storeBeside(ctx, w, e)
	}
	a, err := t.s.begin(ctx, t.name.account, e)
	if err != nil {
		return err
	}
	next.fields[fieldSeq] = a.seq
	w.number(a.seq)
	if err := t.write(ctx, w, next, members, []kv.Step{a.step}); err != nil {
		return a.ended(ctx, err)
	}
	t.s.feeds.came(t.name.account, t.name.jid, e.Messages)
	return a.ended(ctx, nil)
}

// storeBeside writes what stands beside messages, and nothing else, so that neither they nor the chat are written for a receipt.
// It is told afterwards: should the process end in between, what comes again finds that it wasn't, see untold.
func (t *thread) storeBeside(ctx context.Context, w *messageWrites, e *chat.FeedEntry) error {
	e.Sure = true
	a, err := t.s.begin(ctx, t.name.account, e)
	if err != nil {
		return err
	}
	w.number(a.seq)
	return a.ended(ctx, t.s.kv.Write(ctx, append(w.steps(), a.step)...))
}

// next is the chat as it is to be stored; where it stands is left open.
func (t *thread) next(ctx context.Context) (next storedChat, members blockWrites, err error) {
	at := chatKey(t.name.account, t.name.jid, t.Chat.Shows())
	moves := t.stored.there() && t.stored.sort != at.Sort
	if moves {
		if err = t.loadMembers(ctx); err != nil {
			return next, members, err
		}
	}
	next.whole = !t.stored.beside() || t.stored.whole
	core, beside := t.Chat, t.stored.beside() || len(t.Chat.Members) > maxMembersInside
	if beside {
		core.Members, core.Since = nil, nil
	}
	if next.view, next.record, err = t.s.encodeChat(&core); err != nil {
		return next, members, err
	}
	next.chat = core // with what is rendered now
	next.chat.Members, next.chat.Since = t.Chat.Members, t.Chat.Since
	next.fields = fieldsOfView(&next.view)
	if seq := t.stored.fields[fieldSeq]; seq != 0 {
		next.fields[fieldSeq] = seq
	}
	if beside {
		next.fields[fieldBeside] = 1
	}
	if beside && next.whole {
		want := divideMembers(&next.chat, t.stored.blocks)
		members, err = t.s.blockWrites(at, moves, 0, want, t.stored.blocks)
		next.blocks = members.with(t.stored.blocks, want)
	}
	return next, members, err
}

// entry tells the feed what of the change readers see; nil: nothing.
func (t *thread) entry(next *storedChat, members bool) *chat.FeedEntry {
	was, v := &t.stored.view, &next.view
	was.JID, was.Seq, v.Seq = v.JID, 0, 0
	if !was.Shows && !v.Shows {
		return nil
	}
	old := &t.stored.chat
	e := &chat.FeedEntry{
		Kind: chat.FeedChat, Chat: t.name.jid, Shows: v.Shows,
		Cleared: !reflect.DeepEqual(old.Cleared, t.Chat.Cleared) ||
			!reflect.DeepEqual(old.ClearedUnstarred, t.Chat.ClearedUnstarred) || old.ClearedAt != t.Chat.ClearedAt ||
			!reflect.DeepEqual(old.Deleted, t.Chat.Deleted),
		Many: !was.Shows && t.stored.there(), // what it has shows again
	}
	if v.Shows {
		if !next.beside() { // else it is too large
			e.View = v
		}
		slices.SortFunc(t.told, func(a, b chat.FeedMessage) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
		})
		named(e, t.told)
	}
	if *was == *v && !e.Cleared && len(t.told) == 0 && !members {
		return nil
	}
	return e
}

// write makes the steps after those that come first.
func (t *thread) write(ctx context.Context, w *messageWrites, next storedChat, members blockWrites, steps []kv.Step) error {
	isNew := !t.stored.there()
	if isNew && len(t.Changed) > 0 {
		// Messages are found by their chat when all is to be deleted, so it comes into being before them.
		begin, err := t.begin()
		if err != nil {
			return err
		}
		steps = append(steps, begin)
	}
	steps = append(steps, w.steps()...)
	if len(t.Prune) > 0 && !isNew {
		if err := t.s.kv.Write(ctx, steps...); err != nil {
			return err
		}
		steps = nil
		for _, covered := range t.Prune {
			if err := t.prune(ctx, covered); err != nil {
				return err
			}
		}
	}
	if err := t.s.kv.Write(ctx, append(steps, t.chatWrites(&next, w.moves, members)...)...); err != nil {
		return err
	}
	t.stored = next
	return nil
}

// begin brings a chat into being of which nothing is known yet, if its account is still there. It stands where it will when
// the change is complete.
func (t *thread) begin() (kv.Step, error) {
	v, record, err := t.s.encodeChat(&chat.Chat{JID: t.name.jid})
	if err != nil {
		return kv.Step{}, err
	}
	it := kv.Item{Key: chatKey(t.name.account, t.name.jid, t.Chat.Shows()), Fields: fieldsOfView(&v), Data: record}
	put := kv.Put(it, kv.Absent())
	return kv.Together(t.creating(put)...), t.stored.read(&put.Item)
}

// creating is put, the chat's first item, with what must be true then. It is in one place at a time, and not without its account.
func (t *thread) creating(put kv.Op) []kv.Op {
	shows := put.Item.Key == chatKey(t.name.account, t.name.jid, true)
	return []kv.Op{
		put,
		kv.Check(chatKey(t.name.account, t.name.jid, !shows), kv.Absent(), 0),
		t.s.accountExists(t.name.account),
	}
}

// chatWrites puts the chat, and together with it what moves, and its members before it. It completes stored.
func (t *thread) chatWrites(stored *storedChat, moves []kv.Op, members blockWrites) (steps []kv.Step) {
	old := &t.stored
	beside := slices.Concat(members.puts, members.deletes)
	var behind []kv.Step
	switch {
	case len(beside) == 0:
	case !old.there():
		behind = []kv.Step{kv.Each(beside...)} // a chat comes into being with a look at its account, and what is beside it later
	case old.sort == chatKey(t.name.account, t.name.jid, t.Chat.Shows()).Sort:
		steps = []kv.Step{kv.Each(beside...)}
	case len(moves)+len(beside) <= movesTogether:
		moves = append(moves, beside...)
	default:
		for i := range members.puts {
			members.puts[i].Condition = kv.Always() // whoever else moves the chat finds it changed
		}
		steps = []kv.Step{kv.Each(members.puts...)}
		behind = []kv.Step{kv.Each(members.deletes...)}
	}
	return slices.Concat(steps, t.chatItself(stored, moves), behind)
}

func (t *thread) chatItself(stored *storedChat, moves []kv.Op) []kv.Step {
	old := &t.stored
	if old.there() && bytes.Equal(stored.record, old.record) && maps.Equal(stored.fields, old.fields) {
		stored.sort, stored.version = old.sort, old.version
		return []kv.Step{kv.Together(moves...)}
	}
	put := kv.Put(kv.Item{
		Key: chatKey(t.name.account, t.name.jid, t.Chat.Shows()), Fields: stored.fields, Data: stored.record,
	}, kv.Unchanged(old.version))
	stored.sort, stored.version = put.Item.Sort, put.Item.Version
	switch {
	case stored.sort == old.sort && len(moves) == 0:
		return []kv.Step{kv.Each(put)}
	case stored.sort == old.sort:
		moves = append(moves, put)
	case !old.there():
		put.Condition = kv.Absent()
		moves = append(moves, t.creating(put)...)
	default:
		put.Condition = kv.Absent()
		left := chatKey(t.name.account, t.name.jid, !t.Chat.Shows())
		moves = append(moves, put, kv.Delete(left, kv.Unchanged(old.version), 0))
	}
	return []kv.Step{kv.Together(moves...)}
}

// messageWrites are the writes of messages, by when they are made.
type messageWrites struct {
	claims, puts []kv.Op
	beside       []kv.Op   // puts of blocks
	filled       []kv.Step // placeholders that become messages, and others that move by themselves
	moves        []kv.Op   // to be made with the chat
	deletes      []kv.Op   // of blocks, once nobody needs them
}

// besideOnly tells whether only blocks are written, if anything is.
func (w *messageWrites) besideOnly() bool {
	return len(w.claims) == 0 && len(w.puts) == 0 && len(w.filled) == 0 && len(w.moves) == 0
}

// number has all blocks carry the number under which they are told.
func (w *messageWrites) number(seq int64) {
	number(w.beside, seq)
	number(w.moves, seq)
	for _, step := range w.filled {
		number(step.Ops, seq)
	}
}

func (w *messageWrites) steps() []kv.Step {
	steps := []kv.Step{kv.Each(w.claims...), kv.Each(slices.Concat(w.puts, w.beside)...)}
	return append(append(steps, w.filled...), kv.Each(w.deletes...))
}

// movesTogether is how many writes of moves fit into a step beside the chat's.
const movesTogether = kv.MaxTogether - 4

// messageWrites brings each message from where it was to where it belongs.
func (t *thread) messageWrites(ctx context.Context) (*messageWrites, error) {
	w := new(messageWrites)
	for _, m := range t.Changed {
		old := t.messages[m.ID]
		core, want := m, map[string]*persons(nil)
		beside := t.beside(m, &old)
		if beside {
			core, want = persons{}.with(m), divide(personsOf(m), old.blocks)
		}
		view, fields, record, err := t.s.encodeFitting(&t.Chat, core)
		if err != nil {
			return nil, err
		}
		if beside {
			fields[fieldBeside] = 1
		}
		claim := kv.Item{Key: claimKey(t.name.account, t.name.jid, m.ID), Expires: t.Chat.Place(m).Expires}
		at := claim.Key
		if m.Content.Time != 0 {
			at = messageKey(t.name.account, t.name.jid, place(m.Content.Time, m.Content.Order, m.ID))
		}
		blocks, err := t.s.blockWrites(at, old.item != nil && old.item.Sort != at.Sort, claim.Expires, want, old.blocks)
		if err != nil {
			return nil, err
		}
		same := old.item != nil && bytes.Equal(record, old.item.Data) && maps.Equal(fields, old.item.Fields)
		changed := !blocks.none()
		if same && !changed && beside && t.Fresh {
			if blocks.puts, err = t.untold(ctx, m.ID, &old); err != nil {
				return nil, err
			}
			changed = !blocks.none()
		}
		if err := t.tell(old, m, &view, changed); err != nil {
			return nil, err
		}
		if same {
			w.beside, w.deletes = append(w.beside, blocks.puts...), append(w.deletes, blocks.deletes...)
			continue
		}
		if m.Content.Time == 0 {
			claim.Data, claim.Fields = record, fields
			w.puts = append(w.puts, kv.Put(claim, kv.As(old.claim)))
			w.beside, w.deletes = append(w.beside, blocks.puts...), append(w.deletes, blocks.deletes...)
			continue
		}
		claim.Fields = fieldsOf(map[string]int64{fieldTime: m.Content.Time, fieldOrder: m.Content.Order})
		w.add(claim, kv.Item{Key: at, Fields: fields, Data: record, Expires: claim.Expires}, old, blocks)
	}
	return w, nil
}

// tell notes what readers see change about a message, or beside it.
func (t *thread) tell(old storedMessage, m *chat.Message, v *chat.MessageView, beside bool) error {
	was, is := false, v.Listed && !t.Chat.Hides(v)
	var before chat.MessageView
	if old.place != "" && old.item != nil {
		var err error
		if before, err = headOfMessage(old.item); err != nil {
			return err
		}
		was = before.Listed && !t.stored.chat.Hides(&before)
	}
	tells := chat.FeedMessage{ID: m.ID, Time: m.Content.Time, Order: m.Content.Order, Status: m.Status}
	switch {
	case is && !was && t.News[m.ID]:
		tells.What = chat.FeedNew
	case is && !was:
		tells.What = chat.FeedAdded
	case was && !is:
		tells.What, tells.Status = chat.FeedGone, chat.NoStatus
	case was:
		document, err := new(decoder).documentOfMessage(old.item.Data)
		if err != nil {
			return err
		}
		before.ID, before.Document = v.ID, document
		if before == *v && !beside {
			if !t.s.feeds.isAwaited(t.name.account, t.name.jid, m.ID) {
				return nil
			}
			tells.What = chat.FeedAdded
			break
		}
		less := *m
		less.Status, less.Receipts = old.message.Status, old.message.Receipts
		if tells.What = chat.FeedChanged; reflect.DeepEqual(&less, old.message) {
			tells.What = chat.FeedAcked
		}
		if m.Status <= old.message.Status {
			tells.Status = chat.NoStatus
		}
	default:
		return nil
	}
	t.told = append(t.told, tells)
	return nil
}

// add writes a message that has a place, with what stands beside it.
func (w *messageWrites) add(claim, it kv.Item, old storedMessage, blocks blockWrites) {
	switch {
	case old.claim == nil || it.Sort == old.place:
		if old.claim == nil {
			w.claims = append(w.claims, kv.Put(claim, kv.Absent()))
		}
		w.puts = append(w.puts, kv.Put(it, kv.As(old.item)))
		w.beside, w.deletes = append(w.beside, blocks.puts...), append(w.deletes, blocks.deletes...)
		return
	}
	move := []kv.Op{kv.Put(claim, kv.Unchanged(old.claim.Version)), kv.Put(it, kv.Absent())}
	if old.place != "" {
		left := kv.Key{Collection: it.Collection, Partition: it.Partition, Sort: old.place}
		leave := kv.Check(left, kv.Absent(), 0) // who claimed it hasn't put the message there, and now can't
		if old.item != nil {
			leave = kv.Delete(left, kv.Unchanged(old.item.Version), 0)
		}
		move = append(move, leave)
	}
	all := slices.Concat(move, blocks.puts, blocks.deletes)
	many := len(all) > movesTogether
	if !many {
		move = all
	} else { // which takes more than a thousand persons
		for i := range blocks.puts {
			blocks.puts[i].Condition = kv.Always() // whoever else moves it finds its claim changed
		}
		w.filled = append(w.filled, kv.Each(blocks.puts...))
		w.deletes = append(w.deletes, blocks.deletes...)
	}
	if many || old.place == "" || len(w.moves)+len(move) > movesTogether { // the last is nothing usual
		w.filled = append(w.filled, kv.Together(move...))
		return
	}
	w.moves = append(w.moves, move...)
}

// prune deletes the messages that a range covers.
func (t *thread) prune(ctx context.Context, covered chat.Range) error {
	if covered.Through == 0 {
		return nil
	}
	q := t.timeline()
	q.To = timeline + sortable(covered.Through) + "/\U0010FFFF"
	var ops []kv.Op
	last, lastCovered := "", false
	for it, err := range t.s.kv.Query(ctx, q) {
		if err != nil {
			return fmt.Errorf("list what to prune: %w", err)
		}
		if owner, _, beside := ofBlock(it.Sort); beside {
			if owner != last || lastCovered { // what is beside nothing was left by a prune that was interrupted
				ops = append(ops, kv.Delete(it.Key, kv.Always(), 0))
			}
			continue
		}
		v, err := headOfMessage(&it)
		if err != nil {
			return err
		}
		last, lastCovered = it.Sort, covered.Covers(v.Time, v.ID)
		if !lastCovered {
			continue
		}
		claim := claimKey(t.name.account, t.name.jid, v.ID)
		ops = append(ops, kv.Delete(it.Key, kv.Always(), 0), kv.Delete(claim, kv.Always(), 0))
		if len(ops) >= deletesTogether {
			if err := t.s.kv.Write(ctx, kv.Each(ops...)); err != nil {
				return err
			}
			ops = nil
		}
	}
	return t.s.kv.Write(ctx, kv.Each(ops...))
}

// orphaned looks, after a conflict, for the account: without it there is nothing to try again, and what was written is deleted.
func (t *thread) orphaned(ctx context.Context, err error) error {
	if !errors.Is(err, kv.ErrConflict) {
		return err
	}
	_, _, gone := t.s.account(ctx, t.name.account, kv.Strong)
	if chat.CodeOf(gone) != chat.DeviceNotFound {
		return err
	}
	q := kv.Query{Collection: kv.Messages, Partition: conversation(t.name.account, t.name.jid)}
	return errors.Join(gone, t.s.deleteAll(ctx, q), t.s.deleteFeed(ctx, t.name.account, ""))
}
