// Package sqlite keeps everything in one SQLite database: the ports of package chat, the command queue included. One
// process owns the database, and calls TakeOver at its start.
//
// What a call has stored survives the end of the process, SIGKILL included. After a power cut the database is whole, but
// what was stored in the last seconds before may be missing, unless Options.Sync is set.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // for sql.Open

	"pesan/internal/chat"
)

// Options of a database. The zero value is fit for use.
type Options struct {
	// Sync waits for the disk at every commit, so that a power cut loses nothing; it takes a tenth to a half of the
	// speed, as the disk is.
	Sync bool
	// Visibility is the visibility timeout of the queue; 0: chat.VisibilityTimeout.
	Visibility time.Duration
	// Now is the queue's clock; nil: time.Now.
	Now func() time.Time
	// Readers is how many calls read at the same time; 0: 4.
	Readers int
}

// DB is an open database. It implements the ports of package chat.
type DB struct {
	*writer
	reader     reader
	visibility time.Duration
	now        func() time.Time
	sent       signal   // something on the queue has changed
	inboxes    *inboxes // of accounts whose chats were listed of late
}

var (
	_ chat.Accounts      = (*DB)(nil)
	_ chat.ChatStore     = (*DB)(nil)
	_ chat.Commands      = (*DB)(nil)
	_ chat.CommandSender = (*DB)(nil)
	_ chat.CommandQueue  = (*DB)(nil)
	_ chat.Reports       = (*DB)(nil)
	_ chat.Leases        = (*DB)(nil)
	_ chat.Backlog       = (*DB)(nil)
)

// Open opens the database file, makes it where it is missing, and brings its tables up to date. Readers and the one
// writer don't block each other: the journal is a WAL.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	if o.Visibility == 0 {
		o.Visibility = chat.VisibilityTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Readers == 0 {
		o.Readers = 4
	}
	db := &DB{visibility: o.Visibility, now: o.Now, inboxes: newInboxes()}
	var err error
	if db.writer, err = openWriter(ctx, path, o.Sync); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if db.reader, err = openReader(path, o.Readers); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.writer.close())
	}
	return db, nil
}

// Close ends the use of the database; no call may be under way.
func (db *DB) Close() error { return errors.Join(db.reader.db.Close(), db.writer.close()) }

// dsn names a database with the settings that all connections share. Pages of 8 KiB hold several messages each: a
// conversation is read twice as fast as with 4 KiB, and writing costs the same.
func dsn(path string, sync bool, more url.Values) string {
	values := url.Values{
		"_txlock":       {"immediate"}, // a transaction that would write after reading could fail at once
		"_busy_timeout": {"20000"},
		"_journal_mode": {"WAL"},
		"_foreign_keys": {"on"},
		"_synchronous":  {"NORMAL"}, // in WAL mode commits wait for no disk; checkpoints do
		"_pragma":       {"page_size(8192)", "temp_store(MEMORY)", "journal_size_limit(67108864)"},
		"_defensive":    {"1"},
	}
	if sync {
		values.Set("_synchronous", "FULL")
	}
	for key, list := range more {
		values[key] = append(values[key], list...)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: values.Encode()}).String()
}
