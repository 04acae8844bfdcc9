package sqlite

import (
	"context"
	"database/sql"
	"time"

	"pesan/internal/chat"
)

// purgeBatch bounds how long a purge keeps others from writing.
const purgeBatch = 500

// Purge deletes what has had its time: expired messages, and reports, command records and dead letters older than
// chat.ReportAge. The chats whose last message has expired show the one before. It is to be called now and then.
func (db *DB) Purge(ctx context.Context, now time.Time) error {
	old := now.Add(-chat.ReportAge).UnixMilli()
	for _, one := range []struct {
		query  string
		before int64
	}{
		{"DELETE FROM messages WHERE (chat, id) IN (SELECT chat, id FROM messages WHERE expires > 0 AND expires <= ? LIMIT ?)", now.Unix()},
		{"DELETE FROM reports WHERE (account, id) IN (SELECT account, id FROM reports WHERE at < ? LIMIT ?)", old},
		{"DELETE FROM commands WHERE (account, id) IN (SELECT account, id FROM commands WHERE at < ? LIMIT ?)", old},
		{"DELETE FROM dead_letters WHERE seq IN (SELECT seq FROM dead_letters WHERE at < ? LIMIT ?)", old},
		{"DELETE FROM sent WHERE (shard, account, id) IN (SELECT shard, account, id FROM sent WHERE at < ? LIMIT ?)", now.Add(-sendAgain).UnixMilli()},
	} {
		if err := db.purge(ctx, one.query, one.before); err != nil {
			return wrap("purge", err)
		}
	}
	return wrap("purge", db.showOthers(ctx, now))
}

func (db *DB) purge(ctx context.Context, query string, before int64) error {
	for {
		n := int64(0)
		err := db.write(ctx, func(tx *transaction) (err error) {
			n, err = tx.change(query, before, purgeBatch)
			return err
		})
		if err != nil || n < purgeBatch {
			return err
		}
	}
}

// showOthers has the chats whose last message has expired look for another.
func (db *DB) showOthers(ctx context.Context, now time.Time) error {
	var chats []rowKey
	err := db.reader.each(ctx, "SELECT account, jid FROM chats WHERE last_expires > 0 AND last_expires <= ?", []any{now.Unix()}, func(rows *sql.Rows) error {
		var key rowKey
		err := rows.Scan(&key.account, &key.jid)
		chats = append(chats, key)
		return err
	})
	for _, key := range chats {
		if err != nil {
			break
		}
		err = db.Update(ctx, key.account, key.jid, nil, func(t *chat.Thread) error {
			return t.Apply(chat.Change{Chat: key.jid}, now)
		})
	}
	return err
}
