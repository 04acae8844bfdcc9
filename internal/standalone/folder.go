package standalone

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// folder is the data folder, held by this process alone.
type folder struct {
	Path    string
	Unclean bool // whoever had it before was killed, or the power was cut, and its files weren't looked at since
	WasOpen bool // others could look into the folder while there were keys in it, as into one that was copied
	lock    *os.File
}

// openFolder makes the folder if need be, locks it, and puts a backup in place that waits there.
func openFolder(path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find data folder: %w", err)
	}
	locked, err := lockFolder(path)
	if err != nil {
		return nil, err
	}
	_, empty := os.Stat(locked.Devices())
	err = errors.Join(locked.install(), private(locked.Database(), locked.Devices()))
	if err == nil {
		locked.WasOpen, err = closeToOthers(path)
		locked.WasOpen = locked.WasOpen && empty == nil
	}
	if err != nil {
		return nil, errors.Join(err, locked.Close())
	}
	return locked, nil
}

// private makes files, where they are missing, that nobody else may read: SQLite would let everybody, in a folder that was
// there before.
func private(names ...string) error {
	for _, name := range names {
		file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
	}
	return nil
}

// closeToOthers takes all rights of others on the folder and the files in it, and tells whether the folder let them in.
func closeToOthers(folder string) (wasOpen bool, err error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", folder, err)
	}
	names := []string{folder}
	for _, f := range files {
		if f.Type().IsRegular() {
			names = append(names, filepath.Join(folder, f.Name()))
		}
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // one of SQLite's own, which comes and goes
		}
		if err != nil {
			return wasOpen, fmt.Errorf("look at %s: %w", name, err)
		}
		if mode := info.Mode().Perm(); enforced && mode&0o077 != 0 {
			if err := os.Chmod(name, mode&^0o077); err != nil {
				return wasOpen, fmt.Errorf("others may read %s, and that can't be changed: %w", name, err)
			}
			wasOpen = wasOpen || name == folder
		}
	}
	return wasOpen, nil
}

// LeastSecret is what a system secret must have at least, in characters.
const LeastSecret = 16

// secret reads the system secret from the folder, and makes one at first. It returns the file too.
func (f *folder) secret() (secret, file string, err error) {
	file = filepath.Join(f.Path, "secret")
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		secret = newSecret()
		return secret, file, writeFile(file, secret+"\n")
	}
	if err != nil {
		return "", "", fmt.Errorf("read system secret: %w", err)
	}
	secret = strings.TrimSpace(string(b))
	if len(secret) < LeastSecret {
		return "", "", fmt.Errorf("%s: the system secret has less than %d characters", file, LeastSecret)
	}
	return secret, file, nil
}

func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// writeFile writes a private file whole or not at all.
func writeFile(name, text string) error {
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-*") // private
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
