package sqlite

import (
	"bytes"
	"encoding/json"
	"maps"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// chatRow is a chat as it is stored; key is 0 where it isn't.
type chatRow struct {
	account string
	key     int64
	chat    chat.Chat // belongs to the transaction that has the row
	state   []byte
	members map[chat.JID]chat.Register[chat.Rank]
	view    chat.View
}

// recentRows keeps chats that were changed of late, so that a chat in which many messages arrive isn't decoded for each.
// A transaction takes a row out, and puts it back when it has stored the chat: one that fails may have spoilt it. Only
// who writes may use it.
type recentRows map[rowKey]*chatRow

type rowKey struct {
	account string
	jid     chat.JID
}

// maxRecent bounds their memory: some 10 KiB each.
const maxRecent = 256

// take returns nil where the row isn't there.
func (r recentRows) take(account string, jid chat.JID) *chatRow {
	key := rowKey{account, jid}
	row := r[key]
	delete(r, key)
	return row
}

func (r recentRows) put(row *chatRow) {
	if len(r) >= maxRecent {
		clear(r)
	}
	r[rowKey{row.account, row.chat.JID}] = row
}

// loadChat finds a chat by either address.
func (tx *transaction) loadChat(account string, jid chat.JID) (*chatRow, error) {
	row, err := tx.loadRow(account, jid)
	if err != nil || row.key != 0 {
		return row, err
	}
	var target chat.JID
	found, err := tx.get("SELECT jid FROM aliases WHERE account = ? AND alias = ?", []any{account, string(jid)}, &target)
	if err != nil || !found {
		return row, err
	}
	return tx.loadRow(account, target)
}

func (tx *transaction) loadRow(account string, jid chat.JID) (*chatRow, error) {
	if row := tx.w.recent.take(account, jid); row != nil {
		return row, nil
	}
	row := &chatRow{account: account}
	found, err := tx.readRow(row, jid)
	if !found {
		row.chat.JID = jid
	}
	return row, err
}

func (tx *transaction) readRow(row *chatRow, jid chat.JID) (found bool, err error) {
	var members []byte
	var view string
	found, err = tx.get("SELECT id, view, members, state FROM chats WHERE account = ? AND jid = ?",
		[]any{row.account, string(jid)}, &row.key, &view, &members, &row.state)
	if !found || err != nil {
		return found, err
	}
	if err := json.Unmarshal(row.state, &row.chat); err != nil {
		return true, err
	}
	if members != nil {
		if err := json.Unmarshal(members, &row.chat.Members); err != nil {
			return true, err
		}
		row.members = maps.Clone(row.chat.Members)
	}
	err = unpackView(view, &row.view)
	row.chat.Last.Document = row.view.Last.Document
	return true, err
}

// storeChat writes what is new of a chat, and brings the row up to date.
func (tx *transaction) storeChat(row *chatRow, c chat.Chat) error {
	v := render.View(&c)
	row.chat = c
	members := c.Members
	c.Members = nil
	state, err := json.Marshal(&c)
	if err != nil {
		return err
	}
	if row.key == 0 || v != row.view || !bytes.Equal(state, row.state) {
		if err := tx.writeRow(row, &c, &v, state); err != nil {
			return err
		}
		row.view, row.state = v, state
	}
	if maps.Equal(members, row.members) {
		return nil
	}
	row.members = maps.Clone(members)
	b, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return tx.exec("UPDATE chats SET members = ? WHERE id = ?", b, row.key)
}

func (tx *transaction) writeRow(row *chatRow, c *chat.Chat, v *chat.View, state []byte) error {
	hidden, err := newHidden(c)
	if err != nil {
		return err
	}
	args := []any{v.Shows, v.Activity, v.MuteEnd, v.Pinned, v.Archived, v.Unread, v.Last.Expires, hidden, packView(v), state}
	if row.key != 0 {
		return tx.exec(`UPDATE chats SET shows = ?, activity = ?, mute_end = ?, pinned = ?, archived = ?, unread = ?, last_expires = ?,
			hidden = ?, view = ?, state = ? WHERE id = ?`, append(args, row.key)...)
	}
	_, err = tx.get(`INSERT INTO chats (shows, activity, mute_end, pinned, archived, unread, last_expires, hidden, view, state, account, jid, kind)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, append(args, row.account, string(v.JID), string(v.JID.Kind())), &row.key)
	return err
}
