// Package devicedb is the SQLite file in which whatsmeow's sqlstore keeps the keys of all devices of one process.
//
// # Promise
//
// What WhatsApp is told depends on no key that a power cut could take back: whoever sends to WhatsApp calls Flush before,
// and what was stored until then is on the disk when it returns. So no acknowledged message has stepped a ratchet in vain,
// no pre key that was uploaded is missing, and no device that was linked is unknown.
//
// whatsmeow takes several short transactions for a message. None of them waits for the disk by itself: what counts is only that
// the last is there before the message is acknowledged, and one wait serves all devices that are about to send.
package devicedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow/store/sqlstore"
	driver "modernc.org/sqlite" // "sqlite" for sql.Open
)

// DB is an open file.
type DB struct {
	*sql.DB      // for sqlstore with the dialect "sqlite3"
	Disk    Disk // set it before the first Flush, to have another's faults and power cuts
	// CheckpointAfter is how much is written before a Flush has SQLite move the log into the database; set it before the first.
	CheckpointAfter int64

	wal string

	written  atomic.Int64 // counts what was written
	flushing sync.Mutex
	flushed  int64 // what was counted at the last flush
	moved    int64 // what was counted when all was moved into the database last
	failed   error // of the disk: what it hasn't taken then the system has forgotten
}

// Disk is what a Flush does to a file; one call is made at a time.
type Disk interface {
	// Sync waits until what was written to the file is on the disk. It fails also where somebody else was told before that the
	// disk hasn't taken something.
	Sync(name string) error
	// Rewrite writes what can be read of the file, and waits for it. Nobody else writes to it meanwhile.
	Rewrite(name string) error
}

// Open opens the file, for who calls Flush, and makes it where it is missing. It is a file of its own: whatsmeow's transactions
// and the product's would wait for each other. It is one for all devices, since a file costs some 400 KiB of memory.
func Open(ctx context.Context, path string) (*DB, error) {
	// SQLite would make checkpoints by itself, and tell nobody that the disk fails.
	return open(ctx, path, DSN(path)+"&_pragma="+url.QueryEscape("wal_autocheckpoint(0)"))
}

// checkpointAfter are about as many writes as there are pages in a log that SQLite would move by itself.
const checkpointAfter = 1000

// OpenUnflushed is Open for who doesn't call Flush: a power cut may take the last seconds, and SQLite makes checkpoints by
// itself.
func OpenUnflushed(ctx context.Context, path string) (*DB, error) { return open(ctx, path, DSN(path)) }

// OpenDurable is OpenUnflushed with a wait for the disk in every commit. It is the yardstick for the way of Flush.
func OpenDurable(ctx context.Context, path string) (*DB, error) {
	return open(ctx, path, strings.Replace(DSN(path), "_synchronous=NORMAL", "_synchronous=FULL", 1))
}

func open(ctx context.Context, path, dsn string) (*DB, error) {
	connector, err := driver.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open device keys %s: %w", path, err)
	}
	db := &DB{wal: path + "-wal", Disk: &realDisk{}, CheckpointAfter: checkpointAfter}
	db.DB = sql.OpenDB(prepared{connector, &db.written})
	// A transaction that has begun must not wait for a second connection that waits for its lock: some is enough.
	db.SetMaxOpenConns(Conns)
	db.SetMaxIdleConns(Conns)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open device keys %s: %w", path, err), db.Close())
	}
	return db, nil
}

// Upgrade makes whatsmeow's tables what this release needs, with an index that they lack: of each mutation of the app state that
// is sent or received, the one before is looked for, and without it among all of the collection.
func (db *DB) Upgrade(ctx context.Context) error {
	if err := sqlstore.NewWithDB(db.DB, "sqlite3", nil).Upgrade(ctx); err != nil {
		return fmt.Errorf("upgrade device keys: %w", err)
	}
	_, err := db.ExecContext(ctx, `CREATE INDEX IF NOT EXISTS pesan_mutation_macs
		ON whatsmeow_app_state_mutation_macs (jid, name, index_mac, version)`)
	if err != nil {
		return fmt.Errorf("index device keys: %w", err)
	}
	return nil
}

// Conns is how many connections Open allows, of which all stay open.
const Conns = 4

// DSN is what Open opens, for sql.Open with the driver "sqlite".
func DSN(path string) string {
	values := url.Values{
		"_txlock":       {"immediate"}, // a transaction that would write after reading could fail at once
		"_busy_timeout": {"20000"},
		"_journal_mode": {"WAL"},
		"_foreign_keys": {"on"},
		"_synchronous":  {"NORMAL"}, // in WAL mode commits wait for no disk; checkpoints and Flush do
		"_pragma":       {"page_size(8192)", "temp_store(MEMORY)", "journal_size_limit(67108864)"},
		"_defensive":    {"1"},
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: values.Encode()}).String()
}

// Close ends the use of the file, for which SQLite moves the log into the database.
func (db *DB) Close() error {
	var err error
	db.flushing.Lock()
	if db.failed != nil {
		err = db.rewrite()
	}
	db.flushing.Unlock()
	err = errors.Join(err, db.DB.Close())
	if disk, ok := db.Disk.(*realDisk); ok {
		err = errors.Join(err, disk.close())
	}
	return err
}

