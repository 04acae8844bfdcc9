package sqlite

import (
	"context"
	"encoding/json"

	"pesan/internal/chat"
)

const selectCommand = "SELECT data FROM commands WHERE account = ? AND id = ?"

// Command implements chat.CommandReader.
func (db *DB) Command(ctx context.Context, account, id string) (chat.CommandRecord, error) {
	var record chat.CommandRecord
	var data []byte
	found, err := db.reader.get(ctx, selectCommand, []any{account, id}, &data)
	if err == nil && !found {
		return record, &chat.Error{Code: chat.CommandNotFound}
	}
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	return record, wrap("get command", err)
}

// command reads a record in a transaction.
func (tx *transaction) command(account, id string) (record chat.CommandRecord, found bool, err error) {
	var data []byte
	if found, err = tx.get(selectCommand, []any{account, id}, &data); found {
		err = json.Unmarshal(data, &record)
	}
	return record, found, err
}

// PutCommand implements chat.Commands.
func (db *DB) PutCommand(ctx context.Context, c chat.Command) (stored chat.CommandRecord, created bool, err error) {
	err = db.write(ctx, func(tx *transaction) error {
		var found bool
		if stored, found, err = tx.command(c.Account, c.ID); found || err != nil {
			return err
		}
		stored = chat.CommandRecord{Command: c, State: chat.CommandPending}
		data, err := json.Marshal(stored)
		if err != nil {
			return err
		}
		created = true
		return tx.exec("INSERT INTO commands (account, id, at, data) VALUES (?, ?, ?, ?)",
			c.Account, c.ID, c.RequestedAt.UnixMilli(), data)
	})
	if err != nil {
		return chat.CommandRecord{}, false, wrap("put command", err)
	}
	return stored, created, nil
}

// EndCommand implements chat.Commands.
func (db *DB) EndCommand(ctx context.Context, account, id string, o chat.Outcome) (record chat.CommandRecord, err error) {
	err = db.write(ctx, func(tx *transaction) error {
		var found bool
		record, found, err = tx.command(account, id)
		switch {
		case err != nil:
			return err
		case !found:
			return &chat.Error{Code: chat.CommandNotFound}
		case record.State != chat.CommandPending:
			return nil
		}
		record.State, record.Failure, record.Attempts, record.EndedAt = o.State(), o.Failure, o.Attempts, o.At
		data, err := json.Marshal(record)
		if err != nil {
			return err
		}
		return tx.exec("UPDATE commands SET data = ? WHERE account = ? AND id = ?", data, account, id)
	})
	if err != nil {
		return chat.CommandRecord{}, wrap("end command", err)
	}
	return record, nil
}

// DeleteCommands implements chat.Commands.
func (db *DB) DeleteCommands(ctx context.Context, account string) error {
	err := db.write(ctx, func(tx *transaction) error { return tx.exec("DELETE FROM commands WHERE account = ?", account) })
	return wrap("delete commands", err)
}
