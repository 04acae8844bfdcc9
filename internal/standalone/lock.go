package standalone

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FolderInUseError says that another process has locked a folder.
type FolderInUseError struct {
	Path    string
	Process int // its id; 0: unknown
}

func (e *FolderInUseError) Error() string {
	owner := ""
	if e.Process != 0 {
		owner = fmt.Sprintf(" (process %d)", e.Process)
	}
	return fmt.Sprintf("data folder %s is in use by another process%s; stop it, or choose another folder", e.Path, owner)
}

// errLocked tells that another process holds the lock.
var errLocked = errors.New("locked")

// lockFolder makes the folder where it is missing, for this user only, and takes it for this process: the system lets go
// of the lock when the process ends, however it ends. A folder in use is refused with a FolderInUseError.
func lockFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	name := filepath.Join(path, "lock")
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of data folder: %w", err)
	}
	if err := lockFile(file); err != nil {
		owner := readOwner(file)
		file.Close()
		if errors.Is(err, errLocked) {
			return nil, &FolderInUseError{path, owner}
		}
		return nil, fmt.Errorf("lock data folder %s: %w", path, err)
	}
	unclean := readOwner(file) != 0
	if err := writeOwner(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("write lock of data folder: %w", err)
	}
	return &folder{Path: path, Unclean: unclean, lock: file}, nil
}

// Close gives the folder back. The lock says no owner any more where the folder is in order, so that the next one knows.
func (f *folder) Close() error {
	var err error
	if !f.Unclean {
		err = f.lock.Truncate(0)
	}
	return errors.Join(err, f.lock.Close())
}

// Database is the path of the database; see kv/sqlite.
func (f *folder) Database() string { return filepath.Join(f.Path, "pesan.db") }

// Devices is the path of the device keys; see devicedb.
func (f *folder) Devices() string { return filepath.Join(f.Path, "devices.db") }

// readOwner is the process that wrote the lock; 0 where it doesn't say.
func readOwner(file *os.File) int {
	b := make([]byte, 32)
	n, _ := file.ReadAt(b, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}

func writeOwner(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
