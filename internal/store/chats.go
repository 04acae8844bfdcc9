package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/render"
)

// Chats implements chat.ChatReader. Whatever the page, it reads all chats that show: their order isn't stored.
func (s *Store) Chats(
	ctx context.Context, account string, f chat.Filter, p chat.Page, now time.Time,
) (views []chat.View, next string, err error) {
	after, err := openCursor(chatCursor, p.Cursor, func(position string) bool { return len(position) > activitySize })
	if err != nil {
		return nil, "", err
	}
	if all, kept, err := s.lists.read(ctx, s, account); err != nil {
		return nil, "", failed("list chats", err)
	} else if kept {
		views, next = pick(all, f, p.Limit, after, now)
		return views, next, nil
	}
	head := f.Head()
	found, err := s.listed(ctx, account, func(v *chat.View) bool {
		return head.Accepts(v, now) && (after == "" || chatPosition(v) > after)
	})
	if err == nil && f != head {
		found, err = sift(found, f, now)
	}
	if err != nil {
		return nil, "", failed("list chats", err)
	}
	if len(found) > p.Limit {
		found = found[:p.Limit]
		next = makeCursor(chatCursor, chatPosition(&found[p.Limit-1].view))
	}
	if views, err = texts(found); err != nil {
		return nil, "", failed("list chats", err)
	}
	return views, next, nil
}

// listedChat is a chat whose record isn't decoded yet.
type listedChat struct {
	view   chat.View
	record []byte
	blocks []kv.Item // beside it
}

// listed reads the chats that show and that are accepted, in the order of Chats.
func (s *Store) listed(ctx context.Context, account string, accept func(*chat.View) bool) ([]listedChat, error) {
	var found []listedChat
	q := kv.Query{Collection: kv.Chats, Partition: account}
	last := "" // sort key of the last that was accepted, if members stand beside it
	for it, err := range s.kv.Query(ctx, q.Prefix(shown)) {
		if err != nil {
			return nil, err
		}
		if owner, _, beside := ofBlock(it.Sort); beside {
			if owner == last {
				of := &found[len(found)-1]
				of.blocks = append(of.blocks, it)
			}
			continue
		}
		v := headOfChat(chat.JID(strings.TrimPrefix(it.Sort, shown)), &it)
		if last = ""; v.Shows && accept(&v) {
			found = append(found, listedChat{view: v, record: it.Data})
			if it.Fields[fieldBeside] != 0 {
				last = it.Sort
			}
		}
	}
	slices.SortFunc(found, func(a, b listedChat) int { return compareViews(&a.view, &b.view) })
	return found, nil
}

// sift is those of the chats that the whole filter accepts, of which their records must be read.
func sift(found []listedChat, f chat.Filter, now time.Time) (accepted []listedChat, err error) {
	var d decoder
	for _, c := range found {
		if err := d.textsOfChat(c.record, &c.view); err != nil {
			return nil, err
		}
		if f.Accepts(&c.view, now) {
			accepted = append(accepted, c)
		}
	}
	return accepted, nil
}

