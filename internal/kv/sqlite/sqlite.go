// Package sqlite is the storage port over one SQLite file, which one process owns.
//
// What a Write returned nil for survives the end of the process, SIGKILL included. After a power cut the file is whole; without
// Options.Sync, what was written in the last seconds before may be missing, the later before the earlier.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	driver "modernc.org/sqlite"

	"pesan/internal/kv"
)

// Options of a store. The zero value is fit for use.
type Options struct {
	// Sync waits for the disk at every commit, so that a power cut loses nothing. Writes that wait at the same time share one
	// commit.
	Sync bool
	// Now is the clock by which items expire; nil: time.Now.
	Now func() time.Time
}

// parallelReads is how many calls read at the same time.
const parallelReads = 4

// Store is an open file.
type Store struct {
	path    string
	now     func() time.Time
	writer  *writer
	readers *readers
}

var _ kv.Store = (*Store)(nil)

// Open opens the file and makes it where it is missing. Readers and the one writer don't block each other: the journal is a WAL.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{path: path, now: o.Now}
	var err error
	if s.writer, err = openWriter(ctx, dsn(path, o.Sync, false)); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if s.readers, err = openReaders(ctx, dsn(path, false, true), parallelReads); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.writer.close())
	}
	return s, nil
}

// Close ends the use of the file; no call may be under way.
func (s *Store) Close() error { return errors.Join(s.readers.close(), s.writer.close()) }

// seconds is the time by which items have expired.
func (s *Store) seconds() int64 { return s.now().Unix() }

// dsn names the file with the settings of a connection. Pages of 8 KiB hold several messages each: a conversation is read twice
// as fast as with 4 KiB, and writing costs the same. The writer polls for the lock of another process by itself.
func dsn(path string, sync, readOnly bool) string {
	values := url.Values{
		"_busy_timeout": {"250"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"NORMAL"}, // in WAL mode commits wait for no disk; checkpoints do
		"_pragma":       {"page_size(8192)", "temp_store(MEMORY)", "cache_size(-8192)"},
		"_defensive":    {"1"},
	}
	if sync {
		values.Set("_synchronous", "FULL")
	}
	if readOnly {
		values.Set("_query_only", "on")
	} else {
		values["_pragma"] = append(values["_pragma"], "wal_autocheckpoint(2000)", "journal_size_limit(67108864)")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: values.Encode()}).String()
}

// ErrDamaged says that the file isn't readable as a database, or an item in it isn't as it was written; trying again doesn't
// help.
var ErrDamaged = errors.New("the database is damaged")

// ErrForeign says that the file is another program's, or of a form that this one doesn't know. The file stays as it is.
var ErrForeign = errors.New("the database is another program's")

// ErrNewer says that the file was made by a newer version of this program. It stays as it is.
var ErrNewer = errors.New("the database was made by a newer program")

// SQLite's primary result codes, see https://www.sqlite.org/rescode.html.
const (
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeProtocol = 15
	codeNotADB   = 26
)

func code(err error) int {
	var e *driver.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// wrap gives an error of SQLite the meaning that it has for a caller of the port.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	switch code(err) {
	case codeBusy, codeLocked, codeReadOnly, codeIO, codeFull, codeCantOpen, codeProtocol:
		return fmt.Errorf("%s: %w: %w", what, kv.ErrUnavailable, err)
	case codeCorrupt, codeNotADB:
		return fmt.Errorf("%s: %w: %w", what, ErrDamaged, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
