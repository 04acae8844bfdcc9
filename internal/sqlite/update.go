package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// Update implements chat.ChatStore. change runs inside of a write transaction, once.
func (db *DB) Update(ctx context.Context, account string, jid chat.JID, ids []string, change func(*chat.Thread) error) error {
	var refused error
	err := db.write(ctx, func(tx *transaction) error {
		row, err := tx.loadChat(account, jid)
		if err != nil {
			return err
		}
		t := &chat.Thread{Chat: row.chat}
		if t.Messages, err = tx.loadMessages(row.key, ids); err != nil {
			return err
		}
		t.Newest = func(shows func(chat.MessageView) bool) (*chat.Message, error) { return tx.newest(row.key, t, shows) }
		if refused = change(t); refused != nil {
			return refused
		}
		before := row.view
		tx.committed = func() {
			tx.w.recent.put(row)
			if row.view != before {
				db.inboxes.change(account, row.view)
			}
		}
		return tx.store(row, t)
	})
	if refused != nil {
		return refused
	}
	return wrap("update chat", err)
}

func (tx *transaction) loadMessages(key int64, ids []string) (map[string]*chat.Message, error) {
	messages := make(map[string]*chat.Message, len(ids))
	if key == 0 {
		return messages, nil
	}
	for _, id := range ids {
		m, err := tx.loadMessage(key, id)
		if err != nil {
			return nil, err
		}
		if m != nil {
			messages[id] = m
		}
	}
	return messages, nil
}

// loadMessage returns nil where there is none.
func (tx *transaction) loadMessage(key int64, id string) (*chat.Message, error) {
	var state []byte
	found, err := tx.get("SELECT state FROM messages WHERE chat = ? AND id = ?", []any{key, id}, &state)
	if !found || err != nil {
		return nil, err
	}
	m := new(chat.Message)
	return m, json.Unmarshal(state, m)
}

const selectNewest = `SELECT id, time, ord, expires, starred, listed, heads FROM messages
	WHERE chat = ? AND time >= ? AND (time >= ? OR starred) ORDER BY time DESC, ord DESC, id DESC`

