package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"math"

	"pesan/internal/chat"
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
		return tx.store(account, row, t)
	})
	if refused != nil {
		return refused
	}
	return wrap("update chat", err)
}

// chatRow is a chat as it is stored; key is 0 where it isn't.
type chatRow struct {
	key   int64
	state []byte
	last  chat.JSON
	chat  chat.Chat
}

func (tx *transaction) loadChat(account string, jid chat.JID) (row chatRow, err error) {
	found, err := tx.loadRow(&row, account, jid)
	if found || err != nil {
		return row, err
	}
	var target chat.JID
	found, err = tx.get("SELECT jid FROM aliases WHERE account = ? AND alias = ?", []any{account, string(jid)}, &target)
	if err != nil {
		return row, err
	}
	if !found {
		row.chat.JID = jid
		return row, nil
	}
	if found, err = tx.loadRow(&row, account, target); !found {
		row.chat.JID = target
	}
	return row, err
}

func (tx *transaction) loadRow(row *chatRow, account string, jid chat.JID) (found bool, err error) {
	found, err = tx.get("SELECT id, state, last_document FROM chats WHERE account = ? AND jid = ?",
		[]any{account, string(jid)}, &row.key, &row.state, &row.last)
	if !found || err != nil {
		return found, err
	}
	if err := json.Unmarshal(row.state, &row.chat); err != nil {
		return true, err
	}
	row.chat.Last.Document = row.last
	return true, nil
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

// newest looks for the newest message outside of the thread that shows accepts.
func (tx *transaction) newest(key int64, t *chat.Thread, shows func(chat.MessageView) bool) (*chat.Message, error) {
	rows, err := tx.query(`SELECT id, time, ord, expires, starred, listed FROM messages
		WHERE chat = ? ORDER BY time DESC, ord DESC, id DESC`, key)
	if err != nil {
		return nil, err
	}
	found := ""
	for found == "" && rows.Next() {
		var v chat.MessageView
		if err := rows.Scan(&v.ID, &v.Time, &v.Order, &v.Expires, &v.Starred, &v.Listed); err != nil {
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
func (tx *transaction) store(account string, row chatRow, t *chat.Thread) error {
	state, err := json.Marshal(&t.Chat)
	if err != nil {
		return err
	}
	if row.key == 0 || row.last != t.Chat.Last.Document || !bytes.Equal(row.state, state) {
		if row.key, err = tx.storeChat(account, row.key, &t.Chat, state); err != nil {
			return err
		}
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

func (tx *transaction) storeChat(account string, key int64, c *chat.Chat, state []byte) (int64, error) {
	v := c.View()
	hidden, err := newHidden(c)
	if err != nil {
		return 0, err
	}
	args := []any{v.Shows, v.Activity, v.MuteEnd, v.Pinned, v.Archived, v.Unread, v.Last.ID, v.Last.Time, v.Last.Order,
		v.Last.Expires, string(v.Document), string(v.Last.Document), hidden, state}
	if key != 0 {
		return key, tx.exec(`UPDATE chats SET shows = ?, activity = ?, mute_end = ?, pinned = ?, archived = ?, unread = ?, last_id = ?,
			last_time = ?, last_order = ?, last_expires = ?, document = ?, last_document = ?, hidden = ?, state = ? WHERE id = ?`, append(args, key)...)
	}
	_, err = tx.get(`INSERT INTO chats (shows, activity, mute_end, pinned, archived, unread, last_id, last_time, last_order, last_expires,
		document, last_document, hidden, state, account, jid, kind) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		append(args, account, string(v.JID), string(v.JID.Kind())), &key)
	return key, err
}

func (tx *transaction) storeMessage(key int64, c *chat.Chat, m *chat.Message) error {
	state, err := json.Marshal(m)
	if err != nil {
		return err
	}
	v := c.ViewMessage(m)
	return tx.exec(`INSERT INTO messages (chat, time, ord, id, expires, starred, listed, document, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (chat, id) DO UPDATE SET time = excluded.time, ord = excluded.ord, expires = excluded.expires, starred = excluded.starred,
		listed = excluded.listed, document = excluded.document, state = excluded.state`,
		key, v.Time, v.Order, v.ID, v.Expires, v.Starred, v.Listed, string(v.Document), state)
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
		var row chatRow
		found, err := tx.loadRow(&row, account, jid)
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
