package sqlite

import (
	"context"
	"database/sql"

	"pesan/internal/chat"
)

// PutBacklog implements chat.Backlog.
func (db *DB) PutBacklog(ctx context.Context, account, id string, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	err := db.write(ctx, func(tx *transaction) error {
		return tx.exec("INSERT INTO backlog (account, id, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", account, id, data)
	})
	return wrap("put backlog", err)
}

// ListBacklog implements chat.Backlog.
func (db *DB) ListBacklog(ctx context.Context, account string) ([]chat.BacklogItem, error) {
	var items []chat.BacklogItem
	err := db.reader.each(ctx, "SELECT id, data FROM backlog WHERE account = ? ORDER BY seq", []any{account}, func(rows *sql.Rows) error {
		var item chat.BacklogItem
		err := rows.Scan(&item.ID, &item.Data)
		items = append(items, item)
		return err
	})
	return items, wrap("list backlog", err)
}

// DeleteBacklog implements chat.Backlog.
func (db *DB) DeleteBacklog(ctx context.Context, account, id string) error {
	err := db.write(ctx, func(tx *transaction) error {
		return tx.exec("DELETE FROM backlog WHERE account = ? AND id = ?", account, id)
	})
	return wrap("delete backlog", err)
}