// Flush returns when everything that was stored before the call is on the disk. It is cheap where nothing was stored.
//
// After the disk has failed once the next call writes all of the log again: the system takes what it couldn't write for written,
// so a later wait for the disk means nothing.
func (db *DB) Flush() error {
	written := db.written.Load()
	db.flushing.Lock()
	defer db.flushing.Unlock()
	if db.failed == nil && db.flushed >= written {
		return nil
	}
	written = db.written.Load() // with what was stored while others waited for the disk
	// Commits are in the write-ahead log, in their order, and SQLite reads it up to the last that is whole. What a checkpoint has
	// moved into the file itself it has waited for.
	var err error
	if db.failed == nil {
		err = db.Disk.Sync(db.wal)
	} else {
		err = db.rewrite()
	}
	if db.failed = err; err != nil {
		return fmt.Errorf("flush device keys: %w", err)
	}
	db.flushed = written
	if written-db.moved >= db.CheckpointAfter {
		db.checkpoint(written)
	}
	return nil
}

// checkpoint has SQLite move the log into the database, while nobody writes. What the log on the disk lacks must not be moved:
// after a power cut SQLite would lay what stands before the gap over what is newer. So it comes right after a wait for the disk
// that was told of no fault; one of its own is told to the next, and others and long readers only put it off.
func (db *DB) checkpoint(written int64) {
	ctx, cancel := context.WithTimeout(context.Background(), diskWait)
	defer cancel()
	var busy, pages, moved int
	err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(FULL)").Scan(&busy, &pages, &moved)
	if err == nil && busy == 0 {
		db.moved = written
	}
}

// diskWait is how long a rewrite and a checkpoint wait for a connection.
const diskWait = 20 * time.Second

// rewrite has the disk take the log again while SQLite's lock keeps everybody else from writing there.
func (db *DB) rewrite() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), diskWait)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	return db.Disk.Rewrite(db.wal)
}

// realDisk implements Disk. It keeps the file open: the system tells each opened file once that something couldn't be written,
// and SQLite, which waits for the disk before it moves the log into the database, keeps to itself what it is told.
type realDisk struct{ file *os.File }

// open opens the file, unless it is open and still has the name. There is none where SQLite has moved all into the database.
func (d *realDisk) open(name string) (there bool, err error) {
	found, err := os.Stat(name)
	if d.file != nil {
		if is, failed := d.file.Stat(); err == nil && failed == nil && os.SameFile(found, is) {
			return true, nil
		}
		if err := d.close(); err != nil {
			return false, err
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		// SQLite has no lock on this file that closing it could lose.
		d.file, err = os.OpenFile(name, os.O_RDWR, 0)
	}
	return err == nil, err
}

func (d *realDisk) close() error {
	if d.file == nil {
		return nil
	}
	err := d.file.Close()
	d.file = nil
	return err
}

// Sync implements Disk.
func (d *realDisk) Sync(name string) error {
	if there, err := d.open(name); !there {
		return err
	}
	return d.file.Sync()
}

// Rewrite implements Disk.
func (d *realDisk) Rewrite(name string) error {
	if there, err := d.open(name); !there {
		return err
	}
	part := make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(part)) {
		n, err := d.file.ReadAt(part, at)
		if err != nil && err != io.EOF {
			return err
		}
		if _, failed := d.file.WriteAt(part[:n], at); failed != nil {
			return failed
		}
		if err == io.EOF {
			return d.file.Sync()
		}
	}
}

// Check has SQLite look at a file, which others may use meanwhile. It returns what is wrong with it, nothing if it isn't there.
// The keys have no checksums here: WhatsApp's protocol refuses those that aren't as they were.
func Check(ctx context.Context, path string) (faults []string, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	db, err := sql.Open("sqlite", DSN(path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "PRAGMA integrity_check(20)")
	if err != nil {
		return damaged(err)
	}
	defer rows.Close()
	for rows.Next() {
		var fault string
		if err := rows.Scan(&fault); err != nil {
			return nil, err
		}
		if fault != "ok" {
			faults = append(faults, fault)
		}
	}
	if err := rows.Err(); err != nil {
		return damaged(err)
	}
	return faults, nil
}

// Damaged tells whether an error says that a file isn't as it was written, or is no database.
func Damaged(err error) bool {
	const codeCorrupt, codeNotADB = 11, 26
	var e *driver.Error
	return errors.As(err, &e) && (e.Code()&0xff == codeCorrupt || e.Code()&0xff == codeNotADB)
}

// damaged makes a fault of an error that says that there is no database.
func damaged(err error) ([]string, error) {
	if Damaged(err) {
		return []string{err.Error()}, nil
	}
	return nil, err
}

// Mend makes a new file of a damaged one, with indexes made anew. It fails where a table can't be read.
func Mend(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite", DSN(from))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	faults, err := Check(ctx, to)
	if err == nil && len(faults) > 0 {
		err = errors.New(faults[0])
	}
	return err
}
