package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"pesan/internal/kv"
)

// Damage is what a check finds: an item, where Key has a sort key; something of a partition that can't be read, where it has
// none; and something of the file itself, where Key is zero.
type Damage struct {
	Key  kv.Key
	Text string // SQLite's, of the file itself
}

// mostTexts is how many faults of the file itself are told.
const mostTexts = 20

// Check reads all of a file, which others may use meanwhile, and yields what isn't as it was written. It yields an error only
// when it couldn't look: ErrDamaged where nothing can be read, ErrForeign, ErrNewer.
func Check(ctx context.Context, path string) iter.Seq2[Damage, error] {
	return func(yield func(Damage, error) bool) {
		err := using(ctx, path, func(c *conn) error {
			more := true
			told := func(d Damage) bool {
				more = more && yield(d, nil)
				return more
			}
			if err := checkFile(c, told); err != nil || !more {
				return err
			}
			for part, err := range partitions(c) {
				if err != nil {
					more = told(Damage{Text: "the list of partitions: " + err.Error()})
				} else if more = checkPartition(ctx, c, part, told); ctx.Err() != nil {
					return ctx.Err()
				}
				if !more {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(Damage{}, err)
		}
	}
}

// using lends a connection to a file of this program's.
func using(ctx context.Context, path string, use func(*conn) error) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	c, err := openConn(ctx, dsn(path, false, true))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := checkTables(c); err != nil {
		return err
	}
	return use(c)
}

// checkFile lets SQLite look at its pages and indexes.
func checkFile(c *conn, told func(Damage) bool) error {
	err := c.rows(fmt.Sprintf("PRAGMA integrity_check(%d)", mostTexts), nil, 1, func(row []driver.Value) (bool, error) {
		text, _ := row[0].(string)
		return text == "ok" || told(Damage{Text: text}), nil
	})
	if code(err) == codeCorrupt {
		told(Damage{Text: err.Error()})
		return nil
	}
	return err
}

type numbered struct {
	partition
	number int64
}

// ways are the orders in which rows are read, since what lies behind a page that can't be read may be reached from the other end.
var ways = []string{"", " DESC"}

// partitions are all that can be read, each once. The errors are those on the way.
func partitions(c *conn) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		seen := map[int64]bool{}
		for _, way := range ways {
			var found []numbered
			err := c.rows("SELECT number, collection, name FROM partitions ORDER BY number"+way, nil, 3,
				func(row []driver.Value) (bool, error) {
					number, _ := row[0].(int64)
					collection, _ := row[1].(string)
					name, _ := row[2].(string)
					if !seen[number] {
						seen[number] = true
						found = append(found, numbered{partition{kv.Collection(collection), name}, number})
					}
					return true, nil
				})
			for _, part := range found {
				if !yield(part, nil) {
					return
				}
			}
			if err == nil || !yield(numbered{}, err) {
				return
			}
		}
	}
}

// checkPartition tells of what isn't as it was written, and whether to go on.
func checkPartition(ctx context.Context, c *conn, part numbered, told func(Damage) bool) (more bool) {
	more = true
	err := readPartition(ctx, c, part, "", func(it *kv.Item, _ []byte, damaged bool) (bool, error) {
		if damaged {
			more = told(Damage{Key: it.Key})
		}
		return more, nil
	})
	if err != nil && ctx.Err() == nil && more {
		more = told(Damage{Key: kv.Key{Collection: part.collection, Partition: part.name}})
	}
	return more
}

// readPartition calls each with every row of a partition until it says that it has enough.
func readPartition(
	ctx context.Context, c *conn, part numbered, way string, each func(it *kv.Item, value []byte, damaged bool) (bool, error),
) error {
	query := "SELECT sort, token, expires, value FROM items WHERE part = ? ORDER BY sort" + way
	return c.rows(query, []driver.Value{part.number}, 4, func(row []driver.Value) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		it := &kv.Item{Key: kv.Key{Collection: part.collection, Partition: part.name}}
		it.Sort, _ = row[0].(string)
		token, _ := row[1].(int64)
		expires, _ := row[2].(int64)
		value, _ := row[3].([]byte)
		err := decodeValue(value, it)
		return each(it, value, err != nil || it.Token != token || it.Expires != expires)
	})
}

// Mend makes a new file of all in a damaged one that is as it was written, and calls lost with what isn't, as Check yields it.
func Mend(ctx context.Context, from, to string, lost func(Damage)) error {
	s, err := Open(ctx, to, Options{Sync: true})
	if err != nil {
		return err
	}
	w := s.writer.conn
	err = using(ctx, from, func(c *conn) error {
		if err := checkFile(c, func(d Damage) bool { lost(d); return true }); err != nil { // a wrong order may hide items
			return err
		}
		for part, err := range partitions(c) {
			if err != nil {
				lost(Damage{Text: "the list of partitions: " + err.Error()})
				continue
			}
			if err := mendPartition(ctx, c, w, part, lost); err != nil {
				return err
			}
		}
		orphans, err := c.number("SELECT count(*) FROM items WHERE part NOT IN (SELECT number FROM partitions)")
		if err != nil || orphans > 0 {
			lost(Damage{Text: fmt.Sprintf("%d items of partitions that aren't listed", orphans)})
		}
		return nil
	})
	return errors.Join(err, s.Close())
}

func mendPartition(ctx context.Context, c, to *conn, part numbered, lost func(Damage)) error {
	if _, err := to.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	_, err := to.exec("INSERT INTO partitions (number, collection, name) VALUES (?, ?, ?)", part.number,
		string(part.collection), part.name)
	if err != nil {
		lost(Damage{Key: kv.Key{Collection: part.collection, Partition: part.name}}) // a second one of the same name
		_, err := to.exec("ROLLBACK")
		return err
	}
	seen := map[string]bool{} // of a partition that has a page that can't be read
	for _, way := range ways {
		var writing error
		err = readPartition(ctx, c, part, way, func(it *kv.Item, value []byte, damaged bool) (bool, error) {
			switch {
			case damaged && !seen[it.Sort]:
				lost(Damage{Key: it.Key})
			case !damaged && !seen[it.Sort]:
				_, writing = to.exec("INSERT INTO items (part, sort, token, expires, value) VALUES (?, ?, ?, ?, ?)",
					part.number, it.Sort, it.Token, it.Expires, value)
			}
			seen[it.Sort] = true
			return writing == nil, writing
		})
		if writing != nil || ctx.Err() != nil {
			return errors.Join(writing, ctx.Err())
		}
		if err == nil {
			break
		}
		if way == "" {
			lost(Damage{Key: kv.Key{Collection: part.collection, Partition: part.name}})
		}
	}
	_, err = to.exec("COMMIT")
	return err
}

// Copy puts what a file holds at one moment into a new one, while others use it.
func Copy(ctx context.Context, from, to string) error {
	err := using(ctx, from, func(c *conn) error {
		if err := c.script("PRAGMA query_only = off"); err != nil { // VACUUM INTO counts as writing
			return err
		}
		_, err := c.exec("VACUUM INTO ?", to)
		return wrap("copy", err)
	})
	if err != nil {
		return err
	}
	if err := os.Chmod(to, 0o600); err != nil {
		return err
	}
	return syncFiles(to, filepath.Dir(to))
}

// syncFiles waits until files, and names in folders, are on the disk.
func syncFiles(names ...string) error {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = f.Sync()
		if isFolder(f) {
			err = nil // where the system syncs no folders
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func isFolder(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.IsDir()
}
