package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pesan/internal/kv/sqlite"
)

// Backup writes accounts, chats, messages, commands and reports into a new file, as they are at one moment. A program that runs
// on the folder goes on. Keys of devices aren't in it; see docs/decisions.
func Backup(ctx context.Context, c Config, file string) error {
	w := wordsOf(c.Locale)
	f, err := theFolder(c, w)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf(w.fileExists, file)
	}
	temporary := file + ".part"
	err = removeDatabase(temporary)
	if err == nil {
		defer func() { _ = removeDatabase(temporary) }() // where it is there yet, there is an error already
		err = sqlite.Copy(ctx, f.Database(), temporary)
	}
	if err != nil {
		return w.notOpened(f.Database(), err)
	}
	if err := checkBackup(ctx, w, temporary); err != nil {
		return err
	}
	if err := os.Link(temporary, file); err != nil { // never in another file's place
		if err := os.Rename(temporary, file); err != nil { // where the system has no links
			return err
		}
	}
	fmt.Fprintf(c.Out, w.backedUp+"\n", file)
	return nil
}

// theFolder is a folder that must be there.
func theFolder(c Config, w words) (*folder, error) {
	path, err := filepath.Abs(c.Folder)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf(w.folderBad, c.Folder, err)
	}
	return &folder{Path: path}, nil
}

// checkBackup refuses a file that isn't whole, or can't be used.
func checkBackup(ctx context.Context, w words, file string) error {
	for _, err := range sqlite.Check(ctx, file) {
		if err != nil {
			return w.notOpened(file, err)
		}
		return fmt.Errorf(w.backupHurt, file)
	}
	return nil
}

// Restored is what waits in a folder to take the database's place.
func (f *folder) restored() string { return filepath.Join(f.Path, "restore.db") }

// Restore puts a backup in the place of what a folder holds. A program that runs on the folder does it itself, and goes on with
// the backup; Restore returns when it has.
func Restore(ctx context.Context, c Config, file string) error {
	w := wordsOf(c.Locale)
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return fmt.Errorf(w.folderBad, c.Folder, err)
	}
	f, err := theFolder(c, w)
	if err != nil {
		return err
	}
	if _, err := os.Stat(file + "-wal"); err == nil {
		return fmt.Errorf(w.noBackup, file)
	}
	temporary := f.restored() + ".part"
	defer func() { _ = removeDatabase(temporary) }()
	if err := errors.Join(removeDatabase(temporary), copyFile(file, temporary)); err != nil {
		return err
	}
	if err := checkBackup(ctx, w, temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.restored()); err != nil {
		return err
	}
	locked, err := lockFolder(f.Path)
	if err == nil {
		if err := locked.install(); err != nil {
			return errors.Join(err, locked.Close())
		}
		if err := locked.Close(); err != nil {
			return err
		}
	} else if inUse := (*FolderInUseError)(nil); !errors.As(err, &inUse) {
		return err
	} else if err := taken(ctx, f.restored()); err != nil {
		return fmt.Errorf(w.notTaken, inUse.Process, err)
	}
	fmt.Fprintf(c.Out, w.restored+"\n", file)
	return nil
}

// restorePatience is how long a running program may take to see a backup and to end what it does.
const restorePatience = 30 * time.Second

// taken returns when a file is gone.
func taken(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, restorePatience)
	defer cancel()
	return poll(ctx, func() bool {
		_, err := os.Stat(file)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// poll returns when a condition is true; files have no events that every system has.
func poll(ctx context.Context, is func() bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

const pollEvery = 500 * time.Millisecond

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// install puts what Restore has left in the place of what the folder holds, which stays beside it. The devices' keys go first:
// they are of another moment than what is restored, so each device is linked anew. Killed anywhere, it is completed by the next
// start.
func (f *folder) install() error {
	if _, err := os.Stat(f.restored()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	aside := time.Now().UTC().Format("20060102T150405")
	if err := removeDatabase(f.Devices()); err != nil {
		return err
	}
	if _, err := os.Stat(f.Database()); err == nil {
		if err := moveDatabase(f.Database(), f.Database()+"."+aside); err != nil {
			return err
		}
	}
	return moveDatabase(f.restored(), f.Database())
}

// errRestore ends a program whose folder has a backup to begin with.
var errRestore = errors.New("there is a backup to begin with")

// awaitRestore returns errRestore when there is something to restore.
func (p *program) awaitRestore(ctx context.Context) error {
	err := poll(ctx, func() bool {
		_, err := os.Stat(p.folder.restored())
		return err == nil
	})
	if err != nil {
		return nil // ctx has ended
	}
	return errRestore
}
