package sqlite

import (
	"errors"
	"fmt"
)

// The file says in its header whose it is and of which version its tables are.
const (
	applicationID = 0x50534e31
	tablesVersion = 2 // 1 had no checksums
)

// tables: partitions are numbered, since their names would take some 60 bytes in every row; a number is never given twice. An
// item is one blob beside its key: columns cost more to hand over than a blob costs to cut. token and expires stand in it, too.
const tables = `
CREATE TABLE partitions (
	number INTEGER PRIMARY KEY AUTOINCREMENT,
	collection TEXT NOT NULL,
	name TEXT NOT NULL,
	UNIQUE (collection, name)
) STRICT;
CREATE TABLE items (
	part INTEGER NOT NULL,
	sort TEXT NOT NULL,
	token INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (part, sort)
) STRICT, WITHOUT ROWID;
CREATE INDEX items_expires ON items (expires) WHERE expires > 0;
`

// errNew says that a file has no tables yet.
var errNew = errors.New("the database is empty")

// checkTables refuses the file of another program, and one of another version.
func checkTables(c *conn) error {
	application, version, objects := int64(0), int64(0), int64(0)
	for query, into := range map[string]*int64{
		"PRAGMA application_id":              &application,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_schema": &objects,
	} {
		n, err := c.number(query)
		if err != nil {
			return wrap("read the version of the tables", err)
		}
		*into = n
	}
	switch {
	case application == applicationID && version == tablesVersion:
		return nil
	case application == applicationID && version > tablesVersion:
		return fmt.Errorf("%w: its tables have version %d, this one knows %d", ErrNewer, version, tablesVersion)
	case objects > 0 || application != 0 && application != applicationID:
		return fmt.Errorf("%w, or an older form of this one's", ErrForeign)
	}
	return errNew
}

// prepareTables makes the tables in a new file.
func prepareTables(c *conn) error {
	if err := checkTables(c); !errors.Is(err, errNew) {
		return err
	}
	for _, query := range []string{
		"BEGIN IMMEDIATE", tables,
		fmt.Sprintf("PRAGMA application_id = %d", applicationID), fmt.Sprintf("PRAGMA user_version = %d", tablesVersion),
		"COMMIT",
	} {
		if err := c.script(query); err != nil {
			return wrap("make the tables", err)
		}
	}
	return nil
}
