package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"slices"
	"time"

	"pesan/internal/chat"
)

// A NULL parameter of a filter accepts both. All views come as one text, since each row that is handed over takes longer
// than SQLite to find it; the subquery's order holds, since its limit keeps it apart.
const selectChats = `SELECT coalesce(group_concat(view, ''), '') FROM (SELECT view FROM chats
	WHERE account = ?1 AND shows AND activity <= ?2 AND (activity < ?2 OR jid > ?3)
	AND (?4 = '' OR kind = ?4) AND (?5 IS NULL OR unread = ?5) AND (?6 IS NULL OR archived = ?6) AND (?7 IS NULL OR pinned = ?7)
	AND (?8 IS NULL OR (mute_end = -1 OR mute_end > ?9) = ?8)
	ORDER BY activity DESC, jid LIMIT ?10)`

// listing asks for up to limit chats behind a place in the order of all.
type listing struct {
	account  string
	filter   chat.Filter
	activity int64 // of the place
	jid      chat.JID
	limit    int
	now      time.Time
}

// whole tells whether it asks for an account's chats from the first to the last.
func (l *listing) whole() bool { return l.filter == (chat.Filter{}) && l.activity == math.MaxInt64 }

func (l *listing) accepts(v *chat.View) bool {
	return (v.Activity < l.activity || v.Activity == l.activity && v.JID > l.jid) && l.filter.Accepts(v, l.now)
}

// Chats implements chat.ChatReader.
func (db *DB) Chats(ctx context.Context, account string, f chat.Filter, p chat.Page, now time.Time) (views []chat.View, next string, err error) {
	l := listing{account, f, math.MaxInt64, "", int(limit(p.Limit)), now}
	if p.Cursor != "" {
		if err := readCursor(p.Cursor, chatCursor, &l.activity, (*string)(&l.jid)); err != nil {
			return nil, "", err
		}
	}
	if views, err = db.list(ctx, &l); err != nil {
		return nil, "", wrap("list chats", err)
	}
	if len(views) > p.Limit {
		views = views[:p.Limit]
		last := views[p.Limit-1]
		next = cursor(chatCursor, last.Activity, last.JID)
	}
	return views, next, nil
}

// list takes the chats from the inbox where there is one, and makes one where it reads all of the account's.
func (db *DB) list(ctx context.Context, l *listing) ([]chat.View, error) {
	if all, ok := db.inboxes.read(l.account); ok {
		return pick(all, l), nil
	}
	if !l.whole() {
		return db.selectChats(ctx, l)
	}
	in := db.inboxes.begin(l.account)
	defer db.inboxes.end(in)
	views, err := db.selectChats(ctx, l)
	if err == nil && len(views) < l.limit {
		db.inboxes.fill(in, slices.Clone(views))
	}
	return views, err
}

func pick(all []chat.View, l *listing) []chat.View {
	views := make([]chat.View, 0, min(l.limit, len(all)))
	for i := range all {
		if len(views) == l.limit {
			break
		}
		if l.accepts(&all[i]) {
			views = append(views, all[i])
		}
	}
	return views
}