// newest looks for the newest message outside of the thread that shows accepts. It needn't look at what the chat hides.
func (tx *transaction) newest(key int64, t *chat.Thread, shows func(chat.MessageView) bool) (*chat.Message, error) {
	rows, err := tx.query(selectNewest, key, max(t.Chat.Cleared.Through, t.Chat.Deleted.Through), t.Chat.ClearedUnstarred.Through)
	if err != nil {
		return nil, err
	}
	found := ""
	for found == "" && rows.Next() {
		var v chat.MessageView
		if err := rows.Scan(&v.ID, &v.Time, &v.Order, &v.Expires, &v.Starred, &v.Listed, &v.Heads); err != nil {
			return nil, err
		}
		if t.Messages[v.ID] == nil && shows(v) {
			found = v.ID
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := rows.Close(); err != nil || found == "" {
		return nil, err
	}
	return tx.loadMessage(key, found)
}

// store writes what is new of a thread.
func (tx *transaction) store(row *chatRow, t *chat.Thread) error {
	if err := tx.storeChat(row, t.Chat); err != nil {
		return err
	}
	for _, m := range t.Changed {
		if err := tx.storeMessage(row.key, &t.Chat, m); err != nil {
			return err
		}
	}
	for _, r := range t.Prune {
		if err := tx.prune(row.key, r); err != nil {
			return err
		}
	}
	return nil
}

func (tx *transaction) storeMessage(key int64, c *chat.Chat, m *chat.Message) error {
	state, err := json.Marshal(m)
	if err != nil {
		return err
	}
	v := render.MessageView(c, m)
	return tx.exec(`INSERT INTO messages (chat, time, ord, id, expires, starred, listed, heads, view, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (chat, id) DO UPDATE SET time = excluded.time, ord = excluded.ord, expires = excluded.expires, starred = excluded.starred,
		listed = excluded.listed, heads = excluded.heads, view = excluded.view, state = excluded.state`,
		key, v.Time, v.Order, v.ID, v.Expires, v.Starred, v.Listed, v.Heads, packMessage(&v), state)
}

// prune deletes the messages that a range covers. Stubs stay: what they wait for may be newer.
func (tx *transaction) prune(key int64, r chat.Range) error {
	if r.Through == 0 {
		return nil
	}
	before := r.Through
	if len(r.IDs) == 0 {
		before++
	}
	if err := tx.exec("DELETE FROM messages WHERE chat = ? AND time > 0 AND time < ?", key, before); err != nil {
		return err
	}
	for _, id := range r.IDs {
		if err := tx.exec("DELETE FROM messages WHERE chat = ? AND id = ? AND time = ?", key, id, r.Through); err != nil {
			return err
		}
	}
	return nil
}

// Export implements chat.ChatStore.
func (db *DB) Export(ctx context.Context, account string, jid chat.JID, p chat.Page) (c chat.Chat, messages []chat.Message, next string, err error) {
	after := ""
	if p.Cursor != "" {
		if err := readCursor(p.Cursor, exportCursor, &after); err != nil {
			return chat.Chat{}, nil, "", err
		}
	}
	err = db.write(ctx, func(tx *transaction) error { // the newest state, at one moment
		row := &chatRow{account: account}
		found, err := tx.readRow(row, jid)
		if err != nil {
			return err
		}
		if !found {
			return &chat.Error{Code: chat.ChatNotFound}
		}
		c = row.chat
		rows, err := tx.query("SELECT state FROM messages WHERE chat = ? AND id > ? ORDER BY id LIMIT ?", row.key, after, limit(p.Limit))
		if err != nil {
			return err
		}
		return eachRow(rows, func(rows *sql.Rows) error {
			var state []byte
			if err := rows.Scan(&state); err != nil {
				return err
			}
			var m chat.Message
			err := json.Unmarshal(state, &m)
			messages = append(messages, m)
			return err
		})
	})
	if err != nil {
		return chat.Chat{}, nil, "", wrap("export chat", err)
	}
	if len(messages) > p.Limit {
		messages = messages[:p.Limit]
		next = cursor(exportCursor, messages[p.Limit-1].ID)
	}
	return c, messages, next, nil
}

// limit asks for one more, which tells whether there is a next page.
func limit(n int) int64 { return int64(min(n, math.MaxInt32)) + 1 }

// Alias implements chat.ChatStore.
func (db *DB) Alias(ctx context.Context, account string, from, to chat.JID) error {
	err := db.write(ctx, func(tx *transaction) error {
		n, err := tx.change("INSERT INTO aliases (account, alias, jid) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET jid = excluded.jid WHERE jid <> excluded.jid",
			account, string(from), string(to))
		if err != nil || n == 0 {
			return err
		}
		tx.w.recent.take(account, from)
		tx.committed = func() { db.inboxes.change(account, chat.View{JID: from}) }
		if err := tx.exec("DELETE FROM messages WHERE chat = (SELECT id FROM chats WHERE account = ? AND jid = ?)", account, string(from)); err != nil {
			return err
		}
		return tx.exec("DELETE FROM chats WHERE account = ? AND jid = ?", account, string(from))
	})
	return wrap("alias chat", err)
}

// DeleteChats implements chat.ChatStore.
func (db *DB) DeleteChats(ctx context.Context, account string) error {
	err := db.write(ctx, func(tx *transaction) error {
		clear(tx.w.recent)
		tx.committed = func() { db.inboxes.forget(account) }
		for _, query := range []string{
			"DELETE FROM messages WHERE chat IN (SELECT id FROM chats WHERE account = ?)",
			"DELETE FROM chats WHERE account = ?",
			"DELETE FROM aliases WHERE account = ?",
		} {
			if err := tx.exec(query, account); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("delete chats", err)
}
