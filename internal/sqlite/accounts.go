package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"pesan/internal/chat"
)

// Account implements chat.AccountReader.
func (db *DB) Account(ctx context.Context, id string) (chat.Account, error) {
	var a chat.Account
	var data []byte
	found, err := db.reader.get(ctx, "SELECT data FROM accounts WHERE id = ?", []any{id}, &data)
	if err == nil && !found {
		return a, &chat.Error{Code: chat.DeviceNotFound}
	}
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	return a, wrap("get account", err)
}

// Accounts implements chat.Accounts.
func (db *DB) Accounts(ctx context.Context) ([]chat.Account, error) {
	var all []chat.Account
	err := db.reader.each(ctx, "SELECT data FROM accounts ORDER BY created, id", nil, func(rows *sql.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		var a chat.Account
		err := json.Unmarshal(data, &a)
		all = append(all, a)
		return err
	})
	return all, wrap("list accounts", err)
}

// CreateAccount implements chat.Accounts.
func (db *DB) CreateAccount(ctx context.Context, a chat.Account) error {
	data, err := json.Marshal(a)
	if err != nil {
		return wrap("create account", err)
	}
	err = db.write(ctx, func(tx *transaction) error {
		return tx.exec("INSERT INTO accounts (id, created, data) VALUES (?, ?, ?)", a.ID, a.CreatedAt.UnixMilli(), data)
	})
	return wrap("create account", err)
}

// UpdateAccount implements chat.Accounts.
func (db *DB) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	var refused error
	err := db.write(ctx, func(tx *transaction) error {
		var data []byte
		found, err := tx.get("SELECT data FROM accounts WHERE id = ?", []any{id}, &data)
		if err != nil {
			return err
		}
		if !found {
			refused = &chat.Error{Code: chat.DeviceNotFound}
			return refused
		}
		var a chat.Account
		if err := json.Unmarshal(data, &a); err != nil {
			return err
		}
		if refused = change(&a); refused != nil {
			return refused
		}
		if data, err = json.Marshal(a); err != nil {
			return err
		}
		return tx.exec("UPDATE accounts SET data = ? WHERE id = ?", data, id)
	})
	if refused != nil {
		return refused
	}
	return wrap("update account", err)
}

// DeleteAccount implements chat.Accounts.
func (db *DB) DeleteAccount(ctx context.Context, id string) error {
	err := db.write(ctx, func(tx *transaction) error { return tx.exec("DELETE FROM accounts WHERE id = ?", id) })
	return wrap("delete account", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