func (db *DB) selectChats(ctx context.Context, l *listing) ([]chat.View, error) {
	f := &l.filter
	args := []any{l.account, l.activity, string(l.jid), string(f.Kind), either(f.Unread), either(f.Archived), either(f.Pinned), either(f.Muted), l.now.UnixMilli(), l.limit}
	var packed string
	if _, err := db.reader.get(ctx, selectChats, args, &packed); err != nil {
		return nil, err
	}
	views := make([]chat.View, 0, min(l.limit, 1024))
	for packed != "" {
		var v chat.View
		var err error
		if packed, err = cutView(packed, &v); err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

func either(b *bool) any {
	if b == nil {
		return nil
	}
	return *b
}

// canonical is what an address stands for: itself, unless it is an alias.
const canonical = "coalesce((SELECT jid FROM aliases WHERE account = ?1 AND alias = ?2), ?2)"

// Chat implements chat.ChatReader.
func (db *DB) Chat(ctx context.Context, account string, jid chat.JID) (chat.View, error) {
	var view string
	found, err := db.reader.get(ctx, "SELECT view FROM chats WHERE account = ?1 AND jid = "+canonical+" AND shows",
		[]any{account, string(jid)}, &view)
	if err == nil && !found {
		err = &chat.Error{Code: chat.ChatNotFound}
	}
	var v chat.View
	if err == nil {
		err = unpackView(view, &v)
	}
	return v, wrap("get chat", err)
}

// hidden is what of a chat's state decides which messages are listed.
type hidden struct {
	Cleared          chat.Range `json:"cl,omitzero"`
	ClearedUnstarred chat.Range `json:"clu,omitzero"`
	Deleted          chat.Range `json:"del,omitzero"`
}

// newHidden is nil when nothing is hidden.
func newHidden(c *chat.Chat) ([]byte, error) {
	if c.Cleared.Through == 0 && c.ClearedUnstarred.Through == 0 && c.Deleted.Through == 0 {
		return nil, nil
	}
	return json.Marshal(hidden{c.Cleared, c.ClearedUnstarred, c.Deleted})
}

// The first index that fits is that of the primary key, backwards. What lies before the ranges isn't looked at.
const selectMessages = `SELECT view FROM messages
	WHERE chat = ?1 AND (time, ord, id) < (?2, ?3, ?4) AND time >= ?5 AND (time >= ?6 OR starred)
	AND listed AND (expires = 0 OR expires > ?7)
	ORDER BY time DESC, ord DESC, id DESC LIMIT ?8`

// Messages implements chat.MessageReader.
func (db *DB) Messages(ctx context.Context, account string, jid chat.JID, p chat.Page, now time.Time) (chat.Conversation, error) {
	before := chat.MessageView{Time: math.MaxInt64}
	if p.Cursor != "" {
		if err := readCursor(p.Cursor, messageCursor, &before.Time, &before.Order, &before.ID); err != nil {
			return chat.Conversation{}, err
		}
	}
	var key int64
	var c chat.Chat
	var ranges []byte
	found, err := db.reader.get(ctx, "SELECT id, jid, hidden FROM chats WHERE account = ?1 AND jid = "+canonical+" AND shows",
		[]any{account, string(jid)}, &key, &c.JID, &ranges)
	if err == nil && !found {
		err = &chat.Error{Code: chat.ChatNotFound}
	}
	if err == nil && ranges != nil {
		var h hidden
		err = json.Unmarshal(ranges, &h)
		c.Cleared, c.ClearedUnstarred, c.Deleted = h.Cleared, h.ClearedUnstarred, h.Deleted
	}
	if err != nil {
		return chat.Conversation{}, wrap("get messages", err)
	}
	conversation := chat.Conversation{Chat: c.JID}
	for {
		page, more, err := db.messages(ctx, key, &c, before, p.Limit+1-len(conversation.Messages), now)
		if err != nil {
			return chat.Conversation{}, wrap("get messages", err)
		}
		conversation.Messages = append(conversation.Messages, page...)
		if len(conversation.Messages) > p.Limit {
			conversation.Messages = conversation.Messages[:p.Limit]
			oldest := conversation.Messages[p.Limit-1]
			conversation.Next = cursor(messageCursor, oldest.Time, oldest.Order, oldest.ID)
			break
		}
		if more == nil {
			break
		}
		before = *more
	}
	if conversation.Next == "" {
		// The chat may have moved to its person's other address since its row was read, and its messages with it.
		moved, err := db.moved(ctx, key)
		if err != nil {
			return chat.Conversation{}, wrap("get messages", err)
		}
		if moved {
			return db.Messages(ctx, account, jid, p, now)
		}
	}
	slices.Reverse(conversation.Messages)
	return conversation, nil
}

// moved tells whether the chat's row is no more.
func (db *DB) moved(ctx context.Context, key int64) (bool, error) {
	var there int
	found, err := db.reader.get(ctx, "SELECT 1 FROM chats WHERE id = ?", []any{key}, &there)
	return !found, err
}

// messages reads up to limit messages before one, newest first, and drops those of them that the chat doesn't list,
// which is rare: the query knows the ranges but for their ids. It returns where to go on.
func (db *DB) messages(ctx context.Context, key int64, c *chat.Chat, before chat.MessageView, limit int, now time.Time) (page []chat.MessageView, more *chat.MessageView, err error) {
	page = make([]chat.MessageView, 0, min(limit, 1024))
	read := 0
	args := []any{key, before.Time, before.Order, before.ID, max(c.Cleared.Through, c.Deleted.Through), c.ClearedUnstarred.Through, now.Unix(), limit}
	err = db.reader.each(ctx, selectMessages, args, func(rows *sql.Rows) error {
		var view string
		if err := rows.Scan(&view); err != nil {
			return err
		}
		var v chat.MessageView
		if err := unpackMessage(view, &v); err != nil {
			return err
		}
		read++
		if c.Lists(v, now) {
			page = append(page, v)
		}
		if read == limit {
			more = &v
		}
		return nil
	})
	return page, more, err
}