// texts decodes records.
func texts(found []listedChat) ([]chat.View, error) {
	views := make([]chat.View, len(found))
	var d decoder
	for i := range found {
		views[i] = found[i].view
		if err := d.textsOfChat(found[i].record, &views[i]); err != nil {
			return nil, err
		}
		if err := withMembers(&views[i], found[i].blocks); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// withMembers puts the members that stand beside a chat into its document.
func withMembers(v *chat.View, blocks []kv.Item) error {
	if len(blocks) == 0 {
		return nil
	}
	var c chat.Chat
	for i := range blocks {
		b, err := blockOf(&blocks[i])
		if err != nil {
			return err
		}
		b.joinMembers(&c)
	}
	v.Document = render.WithMembers(v.Document, c.Members)
	return nil
}

// compareViews orders as Chats does: newest activity first, then by JID.
func compareViews(a, b *chat.View) int {
	return cmp.Or(cmp.Compare(b.Activity, a.Activity), cmp.Compare(a.JID, b.JID))
}

const activitySize = 8

// chatPosition orders as compareViews does.
func chatPosition(v *chat.View) string {
	inverse := ^(uint64(v.Activity) ^ 1<<63)
	return string(binary.BigEndian.AppendUint64(nil, inverse)) + string(v.JID)
}

// Chat implements chat.ChatReader.
func (s *Store) Chat(ctx context.Context, account string, jid chat.JID) (chat.View, error) {
	jid, it, err := s.showing(ctx, account, jid)
	if err != nil {
		return chat.View{}, failed("get chat", err)
	}
	v := headOfChat(jid, it)
	return v, failed("get chat", new(decoder).textsOfChat(it.Data, &v))
}

// WholeChat implements chat.ChatReader.
func (s *Store) WholeChat(ctx context.Context, account string, jid chat.JID) (chat.View, error) {
	jid, it, err := s.showing(ctx, account, jid)
	if err != nil {
		return chat.View{}, failed("get chat", err)
	}
	v := headOfChat(jid, it)
	if err := new(decoder).textsOfChat(it.Data, &v); err != nil {
		return v, failed("get chat", err)
	}
	members, err := s.besideItem(ctx, it)
	if err == nil {
		err = withMembers(&v, members)
	}
	return v, failed("get chat", err)
}

// State implements chat.ChatReader.
func (s *Store) State(ctx context.Context, account string, jid chat.JID) (chat.Chat, error) {
	_, it, err := s.showing(ctx, account, jid)
	if err != nil {
		return chat.Chat{}, failed("get chat", err)
	}
	c, err := s.wholeState(ctx, it)
	return c, failed("get chat", err)
}

// wholeState is a stored chat with the members beside it.
func (s *Store) wholeState(ctx context.Context, it *kv.Item) (chat.Chat, error) {
	c, err := stateOfChat(it.Data)
	if err != nil || it.Fields[fieldBeside] == 0 {
		return c, err
	}
	blocks, err := s.blocks(ctx, it.Key)
	for _, b := range blocks {
		b.joinMembers(&c)
	}
	return c, err
}

// showing finds the chat that shows under an address, and its canonical one.
func (s *Store) showing(ctx context.Context, account string, jid chat.JID) (canonical chat.JID, it *kv.Item, err error) {
	for range maxAliases {
		c, err := s.look(ctx, account, jid)
		switch {
		case err != nil:
			return "", nil, err
		case c.target != "":
			jid = c.target
			continue
		case !c.shows():
			moved, err := c.moved()
			if err != nil {
				return "", nil, err
			}
			jid = moved
			continue
		}
		return jid, c.item, nil
	}
	return "", nil, errAliases
}

// maxAliases bounds the way from an alias to its chat; one step is usual.
const maxAliases = 4

var errAliases = fmt.Errorf("%w: aliases without end", errCorrupt)

// standing is what stands under an address.
type standing struct {
	item   *kv.Item // nil: nothing
	target chat.JID // of an alias: the canonical JID
}

// stands tells whether there is a chat.
func (c standing) stands() bool { return c.item != nil && c.target == "" }

func (c standing) shows() bool {
	return c.stands() && strings.HasPrefix(c.item.Sort, shown) && c.item.Fields[fieldHidden] == 0
}

// moved is the number that a person has now who had that of a chat that doesn't show; CHAT_NOT_FOUND for another.
func (c standing) moved() (to chat.JID, err error) {
	var of chat.Chat
	if c.stands() {
		of, err = stateOfChat(c.item.Data)
	}
	if err == nil && of.Moved == "" {
		err = &chat.Error{Code: chat.ChatNotFound}
	}
	return of.Moved, err
}

func standingOf(it *kv.Item) standing {
	c := standing{item: it}
	if it != nil && len(it.Data) > 0 && it.Data[0] == aliasRecord {
		c.target = chat.JID(it.Data[1:])
	}
	return c
}

// look finds what stands under exactly this address.
func (s *Store) look(ctx context.Context, account string, jid chat.JID) (standing, error) {
	for _, shows := range []bool{true, false} {
		it, err := s.get(ctx, chatKey(account, jid, shows))
		if it != nil || err != nil {
			return standingOf(it), err
		}
	}
	return standing{}, nil
}

// ShowOthers makes chats whose last message has expired show the one before. Reading doesn't show what has expired either
// way; a chat that changes is brought up to date with that.
func (s *Store) ShowOthers(ctx context.Context, account string, now time.Time) error {
	expired, err := s.listed(ctx, account, func(v *chat.View) bool {
		return v.Last.Expires != 0 && v.Last.Expires <= now.Unix()
	})
	for _, c := range expired {
		if err != nil {
			break
		}
		jid := c.view.JID
		err = s.Update(ctx, account, jid, nil, func(t *chat.Thread) error { return t.Apply(chat.Change{Chat: jid}, now) })
	}
	return failed("show other messages", err)
}
