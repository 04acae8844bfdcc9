//go:build !windows

package standalone

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile takes the file's lock, which ends with the process. errFolderInUse when another process has it.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errFolderInUse
	}
	if err != nil {
		return fmt.Errorf("lock data folder: %w", err)
	}
	return nil
}
