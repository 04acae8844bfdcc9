package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"pesan/internal/chat"
)

// AddReport implements chat.Reports.
func (db *DB) AddReport(ctx context.Context, r chat.Report) error {
	data, err := json.Marshal(r)
	if err != nil {
		return wrap("add report", err)
	}
	err = db.write(ctx, func(tx *transaction) error {
		return tx.exec("INSERT INTO reports (account, id, at, pending, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			r.Account, r.ID, r.At.UnixMilli(), !r.Finished(), data)
	})
	return wrap("add report", err)
}

// EndReport implements chat.Reports.
func (db *DB) EndReport(ctx context.Context, account, id string, state chat.CommandState, status int, code chat.Code, at time.Time) error {
	err := db.write(ctx, func(tx *transaction) error {
		var data []byte
		found, err := tx.get("SELECT data FROM reports WHERE account = ? AND id = ?", []any{account, id}, &data)
		if !found || err != nil {
			return err
		}
		var r chat.Report
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		r.Command, r.Status, r.Error, r.EndedAt = state, status, code, at
		if data, err = json.Marshal(r); err != nil {
			return err
		}
		return tx.exec("UPDATE reports SET pending = ?, data = ? WHERE account = ? AND id = ?", !r.Finished(), data, account, id)
	})
	return wrap("end report", err)
}

// ListReports implements chat.Reports. The ids order the entries by time.
func (db *DB) ListReports(ctx context.Context, account string, p chat.Page) (reports []chat.Report, next string, err error) {
	before := "~" // after every ULID
	if p.Cursor != "" {
		if err := readCursor(p.Cursor, reportCursor, &before); err != nil {
			return nil, "", err
		}
	}
	err = db.reader.each(ctx, "SELECT data FROM reports WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?",
		[]any{account, before, p.Limit + 1}, func(rows *sql.Rows) error {
			var data []byte
			if err := rows.Scan(&data); err != nil {
				return err
			}
			var r chat.Report
			err := json.Unmarshal(data, &r)
			reports = append(reports, r)
			return err
		})
	if len(reports) > p.Limit {
		reports = reports[:p.Limit]
		next = cursor(reportCursor, reports[p.Limit-1].ID)
	}
	return reports, next, wrap("list reports", err)
}

// ClearReports implements chat.Reports.
func (db *DB) ClearReports(ctx context.Context, account string, all bool, now time.Time) error {
	err := db.write(ctx, func(tx *transaction) error {
		return tx.exec("DELETE FROM reports WHERE account = ? AND (? OR NOT pending OR at < ?)",
			account, all, now.Add(-chat.CommandAge).UnixMilli())
	})
	return wrap("clear reports", err)
}
